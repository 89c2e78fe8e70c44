"""Second-price sealed auction (Vickrey): the highest bid wins and pays the second; telling the truth is dominant."""

from __future__ import annotations

import numpy as np

from envs.games.base import Floats, Game, count_players, shares


class SecondPrice(Game):
    """N bidders with values U[0, 1]; equal highest bids have equal chances and pay their own bid."""

    top = 1.0

    def __init__(self, bidders: int = 2) -> None:
        self.players = tuple(f"bidder_{i}" for i in range(count_players(bidders, 2, "bidders")))

    def payoffs(self, types: Floats, actions: Floats) -> Floats:
        """Value less the second bid for the winner."""
        return self._winning(actions) * (types - self.revenue(actions)[..., None])

    def _winning(self, actions: Floats) -> Floats:
        return shares(actions == actions.max(axis=-1, keepdims=True))

    def revenue(self, actions: Floats) -> Floats:
        """(…) the second-highest bid."""
        return np.asarray(np.sort(actions, axis=-1)[..., -2])

    def equilibrium(self, types: Floats) -> Floats:
        """The own value."""
        return types.copy()

    def equilibria(self, types: Floats) -> tuple[Floats, ...]:
        """The truth, and the first bidder at 1 with all others at 0: none of them gains by outbidding it."""
        bully = np.zeros(len(self.players))
        bully[0] = 1.0
        return self.equilibrium(types), np.broadcast_to(bully, types.shape)

    def surplus(self, types: Floats, actions: Floats) -> Floats:
        """Value of the winner."""
        return np.asarray((self._winning(actions) * types).sum(axis=-1))

    def optimum(self, types: Floats) -> Floats:
        """The highest value."""
        return np.asarray(types.max(axis=-1))
