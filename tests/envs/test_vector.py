"""A batch equals its worlds, with every way of keeping the ledger; episodes restart by themselves."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from envs import energy_market_v0 as market
from envs.types import PPM
from ledger.consensus import available
from tests.envs.play import at_random, by_rules, core_of, periods

ROOT = Path(__file__).resolve().parents[2]
ROLES = ("eno", "aggregator", "prosumer")


def play(core, seeds, chooser):
    core.reset(np.array(seeds, np.uint64))
    return list(periods(core, chooser))


class Slice:
    """Plays world b of recorded batch actions."""

    def __init__(self, record, b):
        self.steps, self.b, self.k = record, b, 0

    def __call__(self, core, observer, role):
        action = self.steps[self.k][self.b : self.b + 1]
        self.k += 1
        return action


@pytest.mark.parametrize("scenario", ["tiny", "rural_day_malicious"])
def test_a_world_in_a_batch_is_that_world_alone(scenario):
    cycles = 44  # reaches the first events of the day
    batch, record, choose = core_of(scenario, cycles=cycles), [], at_random(5)

    def recorded(core, observer, role):
        record.append(choose(core, observer, role))
        return record[-1]

    traces = play(batch, (10, 11, 12), recorded)
    for b in range(3):
        single = core_of(scenario, cycles=cycles)
        alone = play(single, (10 + b,), Slice(record, b))
        assert single.recorder.heads[0] == batch.recorder.heads[b]
        assert np.array_equal(single.state.balance[0], batch.state.balance[b])
        assert np.array_equal(single.state.voltage_pu[0], batch.state.voltage_pu[b])
        for one, many in zip(alone, traces, strict=True):
            for role in ROLES:
                assert np.array_equal(one.reward[role][0], many.reward[role][b])


@pytest.mark.parametrize("scenario", ["tiny", "rural_day_malicious"])
def test_who_is_paid_and_punished_does_not_depend_on_the_ledger(scenario):
    outcomes = []
    for ledger in ({"mode": "full"}, {"mode": "full", "signing": "record"}, {"mode": "hashes"}, {"mode": "off"}):
        forgers = {"malicious": {"forging_producer": {"count": 6}}} if scenario != "tiny" else {}
        core = core_of(scenario, {"ledger": ledger, **forgers}, cycles=40)
        traces = play(core, (2,), by_rules(core))
        outcomes.append((core.state.balance.tolist(), core.state.credit_ppm.tolist(), [t.refused for t in traces]))
    assert all(outcome == outcomes[0] for outcome in outcomes)
    if scenario == "rural_day_malicious":
        assert any(refused[0] for refused in outcomes[0][2]), "nobody forged: the test shows nothing"


@pytest.mark.parametrize("rule", available())
def test_every_consensus_rule_names_the_same_producers_with_and_without_a_chain(rule):
    outcomes = []
    for mode in ("full", "hashes", "off"):
        settings = {"ledger": {"mode": mode, "consensus": rule}, "malicious": {"forging_producer": {"count": 3}}}
        core = core_of("tiny", settings, cycles=16)
        traces = play(core, (2,), by_rules(core))
        outcomes.append(([t.refused for t in traces], [int(t.producer[0]) for t in traces]))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert min(outcomes[0][1]) >= 0  # a draw was made in every period, in every mode


def test_three_chains_name_and_punish_the_same_producers_with_and_without_a_ledger():
    outcomes = []
    for mode in ("full", "hashes", "off"):
        consensus = {"dispatch": "poe", "trading": "first_success", "credit": "pos"}
        settings = {"ledger": {"mode": mode, "consensus": consensus}, "malicious": {"forging_producer": {"count": 4}}}
        core = core_of("tiny", settings, cycles=24)
        traces = play(core, (2,), by_rules(core))
        found = [t.refused for t in traces], [t.producer.tolist() for t in traces], core.state.credit_ppm.tolist()
        outcomes.append(found)
    assert outcomes[0] == outcomes[1] == outcomes[2]
    doubled = [t for t in traces if len(t.refused[0]) > len(set(t.refused[0]))]
    assert doubled, "nobody was refused in two chains of one period: the test shows nothing"
    standing = core.world.scenario.standing
    penalty_ppm, first_ppm = round(standing.forged_block_penalty * PPM), round(standing.initial_credit * PPM)
    for t in doubled:
        before = traces[t.period - 1].credit_ppm[0] if t.period else np.full_like(t.credit_ppm[0], first_ppm)
        assert (before - t.credit_ppm[0]).max() <= penalty_ppm  # refused twice, punished once


@pytest.mark.parametrize("game", ["simultaneous", "staged"])
def test_same_step_autoreset(game):
    vec = market.vector_env("tiny", num_worlds=3, game=game, max_cycles=4)
    observations, _ = vec.reset(seed=1)
    heads = []
    for period in range(8):
        actions = {role: np.zeros((3, vec.agents[role], len(vec.action_columns[role])), np.float32) for role in ROLES}
        if game == "simultaneous":
            observations, rewards, terminated, truncated, infos = vec.step(actions)
        else:
            for role in ROLES[:2]:
                assert vec.act(role, actions[role]) is None
            observations, rewards, terminated, truncated, infos = vec.act("prosumer", actions["prosumer"])
        assert not terminated.any()
        assert truncated.all() == (period % 4 == 3)
        for role in ROLES:
            assert observations[role].shape == (3, vec.agents[role], len(vec.observation_columns[role]))
            assert rewards[role].shape == (3, vec.agents[role])
        if truncated.all():
            assert not np.array_equal(infos["final_obs"]["prosumer"], observations["prosumer"])
            heads.append(infos["ledger_heads"])
    assert len({head for episode in heads for head in episode}) == 6  # episodes and worlds all differ
    single = market.parallel_env("tiny", max_cycles=4) if game == "simultaneous" else None
    if single is not None:
        for episode in range(2):
            single.reset(seed=2 if episode == 0 else None)
            info = {}
            while single.agents:
                info = single.step({a: np.zeros(single.action_space(a).shape) for a in single.agents})[4]
            assert info["eno_0"]["ledger_head"] == heads[episode][1]


def test_staged_batch_equals_the_aec_face():
    vec = market.vector_env("tiny", num_worlds=2, game="staged", max_cycles=3)
    vec.reset(seed=4)
    env = market.raw_env("tiny", max_cycles=3)
    env.reset(seed=5)
    rng = np.random.default_rng(0)
    head = None
    for _ in range(3):
        for role in ROLES:
            actions = rng.uniform(-1, 1, (2, vec.agents[role], len(vec.action_columns[role]))).astype(np.float32)
            seen = vec.observe(role)
            for i in range(vec.agents[role]):
                assert np.array_equal(env.observe(f"{role}_{i}"), seen[1, i])
                env.step(actions[1, i])
            result = vec.act(role, actions)
            head = result[4].get("ledger_heads") if result else head
    assert env.infos["eno_0"]["ledger_head"] == head[1]


def test_misuse_is_refused():
    with pytest.raises(ValueError, match="num_worlds = 0"):
        market.vector_env("tiny", num_worlds=0)
    with pytest.raises(ValueError, match="game = 'chess'"):
        market.vector_env("tiny", game="chess")
    vec = market.vector_env("tiny", num_worlds=1, game="staged")
    vec.reset()
    with pytest.raises(ValueError, match="turn of eno, not of prosumer"):
        vec.act("prosumer", np.zeros((1, 6, 14)))
    with pytest.raises(ValueError, match="staged game is played with act"):
        vec.step({})
    vec = market.vector_env("tiny", num_worlds=1)
    vec.reset()
    with pytest.raises(ValueError, match="no actions for eno"):
        vec.step({})
    with pytest.raises(ValueError, match="actions are a NoneType"):
        vec.step(None)
    zeros = {role: np.zeros((1, vec.agents[role], len(vec.action_columns[role]))) for role in ROLES}
    with pytest.raises(
        ValueError, match=r"actions of 'prosumers': no such role \(allowed: eno, aggregator, prosumer\)"
    ):
        vec.step({**zeros, "prosumers": zeros["prosumer"]})
    with pytest.raises(ValueError, match="role = 'king'"):
        vec.observe("king")
    with pytest.raises(ValueError, match="players = 3"):
        vec.reset(0, players=3)


@pytest.mark.parametrize("worlds", [0, 2.5, True, None, "2"])
def test_worlds_are_counted(worlds):
    with pytest.raises(ValueError, match=r"num_worlds = .*: a whole number is needed"):
        market.vector_env("tiny", num_worlds=worlds)


def test_seeds_of_a_batch_fit_64_bits():
    vec = market.vector_env("tiny", num_worlds=2, overrides={"ledger": {"mode": "off"}})
    for early in (lambda: vec.observe("eno"), lambda: vec.step({})):
        with pytest.raises(ValueError, match="call reset first"):
            early()
    for seed in (None, -1, 1.5, [1, 2], "3", 2**64 - 1):  # the second world would have no seed
        with pytest.raises(
            ValueError, match=r"seed = .*: a whole number is needed \(allowed: 0 to 18446744073709551614\)"
        ):
            vec.reset(seed=seed)
    vec.reset(seed=2**64 - 2)
    assert vec.core.state.seed.tolist() == [2**64 - 2, 2**64 - 1]
    assert "num_worlds" in (market.vector_env.__doc__ or "")


def test_processes_and_hash_seeds_agree():
    program = (
        "import numpy as np\nfrom tests.envs.play import *\n"
        "core = core_of('tiny', cycles=12)\nepisode(core, by_rules(core), (9,))\nprint(core.recorder.heads[0].hex())"
    )
    heads = set()
    for hash_seed in ("0", "1"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        )
        heads.add(run.stdout.strip())
    core = core_of("tiny", cycles=12)
    play(core, (9,), by_rules(core))
    assert heads == {core.recorder.heads[0].hex()}
