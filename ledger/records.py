"""The kinds of record, their fields, and the record itself.

SCHEMAS is the one place where a body's fields are named: `show` prints by it and every record is validated
against it. A field is "name type"; types are uint, int, bytes, address (20), party (20, or empty for
nobody), hash (32, or empty where nothing
precedes), key (33), signature (64, or empty), uints and ints (lists), hashes (list), and "name [column type,
...]" for a list of rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from functools import lru_cache
from hashlib import sha256
from itertools import repeat
from typing import NamedTuple

from .encoding import INTEGERS, MAX_BYTES, Body, EncodingError, Value, byte_string, decode, encode, list_head
from .fields import Encoder, Field, SchemaError, encoder_of, is_bytes, is_uint, misfit, parse_field
from .identity import Role
from .merkle import leaf_hash
from .ranges import out_of_range
from .readers import Reader, reader_of

RECORD_VERSION = 1
BLINDED_VERSION = 2  # a record whose last value hides what its id would else tell
BLINDING_BYTES = 16


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
    CONDITIONS = 26
    APPLICATION = 27
    ADMISSION = 28
    SITE = 29
    STATUS = 30


_TRANSFERS = (
    "transfers [flow uint, period uint, payer address, payee address, energy_wh uint, price_micro uint,"
    " amount_micro uint]"
)

FIELDS: dict[Kind, tuple[str, ...]] = {
    Kind.GENESIS: (
        "name bytes", "time_s uint", "authority_key key", "period_s uint", "alpha_ppm uint", "beta_ppm uint",
        "gamma uint", "window_periods uint", "credit_threshold_ppm uint", "signing uint", "consensus bytes",
        "record_lifetime_blocks uint", "delegates uint", "bar_cycles uint",
        "siblings [business bytes, rule bytes]",
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
        "shed_ppm uint", "plan_w ints", "preference_ppm ints", "reactive_ppm int", "charge_hold_ppm uint",
        "heat_shift_ppm int",
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
        "previous hash", "verdict uint", "reopened uint",
        "passes [method uint, proven uint, energy_wh uint, low_micro_pu int, high_micro_pu int, loading_ppm int,"
        " rounds uint, messages uint, ticks uint, broken ints]",
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
        "outages [site address, energy_wh int]",
    ),
    Kind.REFUSAL: (
        "height uint", "round uint", "producer address", "fault uint", "header bytes", "signature signature",
    ),
    Kind.CONTRACT: ("name bytes", "version uint", "parameter_hash hash", "from_height uint"),
    Kind.CLOSING: ("blocks uint", "records uint", "head hash"),
    Kind.EQUIVOCATION: (
        "producer address", "header bytes", "signature signature", "other_header bytes",
        "other_signature signature",
    ),
    Kind.BALLOT: ("candidate party",),
    Kind.PATHS: ("period uint", "rows [trade uint, distance_micro_pu uint, charge_micro uint, buses uints]"),
    Kind.FORECAST: ("period uint", "net_w ints"),
    Kind.ESTIMATE: (
        "period uint", "rows [site address, net_w ints]", "appliances [site address, demand_w ints, rebound_w ints]",
        "batteries [site address, plan_w ints, rebound_w ints]",
    ),
    Kind.CONDITIONS: (
        "roles uints", "least_capacity_w uint", "most_capacity_w uint", "energy_types uint", "buses uint",
        "least_periods uint",
    ),
    Kind.APPLICATION: (
        "subject bytes", "public_key key", "role uint", "bus uint", "energy_types uint", "capacity_w uint",
        "generated_wh uints", "consumed_wh uints", "signature signature",
    ),
    Kind.SITE: ("site address", "bus uint", "energy_types uint", "rated_w uint", "storage_wh uint"),
    Kind.STATUS: (
        "period uint", "retail_price_micro uint", "feed_in_price_micro uint", "peer_price_micro uint", "traded_wh uint",
        "sun_ppm uint",
    ),
    Kind.ADMISSION: ("application hash", "serial uint", "broken uint"),
}  # fmt: skip

_EVERYBODY = frozenset((Role.ENO, Role.AGGREGATOR, Role.PROSUMER))
_ENO = frozenset((Role.ENO,))
_AUTHORITY = frozenset((Role.AUTHORITY,))
SENDERS: dict[Kind, frozenset[Role]] = dict.fromkeys(Kind, _ENO) | {
    Kind.GENESIS: _AUTHORITY,
    Kind.CERTIFICATE: _AUTHORITY,
    Kind.REVOCATION: _AUTHORITY,
    Kind.HISTORY: _AUTHORITY,
    Kind.CONTRACT: _AUTHORITY,
    Kind.CONDITIONS: _AUTHORITY,
    Kind.SITE: _AUTHORITY,
    Kind.APPLICATION: _EVERYBODY,
    Kind.REGISTRATION: frozenset((Role.PROSUMER,)),
    Kind.OFFER: frozenset((Role.AGGREGATOR,)),
    Kind.ORDER: frozenset((Role.PROSUMER,)),
    Kind.READING: _EVERYBODY,
    Kind.REFUSAL: _EVERYBODY,
    Kind.EQUIVOCATION: _EVERYBODY,
    Kind.BALLOT: _EVERYBODY,
    Kind.FORECAST: frozenset((Role.PROSUMER,)),
}

# What concerns everybody. The rest is not for light nodes to read, so its ids must tell nothing either (`access.py`).
PUBLIC_KINDS = frozenset(
    (
        Kind.GENESIS, Kind.CERTIFICATE, Kind.REVOCATION, Kind.CONTRACT, Kind.CONDITIONS, Kind.ADMISSION, Kind.STATUS,
        Kind.TTX, Kind.REFUSAL, Kind.EQUIVOCATION, Kind.CLOSING,
    )
)  # fmt: skip
HIDDEN = [kind in Kind.__members__.values() and kind not in PUBLIC_KINDS for kind in range(max(Kind) + 1)]  # by kind

# Paper 000's chain of an event: each kind holds the id of the record of the kind before it.
PREDECESSOR: dict[Kind, Kind | None] = {
    Kind.TTX: None,
    Kind.DTX: Kind.TTX,
    Kind.VTX: Kind.DTX,
    Kind.ATX: Kind.VTX,
}


class Draft(NamedTuple):
    """A record to be: sender is the node's index in the roster, event 0 means none."""

    kind: Kind
    sender: int
    event: int
    body: Body


