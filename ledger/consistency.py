"""Whether two ledger files tell one story: same, one the beginning of the other, forked, or of different ledgers.

Only hashes are compared, and records held against their header's root; whether a story is sound is for `verify`. The
votes of a file's last block are not yet rooted in a header, so two honest files may differ in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from .blocks import Block, block_digest, records_root
from .businesses import business_of
from .identity import address_of, verify
from .kinds import Kind
from .store import Store, StoreError


@dataclass(frozen=True, slots=True)
class Comparison:
    """`relation`: "same", "prefix" (A begins B), "extension" (B begins A), "fork" or "foreign".

    `fork_business`: the chain in which the first different blocks stand. `equivocator`: address of a producer that
    signed both of them, in hexadecimal, else None. Blocks are counted over all chains.
    """

    relation: str
    common_blocks: int
    fork_height: int | None
    blocks_a: int
    blocks_b: int
    head_a: str
    head_b: str
    equivocator: str | None
    fork_business: str | None = None

    @property
    def consistent(self) -> bool:
        """Whether one file is the beginning of the other."""
        return self.relation in ("same", "prefix", "extension")


def _linked(store: Store) -> list[Block]:
    """The blocks of a file; StoreError where one cannot be read, does not follow the one before it in its chain, or
    holds other records than its header.
    """
    try:
        blocks = list(store.blocks())
    except StoreError:
        raise
    except ValueError as error:
        raise StoreError(f"{store.path} holds a block that cannot be read: {error}") from error
    if not blocks:
        raise StoreError(f"{store.path} holds no block")
    for number, block in enumerate(blocks):
        if (block.header.record_count, block.header.records_root) != (len(block.records), records_root(block.records)):
            raise StoreError(f"{store.path}: block {number} holds other records than its header states")
    heads = {blocks[0].header.chain_id: (0, blocks[0].hash)}
    if blocks[0].header.height != 0:
        raise StoreError(f"{store.path} does not begin with a genesis block")
    for number, block in enumerate(blocks[1:], start=1):
        header = block.header
        height, head = heads.get(header.chain_id, (0, blocks[0].hash))  # all chains branch off genesis
        if (header.height, header.previous) != (height + 1, head):
            raise StoreError(f"{store.path}: block {number} does not follow the one before it in its chain")
        heads[header.chain_id] = (header.height, block.hash)
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
    place_a, place_b = ((h.chain_id, h.height, h.producer) for h in (a.header, b.header))
    if key is None or place_a != place_b:
        return None
    both = all(verify(key, block.producer_signature, block_digest(block.hash)) for block in (a, b))
    return a.header.producer.hex() if both else None


def _head(blocks: list[Block]) -> str:
    """Hash of the last block of the main chain, whose id is genesis's."""
    main = blocks[0].header.chain_id
    return next(block.hash.hex() for block in reversed(blocks) if block.header.chain_id == main)


def compare(store_a: Store, store_b: Store) -> Comparison:
    """How the chains of two files relate; StoreError where a file cannot be read or does not link."""
    a, b = _linked(store_a), _linked(store_b)
    pairs = enumerate(zip_longest(a, b))
    differs = (height for height, (x, y) in pairs if x is None or y is None or x.hash != y.hash)
    common = next(differs, len(a))
    relation, fork, equivocator, business = "same", None, None, None
    if common < min(len(a), len(b)):
        relation, fork = ("fork" if common else "foreign"), a[common].header.height
        business = business_of(a[common].header.chain_id, a[0].header.chain_id)
        equivocator = _equivocator(a[:common], a[common], b[common])
    elif len(a) != len(b):
        relation = "prefix" if len(a) < len(b) else "extension"
    return Comparison(relation, common, fork, len(a), len(b), _head(a), _head(b), equivocator, business)
