"""A whole ledger, all its chains, as one canonical file: the same blocks give the same bytes on every machine.

The SQLite file of a store depends on the SQLite version and the order of writes; this one does not, so its hash
names the ledger. Layout: the magic, then for each block in the order of sealing its length (4 bytes, big-endian) and
its bytes. Reading checks everything before anything is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from .checkpoint import Checkpoint
from .encoding import MAX_BYTES
from .store import Store, StoreError
from .verify import Verdict, verify_rows

MAGIC = b"gridpact chain 2\n"
_LENGTH_BYTES = 4


def export_chain(store: Store, target: str | Path) -> int:
    """Write the blocks of a store to a new file; their number. StoreError where the file exists already."""
    target, blocks = Path(target), 0
    partial = target.with_name(f"{target.name}.partial")
    if target.exists():
        raise StoreError(f"{target} exists; it is not written over")
    try:
        with partial.open("wb") as file:
            file.write(MAGIC)
            for number, data in store.rows():
                if number != blocks:
                    raise StoreError(f"row {number} stands where row {blocks} is due")
                file.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
                blocks += 1
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return blocks


def exported_rows(source: str | Path) -> Iterator[tuple[int, bytes]]:
    """(number, bytes) of the blocks in an exported file; StoreError where it is none or ends too early."""
    try:
        with Path(source).open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise StoreError(f"{source} is no exported chain")
            number = 0
            while head := file.read(_LENGTH_BYTES):
                size = int.from_bytes(head, "big")
                if len(head) < _LENGTH_BYTES or not 0 < size <= MAX_BYTES:
                    raise StoreError(f"block {number} of {source} has no length in 1..{MAX_BYTES}")
                data = file.read(size)
                if len(data) != size:
                    raise StoreError(f"{source} ends inside block {number}")
                yield number, data
                number += 1
    except OSError as error:
        raise StoreError(f"{source} cannot be read: {error}") from error


def import_chain(
    source: str | Path, target: str | Path, closed: bool = True, head: bytes | None = None,
    checkpoint: Checkpoint | None = None, cores: int = 1,
) -> Verdict:  # fmt: skip
    """Verify an exported chain and, if it is sound, write it to the new ledger file `target`.

    Nothing is left of an unsound chain. StoreError where `source` is no exported chain or `target` exists.
    """
    target = Path(target)
    if target.exists():
        raise StoreError(f"{target} exists; a ledger is never written over")
    rows = exported_rows(source)
    first = list(islice(rows, 1))  # no exported chain at all: an error, not a verdict
    partial = target.with_name(f"{target.name}.partial")
    partial.unlink(missing_ok=True)  # of an import that was killed
    try:
        with Store.create(partial, durability="normal") as store:
            copy = _Copy(store)
            verdict = verify_rows(copy.rows(chain(first, rows)), closed, head, checkpoint, cores)
        if copy.failed is not None:
            raise copy.failed
        if verdict.sound:
            partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return verdict


class _Copy:
    """Stores rows as they are verified: the source is read once, so it may be a pipe, and cannot change in between."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.failed: StoreError | None = None  # of the disk, which is no fault of the chain

    def rows(self, source: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
        for number, data in source:
            try:
                self._store.append_bytes(number, data)
            except StoreError as error:
                self.failed = error
                return
            yield number, data
