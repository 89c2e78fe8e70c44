"""Ids of records that a reader may not see tell it nothing, however well it guesses; who may see all misses nothing."""

import json
from itertools import product

import pytest

from ledger import merkle
from ledger.__main__ import main
from ledger.access import check_shown, show_records
from ledger.encoding import EncodingError, encode
from ledger.faults import FaultCode
from ledger.kinds import PUBLIC_KINDS, Kind
from ledger.levels import Level
from ledger.proposal import assemble
from ledger.records import BLINDING_BYTES, Record

from .conftest import ENO, FIRST, blocks_of, grow, lived, period_drafts


def hidden_from(capsys, path, name, height):
    """Ids that the view of a block does not open for a node, and what it reads there."""
    capsys.readouterr()
    assert main(["view", str(path), "--as", name, "--block", str(height), "--json"]) == 0
    records = [record for block in json.loads(capsys.readouterr().out)["blocks"] for record in block["records"]]
    own = [Record.from_bytes(bytes.fromhex(record["raw"])) for record in records if "raw" in record]
    return {bytes.fromhex(record["id"]) for record in records if "raw" not in record}, own


def guesses(block, hidden, own):
    """Ids of what a reader may think of: readings of everybody in all plausible sizes, and the very content of the
    hidden records, as records of both versions, blinded with nothing or with the values that it has seen.
    """
    endings = [[], *([blinding] for blinding in {bytes(BLINDING_BYTES), *(record.blinding for record in own)})]
    mine = next(record for record in own if record.kind is Kind.READING)
    for sender, nonce, generated in product({r.sender for r in block.records}, range(2, 16), range(300)):
        head = [1, mine.chain_id, int(Kind.READING), sender, nonce, mine.expiry, 0, [mine.body[0], generated, 300, 0]]
        yield merkle.leaf_hash(encode(head))
    for record in block.records:
        if record.id in hidden:
            for version, ending in product((1, 2), endings):
                values = [version, record.chain_id, int(record.kind), *record[2:7], *ending]
                yield merkle.leaf_hash(encode(values))


@pytest.mark.parametrize("signing", ["period", "record", "none"])
def test_hidden_records_cannot_be_opened_by_guessing(finished, capsys, signing):
    path, _ = finished[signing]
    block = blocks_of(path)[5]
    hidden, own = hidden_from(capsys, path, "prosumer 0", 5)
    assert len(hidden) > 10
    opened = hidden.intersection(guesses(block, hidden, own))
    assert len(opened) == (len(hidden) if signing == "none" else 0)  # without keys nothing is hidden from who guesses


@pytest.mark.parametrize("signing", ["period", "record", "none"])
def test_what_is_not_public_is_blinded_each_by_its_own_value(finished, signing):
    blocks = blocks_of(finished[signing][0])
    records = [record for block in blocks for record in block.records]
    blinded = [record for record in records if record.blinding]
    due = [record for record in records if signing != "none" and record.kind not in PUBLIC_KINDS]
    assert blinded == due
    assert len({record.blinding for record in blinded}) == len(blinded)
    assert {len(record.blinding) for record in blinded} == ({BLINDING_BYTES} if due else set())
    for block in blocks:
        for level in (Level.SUPER, Level.CONSENSUS, Level.FULL):
            assert check_shown(block.header, show_records(block, level, bytes(20))) == list(block.records)


def test_the_same_records_are_blinded_alike_and_changed_ones_are_not(make_chain, roster):
    first, again, other = (lived(make_chain(name=name)) for name in (b"a", b"a", b"b"))
    drafts = period_drafts(roster, 2)
    values = [[record.blinding for record in chain.propose(drafts).records] for chain in (first, again, other)]
    assert values[0] == values[1]
    assert not set(values[0]) & set(values[2])
    changed = [draft._replace(body=[*draft.body[:-1], 7]) if draft.kind is Kind.READING else draft for draft in drafts]
    pairs = zip(first.propose(drafts).records, lived(make_chain(name=b"a")).propose(changed).records, strict=True)
    for record, new in pairs:  # of one sender, height and nonce
        assert (record.blinding == new.blinding) is (record.body == new.body)


@pytest.mark.parametrize(
    ("signing", "kind"), [("period", Kind.READING), ("period", Kind.STATUS), ("none", Kind.READING)]
)
def test_a_blinding_value_where_none_is_due_and_none_where_one_is(make_chain, roster, signing, kind):
    chain = lived(make_chain(signing=signing))
    sender = roster.members[ENO if kind is Kind.STATUS else FIRST].address
    body = [0, 300_000, 80_000, 200_000, 0, 0] if kind is Kind.STATUS else [0, 1, 2, 0]
    due = signing == "period" and kind is Kind.READING
    for blinding in (b"", bytes(range(BLINDING_BYTES))):
        record = Record.create(chain.chain_id, kind, sender, 1, 3, 0, body, blinding)
        fault = chain.check_candidate(assemble(chain.state, roster, [record], chain.draw()))
        sound = bool(blinding) is due
        assert (None if fault is None else fault.code) is (None if sound else FaultCode.SCHEMA)


def test_a_blinded_record_comes_back_or_is_refused():
    record = Record.create(bytes(16), Kind.READING, bytes(20), 1, 2, 0, [1, 2, 3, 4], bytes(range(16)))
    for _ in range(2):  # the second time by its reader
        assert Record.from_bytes(record.raw) == record
    for ending in (b"", b"\xaf" + bytes(15), b"\xb1" + bytes(17), b"\xb0" + bytes(15), b"\xb0" + bytes(17), b"\x01"):
        with pytest.raises(EncodingError):
            Record.from_bytes(record.raw[:-17] + ending)
    for version, values in ((1, [b"a" * 16]), (2, []), (2, [b""]), (2, [b"a" * 15]), (2, [7]), (3, [b"a" * 16])):
        with pytest.raises(EncodingError):
            Record.from_bytes(encode([version, *[bytes(16), 9, bytes(20), 1, 2, 0, [1, 2, 3, 4]], *values]))
    with pytest.raises(EncodingError, match="16 bytes"):
        Record.create(bytes(16), Kind.READING, bytes(20), 1, 2, 0, [1, 2, 3, 4], b"short")


def test_the_network_checks_blinded_records_as_before(make_chain, roster):
    chain = make_chain()
    grow(chain, 4)
    assert chain.height == 4
    event = chain.event(1)
    assert len(event) >= 3  # links hold the ids of blinded records
