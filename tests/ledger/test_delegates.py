"""Rules with delegates: elections, turns, and what a refused producer loses; and every rule on a chain."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import consensus
from ledger.chain import Chain
from ledger.faults import FaultCode, LedgerFault
from ledger.identity import Role
from ledger.kinds import Kind
from ledger.lottery import Lottery
from ledger.params import Params
from ledger.records import Draft
from ledger.roster import AUTHORITY, NodeSpec, Roster
from ledger.store import Store
from ledger.turns import Turns
from ledger.verify import verify_file

from .conftest import ENO, FIRST, event_drafts, grow, period_drafts

DELEGATED = [name for name in consensus.available() if consensus.rule(name).elect is not None]
A, B, C, D, E = (bytes([i]) * 20 for i in range(1, 6))


def test_own_votes_and_named_candidates():
    elect = consensus.rule("dpos").elect
    weights = {A: 1, B: 2, C: 3, D: 4}
    assert elect(weights, weights, {}, 2) == [D, C]
    assert elect(weights, weights, {D: A, C: A}, 2) == [A, B]
    assert elect(weights, [A, B], {D: E}, 3) == [B, A]  # E does not stand: the vote is lost
    assert elect(weights, weights, {D: b""}, 2) == [D, C]  # taken back


def test_the_score_of_abstainers_goes_to_the_best():
    elect = consensus.rule("scored_dpos").elect
    scores = {A: 900_000, B: 800_000, C: 500_000, D: 400_000, E: 300_000}
    assert elect(scores, scores, {}, 2) == [A, B]
    # D and E name C: 700 000 for C, but 2 200 000 of abstainers go to A and B, an equal part each
    assert elect(scores, scores, {D: C, E: C}, 2) == [A, B]
    # when all but one vote, votes decide: C has 900 + 800 + 300 thousand
    assert elect(scores, scores, {A: C, B: C, C: D, E: C}, 2) == [C, D]


@pytest.mark.parametrize("name", DELEGATED)
@given(scores=st.dictionaries(st.binary(min_size=20, max_size=20), st.integers(0, 10**6), min_size=1, max_size=9))
def test_an_election_is_fair_to_order(name, scores):
    elect = consensus.rule(name).elect
    forward = elect(scores, scores, {}, 4)
    assert elect(dict(reversed(scores.items())), list(scores)[::-1], {}, 4) == forward
    assert len(forward) == min(4, len(scores)) == len(set(forward))
    assert min(scores[a] for a in forward) >= max((scores[a] for a in scores if a not in forward), default=0)


@pytest.mark.parametrize(
    ("name", "seats", "votes"),  # the least votes of others that let a block stand
    [("dpos", 1, 0), ("dpos", 3, 2), ("dpos", 50, 33), ("scored_dpos", 1, 0), ("scored_dpos", 3, 2),
     ("scored_dpos", 50, 25), ("scored_dpos", 51, 26)],
)  # fmt: skip
def test_how_many_votes_suffice(name, seats, votes):
    enough = consensus.rule(name).enough
    assert enough(votes, seats)
    assert votes == 0 or not enough(votes - 1, seats)


def test_a_refused_producer_waits_for_k_cycles():
    turns = Turns(Params(delegates=2, bar_cycles=2), "scored_dpos")
    weights = {A: 900_000, B: 800_000, C: 500_000, D: 400_000}
    produced = []
    for block in range(12):
        refused = [A] if block == 0 else []
        produced.append(turns.draw(bytes(32), block, 0, weights, refused).producer)
        turns.advance(weights, refused)
    # cycle 1: B, C (A refused), A barred for cycles 2 and 3, back in cycle 4
    assert produced == [B, C, B, C, B, C, A, B, A, B, A, B]
    assert consensus.rule("dpos").bars_refused is False


def test_a_delegate_without_standing_is_passed_over():
    turns = Turns(Params(delegates=3), "dpos")
    weights = {A: 3, B: 2, C: 1}
    turns.advance(weights, [])
    assert turns.queue == (B, C)
    assert turns.draw(bytes(32), 1, 0, {A: 3, C: 1}, []).producer == C
    with pytest.raises(ValueError, match="no address is left"):
        turns.draw(bytes(32), 1, 0, weights, [A, B, C])


@pytest.mark.parametrize("name", consensus.available())
def test_every_rule_makes_a_chain_that_verifies(make_chain, tmp_path, name):
    path = tmp_path / "chain.sqlite"
    with Store.create(path) as store:
        chain = make_chain(store=store, consensus=name, delegates=3, bar_cycles=2)
        grow(chain, 3)
        drafts = [*event_drafts(chain.roster, 2), *period_drafts(chain.roster, 4)]
        honest = chain.propose(drafts)
        forged = chain.forge(honest)
        refusal = chain.refuse(forged, chain.check_candidate(forged, honest))
        block = chain.seal(drafts, None, [refusal])
        assert block.header.producer != forged.header.producer
        chain.seal([Draft(Kind.BALLOT, i, 0, [chain.roster.members[FIRST].address]) for i in (ENO, FIRST + 1)])
        grow(chain, 4)
        chain.close(ENO)
    verdict = verify_file(path, head=chain.head)
    assert verdict.sound, verdict.fault


@pytest.mark.parametrize("name", DELEGATED)
def test_only_delegates_vote_and_all_of_them_close(make_chain, name):
    chain = make_chain(consensus=name, delegates=3)
    block = chain.seal([])
    assert {vote.validator for vote in block.votes} == set(chain.state.main.turns.delegates)
    other = make_chain(consensus=name, delegates=3)
    assert other.check(block.with_votes(block.votes[:1])).code is FaultCode.VOTE


def test_a_ballot_names_somebody_that_may_produce(make_chain):
    chain = make_chain(consensus="dpos", delegates=2)
    for candidate in (bytes(20), chain.roster.authority.address):
        with pytest.raises(LedgerFault) as caught:
            chain.seal([Draft(Kind.BALLOT, FIRST, 0, [candidate])])
        assert caught.value.fault.code is FaultCode.BALLOT
    chain.seal([Draft(Kind.BALLOT, i, 0, [chain.roster.members[FIRST].address]) for i in range(FIRST + 1, 8)])
    chain.seal([])
    chain.seal([])  # the queue of two is empty: this block's delegates are elected with the ballots
    assert chain.state.main.turns.delegates[0] == chain.roster.members[FIRST].address
    chain.seal([Draft(Kind.BALLOT, FIRST, 0, [b""])])


@pytest.mark.parametrize("name", consensus.available())
def test_a_run_without_a_ledger_names_the_same_producers(roster, history, name):
    params = Params(gamma=10, window_periods=24, consensus=name, delegates=3, bar_cycles=1)
    chain = Chain.create(params, roster, history, name=b"n")
    lottery = Lottery(params, roster, history, b"n", 0)
    dishonest = [False] * len(roster)
    dishonest[FIRST] = dishonest[FIRST + 2] = True
    for _ in range(15):
        refusals = []
        while dishonest[roster.index_of[(draw := chain.draw(refusals)).producer]]:
            refusals.append(chain.absence(draw))
        chain.seal([], None, refusals)
        turned_away = [roster.index_of[refusal.producer] for refusal in refusals]
        assert lottery.produce(dishonest) == (roster.index_of[draw.producer], turned_away)


@pytest.mark.parametrize("name", ["pow", "pos"])
def test_work_is_equal_and_stake_is_capacity_times_time(name):
    nodes = Roster.create(1, [NodeSpec(f"p{i}", Role.PROSUMER, 1_000 * (i + 1)) for i in range(3)])
    chain = Chain.create(Params(consensus=name, gamma=50, signing="none", window_periods=4), nodes)
    won = Counter(chain.roster.index_of[chain.seal([]).header.producer] for _ in range(1_200))
    shares = [1 / 3] * 3 if name == "pow" else [1 / 6, 2 / 6, 3 / 6]
    for node, share in enumerate(shares):
        assert abs(won[node] / 1_200 - share) < 4 * np.sqrt(share * (1 - share) / 1_200)


def test_stake_grows_with_the_time_that_it_is_held():
    nodes = Roster.create(1, [NodeSpec("old", Role.PROSUMER, 1_000)])
    chain = Chain.create(Params(consensus="pos", gamma=5, window_periods=4), nodes)
    chain.seal([])
    chain.roster = nodes.join(1, NodeSpec("new", Role.PROSUMER, 1_000), 2)
    newcomer = chain.roster.members[1]
    chain.seal([Draft(Kind.CERTIFICATE, AUTHORITY, 0, list(newcomer.certificate.body()))])
    held = []
    for _ in range(5):
        held.append(tuple(chain.state.weights().values()))
        chain.seal([])
    assert held == [(3_000, 1_000), (4_000, 2_000), (4_000, 3_000), (4_000, 4_000), (4_000, 4_000)]
