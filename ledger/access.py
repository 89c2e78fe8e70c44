"""Who may read what (paper 004's node levels): a full node's answer, in which the rest stands as hashes.

A light node reads its own records and what concerns everybody; of the others it gets the ids, which are their leaf
hashes: it can't read them, yet the list still proves the block's root, and a proof shown to it later fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from . import merkle
from .blocks import Block, Header
from .records import Kind, Record


class Level(IntEnum):
    """Dispatch centre, sub-centres, keepers of all data, and sites."""

    SUPER = 0
    CONSENSUS = 1
    FULL = 2
    LIGHT = 3


PUBLIC_KINDS = frozenset(
    (Kind.GENESIS, Kind.CERTIFICATE, Kind.REVOCATION, Kind.CONTRACT, Kind.TTX, Kind.REFUSAL, Kind.EQUIVOCATION,
     Kind.CLOSING)
)  # fmt: skip


class Shown(NamedTuple):
    """A record's id, and its bytes where the reader may read them (else empty)."""

    id: bytes
    raw: bytes


class AccessFault(ValueError):
    """What a full node showed is not the block, or not what the reader may see."""


def may_read(level: Level, reader: bytes, record: Record) -> bool:
    """Whether a node (20-byte address) of this level reads a record in clear."""
    return level is not Level.LIGHT or record.sender == reader or record.kind in PUBLIC_KINDS


def show_records(block: Block, level: Level, reader: bytes) -> list[Shown]:
    """A block's records as a node of this level may see them, in their order."""
    return [Shown(record.id, record.raw if may_read(level, reader, record) else b"") for record in block.records]


def check_shown(header: Header, shown: Sequence[Shown]) -> list[Record]:
    """The readable records; AccessFault where the ids are not the block's or a record is not its id's."""
    if merkle.root([item.id for item in shown]) != header.records_root:
        raise AccessFault(f"the ids are not those of block {header.height}")
    records = []
    for position, item in enumerate(shown):
        if item.raw:
            if merkle.leaf_hash(item.raw) != item.id:
                raise AccessFault(f"record {position} of block {header.height} is not what its id says")
            records.append(Record.from_bytes(item.raw))
    return records
