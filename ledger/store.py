"""Blocks on disk: one SQLite file for all chains of a ledger, one row a block, one transaction a block.

The file holds nothing but the blocks' bytes, numbered in the order in which they are sealed (genesis, then a block of
each chain a height), so whatever is stored is covered by the ledger's check.
It can be read while it is written (WAL); closing folds the log back, so a finished run is one file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from .blocks import Block
from .encoding import MAX_BYTES

APPLICATION_ID = 0x47504C47  # "GPLG"
LAYOUT_VERSION = 2
_SCHEMA = "CREATE TABLE blocks (number INTEGER PRIMARY KEY, block BLOB NOT NULL) STRICT"
_SYNCHRONOUS = {"full": "FULL", "normal": "NORMAL"}


class StoreError(ValueError):
    """The file is missing, in the way, or no ledger."""


class Store:
    """A ledger file. `durability`: "full" survives a power cut, "normal" may lose the last blocks to one."""

    def __init__(self, connection: sqlite3.Connection, path: Path, writable: bool) -> None:
        self._connection = connection
        self._writable = writable
        self._blocks = 0  # written
        self.path = path

    @classmethod
    def create(cls, path: str | Path, durability: str = "full") -> Store:
        """A new file; StoreError when there is one."""
        path = Path(path)
        if durability not in _SYNCHRONOUS:
            raise ValueError(f"durability is {durability!r}; allowed: {', '.join(_SYNCHRONOUS)}")
        if path.exists():
            raise StoreError(f"{path} exists; a ledger is never written over")
        if not path.parent.is_dir():
            raise StoreError(f"{path.parent} is no folder")
        try:
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[durability]}")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {LAYOUT_VERSION}")
            connection.execute(_SCHEMA)
        except sqlite3.Error as error:
            raise StoreError(f"{path} cannot be written: {error}") from error
        return cls(connection, path, True)

    @property
    def synchronous(self) -> int:
        """SQLite's level in force: 1 normal, 2 full."""
        level: int = self._connection.execute("PRAGMA synchronous").fetchone()[0]
        return level

    @classmethod
    def open(cls, path: str | Path) -> Store:
        """An existing file, to read; StoreError when it is missing or no ledger."""
        path = Path(path)
        if not path.is_file():
            raise StoreError(f"{path} is no file")
        try:
            connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
            connection.execute("PRAGMA trusted_schema = OFF")
            stamp = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
            schema = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall()
        except sqlite3.Error as error:
            raise StoreError(f"{path} is no ledger: {error}") from error
        if stamp != [APPLICATION_ID, LAYOUT_VERSION] or schema != [("table", "blocks", "blocks", _SCHEMA)]:
            connection.close()
            raise StoreError(f"{path} is no ledger of layout {LAYOUT_VERSION}")
        return cls(connection, path, False)

    def append(self, block: Block) -> None:
        """Write the next block in one transaction; StoreError when the disk refuses."""
        self.append_bytes(self._blocks, block.to_bytes())

    def append_bytes(self, number: int, data: bytes) -> None:
        """Write the bytes of a checked block in one transaction; errors as `append`."""
        if not self._writable:
            raise StoreError(f"{self.path} was opened to read")
        try:
            self._connection.execute("INSERT INTO blocks (number, block) VALUES (?, ?)", (number, data))
        except sqlite3.IntegrityError as error:
            raise StoreError(f"block {number} is in {self.path} already") from error
        except sqlite3.Error as error:
            raise StoreError(f"block {number} cannot be written to {self.path}: {error}") from error
        self._blocks = number + 1

    def rows(self) -> Iterator[tuple[int, bytes]]:
        """(number, bytes) of every stored block, rising; StoreError where the file is damaged."""
        # A blob beyond the limit reads as NULL: a foreign file must not fill the memory.
        fitting = f"CASE WHEN length(block) <= {MAX_BYTES} THEN block END"
        try:
            for number, data in self._connection.execute(f"SELECT number, {fitting} FROM blocks ORDER BY number"):
                if type(data) is not bytes:
                    raise StoreError(f"row {number} of {self.path} holds no block")
                yield number, data
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} is damaged: {error}") from error

    def blocks(self) -> Iterator[Block]:
        """The blocks in order, parsed but not checked; ValueError where one cannot be read."""
        for _, data in self.rows():
            yield Block.from_bytes(data)

    def close(self) -> None:
        """Fold the write-ahead log into the file and close it."""
        if self._writable:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.execute("PRAGMA journal_mode = DELETE")
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
