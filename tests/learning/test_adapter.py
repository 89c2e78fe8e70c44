from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from ray.rllib.utils.pre_checks.env import check_multiagent_environments

from agents.learning.rllib import MarketEnv
from agents.learning.settings import RolePolicies, TrainingSettings
from envs.energy_market_v0 import env as staged_env
from envs.energy_market_v0 import parallel_env

PERIODS = 8
PLAY = """
import hashlib
import numpy as np
from agents.learning.rllib import MarketEnv
from agents.learning.settings import load_training
env = MarketEnv({"settings": load_training("tiny", {"overrides": {"calendar": {"periods": 8}}}), "stream": 0})
rng, sha, done = np.random.default_rng(0), hashlib.sha256(), False
answer = env.reset(seed=5)
while not done:
    said = {agent: rng.uniform(-1, 1, env.action_spaces[agent].shape).astype(np.float32) for agent in answer[0]}
    answer = env.step(said)
    sha.update(repr([(agent, answer[1][agent], answer[0][agent].tobytes()) for agent in answer[0]]).encode())
    done = answer[3]["__all__"]
print(sha.hexdigest())
"""


def make(settings: TrainingSettings, **changes: object) -> MarketEnv:
    return MarketEnv({"settings": settings.model_copy(update=changes), "stream": 0})


def actions_of(env: MarketEnv, asked: dict, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {agent: rng.uniform(-1, 1, env.action_spaces[agent].shape).astype(np.float32) for agent in asked}


@pytest.mark.parametrize("game", ["simultaneous", "staged"])
def test_rllib_accepts_it(settings: TrainingSettings, game: str) -> None:
    check_multiagent_environments(make(settings, game=game))


def test_order_and_returns_do_not_depend_on_the_hash_seed() -> None:
    printed = set()
    for hash_seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run([sys.executable, "-c", PLAY], env=env, capture_output=True, text=True, check=True)
        printed.add(done.stdout)
    assert len(printed) == 1
    assert len(printed.pop().strip()) == 64


def test_same_rewards_as_the_parallel_face(settings: TrainingSettings) -> None:
    adapter = make(settings)
    asked, _ = adapter.reset(seed=5)
    face = parallel_env("tiny", max_cycles=PERIODS, overrides={"ledger": {"mode": "off"}})
    seed = int(np.random.default_rng((5, 0, 0)).integers(2**63))
    seen, _ = face.reset(seed=seed)
    assert list(asked) == face.possible_agents
    rng = np.random.default_rng(1)
    total = dict.fromkeys(face.possible_agents, 0.0)
    for period in range(PERIODS):
        for agent in face.possible_agents:
            np.testing.assert_array_equal(asked[agent], seen[agent])
        said = actions_of(adapter, asked, rng)
        asked, rewards, _, over, _ = adapter.step(said)
        seen, expected, _, _, _ = face.step(said)
        assert rewards == pytest.approx(expected, abs=1e-6)
        assert over["__all__"] == (period == PERIODS - 1)
        total = {agent: total[agent] + expected[agent] for agent in total}
    prosumers = [value for agent, value in total.items() if agent.startswith("prosumer")]
    assert adapter.returns["prosumer"] == pytest.approx(np.mean(prosumers), abs=1e-5)


def test_the_staged_game_is_that_of_the_aec_face(settings: TrainingSettings) -> None:
    adapter = make(settings, game="staged")
    asked, _ = adapter.reset(seed=5)
    face = staged_env("tiny", max_cycles=PERIODS, overrides={"ledger": {"mode": "off"}})
    face.reset(seed=int(np.random.default_rng((5, 0, 0)).integers(2**63)))
    rng = np.random.default_rng(1)
    paid = dict.fromkeys(adapter.possible_agents, 0.0)
    steps, over = 0, False
    while not over:
        assert len({agent.rsplit("_", 1)[0] for agent in asked}) == 1  # one stage at a time
        said = actions_of(adapter, asked, rng)
        for agent, action in said.items():
            assert face.agent_selection == agent
            np.testing.assert_array_equal(asked[agent], face.observe(agent))
            face.step(action)
        asked, rewards, _, truncated, _ = adapter.step(said)
        over, steps = truncated["__all__"], steps + 1
        paid = {agent: paid[agent] + rewards.get(agent, 0.0) for agent in paid}
    assert steps == 3 * PERIODS
    assert set(asked) == set(adapter.possible_agents)
    assert paid["eno_0"] == pytest.approx(adapter.returns["eno"], abs=1e-5)
    assert np.mean([paid[f"prosumer_{i}"] for i in range(6)]) == pytest.approx(adapter.returns["prosumer"], abs=1e-5)


@pytest.mark.parametrize("game", ["simultaneous", "staged"])
def test_roles_played_by_rules_are_no_agents(settings: TrainingSettings, game: str) -> None:
    env = make(settings, game=game, policies=RolePolicies(prosumer="truthful", eno="planner"))
    assert env.possible_agents == ["aggregator_0", "aggregator_1"]
    asked, _ = env.reset(seed=1)
    rng, steps, over = np.random.default_rng(0), 0, False
    while not over:
        asked, _, _, truncated, _ = env.step(actions_of(env, asked, rng))
        over, steps = truncated["__all__"], steps + 1
    assert steps == PERIODS
    assert env.returns["prosumer"] != 0.0


def test_a_seed_replays_and_its_episodes_differ(settings: TrainingSettings) -> None:
    def first_observation(env: MarketEnv, seed: int | None) -> bytes:
        return b"".join(value.tobytes() for value in env.reset(seed=seed)[0].values())

    env, twin = make(settings), make(settings)
    episodes = [first_observation(env, 3), first_observation(env, None), first_observation(env, 3)]
    assert len(set(episodes)) == 3
    assert episodes == [first_observation(twin, 3), first_observation(twin, 3), first_observation(twin, None)]
    resumed = MarketEnv({"settings": settings, "stream": 1})
    assert first_observation(resumed, 3) not in episodes
