"""What validators witnessed: nobody talks an earlier producer away, and who signs twice or too early is named."""

from dataclasses import replace

import pytest

from ledger.blocks import block_digest
from ledger.encoding import encode
from ledger.faults import FaultCode, LedgerFault
from ledger.identity import sign
from ledger.kinds import Kind
from ledger.records import Draft
from ledger.signer import DoubleSignError, Signer

from .conftest import ENO, FIRST, LAST, SIGNINGS, grow, lived, period_drafts, signed_block


def jumped(chain, period):
    """(the honest candidate that is due, the block of the next in line that claims its producer's absence)."""
    drafts = period_drafts(chain.roster, period)
    return chain.draft(drafts), chain.jump(drafts, chain.draw())


@pytest.mark.parametrize("signing", SIGNINGS)
def test_a_producer_that_was_there_is_not_refused_as_absent(make_chain, signing):
    chain = make_chain(signing=signing)
    grow(chain, 2)
    honest, early = jumped(chain, 3)
    absent = [record.body[2] for record in early.records if record.kind is Kind.REFUSAL]
    assert absent == [honest.header.producer]
    fault = chain.check_candidate(early)
    assert (fault.code, fault.record) == (FaultCode.UNWITNESSED, 0)
    assert f"{honest.header.producer.hex()} in round {honest.header.round} is refused as ABSENT" in fault.detail
    with pytest.raises(LedgerFault, match="UNWITNESSED"):
        chain.seal(period_drafts(chain.roster, 3), None, [chain.absence(chain.draw())], witnessed=())
    # Had nobody seen the first producer's block, the same block would be the right one.
    assert chain.check_candidate(early, witnessed=[chain.absence(chain.draw())]) is None


def test_of_two_sound_blocks_of_a_height_the_committee_signs_one(make_chain):
    """The race: a validator that has voted for the earlier producer's block signs no other of the height."""
    chain = make_chain()
    _, early = jumped(chain, 1)
    votes = chain.seal(period_drafts(chain.roster, 1)).votes
    for vote in votes:
        with pytest.raises(DoubleSignError, match="signed already"):
            chain._signer(vote.validator).vote(1, early.hash)


@pytest.mark.parametrize("change", ["fault", "header", "left out", "invented", "doubled"])
def test_refusals_are_those_that_the_validators_hold(make_chain, change):
    chain = make_chain()
    grow(chain, 1)
    drafts = period_drafts(chain.roster, 2)
    forged = chain.forge(chain.draft(drafts))
    held = chain.refuse(forged, chain.check_candidate(forged))
    assert chain.check_candidate(signed_block(chain, drafts, None, [held]), witnessed=[held]) is None
    other = chain.equivocate(chain.draft(drafts))[0]
    absent = chain.absence(chain.draw([held]))
    told = {
        "fault": [held._replace(fault=FaultCode.TIME)],
        "header": [held._replace(header=other.header_raw, signature=other.producer_signature)],
        "left out": [],
        "invented": [held, absent],
        "doubled": [held, held],
    }[change]
    draw = chain.draw([held]) if change == "doubled" else None
    fault = chain.check_candidate(signed_block(chain, drafts, draw, told), witnessed=[held])
    assert fault.code is (FaultCode.REFUSAL if change == "doubled" else FaultCode.UNWITNESSED)
    with pytest.raises(LedgerFault, match=fault.code.name):
        chain.seal(drafts, draw, told, witnessed=[held])
    assert chain.seal(drafts, None, [held]).records[0].body[3] == FaultCode.SUBMISSION_SIGNATURE


@pytest.mark.parametrize("signing", SIGNINGS)
def test_who_did_not_await_its_turn_is_named_and_passed_over_at_the_next_height(make_chain, signing):
    chain = make_chain(signing=signing)
    grow(chain, 1)
    _, early = jumped(chain, 2)
    held = chain.refuse(early, chain.check_candidate(early))
    assert held.fault is FaultCode.UNWITNESSED
    chain.seal(period_drafts(chain.roster, 2))
    guilty = early.header.producer
    if chain.draw().producer == guilty:
        assert chain.draw([held]).producer != guilty
    with pytest.raises(LedgerFault, match="is missing"):  # a friend of the next height leaves the evidence out
        chain.seal([], witnessed=[held])
    block = chain.seal([], None, [held])
    assert block.records[0].body[:4] == [2, early.header.round, guilty, FaultCode.UNWITNESSED]
    assert chain.draw().round == 0
    with pytest.raises(LedgerFault, match="REFUSAL"):  # once, at the next height
        chain.seal([], None, [held])


def test_evidence_of_an_early_block_is_of_the_last_place_and_of_a_later_turn(make_chain):
    chain = make_chain()
    grow(chain, 1)
    _, early = jumped(chain, 2)
    held = chain.refuse(early, chain.check_candidate(early))
    sealed = chain.seal(period_drafts(chain.roster, 2))
    own = held._replace(
        producer=sealed.header.producer, round=sealed.header.round, header=sealed.header_raw,
        signature=sealed.producer_signature,
    )  # fmt: skip
    moved = early.header._replace(previous=bytes(32))
    key = chain.roster.by_address[early.header.producer].private_key
    elsewhere = replace(early, header=moved, header_raw=encode(tuple(moved)))
    for lie, why in (
        (own, "no turn after the one"),  # the sealed block itself
        (held._replace(round=0), "no turn after the one"),
        (held._replace(fault=FaultCode.TIME), "nobody witnessed"),
        (held._replace(round=held.round + 1), "not of the turn"),
        (held._replace(signature=bytes(64)), "not signed"),
        (held._replace(header=elsewhere.header_raw, signature=sign(key, block_digest(elsewhere.hash))), "the place"),
        (held._replace(height=1), "this height or the one before"),
    ):
        with pytest.raises(LedgerFault, match=why) as caught:
            chain.seal([], None, [lie])
        assert caught.value.fault.code is FaultCode.REFUSAL
    with pytest.raises(LedgerFault, match="nobody witnessed"):
        chain.seal([], None, [held, held])
    chain.seal([], None, [held])


