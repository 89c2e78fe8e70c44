"""Proof of Energy, lowest ratio: of all hits the smallest hash / weight wins, then the lower address.

With 6 wins expected a block, two or more nodes hit in 98.3 % of blocks, so the tie rule is the consensus. The
lowest ratio is an exponential race: node i wins with probability w_i / sum(w), up to the discreteness of the
nonces.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .base import Draw, draw_by_rounds, lowest_ratio

WEIGHT = "energy"


def draw(
    seed: bytes, height: int, first_round: int, addresses: Sequence[bytes], weights: Sequence[int],
    gamma: int, excluded: Collection[bytes] = (),
) -> Draw:  # fmt: skip
    """The producer of a block; see `base.draw_by_rounds` for arguments and errors."""
    return draw_by_rounds(lowest_ratio, seed, height, first_round, addresses, weights, gamma, excluded)
