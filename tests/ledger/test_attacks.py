"""Every attack is detected, and named: what an attacker tries, with the keys that it has, and the fault it meets."""

import json
import sqlite3
from collections import Counter
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from ledger import consensus
from ledger.__main__ import main
from ledger.blocks import Block, Submission, block_digest, rows_root, submission_digest
from ledger.chain import Chain
from ledger.check import examine
from ledger.check_period import SINGLE
from ledger.checkpoint import Checkpoint
from ledger.consensus.base import next_seed
from ledger.encoding import encode
from ledger.faults import FaultCode, LedgerFault
from ledger.identity import CURVE_ORDER, sign
from ledger.kinds import SCHEMAS, Kind
from ledger.params import Params
from ledger.proposal import assemble
from ledger.records import Draft, Record
from ledger.roster import AUTHORITY
from ledger.signer import DoubleSignError, Signer
from ledger.store import Store
from ledger.verify import verify_rows

from .conftest import AGGREGATOR, ENO, FIRST, LAST, event_drafts, grow, lived, period_drafts, rows_of


def fault_of(chain, drafts):
    """The fault that a block of these drafts meets."""
    with pytest.raises(LedgerFault) as caught:
        chain.seal(drafts)
    return caught.value.fault


def rebuilt(chain, block, submissions=None, **header) -> Block:
    """The block with other submissions or header values; its producer signs again."""
    submissions = block.submissions if submissions is None else tuple(submissions)
    header = block.header._replace(**({"submissions_root": rows_root(submissions)} | header))
    made = Block(header, encode(tuple(header)), b"", (), submissions, block.records)
    key = chain.roster.by_address[header.producer].private_key
    return replace(made, producer_signature=sign(key, block_digest(made.hash)))


def reading(sender, period, generated_wh=10):
    return Draft(Kind.READING, sender, 0, [period, generated_wh, 700, 0])


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


def test_inflated_energy_moves_no_weight(make_chain):
    honest, boasting = make_chain(), make_chain()
    for period in range(1, 5):
        drafts = period_drafts(honest.roster, period)
        honest.seal(drafts)
        boasting.seal([d._replace(body=[d.body[0], 10**9, 0, 0]) if d.kind is Kind.READING else d for d in drafts])
    assert honest.state.weights() == boasting.state.weights()
    assert honest.state.main.seed == boasting.state.main.seed


def test_grinding_leaves_the_next_draw_alone(make_chain):
    drawn = set()
    for variant in range(16):  # orders of records, other records, none: sixteen roots and block hashes
        chain = lived(make_chain())
        others = [draft for draft in period_drafts(chain.roster, 2) if draft.kind is not Kind.READING]
        block = chain.seal([reading(FIRST, 0, variant), *others[:variant]])
        drawn.add(chain.draw())
        if variant:
            fault = lived(make_chain()).check_candidate(rebuilt(chain, block, time_s=block.header.time_s + variant))
            assert fault.code is FaultCode.TIME
    assert len(drawn) == 1


def _grinder_wins(preimage_of, variants, blocks):
    """Blocks won by node 0 of six equal nodes that, when it produces, tries `variants` of its block."""
    names = [sha256(bytes([i])).digest()[:20] for i in range(6)]
    draw = consensus.rule("poe").draw
    seed, producer, won = bytes(32), names[1], 0
    for height in range(blocks):
        tries = variants if producer == names[0] else 1
        seeds = [preimage_of(seed, producer, b"%d root %d" % (height, variant)) for variant in range(tries)]
        drawn = [(draw(each, height, 0, names, [1] * 6, 20, ()).producer, each) for each in dict.fromkeys(seeds)]
        producer, seed = next((pair for pair in drawn if pair[0] == names[0]), drawn[0])
        won += producer == names[0]
    return won / blocks


def test_a_grinder_wins_its_share_here_and_most_blocks_with_a_root_in_the_seed():
    blocks = 1_500
    band = 4 * np.sqrt(5 / 36 / blocks)
    share = _grinder_wins(lambda seed, producer, root: next_seed(seed, producer), 16, blocks)
    assert abs(share - 1 / 6) < band
    share = _grinder_wins(lambda seed, producer, root: sha256(seed + producer + root).digest(), 16, blocks)
    assert abs(share - 0.77) < 0.08


def test_ten_parts_of_a_site_win_no_more_than_the_site():
    names = [sha256(bytes([i])).digest()[:20] for i in range(15)]
    draw, blocks = consensus.rule("poe").draw, 1_500
    for weights, mine in (([30, 10, 10, 10, 10, 30], 1), ([3] * 10 + [10, 10, 10, 10, 30], 10)):
        won = Counter(
            draw(sha256(b"%d" % i).digest(), 1, 0, names[: len(weights)], weights, 60, ()).producer
            for i in range(blocks)
        )
        share = sum(won[name] for name in names[:mine]) / blocks
        assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / blocks)


