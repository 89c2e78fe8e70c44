"""Who may read what (paper 004's node levels): a full node's answer, in which the rest stands as hashes.

A light node reads its own records and what concerns everybody; of the others it gets the ids, which are their leaf
hashes: it can't read them, yet the list still proves the block's root, and a proof shown to it later fits. In a chain
that is signed, blinding values keep it from finding out what they say by trying (`records.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from . import merkle
from .blocks import Block, Header
from .kinds import PUBLIC_KINDS, SCHEMAS
from .levels import RIGHTS, Level
from .records import Record


class Shown(NamedTuple):
    """A record's id, and its bytes where the reader may read them (else empty)."""

    id: bytes
    raw: bytes


class AccessFault(ValueError):
    """What a full node showed is not the block, or not what the reader may see."""


_ADDRESSES = {
    kind: tuple(place for place, field in enumerate(fields) if field.type_name == "address")
    for kind, fields in SCHEMAS.items()
    if not any(field.columns for field in fields)
}  # where a record names the nodes it is about; a record with rows is about many


def may_read(level: Level, reader: bytes, record: Record) -> bool:
    """Whether a node (20-byte address) of this level reads a record in clear: its own, one about it alone or about it
    and its partner, and what concerns everybody; or all.
    """
    if RIGHTS[level].reads_all or record.sender == reader or record.kind in PUBLIC_KINDS:
        return True
    return any(record.body[place] == reader for place in _ADDRESSES.get(record.kind, ()))


def show_records(block: Block, level: Level, reader: bytes) -> list[Shown]:
    """A block's records as a node of this level may see them, in their order."""
    return [Shown(record.id, record.raw if may_read(level, reader, record) else b"") for record in block.records]


def check_shown(header: Header, shown: Sequence[Shown]) -> list[Record]:
    """The readable records; AccessFault where the ids are not the block's or a record is not its id's."""
    if len(shown) != header.record_count or merkle.root([item.id for item in shown]) != header.records_root:
        raise AccessFault(f"the ids are not those of block {header.height}")
    records = []
    for position, item in enumerate(shown):
        if item.raw:
            if merkle.leaf_hash(item.raw) != item.id:
                raise AccessFault(f"record {position} of block {header.height} is not what its id says")
            records.append(Record.from_bytes(item.raw))
    return records
