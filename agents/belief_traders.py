"""Traders with beliefs (Gjerstad and Dickhaut 1998): each shouts the price of highest expected gain.

What is believed of a price comes from the shouts of the last few trades: an ask at ``a`` is taken with the chance
(taken asks ≥ a + bids ≥ a) / (taken asks ≥ a + bids ≥ a + failed asks ≤ a), and a bid mirrored; between the prices
heard runs a cubic that is flat at both of them.
"""

from __future__ import annotations

import numpy as np

from agents.traders import SELLER, Turn

MEMORY = 5  # trades whose shouts are remembered


def belief(side: int, own: np.ndarray, taken: np.ndarray, other: np.ndarray, top: int) -> np.ndarray:
    """(top + 1,) chance that a shout of ``side`` at price 0 … ``top`` is taken.

    ``own`` (k,) are the side's shouts, ``taken`` (k,) marks those that traded, ``other`` (m,) those of the other side.
    """
    heard = np.unique(np.concatenate([own, other]))
    heard = heard[(heard > 0) & (heard < top)]
    # Mirrored, so that for either side a higher number is a better price for itself.
    at, mine, theirs = side * heard[:, None], side * own[None], side * other[None]
    good = ((mine >= at) & taken).sum(axis=1) + (theirs >= at).sum(axis=1)
    bad = ((mine <= at) & ~taken).sum(axis=1)
    chance = good / np.maximum(good + bad, 1)
    knots = np.concatenate([[0], heard, [top]])
    ends = (1.0, 0.0) if side == SELLER else (0.0, 1.0)
    values = np.concatenate([[ends[0]], chance, [ends[1]]])
    prices = np.arange(top + 1)
    left = np.minimum(np.searchsorted(knots, prices, side="right") - 1, len(knots) - 2)
    along = (prices - knots[left]) / (knots[left + 1] - knots[left])
    return np.asarray(values[left] + (values[left + 1] - values[left]) * along**2 * (3.0 - 2.0 * along))


class BeliefTraders:
    """A population of GD traders; they differ by their limits only, since all hear the same shouts."""

    def __init__(self, top: int, memory: int = MEMORY) -> None:
        if memory < 1:
            raise ValueError(f"memory = {memory}: at least one trade must be remembered")
        self.top, self.memory = top, memory
        self._side: list[int] = []
        self._price: list[int] = []
        self._taken: list[bool] = []

    def shout(self, turn: Turn) -> int | None:
        """The price of highest expected gain among those that better the own side's best quote; None without gain."""
        prices = np.arange(self.top + 1)
        side, price = np.array(self._side, int), np.array(self._price, int)
        taken = np.array(self._taken, bool)
        own = side == turn.side
        chance = belief(turn.side, price[own], taken[own], price[~own], self.top)
        if turn.side == SELLER:
            chance[: turn.bid + 1] = 1.0  # a standing bid is taken for sure
            chance[min(turn.ask, self.top) :] = 0.0  # a higher ask than the standing one is not allowed
        else:
            chance[turn.ask :] = 1.0
            chance[: turn.bid + 1] = 0.0
        gain = np.maximum(turn.side * (prices - turn.limit), 0) * chance
        # Among equal gains the price that is easier to get.
        best = int(np.argmax(gain)) if turn.side == SELLER else self.top - int(np.argmax(gain[::-1]))
        return best if gain[best] > 0.0 else None

    def hear(self, turn: Turn, side: int, price: int, accepted: bool) -> None:
        """A new quote, which counts as failed until it is taken; or the taking of the standing quote of ``side``."""
        if not accepted:
            self._side.append(side)
            self._price.append(price)
            self._taken.append(False)
            return
        last = max(k for k, (s, p) in enumerate(zip(self._side, self._price, strict=True)) if (s, p) == (side, price))
        self._taken[last] = True
        trades = np.flatnonzero(self._taken)
        if len(trades) > self.memory:
            first = int(trades[-self.memory - 1]) + 1
            self._side, self._price, self._taken = self._side[first:], self._price[first:], self._taken[first:]
