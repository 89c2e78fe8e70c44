"""Several business chains in one ledger: each seals by its own rule, and none can be changed without the others."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.blocks import Block, block_digest
from ledger.businesses import OWN_KINDS, business_chain_id
from ledger.encoding import encode
from ledger.faults import FaultCode
from ledger.identity import sign
from ledger.kinds import Kind
from ledger.params import BUSINESSES
from ledger.proposal import assemble, make_records
from ledger.verify import verify_file, verify_rows

from .conftest import ENO, FIRST, SIGNINGS, grown, height_drafts, rows_of, stored


@pytest.fixture(params=SIGNINGS)
def ledger(request, tmp_path, make_combined):
    path = tmp_path / "combined.sqlite"
    return path, stored(path, make_combined, signing=request.param)


def test_every_height_seals_a_block_of_each_chain(ledger, roster):
    path, chain = ledger
    verdict = verify_file(path, head=chain.head)
    assert verdict.sound, verdict.fault
    assert [(each.business, each.rule, each.height, each.closed) for each in verdict.chains] == [
        ("trading", "scored_dpos", 7, True), ("credit", "pos", 7, True), ("dispatch", "poe", 7, True),
    ]  # fmt: skip
    assert verdict.blocks == 1 + 3 * 7
    assert verdict.head == verdict.chains[-1].head
    blocks = [Block.from_bytes(data) for _, data in rows_of(path)]
    ids = [business_chain_id(chain.chain_id, business) for business in BUSINESSES]
    assert [block.header.chain_id for block in blocks] == [chain.chain_id, *ids * 7]
    for block, business in zip(blocks[1:], BUSINESSES * 7, strict=True):
        kinds = {record.kind for record in block.records} - {Kind.CLOSING}
        if business in OWN_KINDS:
            assert kinds <= OWN_KINDS[business]
            assert kinds & OWN_KINDS[business]
        else:
            assert not kinds & frozenset().union(*OWN_KINDS.values())


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_altered_byte_is_found(signed_rows, data):
    rows = list(signed_rows)
    number, block = rows[data.draw(st.integers(0, len(rows) - 1))]
    place = data.draw(st.integers(0, len(block) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda x: x != block[place]))
    rows[number] = (number, block[:place] + bytes([value]) + block[place + 1 :])
    verdict = verify_rows(rows)
    assert not verdict.sound
    # A block's own check finds it, or the next one of its chain does, by the root of the votes.
    assert verdict.block <= (number + 2) // 3 + 1


def test_blocks_link_the_heads_as_they_were(ledger):
    blocks = [Block.from_bytes(data) for _, data in rows_of(ledger[0])]
    assert blocks[0].header.links == ()
    heads = [blocks[0].hash] * 3
    for number, block in enumerate(blocks[1:]):
        place = number % 3
        assert block.header.previous == heads[place]
        assert block.header.links == tuple(heads[:place] + heads[place + 1 :])
        heads[place] = block.hash


def test_a_sender_signs_once_a_height(make_combined, roster):
    chain = grown(make_combined(), 1)
    blocks = chain.seal_height(height_drafts(roster, 2))
    by_sender = {}
    for block in blocks:
        for submission in block.submissions:
            by_sender.setdefault(submission.sender, []).append(submission)
    site, operator = (by_sender[roster.members[node].address] for node in (FIRST, ENO))
    assert [len(site), len(operator)] == [3, 3]  # order, registration, reading; trade, credit, results
    for submissions in (site, operator):
        assert len({each.signature for each in submissions}) == 1
        assert len({each.signed_root(place) for place, each in enumerate(submissions)}) == 1
        assert len({each.root for each in submissions}) == 3


def test_only_the_signature_s_own_place_fits(make_combined, roster):
    chain = make_combined()
    block = chain.propose(height_drafts(roster, 1))
    mine = block.submissions[0]
    for siblings in (mine.siblings[:1], (*mine.siblings, bytes(32)), mine.siblings[::-1]):
        moved = (mine._replace(siblings=siblings), *block.submissions[1:])
        found = chain.check_candidate(assemble(chain.state, roster, block.records, chain.draw(), moved))
        expected = FaultCode.SUBMISSION if len(siblings) != 2 else FaultCode.SUBMISSION_SIGNATURE
        assert found.code is expected


@pytest.mark.parametrize("business", BUSINESSES)
def test_a_record_of_a_foreign_kind_is_refused(make_combined, roster, business):
    chain = make_combined()
    drafts = height_drafts(roster, 1)
    while chain.due.name != business:
        chain.seal(drafts)
    foreign = next(draft for draft in drafts if draft.kind not in chain.due.kinds)
    records = make_records(chain.state, chain.due, roster, [foreign])
    fault = chain.check_candidate(assemble(chain.state, roster, records, chain.draw()))
    assert (fault.code, fault.record, fault.business) == (FaultCode.FOREIGN, 0, business)


def test_a_record_of_another_chain_is_foreign(make_combined, roster):
    chain = make_combined()
    drafts = height_drafts(roster, 1)
    record = chain.seal(drafts).records[0]
    moved = assemble(chain.state, roster, [record], chain.draw())
    assert chain.check_candidate(moved).code is FaultCode.CHAIN_ID


def test_a_block_of_one_business_does_not_stand_in_another_s_place(tmp_path, make_combined):
    path = tmp_path / "moved.sqlite"
    stored(path, make_combined)
    rows = [data for _, data in rows_of(path)]
    for second, due, found in ((5, "trading", "credit"), (6, "credit", "dispatch")):  # of height 2: rows 4, 5, 6
        altered = [*rows[: second - 1], rows[second], rows[second - 1], *rows[second + 1 :]]
        fault = verify_rows(enumerate(altered)).fault
        assert fault == f"{due} block 2: CHAIN_ID: header of the {found} chain"


def test_a_sibling_rewritten_alone_is_betrayed_by_the_links(tmp_path, make_combined):
    """All keys at hand, the trading chain is written again from height 3 on; the others are left as they are."""

    def dearer(period, drafts):
        return [d._replace(body=[*d.body[:4], 1]) if d.kind is Kind.TRADE and period == 3 else d for d in drafts]

    true = stored(tmp_path / "true", make_combined)
    stored(tmp_path / "false", make_combined, alter=dearer)
    true_rows, false_rows = (dict(rows_of(tmp_path / name)) for name in ("true", "false"))
    assert verify_rows(false_rows.items()).sound  # by itself nothing is wrong with it, but its head is another
    assert "head is" in verify_rows(false_rows.items(), head=true.head).fault
    mixed = {n: false_rows[n] if n % 3 == 1 else data for n, data in true_rows.items()}
    verdict = verify_rows(mixed.items())
    assert verdict.fault == "credit block 3: LINKED: the link to the trading chain is not its head"
    assert (verdict.business, verdict.block, verdict.record) == ("credit", 3, None)


def test_a_chain_s_tail_cannot_be_cut_alone(tmp_path, make_combined):
    path = tmp_path / "cut.sqlite"
    chain = stored(path, make_combined)
    rows = [data for _, data in rows_of(path)]
    without = [data for number, data in enumerate(rows) if number not in (19, 16)]  # the last two trading blocks
    assert "trading block 6: CHAIN_ID: header of the credit chain" in verify_rows(enumerate(without)).fault
    assert not verify_rows(enumerate(rows[:-1])).sound  # dispatch has no closing record
    opened = verify_rows(enumerate(rows[:-1]), closed=False)
    assert opened.sound  # a height may be half sealed while the ledger runs
    assert opened.head != chain.head.hex()


@pytest.mark.parametrize("links", ["none", "stale", "one more"])
def test_a_false_link_is_named(make_combined, roster, links):
    chain = grown(make_combined(), 1)
    drafts = height_drafts(roster, 2)
    block = chain.seal(drafts)
    candidate = chain.propose(drafts)
    honest = candidate.header.links
    due = {"none": (), "stale": (block.header.previous, honest[1]), "one more": (*honest, bytes(32))}[links]
    header = candidate.header._replace(links=due)
    forged = Block(header, encode(tuple(header)), b"", (), candidate.submissions, candidate.records)
    key = roster.by_address[header.producer].private_key
    fault = chain.check_candidate(replace(forged, producer_signature=sign(key, block_digest(forged.hash))))
    assert fault.code is FaultCode.LINKED