@pytest.mark.parametrize("drift_s", [-900, -1, 1, 900])
def test_timestamp_drift(make_chain, drift_s):
    chain = make_chain()
    block = chain.propose([])
    fault = chain.check_candidate(rebuilt(chain, block, time_s=block.header.time_s + drift_s))
    assert fault.code is FaultCode.TIME


def test_equivocation_is_convicted_by_evidence(make_chain):
    chain = lived(make_chain())
    one, two = chain.equivocate(chain.draft([reading(FIRST, 0), reading(LAST, 0)]))
    assert chain.check_candidate(one) is chain.check_candidate(two) is None  # each is sound for who sees one
    guilty = one.header.producer
    body = chain.accuse(one, two)
    reporter = next(i for i, m in enumerate(chain.roster.members) if m.address != guilty)
    innocent = chain.roster.members[reporter].address
    for lie in (
        chain.accuse(one, one),
        [innocent, *body[1:]],
        [*body[:2], bytes(64), *body[3:]],
        [*body[:3], b"\xc0", body[4]],
    ):
        fault = fault_of(chain, [Draft(Kind.EQUIVOCATION, reporter, 0, lie)])
        assert (fault.code, fault.record) == (FaultCode.EQUIVOCATION, 0)
    chain.seal([Draft(Kind.EQUIVOCATION, reporter, 0, body)])
    assert fault_of(chain, [Draft(Kind.EQUIVOCATION, reporter, 0, body)]).code is FaultCode.EQUIVOCATION
    assert guilty not in chain.state.weights()
    assert guilty not in chain.state.committee(chain.height + 1)
    assert all(chain.seal([]).header.producer != guilty for _ in range(30))
    chain.seal([reading(chain.roster.index_of[guilty], chain.height - 1)])  # it is still metered


def test_a_signer_does_not_sign_two_blocks_of_a_height(make_chain):
    chain = make_chain()
    key = chain.roster.members[ENO].private_key
    signer = Signer(key)
    first = signer.vote(3, bytes(32))
    assert signer.vote(3, bytes(32)) == first
    for height, block_hash in ((3, bytes([1]) * 32), (2, bytes(32))):
        with pytest.raises(DoubleSignError, match="signed already"):
            signer.vote(height, block_hash)
        with pytest.raises(DoubleSignError, match="signed already"):
            Signer(key, signer.last).vote(height, block_hash)  # after a restart
    signer.vote(4, bytes([1]) * 32)


def test_reordering_of_records_and_blocks(make_chain, finished):
    chain = lived(make_chain())
    block = chain.propose([reading(FIRST, 0), period_drafts(chain.roster, 2)[0]])
    swapped = replace(block, records=block.records[::-1])
    assert chain.check_candidate(swapped).code is FaultCode.RECORDS_ROOT
    recomputed = assemble(chain.state, chain.roster, block.records[::-1], chain.draw())
    assert chain.check_candidate(recomputed).code is FaultCode.NONCE
    rows = rows_of(finished["period"][0])
    rows[3], rows[4] = (3, rows[4][1]), (4, rows[3][1])
    verdict = verify_rows(rows)
    assert verdict.fault == "block 3: HEIGHT: height 4 where 3 is due"
    assert verdict.blocks == 3


def test_truncation_meets_the_checkpoint(finished, roster, tmp_path, capsys):
    path, head = finished["period"]
    rows = rows_of(path)
    chain_id = Block.from_bytes(rows[0][1]).header.chain_id
    checkpoint = Checkpoint.issue(roster.authority.private_key, chain_id, 11, head)
    assert verify_rows(rows, checkpoint=checkpoint).sound
    verdict = verify_rows(rows[:9], closed=False, checkpoint=checkpoint)
    assert verdict.fault == "block 9: CHECKPOINT: the chain ends before the checkpoint of block 11: its tail was cut"
    assert "CLOSING" in verify_rows(rows[:9]).fault
    by_thief = Checkpoint.issue(roster.members[ENO].private_key, chain_id, 11, head)
    assert "another chain or authority" in verify_rows(rows, checkpoint=by_thief).fault
    file, cut = tmp_path / "checkpoint.json", tmp_path / "cut.sqlite"
    file.write_text(json.dumps(checkpoint.view()))
    cut.write_bytes(path.read_bytes())
    connection = sqlite3.connect(cut)
    connection.execute("DELETE FROM blocks WHERE number > 8")
    connection.commit()
    connection.close()
    assert main(["verify", str(cut), "--open"]) == 0
    assert main(["verify", str(cut), "--open", "--checkpoint", str(file)]) == 1
    assert "tail was cut" in capsys.readouterr().out
    assert main(["verify", str(path), "--checkpoint", str(file)]) == 0


def test_a_chain_with_other_rules_is_another_chain(roster, history):
    heads = {
        Chain.create(Params(gamma=5, window_periods=24, **{name: value}), roster, history).chain_id
        for name, value in (("delegates", 3), ("bar_cycles", 7), ("consensus", "pos"), ("period_s", 60))
    }
    assert len(heads) == 4
