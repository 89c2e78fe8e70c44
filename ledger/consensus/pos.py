"""Proof of Stake (paper 000, eq. 2): Hash(N || H) below a target times stake S times holding time t.

The stake is the certified capacity of a node's connection; it is held since its certificate came on the chain, and
counts at most a window (else the oldest nodes would own the chain). The lowest ratio wins, as in Proof of Energy.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .base import Draw, draw_by_rounds, lowest_ratio

WEIGHT = "stake"


def draw(
    seed: bytes, height: int, first_round: int, addresses: Sequence[bytes], weights: Sequence[int],
    gamma: int, excluded: Collection[bytes] = (),
) -> Draw:  # fmt: skip
    """The producer of a block; see `base.draw_by_rounds` for arguments and errors."""
    return draw_by_rounds(lowest_ratio, seed, height, first_round, addresses, weights, gamma, excluded)
