"""Whether two ledger files tell one story: same, one the beginning of the other, forked, or of different chains.

Only hashes are compared; whether a story is sound is for `verify`. The votes of a file's last block are not yet
rooted in a header, so two honest files may differ in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from .blocks import Block, block_digest
from .identity import address_of, verify
from .records import Kind
from .store import Store, StoreError


@dataclass(frozen=True, slots=True)
class Comparison:
    """`relation`: "same", "prefix" (A begins B), "extension" (B begins A), "fork" or "foreign".

    `equivocator`: address of a producer that signed both blocks of the fork's height, in hexadecimal, else None.
    """

    relation: str
    common_blocks: int
    fork_height: int | None
    blocks_a: int
    blocks_b: int
    head_a: str
    head_b: str
    equivocator: str | None

    @property
    def consistent(self) -> bool:
        """Whether one file is the beginning of the other."""
        return self.relation in ("same", "prefix", "extension")


def _linked(store: Store) -> list[Block]:
    """The blocks of a file; StoreError where one cannot be read or does not follow the one before it."""
    try:
        blocks = list(store.blocks())
    except StoreError:
        raise
    except ValueError as error:
        raise StoreError(f"{store.path} holds a block that cannot be read: {error}") from error
    if not blocks:
        raise StoreError(f"{store.path} holds no block")
    for height, block in enumerate(blocks):
        follows = height == 0 or block.header.previous == blocks[height - 1].hash
        if block.header.height != height or not follows:
            raise StoreError(f"{store.path}: block {height} does not follow the one before it")
    return blocks


def _keys(blocks: list[Block]) -> dict[bytes, bytes]:
    """Address -> public key of everybody that the blocks name."""
    keys: dict[bytes, bytes] = {}
    for record in (record for block in blocks for record in block.records):
        if record.kind is Kind.GENESIS:
            keys[address_of(record.body[2])] = record.body[2]
        elif record.kind is Kind.CERTIFICATE:
            keys[address_of(record.body[1])] = record.body[1]
    return keys


def _equivocator(shared: list[Block], a: Block, b: Block) -> str | None:
    key = _keys(shared).get(a.header.producer)
    if key is None or a.header.producer != b.header.producer:
        return None
    both = all(verify(key, block.producer_signature, block_digest(block.hash)) for block in (a, b))
    return a.header.producer.hex() if both else None


def compare(store_a: Store, store_b: Store) -> Comparison:
    """How the chains of two files relate; StoreError where a file cannot be read or does not link."""
    a, b = _linked(store_a), _linked(store_b)
    pairs = enumerate(zip_longest(a, b))
    differs = (height for height, (x, y) in pairs if x is None or y is None or x.hash != y.hash)
    common = next(differs, len(a))
    relation, fork, equivocator = "same", None, None
    if common < min(len(a), len(b)):
        relation, fork = ("fork" if common else "foreign"), common
        equivocator = _equivocator(a[:common], a[common], b[common])
    elif len(a) != len(b):
        relation = "prefix" if len(a) < len(b) else "extension"
    return Comparison(relation, common, fork, len(a), len(b), a[-1].hash.hex(), b[-1].hash.hex(), equivocator)
