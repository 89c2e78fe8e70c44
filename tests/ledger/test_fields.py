import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.encoding import EncodingError, decode, encode
from ledger.fields import SchemaError, encoder_of, misfit, parse_field
from ledger.kinds import SCHEMAS, Kind
from ledger.ranges import SIGNED, UNSIGNED, range_of
from ledger.records import ENCODERS, READERS, Record

SIZED = {"address": (20,), "party": (20, 0), "hash": (32, 0), "key": (33,), "signature": (64, 0)}
TYPES = {
    "bytes": st.binary(max_size=300),
    "hashes": st.lists(st.binary(min_size=32, max_size=32), max_size=3),
} | {name: st.sampled_from([bytes(range(size)) for size in sizes]) for name, sizes in SIZED.items()}
WRONG = st.sampled_from([True, 1.0, None, "text", -1, b"x", [1.5], [True], [[0]], [b"y"], [-1], {}, 2**300, ()])


def is_short(value):
    """Whether all integers in a value are short enough to be encoded."""
    if type(value) is int:
        return value < 2**255
    return type(value) is bytes or all(map(is_short, value))


def plain(name, type_name):
    if type_name not in SIGNED + UNSIGNED:
        return TYPES[type_name]
    number = st.integers(*range_of(name, type_name))
    return st.lists(number, max_size=40) if type_name.endswith("s") else number


def values_of(field):
    if not field.columns:
        return plain(field.name, field.type_name)
    row = st.tuples(*(plain(*column) for column in zip(field.columns, field.column_types, strict=True)))
    return st.lists(row | row.map(list), max_size=4)


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.name)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_an_encoder_gives_the_bytes_of_the_encoding(kind, data):
    body = data.draw(st.tuples(*(values_of(field) for field in SCHEMAS[kind])).map(list))
    assert ENCODERS[kind](body) == encode(body)


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.name)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_an_encoder_refuses_what_the_table_refuses(kind, data):
    body = data.draw(st.tuples(*(values_of(field) for field in SCHEMAS[kind])).map(list))
    place = data.draw(st.integers(0, len(body) - 1))
    wrong = data.draw(WRONG)
    if type(body[place]) is list and body[place] and data.draw(st.booleans()):
        body[place][0] = wrong  # inside a list or instead of a row
    else:
        body[place] = wrong
    found = misfit(kind.name, SCHEMAS[kind], body)
    if found is not None:
        with pytest.raises(SchemaError, match=re.escape(str(found))):
            ENCODERS[kind](body)
    elif is_short(body):
        assert ENCODERS[kind](body) == encode(body)
    else:
        with pytest.raises(EncodingError, match="at most 32 bytes"):
            ENCODERS[kind](body)


@pytest.mark.parametrize("body", [[], [1, b""], [1, b"", 2, 3], None, b"abc", 7])
def test_a_body_of_another_length_is_refused(body):
    encoder = encoder_of("THING", (parse_field("a uint"), parse_field("b bytes"), parse_field("c [d int, e ints]")))
    with pytest.raises(SchemaError, match=r"THING has .* fields; allowed: 3 \(a, b, c\)"):
        encoder(body)


@pytest.mark.parametrize("rows", [7, b"abc", [7], [[1]], [[1, [2], 3]], [b"ab"], [[1, 2]], [[True, [1]]]])
def test_rows_that_are_none_are_refused(rows):
    with pytest.raises(SchemaError, match=r"THING.c is no \[d int, e ints\]"):
        encoder_of("THING", (parse_field("c [d int, e ints]"),))([rows])


@pytest.mark.parametrize(
    ("position", "wrong"),
    [(0, "chain"), (2, bytes(19)), (2, bytearray(20)), (3, -1), (4, True), (5, 1.0)],
    ids=["chain id", "sender", "type of sender", "nonce", "expiry", "event"],
)
def test_a_record_comes_back_or_is_refused(position, wrong):
    values = [bytes(16), Kind.BALLOT, bytes(20), 1, 2, 0, [b""]]
    record = Record.create(*values)
    assert Record.from_bytes(record.raw) == record
    assert decode(record.raw) == [1, bytes(16), int(Kind.BALLOT), bytes(20), 1, 2, 0, [b""]]
    values[position] = wrong
    with pytest.raises(SchemaError):
        Record.create(*values)


