"""A chain of a few blocks: what is sound is taken, what is not is named."""

from dataclasses import replace

import numpy as np
import pytest

from ledger import merkle
from ledger.blocks import MAX_RECORDS, Block
from ledger.consensus.base import next_seed
from ledger.faults import FaultCode, LedgerFault
from ledger.kinds import Kind
from ledger.proposal import assemble
from ledger.records import Draft, Record

from .conftest import ENO, FIRST, LAST, event_drafts, grow, lived, period_drafts, refused


def with_record(chain, **changes) -> Block:
    """A signed candidate whose only record is a READING with changed fields."""
    record = chain.propose([Draft(Kind.READING, FIRST, 0, [1, 2, 3, 0])]).records[0]
    values = {
        name: getattr(record, name) for name in ("chain_id", "kind", "sender", "nonce", "expiry", "event", "body")
    }
    return assemble(chain.state, chain.roster, [Record.create(**(values | changes))], chain.draw())


@pytest.mark.parametrize("signing", ["none", "period", "record"])
def test_same_drafts_same_head(make_chain, signing):
    first, second = make_chain(signing=signing), make_chain(signing=signing)
    grow(first, 6)
    grow(second, 6)
    assert first.head == second.head
    assert first.height == 6
    other = make_chain(signing=signing, name=b"other")
    assert other.chain_id != first.chain_id


def test_a_block_survives_its_bytes(make_chain):
    chain = make_chain()
    block = chain.seal(period_drafts(chain.roster, 1))
    again = Block.from_bytes(block.to_bytes())
    assert again == block
    assert again.hash == chain.head


def test_a_second_node_accepts_the_same_blocks(make_chain):
    writer, reader = make_chain(), make_chain()
    for period in range(1, 4):
        data = writer.seal(period_drafts(writer.roster, period)).to_bytes()
        block = Block.from_bytes(data)
        assert reader.check(block) is None
        reader.append(block)
    assert reader.head == writer.head


def test_producers_follow_the_seed(make_chain):
    chain = make_chain()
    seed = chain.state.main.seed
    block = chain.seal([])
    assert block.header.seed == seed
    assert chain.state.main.seed == next_seed(seed, block.header.producer)


def test_event_links(make_chain):
    chain = make_chain()
    grow(chain, 4)
    event = chain.event(1)
    assert [event[kind].height for kind in (Kind.TTX, Kind.DTX, Kind.VTX, Kind.ATX)] == [2, 2, 3, 4]
    assert refused(chain, event_drafts(chain.roster, 0)[:1]) is FaultCode.LINK  # a second TTX
    assert refused(chain, event_drafts(chain.roster, 1)) is FaultCode.LINK  # a second VTX


def test_event_out_of_order(make_chain, roster):
    chain = make_chain()
    trigger, dispatch = event_drafts(roster, 0, 0)
    (verified,), (account,) = event_drafts(roster, 1, 0), event_drafts(roster, 2, 0)
    assert refused(chain, [dispatch]) is FaultCode.LINK  # no TTX
    assert refused(chain, [trigger._replace(event=0)]) is FaultCode.LINK  # no event
    assert refused(chain, [trigger, dispatch, verified]) is FaultCode.LINK  # VTX in the block of its DTX
    chain.seal([trigger, dispatch])
    assert refused(chain, [account]) is FaultCode.LINK  # ATX without VTX
    assert refused(chain, [verified._replace(event=2)]) is FaultCode.LINK  # another event's id
    assert refused(chain, [verified._replace(body=[bytes(32), *verified.body[1:]])]) is FaultCode.LINK
    chain.seal([verified])
    trail = [chain.event(1)[Kind.TTX].id] * 3
    assert refused(chain, [account._replace(body=[b"", trail, []])]) is FaultCode.LINK
    chain.seal([account])
    assert set(chain.event(1)) == {Kind.TTX, Kind.DTX, Kind.VTX, Kind.ATX}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"nonce": 0}, FaultCode.NONCE),
        ({"expiry": 0}, FaultCode.EXPIRED),
        ({"chain_id": bytes(16)}, FaultCode.CHAIN_ID),
        ({"kind": Kind.TRADE, "body": [1, bytes(20), bytes(20), 1, 1]}, FaultCode.ROLE),
    ],
)
def test_record_faults(make_chain, changes, code):
    chain = make_chain()
    fault = chain.check_candidate(with_record(chain, **changes))
    assert fault is not None
    assert fault.code is code
    assert fault.record == 0


