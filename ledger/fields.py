"""The types of a record's fields, and encoders made from the table of fields.

An encoder is one Python function a kind, written from the kind's fields as `dataclass` writes an `__init__`: it checks
every value and encodes it in the same pass, without asking of each item what it is. Its bytes are those of
`encoding.encode`, and what it refuses is named by the same checks that a record from outside meets (`misfit`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .encoding import INTEGERS, Body, EncodingError, byte_string, encode, list_head

Check = Callable[[Any], bool]
Encoder = Callable[[Body], bytes]


class SchemaError(EncodingError):
    """A record that does not fit the table of fields."""


def is_uint(value: Any) -> bool:
    """Whether a value is an unsigned integer."""
    return type(value) is int and value >= 0


def is_bytes(value: Any) -> bool:
    """Whether a value is a byte string."""
    return type(value) is bytes


def _is_int(value: Any) -> bool:
    return type(value) is int


def _sized(*sizes: int) -> Check:
    return lambda value: type(value) is bytes and len(value) in sizes


_INT = {int}


def _are_ints(values: Any) -> bool:
    return type(values) in (list, tuple) and {*map(type, values)} <= _INT


def _are_uints(values: Any) -> bool:
    return _are_ints(values) and (not values or min(values) >= 0)


def _are_hashes(values: Any) -> bool:
    return type(values) in (list, tuple) and all(type(value) is bytes and len(value) == 32 for value in values)


def _rows(checks: tuple[Check, ...]) -> Check:
    def check_rows(rows: Any) -> bool:
        if type(rows) not in (list, tuple):
            return False
        for row in rows:
            if type(row) not in (list, tuple) or len(row) != len(checks):
                return False
            for check, item in zip(checks, row, strict=True):
                if not check(item):
                    return False
        return True

    return check_rows


_TYPES: dict[str, Check] = {
    "uint": is_uint, "int": _is_int, "bytes": is_bytes, "address": _sized(20), "party": _sized(20, 0),
    "hash": _sized(32, 0), "key": _sized(33), "signature": _sized(64, 0),
    "uints": _are_uints, "ints": _are_ints, "hashes": _are_hashes,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a body: its name, the text of its type, its column names when it holds rows."""

    name: str
    type_name: str
    columns: tuple[str, ...]
    column_types: tuple[str, ...]
    check: Check


def parse_field(text: str) -> Field:
    """The field that a line of the table names; KeyError for a type that does not exist."""
    rows = re.fullmatch(r"(\w+) \[(.+)\]", text)
    if rows is None:
        name, type_name = text.split(" ")
        return Field(name, type_name, (), (), _TYPES[type_name])
    names, types = zip(*(column.split(" ") for column in rows[2].split(", ")), strict=True)
    check = _rows(tuple(_TYPES[type_name] for type_name in types))
    return Field(rows[1], f"[{rows[2]}]", names, types, check)


def misfit(kind: str, fields: Sequence[Field], body: Any) -> SchemaError | None:
    """What is wrong with a body: its length, or the first field that is not of its type; None where it fits."""
    if type(body) not in (list, tuple) or len(body) != len(fields):
        names = ", ".join(field.name for field in fields)
        size = len(body) if type(body) in (list, tuple) else "no"
        return SchemaError(f"{kind} has {size} fields; allowed: {len(fields)} ({names})")
    for field, value in zip(fields, body, strict=True):
        if not field.check(value):
            return SchemaError(f"{kind}.{field.name} is no {field.type_name}: {str(value)[:60]}")
    return None


