"""Self-consumption: the battery takes in own surplus and covers own need, and is never filled from the market.

Bargaining, flexibility and the choice of an aggregator are the truthful household's, so the two differ by the purchases
at noon alone.
"""

from __future__ import annotations

import numpy as np

from agents import bargaining, household
from agents.policy import View


def prosumer(view: View) -> None:
    """Storage power is need less output, as far as the battery can; what is left is traded at its valuation."""
    room = np.maximum(view["storage_power"], 1e-6)
    power = np.clip((view["load"] - view["pv"]) / room, -1.0, 1.0) * (view["storage_power"] > 0)
    power = household.heed_plan(view, power)
    view["storage"] = power
    view["storage_plan"] = power
    worth = household.valuation(view, power)
    bargaining.order(view, worth, worth, 0.5)
    household.support_voltage(view)
