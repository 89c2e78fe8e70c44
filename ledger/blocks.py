"""Headers, submissions and blocks, and what is signed in them.

A header links the heads of the ledger's other chains as they were when it was proposed (paper 002's combined chain).
It also roots the main chain's whole past in a Merkle tree, so that whatever was ever sealed is proven under the last
header by log n hashes.

Votes follow the block's hash, so they are outside it; the next header roots them. A block's bytes are
encode([header, producer signature, votes, submissions, records]) with header and records as encoded byte
strings, so their hashes are taken from the very bytes that were received.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import NamedTuple

from . import merkle
from .encoding import decode, encode
from .kinds import Kind
from .records import Record, SchemaError

BLOCK_VERSION = 4
MAX_RECORDS = 1 << 16
MOST = 1 << 63  # header fields are below it: they are hashed in eight bytes
_BLOCK_TAG = b"gridpact block"
_VOTE_TAG = b"gridpact vote"
_TRADED = frozenset((Kind.TRADE, Kind.PATHS))
_REFUSAL = Kind.REFUSAL
_SUBMISSION_TAG = b"gridpact submission"


class Header(NamedTuple):
    """A block's header; heights count from 0 (genesis), time is in seconds, hashes have 32 bytes."""

    version: int
    chain_id: bytes
    height: int
    previous: bytes
    record_count: int  # a root doesn't bind it: a node could pass for a leaf hash, many records for one
    records_root: bytes
    trade_root: bytes
    submissions_root: bytes
    votes_root: bytes  # of the previous block's votes
    history_root: bytes  # RFC 6962 tree over the hashes of the main chain's blocks of lower heights
    time_s: int
    producer: bytes
    seed: bytes
    round: int
    nonce: int
    draw_hash: bytes
    links: tuple[bytes, ...]  # heads of the other chains, in the order in which they are sealed; none in genesis


_HEADER_SIZES = (None, 16, None, 32, None, 32, 32, 32, 32, 32, None, 20, 32, None, None, 32)  # and the links


def parse_header(raw: bytes) -> Header:
    """The header that `raw` encodes; EncodingError where it encodes none."""
    value = decode(raw)
    if type(value) is not list or len(value) != len(Header._fields):
        raise SchemaError(f"a header is a list of {len(Header._fields)} values")
    *values, links = value
    for name, size, item in zip(Header._fields, _HEADER_SIZES, values, strict=False):
        if size is None and (type(item) is not int or not 0 <= item < MOST):
            raise SchemaError(f"header.{name} is no integer from 0 to 2^63 - 1")
        if size is not None and (type(item) is not bytes or len(item) != size):
            raise SchemaError(f"header.{name} is not {size} bytes")
    if value[0] != BLOCK_VERSION:
        raise SchemaError(f"block version {value[0]} is not {BLOCK_VERSION}")
    return Header._make([*values, _hashes(links, "header.links")])


def _hashes(items: object, name: str) -> tuple[bytes, ...]:
    if type(items) is not list:
        raise SchemaError(f"{name} is no list of hashes of 32 bytes")
    for item in items:
        if type(item) is not bytes or len(item) != 32:
            raise SchemaError(f"{name} is no list of hashes of 32 bytes")
    return tuple(items)


class Submission(NamedTuple):
    """A sender's signature over the Merkle root of its records in a block (paper 000, eq. 6 for a whole
    period).

    It signs once a height for all chains: `siblings` are the roots of what it gave to the others, in their order.
    """

    sender: bytes
    root: bytes
    signature: bytes
    siblings: tuple[bytes, ...] = ()

    def signed_root(self, place: int) -> bytes:
        """The root that the signature covers, of a block of the chain that is the `place`-th of the ledger."""
        return merkle.root([*self.siblings[:place], self.root, *self.siblings[place:]])


class Vote(NamedTuple):
    """A validator's signature for a block."""

    validator: bytes
    signature: bytes


def submission_digest(ledger_id: bytes, height: int, root: bytes) -> bytes:
    """What a sender signs: its records of one height in one ledger."""
    return sha256(_SUBMISSION_TAG + ledger_id + height.to_bytes(8, "big") + root).digest()


def block_digest(block_hash: bytes) -> bytes:
    """What the producer signs."""
    return sha256(_BLOCK_TAG + block_hash).digest()


def vote_digest(block_hash: bytes) -> bytes:
    """What a validator signs."""
    return sha256(_VOTE_TAG + block_hash).digest()


@lru_cache(maxsize=64)  # asked for by a block's producer and by its check
def rows_root(rows: tuple[Submission, ...] | tuple[Vote, ...]) -> bytes:
    """Merkle root over submissions or votes, signatures included."""
    return merkle.root([merkle.leaf_hash(encode(tuple(row))) for row in rows])


def records_root(records: Sequence[Record]) -> bytes:
    """Merkle root over the records' ids."""
    return merkle.remembered_root(tuple([record.id for record in records]))