@pytest.mark.parametrize("signing", SIGNINGS)
def test_two_sound_blocks_of_one_turn_are_compared_and_convict_their_producer(make_chain, signing):
    chain = make_chain(signing=signing)
    grow(chain, 2)
    drafts = period_drafts(chain.roster, 3)
    one, two = shown = chain.equivocate(chain.draft(drafts))
    guilty = one.header.producer
    assert one.header_raw != two.header_raw
    for block in shown:
        assert chain.check_candidate(block, executed=drafts) is None
        fault = chain.check_candidate(block, executed=drafts, shown=shown)
        assert fault.code is FaultCode.EQUIVOCATION
    held = chain.refuse(one, fault)
    block = chain.seal(drafts, None, [held])
    witness = chain.roster.index_of[block.header.producer]
    chain.seal([Draft(Kind.EQUIVOCATION, witness, 0, chain.accuse(*shown))])
    assert guilty in chain.state.equivocators
    assert guilty not in chain.state.weights()


def test_without_signatures_two_headers_with_signatures_are_no_evidence(make_chain):
    chain = make_chain(signing="none")
    one, two = chain.equivocate(chain.draft([*period_drafts(chain.roster, 1)]))
    body = chain.accuse(one, two)
    for lie in ([*body[:2], bytes(64), *body[3:]], [*body[:4], bytes(64)]):
        with pytest.raises(LedgerFault, match="did not sign both"):
            chain.seal([Draft(Kind.EQUIVOCATION, ENO, 0, lie)])


def test_a_key_is_not_talked_into_two_headers_of_a_height(make_chain):
    chain = lived(make_chain())
    one = chain.propose([Draft(Kind.READING, FIRST, 0, [0, 10, 700, 0])])
    assert chain.propose([Draft(Kind.READING, FIRST, 0, [0, 10, 700, 0])]) == one
    with pytest.raises(DoubleSignError, match="height 2 is signed already"):
        chain.propose([Draft(Kind.READING, FIRST, 0, [0, 11, 700, 0])])
    with pytest.raises(DoubleSignError, match="signed already"):  # nor in another round
        chain.propose([], chain.draw()._replace(round=4))
    assert chain.seal([Draft(Kind.READING, FIRST, 0, [0, 10, 700, 0])]).header == one.header


def test_an_unsound_draft_takes_no_signature(make_chain):
    chain = lived(make_chain())
    with pytest.raises(LedgerFault, match="DOUBLE_READING"):
        chain.seal([Draft(Kind.READING, LAST, 0, [0, 2, 3, 0])] * 2)
    chain.seal([Draft(Kind.READING, LAST, 0, [0, 2, 3, 0])])


def test_what_a_key_signed_as_a_producer_survives_a_restart(roster):
    key = roster.members[FIRST].private_key
    signer = Signer(key)
    signer.vote(5, bytes(32))
    signer.propose(5, bytes([1]) * 32)  # a vote and a header are not two of a kind
    again = Signer(key, signer.last, signer.proposed)
    for height, block_hash in ((5, bytes([2]) * 32), (4, bytes([1]) * 32)):
        with pytest.raises(DoubleSignError, match="signed already"):
            again.propose(height, block_hash)
    again.propose(6, bytes([2]) * 32)


@pytest.mark.parametrize("rule", ["dpos", "scored_dpos"])
def test_a_delegate_that_jumps_loses_its_place_in_the_queue(make_chain, rule):
    chain = make_chain(consensus=rule, delegates=4)
    grow(chain, 1)
    turns = chain.state.main.turns
    due, guilty = turns.queue[:2]
    early = chain.jump([], chain.draw())
    assert early.header.producer == guilty
    held = chain.refuse(early, chain.check_candidate(early))
    assert chain.seal([]).header.producer == due
    cycle = turns.cycle
    assert turns.queue[0] == guilty
    assert chain.seal([], None, [held]).header.producer != guilty
    assert guilty not in turns.queue
    bars = rule == "scored_dpos"
    assert (turns.barred_to.get(guilty, 0) == cycle + chain.state.params.bar_cycles) is bars


def test_evidence_of_an_early_block_is_of_the_chain_that_it_was_for(make_chain):
    chain = make_chain(siblings=(("trading", "poe"),))
    for period in (1, 2):
        early = chain.jump([], chain.draw())
        held = chain.refuse(early, chain.check_candidate(early))
        chain.seal_height(period_drafts(chain.roster, period))
    assert chain.due.name == "trading"
    chain.seal([], None, [held])
    with pytest.raises(LedgerFault, match="dispatch block 3, record 0: REFUSAL"):
        chain.seal([], None, [held])
