"""A record, its canonical bytes and its id; writing those of a block and reading one from bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import repeat
from typing import NamedTuple

from .encoding import INTEGERS, MAX_BYTES, Body, EncodingError, byte_string, decode, encode, list_head
from .fields import Encoder, SchemaError, encoder_of, is_bytes, is_uint
from .kinds import HIDDEN, SCHEMAS, Kind, validate_body
from .merkle import leaf_hash
from .readers import Reader, reader_of

RECORD_VERSION = 1
BLINDED_VERSION = 2  # a record whose last value hides what its id would else tell
BLINDING_BYTES = 16


class Draft(NamedTuple):
    """A record to be: sender is the node's index in the roster, event 0 means none."""

    kind: Kind
    sender: int
    event: int
    body: Body


Row = tuple[Kind, bytes, int, int, Body]  # a record's kind, sender, nonce, event and body

ENCODERS: dict[Kind, Encoder] = {kind: encoder_of(kind.name, fields) for kind, fields in SCHEMAS.items()}
READERS: dict[Kind, Reader] = {kind: reader_of(kind.name, fields) for kind, fields in SCHEMAS.items()}

_CHAIN_ID_BYTES = 16
_FRONT = 5 + _CHAIN_ID_BYTES  # the bytes before the sender's 20: head, version, chain id with its head, kind, head
_MOST_FRONTS = 1024
# By a record's first bytes: chain id, kind, the kind's reader, whether it is blinded.
_fronts: dict[bytes, tuple[bytes, Kind, Reader, bool]] = {}
_BLINDING_HEAD = byte_string(bytes(BLINDING_BYTES))[:-BLINDING_BYTES]
_TAIL = len(_BLINDING_HEAD) + BLINDING_BYTES


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
