"""Who plays is in a ledger's name: other players, another ledger; the same weather, draws and producers."""

import numpy as np
import pytest

from envs import energy_market_v0 as market
from envs.audit import executors
from ledger.audit import audit_file
from ledger.consensus.base import first_seed
from ledger.kinds import Kind
from ledger.store import Store
from ledger.verify import verify_file

PERIODS = 6


def played(path, players, scale=0.0):
    """(ledger's name, chain id, head, producers) of an episode of equal actions by the staged face."""
    env = market.raw_env("tiny", max_cycles=PERIODS, ledger_path=path)
    env.reset(seed=4, options={} if players is None else {"players": players})
    producers = []
    for agent in env.agent_iter():
        over = env.truncations[agent]
        env.step(None if over else np.full(env.action_space(agent).shape, scale, np.float32))
        if not over and agent == "prosumer_5":
            producers.append(int(env.trace.producer[0]))
    with Store.open(path) as store:
        genesis = next(iter(store.blocks()))
    name = next(record.body[0] for record in genesis.records if record.kind is Kind.GENESIS)
    return name, genesis.header.chain_id, verify_file(path).head, producers


def test_runs_of_other_players_are_other_ledgers_with_the_same_draws(tmp_path):
    texts = [None, "", "greedy", "truthful"]
    found = [played(tmp_path / f"{n}.sqlite", text) for n, text in enumerate(texts)]
    unnamed, empty, greedy, truthful = found
    assert unnamed == empty
    assert b"." not in unnamed[0].rsplit(b"#", 1)[1]
    for name, chain_id, head, producers in (greedy, truthful):
        assert name.startswith(unnamed[0] + b".")
        assert len(name) == len(unnamed[0]) + 17
        assert chain_id != unnamed[1]
        assert head != unnamed[2]
        assert producers == unnamed[3]
        assert first_seed(name, 0) == first_seed(unnamed[0], 0)
    assert greedy[1] != truthful[1]
    again = played(tmp_path / "again.sqlite", "greedy")
    assert again == greedy


def test_the_audit_follows_a_ledger_that_names_its_players(tmp_path):
    path = tmp_path / "named.sqlite"
    played(path, "somebody", 0.25)
    report = audit_file(path, [executors("tiny", [])])
    assert report.difference is None, str(report.difference)


def test_a_batch_of_named_players_is_its_worlds():
    vec = market.vector_env("tiny", num_worlds=2, max_cycles=2)
    vec.reset(seed=4, players="idle")
    zeros = {role: np.zeros((2, vec.agents[role], len(vec.action_columns[role])), np.float32) for role in vec.agents}
    heads = [vec.step(zeros)[4].get("ledger_heads") for _ in range(4)]
    env = market.parallel_env("tiny", max_cycles=2)
    for episode in range(2):  # the following episodes are theirs, too
        env.reset(seed=5 if episode == 0 else None, options={"players": "idle"})
        while env.agents:
            info = env.step({a: np.zeros(env.action_space(a).shape, np.float32) for a in env.agents})[4]
        assert info["eno_0"]["ledger_head"] == heads[2 * episode + 1][1]


def test_players_that_are_no_text_are_refused():
    env = market.parallel_env("tiny", max_cycles=2)
    with pytest.raises(ValueError, match="players = 5"):
        env.reset(seed=1, options={"players": 5})
