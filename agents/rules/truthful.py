"""Truthful in any role: a household quotes its valuation, an aggregator its cost, an operator what it needs."""

from __future__ import annotations

import numpy as np

from agents import household
from agents.policy import View


def prosumer(view: View) -> None:
    """Quote and limit at the own valuation."""
    worth = household.valuation(view, household.run_storage(view))
    view["opening_price"] = worth
    view["limit_price"] = worth
    view["quantity"] = 1.0
    view["requote"] = 0.5
    household.offer_flexibility(view)
    household.support_voltage(view)
    household.choose_aggregator(view)


def aggregator(view: View) -> None:
    """What its users cost, both as their subsidy and as its offer: no margin."""
    cost = household.users_cost(view) + 1.5 * view.scenario.sites.degradation_price
    view["subsidy"] = cost
    view["offer_price"] = cost
    view["offer_volume"] = 1.0
    view["credit_threshold"] = 0.5


def eno(view: View) -> None:
    """The forecast need without a reserve, at most for what it is worth: retail, or what the upper level pays."""
    view["volume"] = 1.0
    view["reserve_price"] = np.where(view["grid_need"] > 0, float(view.market.retail), view.price("upper_price"))