def trade_root(records: Sequence[Record]) -> bytes:
    """Paper 002's transaction tree, over trades and their paths alone (paper 003's H_block); empty: the Null root."""
    return merkle.remembered_root(tuple([record.id for record in records if record.kind in _TRADED]))


@dataclass(frozen=True)
class Block:
    """A block as received: the header's bytes, signatures, votes, submissions, and the records.

    The check reads the records' fields and hashes their bytes. The two agree for records made by
    `Record.create` or read by `from_bytes`; a block from elsewhere comes in as bytes.
    """

    header: Header
    header_raw: bytes
    producer_signature: bytes
    votes: tuple[Vote, ...]
    submissions: tuple[Submission, ...]
    records: tuple[Record, ...]

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the encoded header."""
        return sha256(self.header_raw).digest()

    @cached_property
    def refusals(self) -> list[tuple[int, Record]]:
        """The REFUSAL records and their positions."""
        return [(position, record) for position, record in enumerate(self.records) if record[1] is _REFUSAL]

    def to_bytes(self) -> bytes:
        """The block's canonical bytes."""
        raws = [record.raw for record in self.records]
        votes, submissions = list(map(tuple, self.votes)), list(map(tuple, self.submissions))
        return encode([self.header_raw, self.producer_signature, votes, submissions, raws])

    @classmethod
    def from_bytes(cls, data: bytes) -> Block:
        """The block in `data`; EncodingError where it holds none. Nothing but the form is checked."""
        header, header_raw, signature, votes, submissions, raws = _parse(data)
        records = tuple(_parse_record(position, raw) for position, raw in enumerate(raws))
        return cls(header, header_raw, signature, votes, submissions, records)

    def with_votes(self, votes: Sequence[Vote]) -> Block:
        """The same block with these votes."""
        return Block(
            self.header,
            self.header_raw,
            self.producer_signature,
            tuple(votes),
            self.submissions,
            self.records,
        )


def _parse(data: bytes) -> tuple[Header, bytes, bytes, tuple[Vote, ...], tuple[Submission, ...], list[bytes]]:
    """Header and its bytes, producer's signature, votes, submissions and the records' bytes of a stored block."""
    value = decode(data)
    if type(value) is not list or len(value) != 5:
        raise SchemaError("a block is a list of 5 values")
    header_raw, signature, votes, submissions, raws = value
    if type(header_raw) is not bytes or type(signature) is not bytes:
        raise SchemaError("a block's header and signature are byte strings")
    if type(raws) is not list or len(raws) > MAX_RECORDS or any(type(raw) is not bytes for raw in raws):
        raise SchemaError(f"a block's records are a list of at most {MAX_RECORDS} byte strings")
    cast = tuple(Vote(*row) for row in _rows(votes, (20, 64), "vote"))
    return parse_header(header_raw), header_raw, signature, cast, _submissions(submissions), raws


def header_in(data: bytes) -> tuple[Header, bytes, bytes]:
    """The header of a stored block, its bytes and its hash; ValueError where `data` holds no block. The records are not
    looked at.
    """
    header, raw, *_ = _parse(data)
    return header, raw, sha256(raw).digest()


def claims_of(data: bytes, ledger_id: bytes, place: int) -> list[tuple[bytes, bytes, bytes]]:
    """Who states to have signed what in a stored block of the `place`-th chain: address, signature, digest.

    ValueError where `data` holds no block; the records are not looked at.
    """
    header, header_raw, signature, votes, submissions, _ = _parse(data)
    block_hash = sha256(header_raw).digest()
    claims = [
        (each.sender, each.signature, submission_digest(ledger_id, header.height, each.signed_root(place)))
        for each in submissions
    ]
    claims += [(each.validator, each.signature, vote_digest(block_hash)) for each in votes]
    return [*claims, (header.producer, signature, block_digest(block_hash))]


def _submissions(rows: object) -> tuple[Submission, ...]:
    if type(rows) is not list or any(type(row) is not list or len(row) != 4 for row in rows):
        raise SchemaError("submissions are a list of lists of 4 values")
    plain = _rows([row[:3] for row in rows], (20, 32, 64), "submission")
    siblings = [_hashes(row[3], "submission.siblings") for row in rows]
    return tuple([Submission._make((*row, roots)) for row, roots in zip(plain, siblings, strict=True)])


def _parse_record(position: int, raw: bytes) -> Record:
    try:
        return Record.from_bytes(raw)
    except ValueError as error:
        raise SchemaError(f"record {position}: {error}") from error


def _rows(rows: object, sizes: tuple[int, ...], name: str) -> list[list[bytes]]:
    due, alike = list(sizes), [bytes] * len(sizes)
    if type(rows) is not list or any(
        type(row) is not list or [*map(type, row)] != alike or [*map(len, row)] != due for row in rows
    ):
        raise SchemaError(f"a {name} is a list of byte strings of {sizes} bytes")
    return rows
