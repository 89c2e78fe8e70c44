"""Every attack is detected, and named: what an attacker tries, with the keys that it has, and the fault it meets."""

from dataclasses import replace

import pytest

from ledger.__main__ import main
from ledger.blocks import Block, Submission, submission_digest
from ledger.chain import Chain
from ledger.check import examine
from ledger.check_period import SINGLE
from ledger.checkpoint import Checkpoint
from ledger.faults import FaultCode
from ledger.identity import CURVE_ORDER, sign
from ledger.kinds import SCHEMAS, Kind
from ledger.proposal import assemble
from ledger.records import Draft, Record
from ledger.roster import AUTHORITY
from ledger.store import Store
from ledger.verify import verify_rows

from .conftest import (
    AGGREGATOR,
    ENO,
    FIRST,
    LAST,
    event_drafts,
    fault_of,
    grow,
    lived,
    period_drafts,
    reading,
    rebuilt,
    rows_of,
)


def stored(path, chain_of, alter=None) -> Chain:
    with Store.create(path) as store:
        chain = chain_of(store)
        for period in range(1, 6):
            drafts = period_drafts(chain.roster, period)
            chain.seal(drafts if period != 3 or alter is None else alter(drafts))
        chain.close(ENO)
    return chain


def test_altered_record(finished):
    rows = rows_of(finished["period"][0])
    block = Block.from_bytes(rows[4][1])
    position = next(i for i, record in enumerate(block.records) if record.kind is Kind.READING)
    old = block.records[position]
    new = Record.create(old.chain_id, old.kind, old.sender, old.nonce, old.expiry, 0, [old.body[0], 99_999, 1, 0])
    records = (*block.records[:position], new, *block.records[position + 1 :])
    rows[4] = (4, replace(block, records=records).to_bytes())
    verdict = verify_rows(rows)
    assert verdict.block == 4
    assert "RECORDS_ROOT" in verdict.fault


@pytest.mark.parametrize(
    ("kind", "place", "absurd"),
    [
        (Kind.ORDER, 1, 2**63),
        (Kind.ORDER, 4, 2**62),
        (Kind.ORDER, 11, 10**6 + 1),
        (Kind.OFFER, 2, 2**31),
        (Kind.READING, 3, -(2**33)),
        (Kind.GRID, 1, [950_000, -(2**200)]),
        (Kind.GRID, 1, [1_000_000_000]),
        (Kind.STATUS, 5, 2**200),
    ],
)
def test_figures_of_no_grid(tmp_path, make_chain, kind, place, absurd):
    """Whoever wrote and signed them: a file that holds one is no ledger, so nobody computes with it."""
    extra = [
        Draft(Kind.GRID, ENO, 0, [1, [], [], [], [], 0, 0, 0, [], 0, [], []]),
        Draft(Kind.STATUS, ENO, 0, [1, 1, 1, 1, 1, 1]),
    ]

    def absurdly(drafts):
        drafts = [*drafts, *extra]
        first = next(draft for draft in drafts if draft.kind is kind)
        first.body[place] = absurd
        return drafts

    stored(tmp_path / "absurd", lambda store: make_chain(store=store), absurdly)
    fault = verify_rows(rows_of(tmp_path / "absurd")).fault
    assert fault.startswith("block 3: ENCODING: record ")
    assert f"{kind.name}.{SCHEMAS[kind][place].name} is out of " in fault


def test_altered_block_recomputed_without_the_senders_keys(make_chain):
    chain = make_chain()
    grow(chain, 2)
    honest = chain.propose(period_drafts(chain.roster, 3))
    fault = chain.check_candidate(chain.forge(honest))  # roots, header, producer's signature: all made anew
    assert fault.code is FaultCode.SUBMISSION_SIGNATURE
    assert fault.record is not None


@pytest.mark.parametrize("signing", ["none", "period"])
def test_everything_recomputed_with_all_keys_meets_the_head_and_the_checkpoint(tmp_path, make_chain, capsys, signing):
    def rich(drafts):
        return [d._replace(body=[d.body[0], 99_999, *d.body[2:]]) if d.kind is Kind.READING else d for d in drafts]

    true = stored(tmp_path / "true", lambda store: make_chain(store=store, signing=signing))
    stored(tmp_path / "false", lambda store: make_chain(store=store, signing=signing), rich)
    true_rows, rows = rows_of(tmp_path / "true"), rows_of(tmp_path / "false")
    assert verify_rows(rows).sound  # by itself nothing is wrong with it
    assert "head is" in verify_rows(rows, head=true.head).fault
    block = Block.from_bytes(true_rows[4][1])
    checkpoint = Checkpoint.issue(true.roster.authority.private_key, true.chain_id, 4, block.hash)
    assert verify_rows(true_rows, checkpoint=checkpoint).sound
    assert "history was rewritten" in verify_rows(rows, checkpoint=checkpoint).fault
    assert main(["consistency", str(tmp_path / "true"), str(tmp_path / "false")]) == 1
    assert "fork: 3 blocks in common" in capsys.readouterr().out


