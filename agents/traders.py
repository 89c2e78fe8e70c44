"""Traders of the laboratory's continuous double auction: zero intelligence (Gode and Sunder 1993) and ZIP (Cliff 1997).

A trader has one unit at a time, with a limit: what it is worth to a buyer, what it costs a seller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

BUYER, SELLER = -1, 1


@dataclass(frozen=True)
class Turn:
    """What a trader sees when it may shout on a book of one standing bid and one standing ask."""

    trader: int
    side: int
    limit: int
    bid: int  # 0: nobody bids
    ask: int  # one above the highest price allowed: nobody asks
    limits: np.ndarray  # (n,) everybody's, of the unit that is next; a population looks at its own only
    active: np.ndarray  # (n,) bool: has a unit left


class Population(Protocol):
    """Traders who shout on such a book in turn."""

    def shout(self, turn: Turn) -> int | None:
        """A price that betters the standing quote of the own side, or None to wait."""

    def hear(self, turn: Turn, side: int, price: int, accepted: bool) -> None:
        """A new standing quote of ``side``, or, ``accepted``, a trade at the standing quote of ``side``."""


def zero_intelligence_shout(rng: np.random.Generator, side: int, limit: int, constrained: bool, top: int) -> int:
    """A uniform whole price in 1 … ``top``; constrained: not at a loss."""
    if not constrained:
        return int(rng.integers(1, top + 1))
    return int(rng.integers(1, limit + 1) if side == BUYER else rng.integers(limit, top + 1))


class ZipTraders:
    """A population of zero-intelligence-plus traders: each holds a margin and learns it from every shout.

    A margin moves by Widrow-Hoff with momentum toward a target a little beyond the last shout. A trader that could
    have had a better price raises its margin; one that would have been left out while it still has a unit lowers it.
    """

    def __init__(self, rng: np.random.Generator, side: np.ndarray, limit: np.ndarray) -> None:
        count = len(side)
        self.rng, self.side, self.limit = rng, side, limit  # (n,) side ±1, (n,) limit price
        self.rate = rng.uniform(0.1, 0.5, count)
        self.momentum = rng.uniform(0.0, 0.1, count)
        self.change = np.zeros(count)
        self.margin = side * rng.uniform(0.05, 0.35, count)  # ≥ 0 for sellers, in [-1, 0] for buyers

    @property
    def price(self) -> np.ndarray:
        """(n,) what each would shout or accept now."""
        return np.asarray(self.limit * (1.0 + self.margin))

    def hear(self, shouter_side: int, price: float, accepted: bool, active: np.ndarray) -> None:
        """Learn from a shout; ``active`` (n,) marks who had a unit left when it was made."""
        behind = (self.price - price) * self.side  # > 0: asks more, or bids less, than the shout
        raises = accepted & (behind <= 0)
        # A shout of the other side that was taken shows what it takes; a failed one of the own side, too.
        relevant = (self.side != shouter_side) if accepted else (self.side == shouter_side)
        lowers = active & relevant & (behind >= 0) & ~raises
        way = self.side * (raises.astype(int) - lowers.astype(int))  # > 0: the price goes up
        moving = way != 0
        relative = 1.0 + way * self.rng.uniform(0.0, 0.05, len(way))
        target = relative * price + way * self.rng.uniform(0.0, 0.05, len(way))
        step = self.rate * (target - self.price)
        self.change = np.where(moving, self.momentum * self.change + (1.0 - self.momentum) * step, self.change)
        margin = np.where(moving, (self.price + self.change) / self.limit - 1.0, self.margin)
        self.margin = np.where(self.side == SELLER, np.maximum(margin, 0.0), np.clip(margin, -1.0, 0.0))


class ZeroIntelligenceTraders:
    """Budget-constrained zero intelligence on the book: a quote that betters nothing is lost."""

    def __init__(self, rng: np.random.Generator, top: int) -> None:
        self.rng, self.top = rng, top

    def shout(self, turn: Turn) -> int | None:
        """A random price, where it betters the own side's best."""
        price = zero_intelligence_shout(self.rng, turn.side, turn.limit, True, self.top)
        return price if turn.bid < price < turn.ask or _crosses(turn, price) else None

    def hear(self, turn: Turn, side: int, price: int, accepted: bool) -> None:
        """Nothing is learned."""


class ZipOnBook:
    """ZIP traders on the book; a standing quote that nobody betters is heard again as one that failed."""

    def __init__(self, rng: np.random.Generator, side: np.ndarray, limits: np.ndarray) -> None:
        self.traders = ZipTraders(rng, side, limits)

    def shout(self, turn: Turn) -> int | None:
        """Its price in whole units, away from a loss."""
        self.traders.limit = turn.limits
        exact = float(self.traders.price[turn.trader])
        price = int(np.ceil(exact - 1e-9) if turn.side == SELLER else np.floor(exact + 1e-9))
        if turn.bid < price < turn.ask or _crosses(turn, price):
            return price
        self.hear(turn, turn.side, turn.ask if turn.side == SELLER else turn.bid, False)
        return None

    def hear(self, turn: Turn, side: int, price: int, accepted: bool) -> None:
        """Learn as from any shout."""
        self.traders.limit = turn.limits
        # The whole price of a failed quote stands for all exact ones that round to it: the next whole one is better.
        self.traders.hear(side, price if accepted else price - side, accepted, turn.active)


def _crosses(turn: Turn, price: int) -> bool:
    """Whether the other side's standing quote is as good as ``price``."""
    return price <= turn.bid if turn.side == SELLER else price >= turn.ask
