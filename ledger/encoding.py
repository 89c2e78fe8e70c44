"""Canonical encoding of integers, byte strings and lists of those.

One value has one encoding and one encoding has one value, so a hash names a value and not merely one way of
writing it. Floats, text, booleans and None have no encoding: what reaches the ledger is exact.

=============  =====================================================================
first byte     value
=============  =====================================================================
00-7f          the integers 0..127
80-9f          integer, 1..32 further bytes, big-endian two's complement, minimal
a0-bf          byte string of 0..31 bytes
c0-df          list of 0..31 items
e0-e3          byte string, 1..4 further bytes of length, minimal
e8-eb          list, 1..4 further bytes of count, minimal
=============  =====================================================================
"""

from __future__ import annotations

from typing import Any

Value = Any  # int | bytes | list[Value]; a recursive alias costs more than it tells
Body = list[Any]  # a record's fields

MAX_DEPTH = 12
MAX_BYTES = 1 << 24
_SHORT = 32


class EncodingError(ValueError):
    """A value without an encoding, or bytes that no value encodes to."""


_INTEGER_HEADS = tuple(bytes((0x7F + width,)) for width in range(33))


def _encode_integer(value: int) -> bytes:
    if 0 <= value < 128:
        return bytes((value,))
    width = (value.bit_length() if value >= 0 else (~value).bit_length()) // 8 + 1
    if width > 32:
        raise EncodingError(f"integer of {width} bytes; at most 32 bytes (-2**255 <= x < 2**255) are allowed")
    return _INTEGER_HEADS[width] + value.to_bytes(width, "big", signed=True)


def _head(size: int, short_tag: int, long_tag: int) -> bytes:
    """The first bytes of a byte string or list of `size`."""
    if size < _SHORT:
        return bytes((short_tag + size,))
    if size > MAX_BYTES:
        raise EncodingError(f"size {size} exceeds the limit of {MAX_BYTES}")
    width = (size.bit_length() + 7) // 8
    return bytes((long_tag + width - 1,)) + size.to_bytes(width, "big")


_KEPT = 256  # sizes whose heads are made once: signatures and a period's rows are below it
_BYTES_HEADS = tuple(_head(size, 0xA0, 0xE0) for size in range(_KEPT))
LIST_HEADS = tuple(_head(size, 0xC0, 0xE8) for size in range(_KEPT))


class _Integers(dict[int, bytes]):
    """Integers met before and their bytes: most of a ledger's come again, and looking them up beats building them.

    True and 1.0 would find 1's: a key must be known to be an int.
    """

    def __missing__(self, value: int) -> bytes:
        data = _encode_integer(value)
        if len(self) >= _MOST_INTEGERS:
            self.clear()
        self[value] = data
        return data


_MOST_INTEGERS = 1 << 16
INTEGERS = _Integers()


def list_head(size: int) -> bytes:
    """The first bytes of a list of `size` items, which follow."""
    return LIST_HEADS[size] if size < _KEPT else _head(size, 0xC0, 0xE8)


def byte_string(value: bytes) -> bytes:
    """The encoding of a byte string."""
    size = len(value)
    return (_BYTES_HEADS[size] if size < _KEPT else _head(size, 0xA0, 0xE0)) + value


