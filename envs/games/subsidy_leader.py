"""Subsidy leader: an aggregator names a subsidy, users with quadratic costs answer with the quantity best for them.

The users are part of the rules: their best response is q = max(0, (s - b) / a) for the cost a·q²/2 + b·q. The leader,
the only player, is paid V for each unit and pays s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.games.base import Floats, Game, GameError


class SubsidyLeader(Game):
    """While all users take part s* = (V + b̄) / 2 and the profit is (V - b̄)²/4 · Σ1/a, b̄ = Σ(b/a) / Σ(1/a)."""

    players = ("leader",)

    def __init__(
        self, slopes: Sequence[float] = (1.0, 2.0, 4.0), starts: Sequence[float] = (0.1, 0.2, 0.3), value: float = 1.0
    ) -> None:
        self.a, self.b, self.value = np.array(slopes, float), np.array(starts, float), value
        if self.a.shape != self.b.shape or self.a.ndim != 1 or not len(self.a):
            raise GameError(f"{len(slopes)} slopes and {len(starts)} starts: one of each a user is needed")
        if self.a.min() <= 0.0 or self.b.min() < 0.0 or self.b.min() >= value:
            raise GameError("allowed are slopes > 0, starts ≥ 0 and a value above the lowest start")
        self.top = value

    def answer(self, subsidy: Floats) -> Floats:
        """(…) subsidy → (…, users) best responses."""
        return np.asarray(np.maximum((subsidy[..., None] - self.b) / self.a, 0.0))

    def payoffs(self, types: Floats, actions: Floats) -> Floats:
        """Leader's profit."""
        return (self.value - actions) * self.answer(actions[..., 0]).sum(axis=-1)[..., None]

    def best_subsidy(self) -> float:
        """The best of the closed forms over the users that the subsidy itself makes take part."""
        candidates = []
        for last in np.sort(self.b):
            inside = self.b <= last
            weight = 1.0 / self.a[inside]
            mean = float((self.b[inside] * weight).sum() / weight.sum())
            candidates.append(max((self.value + mean) / 2.0, float(last)))
        profit = [float(self.payoffs(np.zeros(1), np.array([s]))[0]) for s in candidates]
        return candidates[int(np.argmax(profit))]

    def equilibrium(self, types: Floats) -> Floats:
        """The leader's best subsidy; types have no meaning."""
        return np.full(types.shape, self.best_subsidy())

    def surplus(self, types: Floats, actions: Floats) -> Floats:
        """Value less the users' cost; the subsidy is a transfer."""
        done = self.answer(actions[..., 0])
        return np.asarray((self.value * done - self.a * done**2 / 2.0 - self.b * done).sum(axis=-1))

    def optimum(self, types: Floats) -> Floats:
        """A subsidy equal to the value."""
        return self.surplus(types, np.full(types.shape, self.value))