# A type's test of a variable and the bytes of its value, as source text; {0} is the variable.
_IS_INT, _IS_UINT = "type({0}) is int", "type({0}) is int and {0} >= 0"
_IS_BYTES = "type({0}) is bytes"
_ADDRESS_HEAD, _KEY_HEAD = encode(bytes(20))[:1], encode(bytes(33))[:2]
_SOURCE: dict[str, tuple[str, str]] = {
    "uint": (_IS_UINT, "integers[{0}]"),
    "int": (_IS_INT, "integers[{0}]"),
    "bytes": (_IS_BYTES, "byte_string({0})"),
    "address": (f"{_IS_BYTES} and len({{0}}) == 20", f"{_ADDRESS_HEAD!r}, {{0}}"),
    "party": (f"{_IS_BYTES} and len({{0}}) in (20, 0)", "byte_string({0})"),
    "hash": (f"{_IS_BYTES} and len({{0}}) in (32, 0)", "byte_string({0})"),
    "key": (f"{_IS_BYTES} and len({{0}}) == 33", f"{_KEY_HEAD!r}, {{0}}"),
    "signature": (f"{_IS_BYTES} and len({{0}}) in (64, 0)", "byte_string({0})"),
    "uints": ("are_uints({0})", "list_head(len({0})), *map(integer, {0})"),
    "ints": ("are_ints({0})", "list_head(len({0})), *map(integer, {0})"),
    "hashes": ("are_hashes({0})", "list_head(len({0})), *map(byte_string, {0})"),
}


def _is_list(variable: str) -> str:
    return f"(type({variable}) is list or type({variable}) is tuple)"


def _sound(names: Sequence[str], types: Sequence[str]) -> str:
    return " and ".join(_SOURCE[each][0].format(name) for name, each in zip(names, types, strict=True))


def _bytes_of(names: Sequence[str], types: Sequence[str]) -> str:
    return ", ".join(_SOURCE[each][1].format(name) for name, each in zip(names, types, strict=True))


def _rows_source(variable: str, types: Sequence[str]) -> list[str]:
    """Lines that replace a variable holding rows by their bytes."""
    names = [f"{variable}_{column}" for column in range(len(types))]
    return [
        f"if not {_is_list(variable)}: raise unfit(body)",
        f"parts = [list_head(len({variable}))]",
        f"for row in {variable}:",
        f"    if not ({_is_list('row')} and len(row) == {len(types)}): raise unfit(body)",
        f"    {', '.join(names)}, = row",
        f"    if not ({_sound(names, types)}): raise unfit(body)",
        f"    parts += ({list_head(len(types))!r}, {_bytes_of(names, types)})",
        f"{variable} = b''.join(parts)",
    ]


def encoder_of(kind: str, fields: Sequence[Field]) -> Encoder:
    """A function from a kind's body to its canonical bytes.

    It raises SchemaError where the body does not fit the table, EncodingError where an integer or a list is too long.
    """
    names = [f"v{number}" for number in range(len(fields))]
    plain = [(name, field.type_name) for name, field in zip(names, fields, strict=True) if not field.columns]
    parts = [
        name if field.columns else _SOURCE[field.type_name][1].format(name)
        for name, field in zip(names, fields, strict=True)
    ]
    lines = [
        f"if not ({_is_list('body')} and len(body) == {len(fields)}): raise unfit(body)",
        f"{', '.join(names)}, = body",
    ]
    if plain:
        lines.append(f"if not ({_sound(*zip(*plain, strict=True))}): raise unfit(body)")
    for name, field in zip(names, fields, strict=True):
        lines += _rows_source(name, field.column_types) if field.columns else []
    lines.append(f"return b''.join(({list_head(len(fields))!r}, {', '.join(parts)}))")
    source = "\n    ".join(["def encode_body(body):", *lines])

    def unfit(body: Any) -> SchemaError:
        found = misfit(kind, fields, body)
        assert found is not None, f"the encoder of {kind} refuses what the table allows"
        return found

    scope: dict[str, Any] = {
        "integers": INTEGERS, "integer": INTEGERS.__getitem__, "byte_string": byte_string, "list_head": list_head,
        "are_uints": _are_uints, "are_ints": _are_ints, "are_hashes": _are_hashes, "unfit": unfit,
    }  # fmt: skip
    exec(compile(source, f"<encoder of {kind}>", "exec"), scope)
    encoder: Encoder = scope["encode_body"]
    return encoder