def test_replay_is_refused(make_chain):
    chain = make_chain()
    block = chain.seal(period_drafts(chain.roster, 1))
    replay = assemble(chain.state, chain.roster, [block.records[0]], chain.draw())
    assert chain.check_candidate(replay).code is FaultCode.NONCE
    assert chain.check(block).code is FaultCode.HEIGHT


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("chain_id", bytes(16), FaultCode.CHAIN_ID),
        ("height", 5, FaultCode.HEIGHT),
        ("previous", bytes(32), FaultCode.PREVIOUS),
        ("votes_root", bytes(32), FaultCode.VOTES_ROOT),
        ("history_root", bytes(32), FaultCode.HISTORY_ROOT),
        ("time_s", 1, FaultCode.TIME),
        ("seed", bytes(32), FaultCode.SEED),
        ("producer", bytes(20), FaultCode.DRAW),
        ("round", 3, FaultCode.DRAW),
        ("nonce", 10**6, FaultCode.DRAW),
        ("draw_hash", bytes(32), FaultCode.DRAW),
        ("records_root", bytes(32), FaultCode.RECORDS_ROOT),
        ("record_count", 3, FaultCode.RECORDS_ROOT),
        ("trade_root", bytes(32), FaultCode.TRADE_ROOT),
        ("submissions_root", bytes(32), FaultCode.SUBMISSIONS_ROOT),
    ],
)
def test_header_faults(make_chain, name, value, code):
    chain = make_chain()
    grow(chain, 1)
    candidate = chain.propose(period_drafts(chain.roster, 2))
    fault = chain.check_candidate(replace(candidate, header=candidate.header._replace(**{name: value})))
    assert fault is not None
    assert fault.code is code


def test_signatures_and_votes(make_chain):
    chain = make_chain()
    candidate = chain.propose(period_drafts(chain.roster, 1))
    assert chain.check_candidate(candidate) is None
    assert chain.check(candidate).code is FaultCode.VOTE
    unsigned = replace(candidate, producer_signature=b"")
    assert chain.check_candidate(unsigned).code is FaultCode.PRODUCER_SIGNATURE
    assert chain.check_candidate(replace(candidate, submissions=())).code is FaultCode.SUBMISSIONS_ROOT
    other = make_chain()
    block = other.seal(period_drafts(chain.roster, 1))
    assert chain.check(block.with_votes(block.votes[:2])).code is FaultCode.VOTE  # two of three are not above 2/3
    assert chain.check(block.with_votes(block.votes[::-1])).code is FaultCode.VOTE
    swapped = [vote._replace(signature=block.votes[0].signature) for vote in block.votes]
    assert chain.check(block.with_votes(swapped)).code is FaultCode.VOTE
    assert chain.check(block) is None


@pytest.mark.parametrize("signing", ["period", "record"])
def test_forged_block_is_named_and_the_turn_passes(make_chain, signing):
    chain = make_chain(signing=signing)
    drafts = period_drafts(chain.roster, 1)
    honest = chain.propose(drafts)
    forged = chain.forge(honest)
    assert forged.header.records_root == merkle.root([record.id for record in forged.records])
    fault = chain.check_candidate(forged)
    assert fault.code is FaultCode.SUBMISSION_SIGNATURE
    assert chain.roster.by_address[honest.header.producer].name not in fault.detail
    refusals = [chain.refuse(forged, fault)]
    block = chain.seal(drafts, None, refusals)
    assert block.header.producer != honest.header.producer
    assert block.header.round > honest.header.round
    assert block.records[0].kind is Kind.REFUSAL
    assert block.records[0].body[3] == FaultCode.SUBMISSION_SIGNATURE


