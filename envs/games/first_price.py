"""First-price sealed auction: n bidders, values U[0, 1], a reserve price, the highest bid wins and is paid."""

from __future__ import annotations

import numpy as np

from envs.games.base import Floats, Game, GameError, count_players, shares


class FirstPrice(Game):
    """Bids below the reserve are refused; b = (n-1)v/n + rⁿ / (n·vⁿ⁻¹) from v = r on, nothing below."""

    top = 1.0

    def __init__(self, bidders: int = 2, reserve: float = 0.0) -> None:
        self.players = tuple(f"bidder_{i}" for i in range(count_players(bidders, 2, "bidders")))
        if not 0.0 <= reserve < 1.0:
            raise GameError(f"reserve = {reserve}: allowed are 0 ≤ reserve < 1")
        self.reserve = reserve

    def winning(self, actions: Floats) -> Floats:
        """(…, n) chances to win."""
        return shares((actions == actions.max(axis=-1, keepdims=True)) & (actions >= self.reserve))

    def payoffs(self, types: Floats, actions: Floats) -> Floats:
        """Value less bid for the winner."""
        return self.winning(actions) * (types - actions)

    def revenue(self, actions: Floats) -> Floats:
        """(…) what the seller gets."""
        return np.asarray((self.winning(actions) * actions).sum(axis=-1))

    def equilibrium(self, types: Floats) -> Floats:
        """Symmetric equilibrium; who values the good below the reserve says 0."""
        n = len(self.players)
        value = np.maximum(types, max(self.reserve, np.finfo(float).tiny))
        # r·(r/v)ⁿ⁻¹ is rⁿ/vⁿ⁻¹ without underflow at small values.
        bid = (n - 1) * value / n + self.reserve * (self.reserve / value) ** (n - 1) / n
        return np.where(types >= self.reserve, bid, 0.0)

    def surplus(self, types: Floats, actions: Floats) -> Floats:
        """Value of the winner; the seller has no use for the good."""
        return np.asarray((self.winning(actions) * types).sum(axis=-1))

    def optimum(self, types: Floats) -> Floats:
        """The highest value."""
        return np.asarray(types.max(axis=-1))
