"""The types of a record's fields, and encoders made from the table of fields.

An encoder is one Python function a kind, written from the kind's fields as `dataclass` writes an `__init__`: it checks
every value and encodes it in the same pass, without asking of each item what it is. Its bytes are those of
`encoding.encode`, and what it refuses is named by the same checks that a record from outside meets (`misfit`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from .encoding import INTEGERS, LIST_HEADS, Body, EncodingError, byte_string, list_head

Check = Callable[[Any], bool]


class Encoder(Protocol):
    """A body's canonical bytes after the parts that stand before it."""

    def __call__(
        self, body: Body, first: bytes = b"", second: bytes = b"", third: bytes = b"", fourth: bytes = b""
    ) -> bytes:
        """SchemaError or EncodingError where the body is not allowed."""


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


def _all(check: Check) -> Check:
    return lambda value: type(value) in (list, tuple) and all(map(check, value))


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
    "uints": _all(is_uint), "ints": _all(_is_int), "hashes": _all(_sized(32)),
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
_INT, _UINT, _BYTES = "type({0}) is int", "type({0}) is int and {0} >= 0", "type({0}) is bytes"
_ADDRESS_HEAD, _KEY_HEAD = byte_string(bytes(20))[:1], byte_string(bytes(33))[:2]
_SOURCE: dict[str, tuple[str, str]] = {
    "uint": (_UINT, "integers[{0}]"),
    "int": (_INT, "integers[{0}]"),
    "bytes": (_BYTES, "byte_string({0})"),
    "address": (f"{_BYTES} and len({{0}}) == 20", f"{_ADDRESS_HEAD!r}, {{0}}"),
    "party": (f"{_BYTES} and len({{0}}) in (20, 0)", "byte_string({0})"),
    "hash": (f"{_BYTES} and len({{0}}) in (32, 0)", "byte_string({0})"),
    "key": (f"{_BYTES} and len({{0}}) == 33", f"{_KEY_HEAD!r}, {{0}}"),
    "signature": (f"{_BYTES} and len({{0}}) in (64, 0)", "byte_string({0})"),
}
# The same of a list's items.
_ITEMS: dict[str, tuple[str, str]] = {
    "uints": (_UINT, "integers[{0}]"),
    "ints": (_INT, "integers[{0}]"),
    "hashes": (f"{_BYTES} and len({{0}}) == 32", "byte_string({0})"),
}


def _is_list(variable: str) -> str:
    return f"(type({variable}) is list or type({variable}) is tuple)"


def _list_source(variable: str, loop: Sequence[str]) -> list[str]:
    """Lines that encode a variable holding a list: its head, then a loop over its items."""
    return [
        f"if not {_is_list(variable)}: raise unfit(body)",
        f"size = len({variable})",
        "append(list_heads[size] if size < kept else list_head(size))",
        *loop,
    ]


def _items_source(variable: str, type_name: str) -> list[str]:
    sound, encoded = (text.format("item") for text in _ITEMS[type_name])
    return _list_source(variable, [
        f"for item in {variable}:",
        f"    if not ({sound}): raise unfit(body)",
        f"    append({encoded})",
    ])  # fmt: skip


def _rows_source(variable: str, types: Sequence[str]) -> list[str]:
    names = [f"{variable}_{column}" for column in range(len(types))]
    fields = [_Piece(name, type_name, ()) for name, type_name in zip(names, types, strict=True)]
    return _list_source(variable, [
        f"for row in {variable}:",
        f"    if not {_is_list('row')} or len(row) != {len(types)}: raise unfit(body)",
        f"    {', '.join(names)}, = row",
        *(f"    {line}" for line in _pieces_source(fields, [repr(list_head(len(types)))])),
    ])  # fmt: skip


_BETWEEN_CONSTANTS = "', b'"  # two constants side by side are one part


class _Piece(NamedTuple):
    """A variable, its type, and the types of its columns where it holds rows."""

    variable: str
    type_name: str
    columns: tuple[str, ...]


def _pieces_source(pieces: Sequence[_Piece], parts: list[str]) -> list[str]:
    """Lines that test variables and add their bytes to `out`, after `parts`: what comes before them."""
    lines: list[str] = []
    tests: list[str] = []

    def flush() -> None:
        lines.extend([f"if not ({' and '.join(tests)}): raise unfit(body)"] if tests else [])
        whole = ", ".join(parts).replace(_BETWEEN_CONSTANTS, "")
        lines.extend([f"extend(({whole},))"] if parts else [])
        tests.clear()
        parts.clear()

    for variable, type_name, columns in pieces:
        if type_name in _SOURCE:
            sound, encoded = (text.format(variable) for text in _SOURCE[type_name])
            tests.append(sound)
            parts.append(encoded)
        else:
            flush()
            lines += _rows_source(variable, columns) if columns else _items_source(variable, type_name)
    flush()
    return lines


def encoder_of(kind: str, fields: Sequence[Field]) -> Encoder:
    """A function from a kind's body, and parts that stand before it, to those parts and the body's canonical bytes.

    It raises SchemaError where the body does not fit the table, EncodingError where an integer or a list is too long.
    """
    names = [f"field_{number}" for number in range(len(fields))]
    pieces = [_Piece(name, field.type_name, field.column_types) for name, field in zip(names, fields, strict=True)]
    lines = [
        f"if not {_is_list('body')} or len(body) != {len(fields)}: raise unfit(body)",
        f"{', '.join(names)}, = body",
        *_pieces_source(pieces, ["first", "second", "third", "fourth", repr(list_head(len(fields)))]),
    ]
    if len(lines) == 4:  # no list among the fields: tests, then all parts at once
        lines[-1] = lines[-1].replace("extend(", "return b''.join(")
    else:
        lines = ["out = []", "append, extend = out.append, out.extend", *lines, "return b''.join(out)"]

    def unfit(body: Any) -> SchemaError:
        found = misfit(kind, fields, body)
        assert found is not None, f"the encoder of {kind} refuses what the table allows"
        return found

    scope: dict[str, Any] = {
        "integers": INTEGERS, "byte_string": byte_string, "list_head": list_head, "list_heads": LIST_HEADS,
        "kept": len(LIST_HEADS), "unfit": unfit,
    }  # fmt: skip
    source = "\n    ".join(["def encode_body(body, first=b'', second=b'', third=b'', fourth=b''):", *lines])
    exec(compile(source, f"<encoder of {kind}>", "exec"), scope)
    encoder: Encoder = scope["encode_body"]
    return encoder