Row = tuple[Kind, bytes, int, int, Body]  # a record's kind, sender, nonce, event and body


SCHEMAS: dict[Kind, tuple[Field, ...]] = {kind: tuple(map(parse_field, texts)) for kind, texts in FIELDS.items()}


ENCODERS: dict[Kind, Encoder] = {kind: encoder_of(kind.name, fields) for kind, fields in SCHEMAS.items()}


READERS: dict[Kind, Reader] = {kind: reader_of(kind.name, fields) for kind, fields in SCHEMAS.items()}
_CHAIN_ID_BYTES = 16
_FRONT = 5 + _CHAIN_ID_BYTES  # the bytes before the sender's 20: head, version, chain id with its head, kind, head
_MOST_FRONTS = 1024
_fronts: dict[
    bytes, tuple[bytes, Kind, Reader, bool]
] = {}  # by the first bytes of a record: chain id, kind, its reader,
# whether it is blinded
_BLINDING_HEAD = byte_string(bytes(BLINDING_BYTES))[:-BLINDING_BYTES]
_TAIL = len(_BLINDING_HEAD) + BLINDING_BYTES


def validate_body(kind: Kind, body: Sequence[Value]) -> None:
    """SchemaError when the body's length or a field's type is not the table's, or an integer is out of its range."""
    found = misfit(kind.name, SCHEMAS[kind], body) or out_of_range(kind.name, SCHEMAS[kind], body)
    if found is not None:
        raise found


