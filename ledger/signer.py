"""A node's signing key that can't be talked into two blocks of one height and chain, as producer or as validator.

Two signed blocks of one height are the evidence that takes a node's standing away, so the key's holder guards it even
against its own faults: a restart, a second process, a tempting fork. The round does not matter: whoever was refused at
a height is not drawn again for it, so no honest producer ever needs a second header of a height.
"""

from __future__ import annotations

from coincurve import PrivateKey

from .blocks import block_digest, vote_digest
from .identity import sign


class DoubleSignError(ValueError):
    """A signature was asked for that would make its signer an equivocator."""


Signed = tuple[int, bytes]  # height and hash of a block
NOTHING: Signed = (-1, b"")


class Signer:
    """Signatures by one key for blocks of one chain, of rising height; what it signed last carries over a restart:
    `last` as a validator, `proposed` as a producer.
    """

    def __init__(self, private_key: PrivateKey, last: Signed = NOTHING, proposed: Signed = NOTHING) -> None:
        self._private_key = private_key
        self.last, self.proposed = last, proposed

    def vote(self, height: int, block_hash: bytes) -> bytes:
        """The vote's signature; DoubleSignError for another block of a height that it voted for, or below it."""
        self.last = _onward(self.last, height, block_hash)
        return sign(self._private_key, vote_digest(block_hash))

    def propose(self, height: int, block_hash: bytes) -> bytes:
        """The producer's signature; DoubleSignError for another block of a height that it produced, or below it."""
        self.proposed = _onward(self.proposed, height, block_hash)
        return sign(self._private_key, block_digest(block_hash))


def _onward(last: Signed, height: int, block_hash: bytes) -> Signed:
    if height < last[0] or (height == last[0] and block_hash != last[1]):
        raise DoubleSignError(f"block {block_hash.hex()} of height {height}: height {last[0]} is signed already")
    return height, block_hash
