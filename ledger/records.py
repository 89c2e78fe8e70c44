"""The kinds of record, their fields, and the record itself.

SCHEMAS is the one place where a body's fields are named: `show` prints by it and every record is validated
against it. A field is "name type"; types are uint, int, bytes, address (20), hash (32, or empty where nothing
precedes), key (33), signature (64, or empty), uints and ints (lists), hashes (list), and "name [column type,
...]" for a list of rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

from .encoding import Body, EncodingError, Value, decode, encode
from .identity import Role
from .merkle import leaf_hash

RECORD_VERSION = 1


class Kind(IntEnum):
    """What a record says."""

    GENESIS = 1
    CERTIFICATE = 2
    REVOCATION = 3
    HISTORY = 4
    REGISTRATION = 5
    SCHEDULE = 6
    OFFER = 7
    ORDER = 8
    REQUEST = 9
    TRADE = 10
    READING = 11
    VERIFICATION = 12
    TTX = 13
    DTX = 14
    VTX = 15
    ATX = 16
    SETTLEMENT = 17
    CREDIT = 18
    GRID = 19
    REFUSAL = 20
    CONTRACT = 21
    CLOSING = 22


_TRANSFERS = "transfers [payer address, payee address, amount_micro uint, flow uint]"

FIELDS: dict[Kind, tuple[str, ...]] = {
    Kind.GENESIS: (
        "name bytes", "time_s uint", "authority_key key", "period_s uint", "alpha_ppm uint", "beta_ppm uint",
        "gamma uint", "window_periods uint", "credit_threshold_ppm uint", "signing uint", "consensus bytes",
        "record_lifetime_blocks uint",
    ),
    Kind.CERTIFICATE: (
        "subject bytes", "public_key key", "role uint", "serial uint", "valid_from uint", "valid_to uint",
        "capacity_w uint", "signature signature",
    ),
    Kind.REVOCATION: ("serial uint", "reason bytes"),
    Kind.HISTORY: ("site address", "generated_wh uints", "consumed_wh uints"),
    Kind.REGISTRATION: ("period uint", "aggregator address"),
    Kind.SCHEDULE: ("period uint", "generated_wh uint", "consumed_wh uint"),
    Kind.OFFER: (
        "period uint", "price_micro uint", "volume_wh uint", "credit_threshold_ppm uint",
        "subsidy_micro uint",
    ),
    Kind.ORDER: (
        "period uint", "quantity_wh int", "limit_price_micro uint", "requote_ppm uint",
        "blocks [volume_wh int, price_micro uint]",
    ),
    Kind.REQUEST: ("period uint", "volume_wh int", "reserve_price_micro uint"),
    Kind.TRADE: ("period uint", "buyer address", "seller address", "energy_wh uint", "price_micro uint"),
    Kind.READING: ("period uint", "generated_wh uint", "consumed_wh uint"),
    Kind.VERIFICATION: ("period uint", "rows [site address, generated_wh uint, consumed_wh uint]"),
    Kind.TTX: ("previous hash", "cause uint", "period uint", "periods uint", "volume_wh int"),
    Kind.DTX: ("previous hash", "safe uint", "adjustments [site address, energy_wh int, subsidy_micro uint]"),
    Kind.VTX: ("previous hash", "rows [site address, ordered_wh int, verified_wh int]"),
    Kind.ATX: ("previous hash", "trail hashes", _TRANSFERS),
    Kind.SETTLEMENT: ("period uint", _TRANSFERS),
    Kind.CREDIT: ("period uint", "rows [site address, credit_ppm uint, execution_ppm int]"),
    Kind.GRID: ("period uint", "voltages_micro_pu ints", "loadings_ppm ints", "flow_wh int", "losses_wh int"),
    Kind.REFUSAL: (
        "height uint", "round uint", "producer address", "fault uint", "block_hash hash",
        "signature signature",
    ),
    Kind.CONTRACT: ("name bytes", "version uint", "parameter_hash hash"),
    Kind.CLOSING: ("blocks uint", "records uint", "head hash"),
}  # fmt: skip

_EVERYBODY = frozenset((Role.ENO, Role.AGGREGATOR, Role.PROSUMER))
_ENO = frozenset((Role.ENO,))
_AUTHORITY = frozenset((Role.AUTHORITY,))
SENDERS: dict[Kind, frozenset[Role]] = dict.fromkeys(Kind, _ENO) | {
    Kind.GENESIS: _AUTHORITY,
    Kind.CERTIFICATE: _AUTHORITY,
    Kind.REVOCATION: _AUTHORITY,
    Kind.HISTORY: _AUTHORITY,
    Kind.CONTRACT: _AUTHORITY | _ENO,
    Kind.REGISTRATION: frozenset((Role.PROSUMER,)),
    Kind.SCHEDULE: _EVERYBODY,
    Kind.OFFER: frozenset((Role.AGGREGATOR,)),
    Kind.ORDER: _EVERYBODY,
    Kind.READING: _EVERYBODY,
    Kind.REFUSAL: _EVERYBODY,
}

# Paper 000's chain of an event: each kind holds the id of the record of the kind before it.
PREDECESSOR: dict[Kind, Kind | None] = {
    Kind.TTX: None,
    Kind.DTX: Kind.TTX,
    Kind.VTX: Kind.DTX,
    Kind.ATX: Kind.VTX,
}


class SchemaError(EncodingError):
    """A record that does not fit the table of fields."""


class Draft(NamedTuple):
    """A record to be: sender is the node's index in the roster, event 0 means none."""

    kind: Kind
    sender: int
    event: int
    body: Body