def test_forgery_without_signatures_needs_the_senders(make_chain):
    chain = make_chain(signing="none")
    honest = chain.propose(period_drafts(chain.roster, 1))
    forged = chain.forge(honest)
    assert chain.check_candidate(forged) is None
    assert chain.check_candidate(forged, submitted=honest).code is FaultCode.SUBMISSION
    assert chain.check_candidate(honest, submitted=honest) is None
    censored = chain.propose(period_drafts(chain.roster, 1)[:-1])
    assert chain.check_candidate(censored, submitted=honest).record == len(censored.records)


def test_verification_and_credit_faults(make_chain, roster):
    chain = make_chain()
    site = roster.members[FIRST].address
    lived(chain).seal([Draft(Kind.VERIFICATION, ENO, 0, [0, [[site, 1, 2, 0, 0]]])])
    for body in (
        [0, []],
        [1, [[bytes(20), 1, 2, 0, 0]]],
        [1, [[site, 1, 2, 0, 0], [site, 1, 2, 0, 0]]],
        [1, [[site, 1 << 41, 0, 0, 0]]],
    ):
        assert refused(chain, [Draft(Kind.VERIFICATION, ENO, 0, body)]) is FaultCode.VERIFICATION
    assert refused(chain, [Draft(Kind.CREDIT, ENO, 0, [1, [[site, 1_000_001, 0]]])]) is FaultCode.CREDIT


def test_weights_lag_two_blocks(make_chain, roster):
    chain = make_chain(credit_threshold_ppm=500_000)
    site = roster.members[LAST].address
    before = chain.state.window.weights()
    lived(chain).seal(
        [
            Draft(Kind.VERIFICATION, ENO, 0, [0, [[site, 9, 9, 0, 0]]]),
            Draft(Kind.CREDIT, ENO, 0, [0, [[site, 1, 0]]]),
        ]
    )
    assert np.array_equal(chain.state.window.weights(), before)
    chain.seal([])
    assert chain.state.window.weights()[LAST] == 0


def test_closing(make_chain):
    chain = make_chain()
    grow(chain, 2)
    early = Draft(Kind.CLOSING, ENO, 0, [1, 1, chain.head])
    assert refused(chain, [early]) is FaultCode.CLOSING
    with pytest.raises(LedgerFault, match="CLOSING: closed before the ATX of event 1"):
        chain.close(ENO, period_drafts(chain.roster, 3))
    grow(chain, 2)
    block = chain.close(ENO, period_drafts(chain.roster, 5))
    assert block.records[-1].kind is Kind.CLOSING
    assert chain.state.closed
    assert refused(chain, []) is FaultCode.CLOSED


def test_what_is_signed_does_not_choose_the_producers(make_chain):
    chains = [make_chain(signing=signing) for signing in ("none", "period", "record")]
    for chain in chains:
        grow(chain, 3)
    assert len({chain.state.main.seed for chain in chains}) == 1
    assert len({chain.head for chain in chains}) == 3


def test_every_producer_can_be_refused_in_turn(make_chain):
    chain = make_chain()
    refusals = []
    for _ in chain.roster.members[1:]:
        refusals.append(chain.absence(chain.draw(refusals)))
    last = chain.draw(refusals).producer
    assert last not in {refusal.producer for refusal in refusals}
    assert chain.seal([], None, refusals).header.producer == last
    refusals = []
    for _ in chain.roster.members:
        refusals.append(chain.absence(chain.draw(refusals)))
    with pytest.raises(ValueError, match="no address is left"):
        chain.draw(refusals)


def test_a_block_of_more_records_than_can_be_read_is_not_sealed(make_chain):
    chain = make_chain(signing="none")
    chain.seal([])
    buyer, seller = (chain.roster.members[place].address for place in (FIRST, LAST))
    trade = Draft(Kind.TRADE, ENO, 0, [1, buyer, seller, 1, 1])
    with pytest.raises(LedgerFault, match="65537 records; a block holds at most 65536"):
        chain.seal([trade] * (MAX_RECORDS + 1))
    block = chain.seal([trade] * MAX_RECORDS)
    assert Block.from_bytes(block.to_bytes()).records[-1] == block.records[-1]
