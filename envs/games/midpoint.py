"""Midpoint double auction (k = ½) of one buyer and one seller, value and cost U[0, 1]."""

from __future__ import annotations

import numpy as np

from envs.games.base import Floats, Game


class MidpointAuction(Game):
    """Trade at the mean of bid and ask when they cross. Linear equilibrium: 2v/3 + 1/12 and 2c/3 + 1/4."""

    players = ("buyer", "seller")
    top = 1.0

    def payoffs(self, types: Floats, actions: Floats) -> Floats:
        """(…, 2): value less price, price less cost."""
        price = actions.mean(axis=-1)
        gain = np.stack([types[..., 0] - price, price - types[..., 1]], axis=-1)
        return np.asarray(self.trades(actions)[..., None] * gain)

    def trades(self, actions: Floats) -> Floats:
        """(…) 1 where bid and ask cross."""
        return np.asarray(actions[..., 0] >= actions[..., 1], dtype=np.float64)

    def equilibrium(self, types: Floats) -> Floats:
        """The linear equilibrium (Chatterjee and Samuelson 1983); trade exactly when v - c ≥ 1/4."""
        return 2.0 * types / 3.0 + np.array([1.0 / 12.0, 0.25])

    def equilibria(self, types: Floats) -> tuple[Floats, ...]:
        """The linear one, and no trade at all: nobody gains by meeting a bid of 0 or an ask of 1."""
        return self.equilibrium(types), np.broadcast_to(np.array([0.0, 1.0]), types.shape)

    def surplus(self, types: Floats, actions: Floats) -> Floats:
        """Value less cost of what is traded."""
        return np.asarray(self.trades(actions) * (types[..., 0] - types[..., 1]))

    def optimum(self, types: Floats) -> Floats:
        """Trade whenever the value is above the cost."""
        return np.asarray(np.maximum(types[..., 0] - types[..., 1], 0.0))
