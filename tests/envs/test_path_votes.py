"""Delegates vote on the path list's hash: a producer with another list loses its turn and is barred for K cycles."""

import pytest

from envs import recorder
from ledger.faults import FaultCode
from ledger.forgery import signed_anyway
from ledger.kinds import Kind
from ledger.params import Params
from ledger.store import Store
from ledger.verify import verify_file
from tests.envs.play import by_rules, core_of, episode

PERIODS = 96


def rerouted(drafts):
    """The drafts with one path that takes a detour; the operator is in on it and signs."""
    return [
        draft._replace(body=[draft.body[0], [[*row[:3], [*row[3], 0]] for row in draft.body[1]]])
        if draft.kind is Kind.PATHS
        else draft
        for draft in drafts
    ]


def without_list(drafts):
    return [draft for draft in drafts if draft.kind is not Kind.PATHS]


class Liar:
    """Seals as the recorder does, but the first producer due with trades to seal offers another path list."""

    def __init__(self, alter, seal):
        self.alter, self.seal = alter, seal
        self.address = b""
        self.turns = []  # (cycle, producer) of the trading chain's blocks after the lie

    def __call__(self, book, chain, drafts):
        if chain.due.name != "trading":
            return self.seal(book, chain, drafts)
        trading, refusals = chain.due, []
        if not self.address and any(draft.kind is Kind.PATHS for draft in drafts):
            draw = chain.draw()
            candidate = signed_anyway(chain.state, chain.roster, chain.draft(self.alter(drafts), draw))
            fault = chain.check_candidate(candidate)
            assert fault.code is FaultCode.PATHS
            honest = chain.draft(drafts, draw)
            assert candidate.header.trade_root != honest.header.trade_root  # H_block is not H_veri
            refusals = [chain.refuse(candidate, fault)]
            self.address = draw.producer
        producer = chain.seal(drafts, None, refusals).header.producer
        if refusals:
            assert trading.turns.barred_to[self.address] == trading.turns.cycle + Params().bar_cycles
        if self.address:
            self.turns.append((trading.turns.cycle, producer))
        return chain.roster.index_of[producer], []  # no credit is taken: what follows is the bar's doing


@pytest.mark.parametrize("alter", [rerouted, without_list])
def test_a_producer_with_another_path_list_loses_its_turn_and_is_barred(tmp_path, monkeypatch, alter):
    liar = Liar(alter, recorder.seal_one)
    monkeypatch.setattr(recorder, "seal_one", liar)
    path = tmp_path / "lie.sqlite"
    core = core_of("rural_day", {"ledger": {"gamma": 20}}, PERIODS, str(path))
    episode(core, by_rules(core), (1,))
    assert liar.address
    assert liar.turns[0][1] != liar.address  # the next one took over
    first = liar.turns[0][0]
    barred = [producer for cycle, producer in liar.turns if first < cycle <= first + Params().bar_cycles]
    assert len(barred) >= 10
    assert liar.address not in barred
    assert verify_file(path).sound
    with Store.open(path) as store:
        refusals = [r for block in store.blocks() for r in block.records if r.kind is Kind.REFUSAL]
    assert [(r.body[2], r.body[3]) for r in refusals] == [(liar.address, FaultCode.PATHS)]


def test_an_honest_list_is_not_sealed_for_other_trades():
    core = core_of("tiny", None, 50)
    episode(core, by_rules(core), (1,))
    lists = core.recorder.books[0].scribe.path_list
    sites = lists.world.sites
    here, there = core.recorder.books[0].scribe.addresses[0], core.recorder.books[0].scribe.addresses[sites - 1]
    assert lists.of([]) is None
    one, other = lists.of([[7, here, there, 100, 9]]), lists.of([[7, there, here, 100, 9]])
    assert one[1][0][3] == other[1][0][3][::-1]
    assert one[1][0][:3] == other[1][0][:3]
    with pytest.raises(ValueError, match="between two sites"):
        lists.of([[7, here, core.recorder.books[0].scribe.addresses[sites], 100, 9]])
