"""An order on the market by a household that is sensible in everything else: what the bargaining rules share."""

from __future__ import annotations

import numpy as np

from agents import household
from agents.policy import View


def sells(view: View, power: np.ndarray) -> np.ndarray:
    """Where the coming period's forecast leaves a surplus; ``power`` is the storage's, of the rated power."""
    return np.asarray(view["pv"] - view["load"] + power * view["storage_power"] > 0)


def order(view: View, opening: np.ndarray, limit: np.ndarray, requote: np.ndarray | float) -> None:
    """Quote the whole surplus or need at these prices; offer flexibility at cost, choose an aggregator."""
    view["opening_price"] = opening
    view["limit_price"] = limit
    view["quantity"] = 1.0
    view["requote"] = requote
    household.offer_flexibility(view)
    household.choose_aggregator(view)