class Record(NamedTuple):
    """A record and its bytes; `id` is the RFC 6962 leaf hash of the bytes and excludes every signature.

    A leaf hash of a few small numbers is soon guessed. So a record that not everybody may read ends, in a chain that is
    signed, with 16 bytes that nobody but its sender could tell: its id then commits to it and reveals nothing.
    """

    chain_id: bytes
    kind: Kind
    sender: bytes  # 20-byte address
    nonce: int
    expiry: int  # the last height that may hold this record
    event: int
    body: Body
    raw: bytes
    id: bytes
    blinding: bytes = b""  # 16 bytes, or none

    @classmethod
    def create(
        cls, chain_id: bytes, kind: Kind, sender: bytes, nonce: int, expiry: int, event: int, body: Body,
        blinding: bytes = b"",
    ) -> Record:  # fmt: skip
        """A validated record; SchemaError or EncodingError where the body or the blinding value is not allowed."""
        if type(sender) is not bytes or len(sender) != 20 or type(chain_id) is not bytes:
            raise SchemaError("a record's chain id or sender has the wrong type")
        if not (is_uint(nonce) and is_uint(expiry)):
            raise SchemaError("a record's nonce and expiry are unsigned integers")
        if blinding:
            head = [BLINDED_VERSION, chain_id, int(kind), sender, nonce, expiry, event]
            return cls.from_bytes(encode([*head, list(body), blinding]))
        return write_records(chain_id, expiry, [(kind, sender, nonce, event, body)])[0]

    @classmethod
    def from_bytes(cls, raw: bytes) -> Record:
        """The record that `raw` encodes; EncodingError or SchemaError where it encodes none."""
        front = _fronts.get(raw[:_FRONT]) if type(raw) is bytes and len(raw) <= MAX_BYTES else None
        if front is None:
            return cls._from_any(raw)
        chain_id, kind, read, blinded = front
        unblinded, blinding = (raw[:-_TAIL], raw[-BLINDING_BYTES:]) if blinded else (raw, b"")
        if blinded and raw[-_TAIL:-BLINDING_BYTES] != _BLINDING_HEAD:
            return cls._from_any(raw)
        try:
            nonce, expiry, event, body = read(unblinded, _FRONT + 20)
        except (EncodingError, IndexError):  # given up: what is wrong is named there
            return cls._from_any(raw)
        sender, digest = raw[_FRONT : _FRONT + 20], sha256(b"\x00" + raw).digest()
        return tuple.__new__(cls, (chain_id, kind, sender, nonce, expiry, event, body, raw, digest, blinding))

    @classmethod
    def _from_any(cls, raw: bytes) -> Record:
        """The same without a reader, whatever `raw` is; the next record of that chain and kind finds its reader."""
        value = decode(raw)
        if type(value) is not list or len(value) not in (8, 9):
            raise SchemaError("a record is a list of 8 values, or of 9 where it is blinded")
        version, chain_id, kind, sender, nonce, expiry, event, body, *rest = value
        due = BLINDED_VERSION if rest else RECORD_VERSION
        if version != due:
            raise SchemaError(f"record version {str(version)[:20]} is not {due}")
        blinding = rest[0] if rest else b""
        if rest and (type(blinding) is not bytes or len(blinding) != BLINDING_BYTES):
            raise SchemaError(f"a record's blinding value is not {BLINDING_BYTES} bytes")
        if type(kind) is not int or kind not in _KINDS:
            raise SchemaError(f"record kind {str(kind)[:20]} is unknown")
        if not (is_bytes(chain_id) and is_bytes(sender) and len(sender) == 20 and type(body) is list):
            raise SchemaError("a record's chain id, sender or body has the wrong type")
        if not (is_uint(nonce) and is_uint(expiry) and is_uint(event)):
            raise SchemaError("a record's nonce, expiry and event are unsigned integers")
        validate_body(_KINDS[kind], body)
        if len(chain_id) == _CHAIN_ID_BYTES:
            if len(_fronts) >= _MOST_FRONTS:
                _fronts.clear()
            _fronts[raw[:_FRONT]] = chain_id, _KINDS[kind], READERS[_KINDS[kind]], bool(rest)
        return cls(chain_id, _KINDS[kind], sender, nonce, expiry, event, body, raw, leaf_hash(raw), blinding)


def write_records(
    chain_id: bytes, expiry: int, rows: Sequence[Row], secrets: Mapping[bytes, bytes] | None = None
) -> list[Record]:
    """Records of one block: what they have in common is prepared once, and each stage runs over all of them.

    The senders are taken for addresses, nonces and expiry for unsigned integers; events and bodies are checked as in
    `Record.create`. secrets: of each sender, from which the blinding values of its hidden records follow; without
    them none is blinded.
    """
    if not rows:
        return []
    kinds, senders, nonces, events, bodies = zip(*rows, strict=True)
    if not all(map(is_uint, events)):
        raise SchemaError("a record's event is an unsigned integer")
    starts, integers, encoders = _starts(chain_id, secrets is not None), INTEGERS, ENCODERS
    ends = {event: integers[expiry] + integers[event] for event in set(events)}
    raws = [
        encoders[kind](body, starts[kind], sender, integers[nonce], ends[event])
        for kind, sender, nonce, event, body in rows
    ]
    blindings: Iterable[bytes] = repeat(b"")
    if secrets is not None:
        raws = [
            _blind(raw, secrets[sender]) if raw[1] == BLINDED_VERSION else raw
            for raw, sender in zip(raws, senders, strict=True)
        ]
        blindings = [raw[-BLINDING_BYTES:] if raw[1] == BLINDED_VERSION else b"" for raw in raws]
    if max(map(len, raws)) > MAX_BYTES:
        raise EncodingError(f"a record of more than {MAX_BYTES} bytes")
    ids = [sha256(b"\x00" + raw).digest() for raw in raws]
    common = repeat(chain_id), kinds, senders, nonces, repeat(expiry), events, bodies
    values = zip(*common, raws, ids, blindings, strict=False)
    new = tuple.__new__  # a named tuple's own constructor takes twice the time
    return [new(Record, each) for each in values]


def _blind(raw: bytes, secret: bytes) -> bytes:
    """A hidden record's bytes with the blinding value at their end: a hash of the secret and all that stands before it,
    so that no two records share one, and one that is shown opens no other.
    """
    return raw + _BLINDING_HEAD + sha256(secret + raw).digest()[:BLINDING_BYTES]


@lru_cache(maxsize=64)
def _starts(chain_id: bytes, blinded: bool) -> dict[Kind, bytes]:
    """What the bytes of a chain's records begin with, up to the sender's 20 bytes, by kind."""
    plain = list_head(8) + INTEGERS[RECORD_VERSION] + byte_string(chain_id)
    hidden = list_head(9) + INTEGERS[BLINDED_VERSION] + byte_string(chain_id)
    return {
        kind: (hidden if blinded and HIDDEN[kind] else plain) + INTEGERS[int(kind)] + byte_string(bytes(20))[:-20]
        for kind in Kind
    }


_KINDS = {int(kind): kind for kind in Kind}
