"""Adaptive-aggressive traders (Vytelingum, Cliff and Jennings 2008).

A trader has an aggressiveness r in [-1, 1]: at 0 it aims at the competitive price as it estimates it, at 1 at its own
limit, at -1 at all that could be asked. In the short run r follows the shouts; in the long run the curve's bend θ
follows Smith's α, the scatter of the trades' prices around the estimate.
"""

from __future__ import annotations

import numpy as np

from agents.traders import SELLER, Turn

WINDOW, FADE = 30, 0.9  # trades in the estimate, and the weight of each relative to the next later one
THETA_LOW, THETA_HIGH, GAMMA = -8.0, 2.0, 2.0
RELATIVE, ABSOLUTE = 0.05, 0.01  # how far beyond a shout's aggressiveness the own one is moved
STEPS = 3.0  # quotes go a third of the way from the standing quote to the target


def bend(r: np.ndarray, theta: np.ndarray | float) -> np.ndarray:
    """(exp(r θ) - 1) / (exp(θ) - 1): from 0 to 1 as r does; a straight line at θ = 0."""
    theta = np.where(np.abs(theta) < 1e-6, 1e-6, theta)
    return np.asarray(np.expm1(r * theta) / np.expm1(theta))


def unbend(share: np.ndarray, theta: np.ndarray | float) -> np.ndarray:
    """The r in [0, 1] whose `bend` is ``share``."""
    theta = np.where(np.abs(theta) < 1e-6, 1e-6, theta)
    return np.asarray(np.log1p(np.clip(share, 0.0, 1.0) * np.expm1(theta)) / theta)


def spans(
    side: np.ndarray, limit: np.ndarray, estimate: np.ndarray | float, top: float, floor: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Target prices at r = -1, 0 and 1. Who cannot trade at the estimated price aims at its limit from r = 0 on."""
    middle = np.where(side == SELLER, np.maximum(limit, estimate), np.minimum(limit, estimate))
    return np.where(side == SELLER, top, floor), middle, np.asarray(limit)


def target(
    r: np.ndarray, theta: np.ndarray | float, passive: np.ndarray, middle: np.ndarray, limit: np.ndarray
) -> np.ndarray:
    """Target price of an aggressiveness, shapes as `spans`."""
    return np.where(r < 0, middle + (passive - middle) * bend(-r, theta), middle + (limit - middle) * bend(r, theta))


def aggressiveness(
    price: np.ndarray | float,
    side: np.ndarray,
    theta: np.ndarray | float,
    passive: np.ndarray,
    middle: np.ndarray,
    limit: np.ndarray,
) -> np.ndarray:
    """The r whose target is ``price``, in [-1, 1]: the inverse of `target`."""
    below = unbend((price - middle) / np.where(passive == middle, side, passive - middle), theta)
    above = unbend((price - middle) / np.where(limit == middle, -side, limit - middle), theta)
    return np.asarray(np.where((price - middle) * side > 0, -below, above))


def theta_of(scatter: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """θ to move to: high while prices scatter little compared with the ``low`` and ``high`` met so far."""
    relative = np.where(high > low, (scatter - low) / np.where(high > low, high - low, 1.0), 0.5)
    return np.asarray((THETA_HIGH - THETA_LOW) * (1.0 - relative * np.exp(GAMMA * (relative - 1.0))) + THETA_LOW)


class AggressiveTraders:
    """A population of AA traders."""

    def __init__(self, rng: np.random.Generator, side: np.ndarray, top: int) -> None:
        count = len(side)
        self.side, self.top = side, top
        self.short_rate = rng.uniform(0.2, 0.6, count)
        self.long_rate = rng.uniform(0.2, 0.6, count)
        self.r = rng.uniform(-1.0, 0.0, count)
        self.theta = rng.uniform(THETA_LOW, THETA_HIGH, count)
        self._prices: list[int] = []
        self._scatter = np.zeros(0)  # Smith's α after each trade

    @property
    def estimate(self) -> float | None:
        """Competitive price: mean of the last trades' prices, the later the heavier; None before the first trade."""
        if not self._prices:
            return None
        prices = np.array(self._prices[-WINDOW:], float)
        weights = FADE ** np.arange(len(prices))[::-1]
        return float((weights * prices).sum() / weights.sum())

    def targets(self, limit: np.ndarray) -> np.ndarray:
        """(n,) what each aims at, given everybody's limit; the limit itself before the first trade."""
        estimate = self.estimate
        if estimate is None:
            return np.asarray(limit, float)
        return target(self.r, self.theta, *spans(self.side, limit, estimate, self.top))

    def shout(self, turn: Turn) -> int | None:
        """Take the standing quote when it is as good as the target, else go a third of the way to the target.

        Who waits learns from the own side's standing quote, as from one that failed again.
        """
        aim = float(self.targets(turn.limits)[turn.trader])
        own, other = (turn.ask, turn.bid) if turn.side == SELLER else (turn.bid, turn.ask)
        if (own - turn.limit) * turn.side <= 0:
            return None
        if self.estimate is None:  # nothing is known: close in on the other side's quote, if it is there
            near = other * (1.0 - turn.side * RELATIVE) - turn.side
            aim = max(turn.limit, near) if turn.side == SELLER else min(turn.limit, near)
        elif (other - aim) * turn.side >= 0:
            return other
        price = own + (aim - own) / STEPS
        # Whole prices, at least one better than the standing quote, never past the limit.
        whole = int(np.floor(price)) if turn.side == SELLER else int(np.ceil(price))
        whole = min(whole, own - 1) if turn.side == SELLER else max(whole, own + 1)
        if (whole - turn.limit) * turn.side >= 0 and (price - own) * turn.side < 0:
            return whole
        if 0 < own <= self.top:
            self.hear(turn, turn.side, own, False)  # the standing quote, which nobody took so far
        return None

    def hear(self, turn: Turn, side: int, price: int, accepted: bool) -> None:
        """Learn from a quote or from a trade at the standing quote of ``side``."""
        if accepted:
            self._prices.append(price)
            self._bend()
        estimate = self.estimate
        if estimate is None:
            return
        at = spans(self.side, turn.limits, estimate, self.top)
        aims = target(self.r, self.theta, *at)
        behind = (aims - price) * self.side  # > 0: wants more than the shout
        # A trade is news to both sides; a failed quote tells its own side that it takes more than that.
        more = (behind > 0) if accepted else (self.side == side) & (behind >= 0)
        less = accepted & (behind <= 0)
        way = more.astype(float) - less
        shouted = aggressiveness(price, self.side, self.theta, *at)
        goal = np.clip(shouted + way * (RELATIVE * np.abs(shouted) + ABSOLUTE), -1.0, 1.0)
        self.r = np.where(turn.active & (way != 0), self.r + self.short_rate * (goal - self.r), self.r)

    def _bend(self) -> None:
        """Long-run learning after a trade: θ moves toward what the scatter calls for."""
        prices, estimate = np.array(self._prices[-WINDOW:], float), self.estimate
        assert estimate is not None
        scatter = np.sqrt(((prices - estimate) ** 2).mean()) / estimate
        self._scatter = np.append(self._scatter, scatter)[-WINDOW:]
        goal = theta_of(scatter, self._scatter.min(), self._scatter.max())
        self.theta = self.theta + self.long_rate * (goal - self.theta)
