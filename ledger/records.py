"""The kinds of record, their fields, and the record itself.

SCHEMAS is the one place where a body's fields are named: `show` prints by it and every record is validated
against it. A field is "name type"; types are uint, int, bytes, address (20), party (20, or empty for
nobody), hash (32, or empty where nothing
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
    OFFER = 6
    ORDER = 7
    TRADE = 8
    READING = 9
    VERIFICATION = 10
    TTX = 11
    DTX = 12
    VTX = 13
    ATX = 14
    SETTLEMENT = 15
    CREDIT = 16
    GRID = 17
    REFUSAL = 18
    CONTRACT = 19
    CLOSING = 20
    EQUIVOCATION = 21
    BALLOT = 22
    PATHS = 23
    FORECAST = 24
    ESTIMATE = 25


_TRANSFERS = (
    "transfers [flow uint, period uint, payer address, payee address, energy_wh uint, price_micro uint,"
    " amount_micro uint]"
)

FIELDS: dict[Kind, tuple[str, ...]] = {
    Kind.GENESIS: (
        "name bytes", "time_s uint", "authority_key key", "period_s uint", "alpha_ppm uint", "beta_ppm uint",
        "gamma uint", "window_periods uint", "credit_threshold_ppm uint", "signing uint", "consensus bytes",
        "record_lifetime_blocks uint", "delegates uint", "bar_cycles uint",
    ),
    Kind.CERTIFICATE: (
        "subject bytes", "public_key key", "role uint", "serial uint", "valid_from uint", "valid_to uint",
        "capacity_w uint", "signature signature",
    ),
    Kind.REVOCATION: ("serial uint", "reason bytes"),
    Kind.HISTORY: ("site address", "generated_wh uints", "consumed_wh uints"),
    Kind.REGISTRATION: ("period uint", "aggregator party"),
    Kind.OFFER: (
        "period uint", "subsidy_micro uint", "price_micro uint", "volumes_wh uints",
        "credit_threshold_ppm uint",
    ),
    Kind.ORDER: (
        "period uint", "quantity_wh int", "opening_price_micro uint", "limit_price_micro uint",
        "requote_ppm uint", "blocks [request uint, volume_wh uint, price_micro uint]", "storage_w int",
        "shed_ppm uint", "plan_w ints", "preference_ppm ints",
    ),
    Kind.TRADE: ("period uint", "buyer address", "seller address", "energy_wh uint", "price_micro uint"),
    Kind.READING: ("period uint", "generated_wh uint", "consumed_wh uint", "storage_wh int"),
    Kind.VERIFICATION: (
        "period uint",
        "rows [site address, generated_wh uint, consumed_wh uint, storage_wh int, caught uint]",
    ),
    Kind.TTX: (
        "previous hash", "cause uint", "period uint", "periods uint", "direction int", "place int",
        "need_w uint", "asked_wh uint", "reserve_price_micro uint", "upper_price_micro uint",
    ),
    Kind.DTX: (
        "previous hash", "safe uint", "reopened uint", "loops uint",
        "awards [aggregator address, admitted_wh uint, awarded_wh uint, price_micro uint]",
        "adjustments [site address, aggregator address, energy_wh uint, subsidy_micro uint, baseline_w ints]",
        "cuts [site address, energy_wh int]", "before ints", "after ints",
    ),
    Kind.VTX: ("previous hash", "rows [period uint, site address, ordered_wh uint, verified_wh uint]"),
    Kind.ATX: ("previous hash", "trail hashes", _TRANSFERS),
    Kind.SETTLEMENT: ("period uint", _TRANSFERS),
    Kind.CREDIT: ("period uint", "rows [node address, credit_ppm uint, score_ppm uint]"),
    Kind.GRID: (
        "period uint", "voltages_micro_pu ints", "loadings_ppm ints", "twin_voltages_micro_pu ints",
        "twin_loadings_ppm ints", "flow_wh int", "losses_wh int", "technical_losses_wh int",
        "trade_losses_wh ints", "exchange_losses_wh int", "reactive_varh ints",
    ),
    Kind.REFUSAL: (
        "height uint", "round uint", "producer address", "fault uint", "block_hash hash",
        "signature signature",
    ),
    Kind.CONTRACT: ("name bytes", "version uint", "parameter_hash hash"),
    Kind.CLOSING: ("blocks uint", "records uint", "head hash"),
    Kind.EQUIVOCATION: (
        "producer address", "header bytes", "signature signature", "other_header bytes",
        "other_signature signature",
    ),
    Kind.BALLOT: ("candidate party",),
    Kind.PATHS: ("period uint", "rows [trade uint, distance_micro_pu uint, charge_micro uint, buses uints]"),
    Kind.FORECAST: ("period uint", "net_w ints"),
    Kind.ESTIMATE: ("period uint", "rows [site address, net_w ints]"),
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
    Kind.OFFER: frozenset((Role.AGGREGATOR,)),
    Kind.ORDER: _EVERYBODY,
    Kind.READING: _EVERYBODY,
    Kind.REFUSAL: _EVERYBODY,
    Kind.EQUIVOCATION: _EVERYBODY,
    Kind.BALLOT: _EVERYBODY,
    Kind.FORECAST: frozenset((Role.PROSUMER,)),
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
    "uint": _is_uint, "int": _is_int, "bytes": _is_bytes, "address": _sized(20), "party": _sized(20, 0),
    "hash": _sized(32, 0),
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


SCHEMAS: dict[Kind, tuple[Field, ...]] = {kind: tuple(map(_parse_field, texts)) for kind, texts in FIELDS.items()}


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