def outcome(read, raw):
    try:
        return read(raw)
    except EncodingError as error:
        return type(error), str(error)


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.name)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_reader_reads_what_the_decoder_reads_and_nothing_else(kind, data):
    body = data.draw(st.tuples(*(values_of(field) for field in SCHEMAS[kind])).map(list))
    nonce, expiry, event = data.draw(st.tuples(*[st.integers(0, 2**40)] * 3))
    raw = Record.create(bytes(16), kind, bytes(range(20)), nonce, expiry, event, body).raw
    assert Record._from_any(raw) == Record.from_bytes(raw)  # the first makes the reader known
    nonce_at = 41
    assert READERS[kind](raw, nonce_at) == (nonce, expiry, event, decode(raw)[-1])
    place, cut = data.draw(st.integers(0, len(raw) - 1)), data.draw(st.integers(0, 3))
    other = raw[:place] + data.draw(st.binary(max_size=4)) + raw[place + cut :]
    assert outcome(Record.from_bytes, other) == outcome(Record._from_any, other)
    assert outcome(Record.from_bytes, raw[:place]) == outcome(Record._from_any, raw[:place])


@pytest.mark.parametrize("wrong", [b"\x80\x05", b"\x81\x00\x05", b"\x80\xff", b"\xb4", b"\x9f\x01"])
def test_an_integer_that_is_not_canonical_is_read_by_nobody(wrong):
    """Too long, too long, negative, no integer, cut off."""
    record = Record.create(bytes(16), Kind.REGISTRATION, bytes(20), 1, 2, 0, [300, b""])
    Record._from_any(record.raw)
    at = record.raw.index(b"\x81\x01\x2c")
    raw = record.raw[:at] + wrong + record.raw[at + 3 :]
    with pytest.raises(EncodingError):
        READERS[Kind.REGISTRATION](raw, 41)
    with pytest.raises(EncodingError):
        Record.from_bytes(raw)


EDGES = [
    (kind, place, column, type_name, name)
    for kind, fields in SCHEMAS.items()
    for place, field in enumerate(fields)
    for column, (name, type_name) in enumerate(
        zip(field.columns or (field.name,), field.column_types or (field.type_name,), strict=True)
    )
    if type_name in SIGNED + UNSIGNED
]
SOMETHING = {"bytes": b"", "party": b"", "hash": b"", "signature": b"", "address": bytes(20), "key": bytes(33)}


@pytest.mark.parametrize(
    ("kind", "place", "column", "type_name", "name"), EDGES, ids=lambda value: getattr(value, "name", value)
)
def test_a_figure_out_of_its_range_is_read_by_nobody(kind, place, column, type_name, name):
    """Where it is written without a complaint it is still refused as soon as it is read from bytes."""
    low, high = range_of(name, type_name)
    fields = SCHEMAS[kind]

    def raw_with(number):
        value = [number] if type_name.endswith("s") else number
        if fields[place].columns:
            row = [SOMETHING.get(each, [] if each.endswith("s") else 0) for each in fields[place].column_types]
            row[column], value = value, [row]
            value = [row]
        body = [SOMETHING.get(each.type_name, [] if each.type_name[-1] in "s]" else 0) for each in fields]
        body[place] = value
        return Record.create(bytes(16), kind, bytes(20), 1, 2, 0, body).raw

    for number in (low, high):
        assert Record.from_bytes(raw_with(number)) == Record._from_any(raw_with(number))
    for number in (high + 1, 2**200, *([low - 1, -(2**200)] if type_name in SIGNED else [])):
        for read in (Record._from_any, Record.from_bytes):
            with pytest.raises(SchemaError, match=f"{name} is (out of|no uint)"):
                read(raw_with(number))
