import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.encoding import MAX_DEPTH, EncodingError, decode, encode

INTEGERS = st.integers(-(2**255), 2**255 - 1)
VALUES = st.recursive(INTEGERS | st.binary(max_size=300), lambda inner: st.lists(inner, max_size=40), max_leaves=60)


@settings(deadline=None)
@given(VALUES)
def test_every_value_comes_back(value):
    assert decode(encode(value)) == value


def splice(value, length, tail):
    return encode(value)[:length] + tail


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.builds(lambda v, i, b: encode(v)[:i] + b, VALUES, st.integers(0, 99), st.binary()))
def test_bytes_are_canonical_or_refused(data):
    try:
        value = decode(data)
    except EncodingError:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "00"), (127, "7f"), (128, "810080"), (-1, "80ff"), (-128, "8080"), (256, "810100"), (b"", "a0"),
        (b"\x01" * 32, "e020" + "01" * 32), ([], "c0"), ([1, [b"a"]], "c201c1a161"),
        ([0] * 32, "e820" + "00" * 32),
    ],
)  # fmt: skip
def test_vectors(value, expected):
    assert encode(value).hex() == expected
    assert decode(bytes.fromhex(expected)) == value


@pytest.mark.parametrize("value", [1.0, True, None, "text", {1: 2}, bytearray(b"a"), [1, [None]], 2**255, [b"a", 2.5]])
def test_what_has_no_encoding(value):
    with pytest.raises(EncodingError):
        encode(value)


@pytest.mark.parametrize(
    "data",
    [
        "", "8000", "817fff01", "81007f", "81ff80", "e01f" + "00" * 31, "e1002000", "e8ff", "dfff", "c201",
        "a2ff",
        "e4", "ec", "ff", "0001", "eb7fffffff", "e37fffffff", "c1" * 40 + "00",
    ],
)  # fmt: skip
def test_hostile_bytes_are_refused(data):
    with pytest.raises(EncodingError):
        decode(bytes.fromhex(data))


def test_depth_limit_is_the_same_both_ways():
    value: list = []
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    assert decode(encode(value)) == value
    with pytest.raises(EncodingError, match="nested"):
        encode([value])
    with pytest.raises(EncodingError, match="nested"):
        decode(b"\xc1" + encode(value))