_Check = Callable[[Any], bool]


def _is_uint(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_int(value: Any) -> bool:
    return type(value) is int


def _is_bytes(value: Any) -> bool:
    return type(value) is bytes


def _sized(*sizes: int) -> _Check:
    return lambda value: type(value) is bytes and len(value) in sizes


def _all(check: _Check) -> _Check:
    return lambda value: type(value) in (list, tuple) and all(map(check, value))


def _rows(checks: tuple[_Check, ...]) -> _Check:
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


_TYPES: dict[str, _Check] = {
    "uint": _is_uint, "int": _is_int, "bytes": _is_bytes, "address": _sized(20), "hash": _sized(32, 0),
    "key": _sized(33), "signature": _sized(64, 0), "uints": _all(_is_uint), "ints": _all(_is_int),
    "hashes": _all(_sized(32)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a body: its name, the text of its type, its column names when it holds rows."""

    name: str
    type_name: str
    columns: tuple[str, ...]
    column_types: tuple[str, ...]
    check: _Check


def _parse_field(text: str) -> Field:
    rows = re.fullmatch(r"(\w+) \[(.+)\]", text)
    if rows is None:
        name, type_name = text.split(" ")
        return Field(name, type_name, (), (), _TYPES[type_name])
    names, types = zip(*(column.split(" ") for column in rows[2].split(", ")), strict=True)
    check = _rows(tuple(_TYPES[type_name] for type_name in types))
    return Field(rows[1], f"[{rows[2]}]", names, types, check)


SCHEMAS: dict[Kind, tuple[Field, ...]] = {
    kind: tuple(map(_parse_field, texts)) for kind, texts in FIELDS.items()
}


def validate_body(kind: Kind, body: Sequence[Value]) -> None:
    """SchemaError when the body's length or a field's type is not the table's."""
    schema = SCHEMAS[kind]
    if len(body) != len(schema):
        names = ", ".join(field.name for field in schema)
        raise SchemaError(f"{kind.name} has {len(body)} fields; allowed: {len(schema)} ({names})")
    for field, value in zip(schema, body, strict=True):
        if not field.check(value):
            raise SchemaError(f"{kind.name}.{field.name} is no {field.type_name}: {str(value)[:60]}")


class Record(NamedTuple):
    """A record and its bytes; `id` is the RFC 6962 leaf hash of the bytes and excludes every signature."""

    chain_id: bytes
    kind: Kind
    sender: bytes  # 20-byte address
    nonce: int
    expiry: int  # the last height that may hold this record
    event: int
    body: Body
    raw: bytes
    id: bytes

    @classmethod
    def create(
        cls, chain_id: bytes, kind: Kind, sender: bytes, nonce: int, expiry: int, event: int, body: Body
    ) -> Record:
        """A validated record; SchemaError or EncodingError where the body is not allowed."""
        validate_body(kind, body)
        raw = encode([RECORD_VERSION, chain_id, int(kind), sender, nonce, expiry, event, body])
        return cls(chain_id, kind, sender, nonce, expiry, event, body, raw, leaf_hash(raw))

    @classmethod
    def from_bytes(cls, raw: bytes) -> Record:
        """The record that `raw` encodes; EncodingError or SchemaError where it encodes none."""
        value = decode(raw)
        if type(value) is not list or len(value) != 8:
            raise SchemaError("a record is a list of 8 values")
        version, chain_id, kind, sender, nonce, expiry, event, body = value
        if version != RECORD_VERSION:
            raise SchemaError(f"record version {str(version)[:20]} is not {RECORD_VERSION}")
        if type(kind) is not int or kind not in _KINDS:
            raise SchemaError(f"record kind {str(kind)[:20]} is unknown")
        if not (_is_bytes(chain_id) and _is_bytes(sender) and len(sender) == 20 and type(body) is list):
            raise SchemaError("a record's chain id, sender or body has the wrong type")
        if not (_is_uint(nonce) and _is_uint(expiry) and _is_uint(event)):
            raise SchemaError("a record's nonce, expiry and event are unsigned integers")
        validate_body(_KINDS[kind], body)
        return cls(chain_id, _KINDS[kind], sender, nonce, expiry, event, body, raw, leaf_hash(raw))


_KINDS = {int(kind): kind for kind in Kind}
