"""Proof of Energy, first success: the lowest nonce with a hit wins, ties by smallest hash / weight, then
address.

The plain reading of paper 000's "first to satisfy eq. 3". It favours large shares: 50 % of the energy among
30 nodes with gamma = 20 wins .518 of the blocks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .base import Draw, draw_by_rounds, first_success

WEIGHT = "energy"


def draw(
    seed: bytes, height: int, first_round: int, addresses: Sequence[bytes], weights: Sequence[int],
    gamma: int, excluded: Collection[bytes] = (),
) -> Draw:  # fmt: skip
    """The producer of a block; see `base.draw_by_rounds` for arguments and errors."""
    return draw_by_rounds(first_success, seed, height, first_round, addresses, weights, gamma, excluded)
