"""Proof of Work (paper 000, eq. 1): Hash(N || H) below one target for all; the first to find a nonce wins.

Every node is taken to compute equally fast, one nonce a tick, so all stand alike whatever energy they moved. The
preimage is the other rules': a header inside it could be ground.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .base import Draw, draw_by_rounds, first_success

WEIGHT = "one"


def draw(
    seed: bytes, height: int, first_round: int, addresses: Sequence[bytes], weights: Sequence[int],
    gamma: int, excluded: Collection[bytes] = (),
) -> Draw:  # fmt: skip
    """The producer of a block; see `base.draw_by_rounds` for arguments and errors."""
    return draw_by_rounds(first_success, seed, height, first_round, addresses, weights, gamma, excluded)
