"""Readers of records made from the table of fields, the way back of `fields.encoder_of`.

A reader takes a record's bytes apart and holds every value against its field's type and range in the same pass. It
reads what is canonical and fits, with the same result as `encoding.decode` and `records.validate_body`; on anything
else it gives up, and these two say what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .encoding import VALUES, Body, EncodingError, byte_string, list_head, read_bytes, read_integer, read_list_size
from .fields import Field
from .ranges import SIGNED, UNSIGNED, range_of

Reader = Callable[[bytes, int], tuple[int, int, int, Body]]  # bytes, position → nonce, expiry, event, body

# Lines that read a value at `at` into a variable, {0}, and move on.
_INT = [
    "tag = data[at]",
    "if tag < 128:",
    "    {0} = tag",
    "    at += 1",
    "else:",
    "    end = at + tag - 126",
    "    {0} = values.get(data[at:end])",
    "    if {0} is None: {0} = read_integer(data, at)",
    "    at = end",
]


def _integer(name: str, type_name: str) -> list[str]:
    """An integer in its field's range, where every integer of one byte lies."""
    low, high = range_of(name, type_name)
    return [*_INT[:-1], f"    if not {low} <= {{0}} <= {high}: raise unread", _INT[-1]]


def _sized(size: int) -> list[str]:
    """A byte string of one size. Where the bytes end too early, `at` passes their end, and nothing is read there."""
    head = byte_string(bytes(size))[:-size]
    return [
        f"start, at = at + {len(head)}, at + {len(head) + size}",
        f"if data[start - {len(head)}:start] != {head!r}: raise unread",
        "{0} = data[start:at]",
    ]


def _sized_or_empty(size: int) -> list[str]:
    empty = ["if data[at] == 160:", "    {0} = b''", "    at += 1", "else:"]
    return [*empty, *(f"    {line}" for line in _sized(size))]


_LINES: dict[str, list[str]] = {
    "bytes": ["{0}, at = read_bytes(data, at)"],
    "address": _sized(20),
    "party": _sized_or_empty(20),
    "hash": _sized_or_empty(32),
    "key": _sized(33),
    "signature": _sized_or_empty(64),
}


def _list_lines(variable: str, loop: Sequence[str], item: str) -> list[str]:
    return [
        "tag = data[at]",
        "if 192 <= tag < 224: size, at = tag - 192, at + 1",
        "else: size, at = read_list_size(data, at)",
        f"{variable} = []",
        "for _ in range(size):",
        *(f"    {line}" for line in loop),
        f"    {variable}.append({item})",
    ]


def _rows_lines(variable: str, field: Field) -> list[str]:
    names = [f"{variable}_{column}" for column in range(len(field.columns))]
    loop = [f"if data[at] != {list_head(len(names))[0]}: raise unread", "at += 1"]
    for name, column, type_name in zip(names, field.columns, field.column_types, strict=True):
        loop += _value_lines(name, column, type_name)
    return _list_lines(variable, loop, f"[{', '.join(names)}]")


def _value_lines(variable: str, name: str, type_name: str) -> list[str]:
    lists = type_name in ("hashes", "ints", "uints")
    if type_name in SIGNED + UNSIGNED:
        lines = _integer(name, type_name)
    else:
        lines = _sized(32) if lists else _LINES[type_name]
    read = [line.format("item" if lists else variable) for line in lines]
    return _list_lines(variable, read, "item") if lists else read


def reader_of(kind: str, fields: Sequence[Field]) -> Reader:
    """A function from a record's bytes, and the position after its sender, to nonce, expiry, event and body.

    It raises EncodingError or IndexError where it gives up.
    """
    names = [f"field_{number}" for number in range(len(fields))]
    lines = [line for name in ("nonce", "expiry", "event") for line in _value_lines(name, name, "uint")]
    lines += [f"if data[at] != {list_head(len(fields))[0]}: raise unread", "at += 1"]
    for name, field in zip(names, fields, strict=True):
        lines += _rows_lines(name, field) if field.columns else _value_lines(name, field.name, field.type_name)
    lines += ["if at != len(data): raise unread", f"return nonce, expiry, event, [{', '.join(names)}]"]
    scope: dict[str, Any] = {
        "values": VALUES, "read_integer": read_integer, "read_bytes": read_bytes, "read_list_size": read_list_size,
        "unread": EncodingError(f"not the canonical bytes of a {kind}"),
    }  # fmt: skip
    source = "\n    ".join(["def read_record(data, at):", *lines])
    exec(compile(source, f"<reader of {kind}>", "exec"), scope)
    reader: Reader = scope["read_record"]
    return reader
