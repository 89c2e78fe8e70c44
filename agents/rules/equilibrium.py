"""Equilibrium bidder of the sealed procurement: the offer is cost plus the share that n equal rivals leave.

Costs are taken as uniform between the users' least cost and the reserve price: with n bidders and the ceiling R as the
upper end of the costs, b = c + (R - c) / n. Its own cost is its subsidy.
"""

from __future__ import annotations

import numpy as np

from agents import household
from agents.policy import View


def aggregator(view: View) -> None:
    """Subsidy at users' cost in the direction asked for; offer by the equilibrium, never above the reserve."""
    subsidy = household.users_cost(view) + 1.5 * view.scenario.sites.degradation_price
    reserve = np.maximum(view.price("grid_reserve"), view.price("upper_reserve"))
    view["subsidy"] = subsidy
    view["offer_price"] = subsidy + np.maximum(reserve - subsidy, 0.0) / view.market.aggregators
    view["offer_volume"] = 1.0
    view["credit_threshold"] = 0.5