def _append_list(items: list[Value] | tuple[Value, ...], parts: list[bytes], depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise EncodingError(f"lists nested deeper than {MAX_DEPTH}")
    parts.append(list_head(len(items)))
    for item in items:
        kind = type(item)
        if kind is int:
            parts.append(INTEGERS[item])
        elif kind is bytes:
            parts.append(byte_string(item))
        elif kind is list or kind is tuple:
            _append_list(item, parts, depth + 1)
        else:
            raise EncodingError(f"{kind.__name__} has no encoding; allowed: int, bytes, list of those")


def encode(value: Value) -> bytes:
    """The canonical bytes of an int, bytes, or list (or tuple) of those; EncodingError otherwise."""
    parts: list[bytes] = []
    _append_list((value,), parts, -1)
    data = b"".join(parts[1:])  # without the head of the list around the value
    if len(data) > MAX_BYTES:
        raise EncodingError(f"{len(data)} bytes exceed the limit of {MAX_BYTES}")
    return data


def _read_size(data: bytes, position: int, width: int) -> tuple[int, int]:
    """A minimal big-endian size of `width` bytes at `position`: (size, position after it)."""
    end = position + width
    if end > len(data):
        raise EncodingError("bytes end inside a length")
    size = int.from_bytes(data[position:end], "big")
    if size < _SHORT or (width > 1 and size >> (8 * (width - 1)) == 0):
        raise EncodingError("length is not minimal")
    return size, end


_LIST_TAG = 0xC0
VALUES: dict[bytes, int] = {}  # integers read before, by their bytes


def _read_integer(data: bytes, start: int, end: int) -> int:
    """The integer whose bytes, tag first, are data[start:end]."""
    if end > len(data):
        raise EncodingError("bytes end inside an integer")
    value = int.from_bytes(data[start + 1 : end], "big", signed=True)
    bits = value.bit_length() if value >= 0 else (~value).bit_length()
    if bits // 8 + 2 != end - start or 0 <= value < 128:
        raise EncodingError("integer is not minimal")
    if len(VALUES) >= _MOST_INTEGERS:
        VALUES.clear()
    VALUES[data[start:end]] = value
    return value


def _read_list(data: bytes, position: int, count: int, depth: int) -> tuple[list[Value], int]:
    if depth >= MAX_DEPTH:
        raise EncodingError(f"lists nested deeper than {MAX_DEPTH}")
    if count > len(data) - position:  # an item takes a byte at least: a false count never allocates
        raise EncodingError("bytes end inside a list")
    items: list[Value] = []
    size = len(data)
    for _ in range(count):  # what a record mostly holds is read here, the rest by `_read`
        tag = data[position] if position < size else _LIST_TAG
        if tag < 0x80:
            items.append(tag)
            position += 1
        elif tag < 0xA0:
            end = position + tag - 0x7E
            value = VALUES.get(data[position:end])
            items.append(_read_integer(data, position, end) if value is None else value)
            position = end
        elif tag < _LIST_TAG and position + tag - 0x9F <= size:
            end = position + tag - 0x9F
            items.append(data[position + 1 : end])
            position = end
        else:
            if _LIST_TAG <= tag < 0xE0 and position < size:
                item, position = _read_list(data, position + 1, tag - _LIST_TAG, depth + 1)
            else:
                item, position = _read(data, position, depth + 1)
            items.append(item)
    return items, position


def _read(data: bytes, position: int, depth: int) -> tuple[Value, int]:
    if position >= len(data):
        raise EncodingError("bytes end where a value should start")
    tag = data[position]
    position += 1
    if tag < 0x80:
        return tag, position
    if tag < 0xA0:
        end = position + tag - 0x7F
        return _read_integer(data, position - 1, end), end
    if tag < 0xC0:
        size = tag - 0xA0
    elif tag < 0xE0:
        return _read_list(data, position, tag - 0xC0, depth)
    elif tag < 0xE4:
        size, position = _read_size(data, position, tag - 0xDF)
    elif 0xE8 <= tag < 0xEC:
        count, position = _read_size(data, position, tag - 0xE7)
        return _read_list(data, position, count, depth)
    else:
        raise EncodingError(f"first byte 0x{tag:02x} starts no value")
    end = position + size
    if end > len(data):
        raise EncodingError("bytes end inside a byte string")
    return data[position:end], end


def read_integer(data: bytes, position: int) -> int:
    """The integer at a position; EncodingError where there is none."""
    tag = data[position]
    if tag >= 0xA0:
        raise EncodingError(f"first byte 0x{tag:02x} starts no integer")
    return tag if tag < 0x80 else _read_integer(data, position, position + tag - 0x7E)


def read_bytes(data: bytes, position: int) -> tuple[bytes, int]:
    """The byte string at a position, and the position after it; EncodingError where there is none."""
    if not 0xA0 <= data[position] < 0xC0 and not 0xE0 <= data[position] < 0xE4:
        raise EncodingError(f"first byte 0x{data[position]:02x} starts no byte string")
    return _read(data, position, 0)


def read_list_size(data: bytes, position: int) -> tuple[int, int]:
    """How many items the list at a position has, and the position of the first; EncodingError where there is none."""
    tag = data[position]
    if _LIST_TAG <= tag < 0xE0:
        return tag - _LIST_TAG, position + 1
    if not 0xE8 <= tag < 0xEC:
        raise EncodingError(f"first byte 0x{tag:02x} starts no list")
    return _read_size(data, position + 1, tag - 0xE7)


def decode(data: bytes) -> Value:
    """The value whose encoding is exactly `data`; EncodingError when there is none. Lists come back as
    lists.
    """
    if type(data) is not bytes:
        raise EncodingError(f"{type(data).__name__} cannot be decoded; only bytes")
    if len(data) > MAX_BYTES:
        raise EncodingError(f"{len(data)} bytes exceed the limit of {MAX_BYTES}")
    value, end = _read(data, 0, 0)
    if end != len(data):
        raise EncodingError(f"{len(data) - end} bytes left over after the value")
    return value
