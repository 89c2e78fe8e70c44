"""A validator's signing key that can't be talked into two blocks of one height.

Two signed blocks of one height are the evidence that takes a node's standing away, so the key's holder guards it even
against its own faults: a restart, a second process, a tempting fork.
"""

from __future__ import annotations

from coincurve import PrivateKey

from .blocks import vote_digest
from .identity import sign


class DoubleSignError(ValueError):
    """A signature was asked for that would make its signer an equivocator."""


class Signer:
    """Votes by one key for blocks of rising height; `last` (height, block hash) carries over a restart."""

    def __init__(self, private_key: PrivateKey, last: tuple[int, bytes] = (-1, b"")) -> None:
        self._private_key = private_key
        self.last = last

    def vote(self, height: int, block_hash: bytes) -> bytes:
        """The vote's signature; DoubleSignError for another block of a height that it signed, or below it."""
        if height < self.last[0] or (height == self.last[0] and block_hash != self.last[1]):
            raise DoubleSignError(
                f"block {block_hash.hex()} of height {height}: height {self.last[0]} is signed already"
            )
        self.last = (height, block_hash)
        return sign(self._private_key, vote_digest(block_hash))
