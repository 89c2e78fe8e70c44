"""Procurement: n suppliers with costs U[0, 1], the lowest offer up to a ceiling wins and is paid as offered."""

from __future__ import annotations

import numpy as np

from envs.games.base import Floats, Game, GameError, count_players, shares


class Procurement(Game):
    """Sealed offers; b = c + [(1-c)ⁿ - (1-R)ⁿ] / (n·(1-c)ⁿ⁻¹) up to c = R, no offer above.

    The buyer's need is worth 1.
    """

    top = 1.0

    def __init__(self, suppliers: int = 2, ceiling: float = 1.0) -> None:
        self.players = tuple(f"supplier_{i}" for i in range(count_players(suppliers, 2, "suppliers")))
        if not 0.0 < ceiling <= 1.0:
            raise GameError(f"ceiling = {ceiling}: allowed are 0 < ceiling ≤ 1")
        self.ceiling = ceiling

    def winning(self, actions: Floats) -> Floats:
        """(…, n) chances to win."""
        return shares((actions == actions.min(axis=-1, keepdims=True)) & (actions <= self.ceiling))

    def payoffs(self, types: Floats, actions: Floats) -> Floats:
        """Offer less cost for the winner."""
        return self.winning(actions) * (actions - types)

    def payment(self, actions: Floats) -> Floats:
        """(…) what the buyer pays."""
        return np.asarray((self.winning(actions) * actions).sum(axis=-1))

    def equilibrium(self, types: Floats) -> Floats:
        """Symmetric equilibrium; who costs more than the ceiling offers at 1, which a ceiling below 1 refuses."""
        n, gap = len(self.players), 1.0 - self.ceiling
        room = np.maximum(1.0 - types, max(gap, np.finfo(float).tiny))
        offer = types + (room - gap * (gap / room) ** (n - 1)) / n
        return np.where(types <= self.ceiling, offer, 1.0)

    def surplus(self, types: Floats, actions: Floats) -> Floats:
        """What the need is worth less the winner's cost."""
        return np.asarray((self.winning(actions) * (1.0 - types)).sum(axis=-1))

    def optimum(self, types: Floats) -> Floats:
        """The lowest cost wins."""
        return np.asarray(1.0 - types.min(axis=-1))
