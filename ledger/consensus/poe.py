"""Proof of Energy, lowest ratio: of all hits the smallest hash / weight wins, then the lower address.

With 6 wins expected a block, two or more nodes hit in 98.3 % of blocks, so the tie rule is the consensus. The
lowest ratio is an exponential race: node i wins with probability w_i / sum(w), up to the discreteness of the
nonces.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from .base import Draw, draw_by_rounds, is_hit, lower_ratio


def _lowest_ratio(
    prefixes: list[Any], addresses: Sequence[bytes], weights: Sequence[int], gamma: int
) -> tuple[bytes, int, bytes] | None:
    best_address, best_digest, best_digests = b"", b"", [b""]
    best_number, best_weight = 1, 0  # an infinite ratio
    for address, weight in zip(addresses, weights, strict=True):
        digests = []
        for prefix in prefixes:
            state = prefix.copy()
            state.update(address)
            digests.append(state.digest())
        digest = min(digests)  # one weight: the smallest hash is the smallest ratio
        number = int.from_bytes(digest, "big")
        if lower_ratio(number, weight, best_number, best_weight):  # strict: addresses rise, the lower one stays
            best_address, best_digest, best_digests = address, digest, digests
            best_number, best_weight = number, weight
    if not is_hit(best_number, best_weight, sum(weights), gamma):
        return None
    return best_address, best_digests.index(best_digest), best_digest


def draw(
    seed: bytes, height: int, first_round: int, addresses: Sequence[bytes], weights: Sequence[int],
    gamma: int, excluded: Collection[bytes] = (),
) -> Draw:  # fmt: skip
    """The producer of a block; see `base.draw_by_rounds` for arguments and errors."""
    return draw_by_rounds(_lowest_ratio, seed, height, first_round, addresses, weights, gamma, excluded)
