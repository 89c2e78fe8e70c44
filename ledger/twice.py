"""A source of blocks that is read twice and could change in between: what is executed is what was verified."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256

from .store import StoreError

Rows = Iterable[tuple[int, bytes]]


class SameRows:
    """Rows that come a second time only as they came the first time; what was added meanwhile does not come."""

    def __init__(self, read: Callable[[], Rows]) -> None:
        """`read` begins at the first row each time."""
        self._read = read
        self._digests: list[bytes] = []

    def first(self) -> Iterator[tuple[int, bytes]]:
        """All rows there are."""
        self._digests = []
        for number, data in self._read():
            self._digests.append(sha256(data).digest())
            yield number, data

    def again(self) -> Iterator[tuple[int, bytes]]:
        """The rows of the first time; StoreError at the first that is gone or another."""
        rows = iter(self._read())
        for place, digest in enumerate(self._digests):
            number, data = next(rows, (place, b""))
            if sha256(data).digest() != digest:
                raise StoreError(f"block {place} changed while the file was read")
            yield number, data
