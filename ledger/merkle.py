"""Merkle trees by RFC 6962: leaf hash 0x00, node hash 0x01, split at the largest power of two below n.

Plain pairing (paper 000, Fig. 8) lets a node pass for a leaf and a doubled leaf go unseen; the prefixes and
the split rule close both. All functions take leaf hashes, so that a record id is computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()  # paper 002's Null root


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Tree hash of n leaf hashes; n = 0 gives SHA-256 of the empty string."""
    if len(leaves) < 3:  # most trees: what a sender says in a period, and its roots on two chains
        return node_hash(*leaves) if len(leaves) == 2 else leaves[0] if leaves else EMPTY_ROOT
    level = list(leaves)
    while len(level) > 1:  # promoting an odd last node is the same tree as RFC 6962's split
        odd = level[-1:] if len(level) % 2 else []
        nodes = iter(level)
        level = [sha256(b"\x01" + left + right).digest() for left, right in zip(nodes, nodes, strict=False)] + odd
    return level[0]


@lru_cache(maxsize=1024)
def remembered_root(leaves: tuple[bytes, ...]) -> bytes:
    """`root`, kept for a few blocks: a block's producer and its check ask for the same trees."""
    return root(leaves)


class Frontier:
    """A tree that only grows: what is kept are the roots of its complete subtrees, largest first."""

    def __init__(self) -> None:
        self.count = 0
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash: one node hash on average."""
        digest, full = leaf, self.count
        while full & 1:
            digest = node_hash(self._peaks.pop(), digest)
            full >>= 1
        self._peaks.append(digest)
        self.count += 1

    def root(self) -> bytes:
        """What `root` gives for all leaves so far: at most log2 n node hashes."""
        digest = self._peaks[-1] if self._peaks else EMPTY_ROOT
        for peak in self._peaks[-2::-1]:
            digest = node_hash(peak, digest)
        return digest


def _split(count: int) -> int:
    """The largest power of two below `count` (count > 1)."""
    return 1 << ((count - 1).bit_length() - 1)


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Audit path of leaf `index`, from the leaf's sibling upward (RFC 6962, 2.1.1); O(log n) hashes."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"leaf {index} is not in a tree of {len(leaves)} leaves")
    if len(leaves) == 1:
        return []
    middle = _split(len(leaves))
    if index < middle:
        return [*inclusion_proof(leaves[:middle], index), root(leaves[middle:])]
    return [*inclusion_proof(leaves[middle:], index - middle), root(leaves[:middle])]


def check_inclusion(leaf: bytes, index: int, count: int, proof: Sequence[bytes], tree_root: bytes) -> bool:
    """Whether `proof` shows `leaf` at `index` of a tree of `count` leaves (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < count:
        return False
    position, last, digest = index, count - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            digest = node_hash(sibling, digest)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            digest = node_hash(digest, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and digest == tree_root


def _subproof(leaves: Sequence[bytes], old_count: int, whole: bool) -> list[bytes]:
    if old_count == len(leaves):
        return [] if whole else [root(leaves)]
    middle = _split(len(leaves))
    if old_count <= middle:
        return [*_subproof(leaves[:middle], old_count, whole), root(leaves[middle:])]
    return [*_subproof(leaves[middle:], old_count - middle, False), root(leaves[:middle])]


def consistency_proof(leaves: Sequence[bytes], old_count: int) -> list[bytes]:
    """Proof that the tree of the first `old_count` leaves is a prefix of this one (RFC 6962, 2.1.2)."""
    if not 0 < old_count <= len(leaves):
        raise ValueError(f"old size {old_count} must lie in 1..{len(leaves)}")
    return _subproof(leaves, old_count, True)


def check_consistency(old_count: int, old_root: bytes, count: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` links the root of `old_count` leaves to that of `count` leaves (RFC 9162, 2.1.4.2)."""
    if not 0 < old_count <= count:
        return False
    if old_count == count:
        return not proof and old_root == new_root
    path = list(proof) if old_count & (old_count - 1) else [old_root, *proof]
    if not path:
        return False
    position, last = old_count - 1, count - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old_digest = new_digest = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_digest = node_hash(sibling, old_digest)
            new_digest = node_hash(sibling, new_digest)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            new_digest = node_hash(new_digest, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and old_digest == old_root and new_digest == new_root
