"""Cournot: m equal firms choose quantities, the price is A less their sum."""

from __future__ import annotations

import numpy as np

from envs.games.base import Floats, Game, GameError, count_players


class Cournot(Game):
    """Price P = max(0, A - Σq), unit cost c; in equilibrium P = (A + m·c) / (m + 1). Types have no meaning."""

    def __init__(self, firms: int = 2, intercept: float = 1.0, cost: float = 0.1) -> None:
        self.players = tuple(f"firm_{i}" for i in range(count_players(firms, 1, "firms")))
        if not 0.0 <= cost < intercept:
            raise GameError(f"cost = {cost}: allowed are 0 ≤ cost < intercept = {intercept}")
        self.intercept, self.cost = intercept, cost
        self.top = intercept

    def price(self, actions: Floats) -> Floats:
        """(…) market price."""
        return np.asarray(np.maximum(self.intercept - actions.sum(axis=-1), 0.0))

    def payoffs(self, types: Floats, actions: Floats) -> Floats:
        """Profit of each firm."""
        return (self.price(actions)[..., None] - self.cost) * actions

    def equilibrium(self, types: Floats) -> Floats:
        """(A - c) / (m + 1) each."""
        return np.full(types.shape, (self.intercept - self.cost) / (len(self.players) + 1))

    def surplus(self, types: Floats, actions: Floats) -> Floats:
        """Consumers' and firms' gain: what demand is worth up to the quantity sold, less cost."""
        sold = np.minimum(actions.sum(axis=-1), self.intercept)
        return np.asarray(self.intercept * sold - sold**2 / 2.0 - self.cost * actions.sum(axis=-1))

    def optimum(self, types: Floats) -> Floats:
        """Price equal to cost."""
        return np.full(types.shape[:-1], (self.intercept - self.cost) ** 2 / 2.0)