@pytest.mark.parametrize("forgery", ["noise", "other key", "high s"])
def test_forged_signature(make_chain, forgery):
    chain = lived(make_chain())
    block = chain.propose([reading(FIRST, 0), reading(FIRST + 1, 0)])
    mine, other = block.submissions
    digest = submission_digest(chain.chain_id, 2, mine.root)
    if forgery == "noise":
        signature = bytes(range(64))
    elif forgery == "other key":
        signature = sign(chain.roster.by_address[other.sender].private_key, digest)
    else:
        s = CURVE_ORDER - int.from_bytes(mine.signature[32:], "big")
        signature = mine.signature[:32] + s.to_bytes(32, "big")
    fault = chain.check_candidate(rebuilt(chain, block, [mine._replace(signature=signature), other]))
    assert (fault.code, fault.record) == (FaultCode.SUBMISSION_SIGNATURE, 0)
    assert chain.check_candidate(rebuilt(chain, block)) is None


def test_stolen_and_revoked_certificate(make_chain):
    chain = make_chain()
    chain.seal([Draft(Kind.REVOCATION, AUTHORITY, 0, [chain.roster.members[LAST].certificate.serial, b"stolen"])])
    assert fault_of(chain, [reading(LAST, 1)]).code is FaultCode.REVOKED  # the thief signs with the true key


def test_id_swap(make_chain):
    chain = make_chain()
    thief, victim = chain.roster.members[FIRST], chain.roster.members[LAST]
    record = Record.create(chain.chain_id, Kind.READING, victim.address, 1, 9, 0, [1, 5, 5, 0])
    block = assemble(chain.state, chain.roster, [record], chain.draw())
    signature = sign(thief.private_key, submission_digest(chain.chain_id, 1, record.id))
    swapped = rebuilt(chain, block, [Submission(victim.address, record.id, signature)])
    assert chain.check_candidate(swapped).code is FaultCode.SUBMISSION_SIGNATURE
    named = rebuilt(chain, block, [Submission(thief.address, record.id, signature)])
    assert chain.check_candidate(named).code is FaultCode.SUBMISSION
    body = list(victim.certificate.body())
    body[1] = thief.public_key  # the victim's certificate over the thief's key
    assert fault_of(chain, [Draft(Kind.CERTIFICATE, AUTHORITY, 0, body)]).code is FaultCode.CERTIFICATE


def test_replay_in_this_chain_in_another_and_after_expiry(make_chain):
    chain, other = lived(make_chain()), lived(make_chain(name=b"other"))
    late = lived(make_chain(record_lifetime_blocks=2))
    old = chain.seal([reading(FIRST, 0)]).records[0]
    held_back = late.draft([reading(FIRST, 0)]).records[0]

    def replayed(target, record):
        return target.check_candidate(assemble(target.state, target.roster, [record], target.draw())).code

    assert replayed(chain, old) is FaultCode.NONCE
    assert replayed(other, old) is FaultCode.CHAIN_ID
    for _ in range(3):
        late.seal([])
    assert replayed(late, held_back) is FaultCode.EXPIRED
    # A sender's signature covers the height: it can't be carried over with the record either.
    block = chain.propose([reading(FIRST, 1)])
    carried = submission_digest(chain.chain_id, block.header.height - 1, block.submissions[0].root)
    signature = sign(chain.roster.members[FIRST].private_key, carried)
    moved = rebuilt(chain, block, [block.submissions[0]._replace(signature=signature)])
    assert chain.check_candidate(moved).code is FaultCode.SUBMISSION_SIGNATURE


def test_double_selling_of_one_metering_interval(make_chain):
    chain = lived(make_chain())
    fault = fault_of(chain, [reading(FIRST, 0), reading(FIRST, 0, 9)])
    assert (fault.code, fault.record) == (FaultCode.DOUBLE_READING, 1)
    chain.seal([reading(FIRST, 0), reading(LAST, 0)])
    assert fault_of(chain, [reading(FIRST, 0)]).code is FaultCode.DOUBLE_READING
    chain.seal([reading(FIRST, 1)])
    assert fault_of(chain, [reading(FIRST, 1)]).code is FaultCode.DOUBLE_READING
    assert fault_of(chain, [reading(FIRST, 0)]).code is FaultCode.DOUBLE_READING
    chain.seal([reading(FIRST, 2)])


