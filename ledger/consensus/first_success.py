"""Proof of Energy, first success: the lowest nonce with a hit wins, ties by smallest hash / weight, then
address.

The plain reading of paper 000's "first to satisfy eq. 3". It favours large shares: 50 % of the energy among
30 nodes with gamma = 20 wins .518 of the blocks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from .base import Draw, draw_by_rounds, is_hit, lower_ratio


def _first_success(
    prefixes: list[Any], addresses: Sequence[bytes], weights: Sequence[int], gamma: int
) -> tuple[bytes, int, bytes] | None:
    total_weight = sum(weights)
    for nonce, prefix in enumerate(prefixes):
        winner: tuple[bytes, int, bytes] | None = None
        best_number, best_weight = 1, 0  # an infinite ratio
        for address, weight in zip(addresses, weights, strict=True):
            state = prefix.copy()
            state.update(address)
            digest = state.digest()
            number = int.from_bytes(digest, "big")
            if is_hit(number, weight, total_weight, gamma) and lower_ratio(number, weight, best_number, best_weight):
                winner, best_number, best_weight = (address, nonce, digest), number, weight
        if winner is not None:
            return winner
    return None


def draw(
    seed: bytes, height: int, first_round: int, addresses: Sequence[bytes], weights: Sequence[int],
    gamma: int, excluded: Collection[bytes] = (),
) -> Draw:  # fmt: skip
    """The producer of a block; see `base.draw_by_rounds` for arguments and errors."""
    return draw_by_rounds(_first_success, seed, height, first_round, addresses, weights, gamma, excluded)
