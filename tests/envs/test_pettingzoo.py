"""PettingZoo's own tests, and what they leave out: whole episodes, the order of the game, sealed offers."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from pettingzoo.test import (
    api_test,
    max_cycles_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
)

from envs import energy_market_v0 as market
from envs.sights import LIMIT

SCENARIOS = ["tiny", "rural_day"]
AGENTS = {"tiny": (6, 2), "rural_day": (31, 4)}
pytestmark = pytest.mark.filterwarnings("ignore:(Agents have different|Observations? (are|is) )")


def whole_episode(config, seed, cycles=24, **kwargs):
    """Observations, rewards and the ledger's head of an episode with seeded random actions."""
    env = market.parallel_env(config, max_cycles=cycles, **kwargs)
    observations, _ = env.reset(seed=seed)
    rng = np.random.default_rng(seed)
    seen, earned, infos = [observations], [], {}
    while env.agents:
        actions = {a: rng.uniform(-1, 1, env.action_space(a).shape).astype(np.float32) for a in env.agents}
        observations, rewards, _, _, infos = env.step(actions)
        seen.append(observations)
        earned.append(rewards)
    return seen, earned, infos["eno_0"]["ledger_head"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_conventions(scenario, capsys):
    parallel_api_test(market.parallel_env(scenario), num_cycles=20)
    api_test(market.env(scenario, max_cycles=4), num_cycles=200)
    parallel_seed_test(partial(market.parallel_env, scenario))
    seed_test(partial(market.env, scenario))
    faces = {name: partial(getattr(market, name), scenario) for name in ("env", "raw_env", "parallel_env")}
    max_cycles_test(SimpleNamespace(**faces))
    render_test(faces["env"])


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_whole_episodes_repeat_to_the_byte(scenario):
    first, again, other = (whole_episode(scenario, seed) for seed in (3, 3, 4))
    assert first[2] == again[2] != other[2]
    assert first[1] == again[1]
    for one, two in zip(first[0], again[0], strict=True):
        assert all(np.array_equal(one[agent], two[agent]) for agent in one)


def test_episodes_of_one_seed_differ_and_repeat():
    def heads():
        env = market.parallel_env("tiny", max_cycles=3)
        found = []
        for seed in (7, None):
            env.reset(seed=seed)
            infos = {}
            while env.agents:
                infos = env.step({a: np.zeros(env.action_space(a).shape, np.float32) for a in env.agents})[4]
            found.append(infos["eno_0"]["ledger_head"])
        return found

    assert heads() == heads()
    assert len(set(heads())) == 2


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_agents_spaces_and_state(scenario):
    env = market.parallel_env(scenario, max_cycles=5)
    env.reset(seed=0)
    sites, aggregators = AGENTS[scenario]
    assert env.possible_agents == [f"prosumer_{i}" for i in range(sites)] + [
        f"aggregator_{i}" for i in range(aggregators)
    ] + ["eno_0"]
    for agent in env.possible_agents:
        assert env.action_space(agent) is env.action_space(agent)
        assert env.observation_space(agent) is env.observation_space(agent)
    assert env.state_space.contains(env.state())
    tables = market.tables(scenario)
    for kind, space in (("actions", env.action_space), ("observations", env.observation_space)):
        for role, columns in tables[kind].items():
            assert space(f"{role}_0").shape == (len(columns),)
            assert len({column.name for column in columns}) == len(columns)
            assert all(column.meaning and column.unit and column.low < column.high for column in columns)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_observations_stay_within_the_ranges_of_their_table(scenario):
    seen, _, _ = whole_episode(scenario, 1, cycles=60)
    tables = market.tables(scenario)["observations"]
    for observations in seen:
        for agent, values in observations.items():
            for column, value in zip(tables[agent.split("_")[0]], values, strict=True):
                low, high = max(column.low, -LIMIT), min(column.high, LIMIT)
                assert low - 1e-6 <= value <= high + 1e-6, (agent, column.name, value)


def staged(seed=0, cycles=2):
    env = market.raw_env("rural_day", max_cycles=cycles, overrides={"ledger": {"mode": "off"}})
    env.reset(seed=seed)
    return env


def test_stages_come_in_order_and_hide_what_is_sealed():
    """Prosumers and rivals see an aggregator's subsidy once its stage is over, and its sealed offer never."""

    def prosumer_sees(sealed, subsidy):
        env = staged()
        names = [c.name for c in env.core.columns["aggregator"]]
        seen = {}
        for agent in env.possible_agents:
            assert env.agent_selection == agent
            action = np.zeros(env.action_space(agent).shape, np.float32)
            if agent == "aggregator_0":
                for name in ("offer_price", "offer_volume", "credit_threshold"):
                    action[names.index(name)] = sealed
                action[names.index("subsidy")] = subsidy
            seen[agent] = env.observe(agent)
            env.step(action)
        return seen

    base, dearer, generous = prosumer_sees(0.0, 0.0), prosumer_sees(0.9, 0.0), prosumer_sees(0.0, 0.9)
    for agent, seen in base.items():
        assert np.array_equal(seen, dearer[agent])  # a sealed offer changes nothing that anybody sees
        changed = not np.array_equal(seen, generous[agent])
        assert changed == agent.startswith("prosumer")  # a public subsidy is seen, by those who act later


def test_a_stage_does_not_see_itself():
    """What prosumer_0 does is nowhere in what prosumer_1 sees in the same period."""
    seen = []
    for value in (-1.0, 1.0):
        env = staged()
        while env.agent_selection != "prosumer_1":
            agent = env.agent_selection
            action = np.zeros(env.action_space(agent).shape, np.float32)
            env.step(np.full_like(action, value) if agent == "prosumer_0" else action)
        seen.append(env.observe("prosumer_1"))
    assert np.array_equal(*seen)


def test_the_announced_flag_tells_the_games_apart():
    parallel = market.parallel_env("tiny", max_cycles=3)
    observations, _ = parallel.reset(seed=0)
    flag = [c.name for c in market.tables("tiny")["observations"]["prosumer"]].index("announced")
    assert observations["prosumer_0"][flag] == 0.0
    env = market.raw_env("tiny", max_cycles=3)
    env.reset(seed=0)
    env.step(np.zeros(2, np.float32))
    assert env.observe("aggregator_0")[flag] == 1.0
    assert parallel.observation_space("prosumer_0") == env.observation_space("prosumer_0")


def test_mistakes_are_named():
    env = market.parallel_env("tiny", max_cycles=3)
    env.reset(seed=0)
    actions = {a: np.zeros(env.action_space(a).shape, np.float32) for a in env.agents}
    with pytest.raises(ValueError, match="prosumer_2: no action was given"):
        env.step({a: x for a, x in actions.items() if a != "prosumer_2"})
    with pytest.raises(ValueError, match=r"aggregator_1: an action of shape \(4,\) is expected, not \(3,\)"):
        env.step({**actions, "aggregator_1": np.zeros(3)})
    with pytest.raises(ValueError, match="render_mode = 'film'"):
        market.parallel_env("tiny", render_mode="film")
    with pytest.raises(ValueError, match="max_cycles = 0"):
        market.parallel_env("tiny", max_cycles=0)
    with pytest.raises(ValueError, match="seed = -1"):
        env.reset(seed=-1)


@pytest.mark.parametrize("seed", [-1, 1.5, 2**64, 2**80, True, "7", [1]])
def test_a_seed_is_a_whole_number_of_64_bits(seed):
    for env in (market.parallel_env("tiny"), market.raw_env("tiny")):
        with pytest.raises(
            ValueError, match=r"seed = .*: a whole number is needed \(allowed: 0 to 18446744073709551615\)"
        ):
            env.reset(seed=seed)


def test_the_largest_seed_is_played_and_numpys_integers_are_seeds():
    *_, head = whole_episode("tiny", 2**64 - 1, cycles=2)
    assert head == whole_episode("tiny", np.uint64(2**64 - 1), cycles=2)[2] != whole_episode("tiny", 0, cycles=2)[2]


def test_nothing_is_played_or_seen_before_reset():
    env, staged_env = market.parallel_env("tiny", render_mode="ansi"), market.raw_env("tiny")
    for early in (
        env.state, env.ledger_head, env.render, partial(env.step, {}),
        staged_env.state, partial(staged_env.observe, "eno_0"), partial(staged_env.step, np.zeros(2)),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="call reset first"):
            early()


@pytest.mark.parametrize("face", [market.parallel_env, market.env, market.vector_env])
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"config": 3}, r"config = 3: no settings \(allowed: a file"),
        ({"overrides": 3}, "overrides = 3: a nested mapping is needed"),
        ({"overrides": {"market.trading": "fpsa"}}, r"write it as \{'market': \{'trading': 'fpsa'\}\}"),
        ({"max_cycles": 2.0}, r"max_cycles = 2\.0: a whole number is needed \(allowed: at least 1\)"),
    ],
)
def test_a_face_refuses_what_is_no_setting(face, arguments, says):
    with pytest.raises(ValueError, match=says):
        face(**{"config": "tiny", **arguments})