@pytest.mark.parametrize("height", [1, 2, 5])
@pytest.mark.parametrize("lie", [-1, 1, 9_999])
def test_a_record_of_another_period_than_the_one_that_is_due(make_chain, roster, height, lie):
    """What is promised is promised for the coming period, what is metered and paid is of the last one."""
    chain = make_chain()
    grow(chain, height - 1)
    drafts = period_drafts(roster, height)
    for kind in {draft.kind for draft in drafts}:
        place = next(n for n, draft in enumerate(drafts) if draft.kind is kind)
        draft = drafts[place]
        if draft.body[0] + lie < 0:
            continue
        false = draft._replace(body=[draft.body[0] + lie, *draft.body[1:]])
        fault = fault_of(chain, [*drafts[:place], false, *drafts[place + 1 :]])
        before = {Kind.READING: FaultCode.DOUBLE_READING, Kind.VERIFICATION: FaultCode.VERIFICATION}
        assert fault.code is (before.get(kind, FaultCode.PERIOD) if lie < 0 else FaultCode.PERIOD)
        assert fault.record == place
    event = [draft._replace(event=2) for draft in event_drafts(roster, 0, height)]
    assert (fault_of(chain, event).code, fault_of(chain, event).record) == (FaultCode.PERIOD, 0)
    chain.seal(drafts)


def test_one_word_a_node_and_period(make_chain, roster):
    """Else the operator could choose afterwards which of two orders or offers it heard."""
    chain = lived(make_chain())
    drafts = period_drafts(roster, 2)
    extra = [
        Draft(Kind.FORECAST, FIRST, 0, [1, [5]]),
        Draft(Kind.ESTIMATE, ENO, 0, [1, [], [], []]),
        Draft(Kind.REGISTRATION, FIRST, 0, [1, b""]),
        Draft(Kind.PATHS, ENO, 0, [1, []]),
        Draft(Kind.CREDIT, ENO, 0, [0, []]),
        Draft(Kind.GRID, ENO, 0, [0, [], [], [], [], 0, 0, 0, [], 0, [], []]),
        Draft(Kind.STATUS, ENO, 0, [0, 1, 1, 1, 1, 1]),
    ]
    all_of_them = [*drafts, *extra]
    codes = {}
    for draft in all_of_them:
        second = [*all_of_them, draft]
        if draft.kind is Kind.TRADE:
            examine(chain.state, chain.draft(second), signed=False)  # pairs trade more than once
            continue
        fault = fault_of(chain, second)
        assert fault.record == len(all_of_them)
        codes[draft.kind] = fault.code
    by_name = {
        Kind.READING: FaultCode.DOUBLE_READING,
        Kind.VERIFICATION: FaultCode.VERIFICATION,
        Kind.STATUS: FaultCode.STATUS,
    }
    assert codes == dict.fromkeys(codes, FaultCode.DOUBLE) | by_name
    assert set(codes) == SINGLE
    chain.seal(all_of_them)


def test_an_order_is_a_site_s(make_chain, roster):
    chain = make_chain()
    order = period_drafts(roster, 1)[0]
    for sender in (ENO, AGGREGATOR):
        assert fault_of(chain, [order._replace(sender=sender)]).code is FaultCode.ROLE


def test_a_record_that_never_expires(make_chain, roster):
    """Whoever holds it could bring it into any later block."""
    chain = make_chain(record_lifetime_blocks=8)
    honest = chain.propose(period_drafts(roster, 1)).records[0]
    for expiry, code in ((9, None), (10, FaultCode.LIFETIME), (1 << 200, FaultCode.LIFETIME)):
        values = (honest.chain_id, honest.kind, honest.sender, honest.nonce, expiry, 0, honest.body, honest.blinding)
        block = assemble(chain.state, roster, [Record.create(*values)], chain.draw())
        fault = chain.check_candidate(block)
        assert (None if fault is None else fault.code) is code


def test_account_without_verification_and_a_second_verification(make_chain):
    chain = make_chain()
    chain.seal(event_drafts(chain.roster, 0, 0))
    fault = fault_of(chain, event_drafts(chain.roster, 2, 0))
    assert (fault.code, fault.detail) == (FaultCode.LINK, "ATX without VTX in event 1")
    chain.seal(event_drafts(chain.roster, 1))
    fault = fault_of(chain, event_drafts(chain.roster, 1))
    assert (fault.code, fault.detail) == (FaultCode.LINK, "a second VTX for event 1")