def test_actions_of_nobody_are_refused_and_wild_ones_clipped():
    def rewards(value, **more):
        env = market.parallel_env("tiny", max_cycles=2)
        env.reset(seed=0)
        return env.step({a: np.full(env.action_space(a).shape, value) for a in env.agents} | more)[1]

    assert rewards(7.5) == rewards(1.0) != rewards(-1.0)
    with pytest.raises(ValueError, match=r"actions of 'prosumer_6': no such agent \(allowed: prosumer_0, "):
        rewards(0.0, prosumer_6=np.zeros(14))
    env = market.parallel_env("tiny", max_cycles=2)
    env.reset(seed=0, options={})
    for actions in (None, [np.zeros(2)]):
        with pytest.raises(ValueError, match=r"actions are a \w+ \(allowed: a mapping"):
            env.step(actions)
    with pytest.raises(ValueError, match="options = 3"):
        env.reset(options=3)
    with pytest.raises(ValueError, match="ledger_path = 3"):
        market.parallel_env("tiny", ledger_path=3)


@pytest.mark.parametrize("mode", ["ansi", "rgb_array", "human"])
def test_rendering_shows_the_period(mode, capsys):
    env = market.parallel_env("tiny", render_mode=mode, max_cycles=3)
    env.reset(seed=0)
    env.step({a: np.zeros(env.action_space(a).shape, np.float32) for a in env.agents})
    shown = env.render()
    if mode == "rgb_array":
        assert shown.dtype == np.uint8
        assert shown.ndim == 3
        assert len(np.unique(shown)) > 10
    else:
        text = shown if mode == "ansi" else capsys.readouterr().out
        assert "voltage" in text
        assert "period 1" in text
