"""Stackelberg leader: names the price that is best for itself, knowing how those below it will answer.

An aggregator leads its users by the subsidy, an operator the aggregators by the reserve price: s* = (V + b̄) / 2, with
V what a kWh is worth to the leader and b̄ what the users' first kWh costs. It is the price of somebody without rivals:
an aggregator that offers at the reserve price wins only beside others that do.
"""

from __future__ import annotations

import numpy as np

from agents import household, leadership
from agents.policy import View


def aggregator(view: View) -> None:
    """Offer at the reserve price, so that is V; the subsidy is the leader's."""
    reserve = np.maximum(view.price("grid_reserve"), view.price("upper_reserve"))
    view["subsidy"] = leadership.lead(reserve, household.users_cost(view), leadership.cost_slope(view))
    view["offer_price"] = reserve
    view["offer_volume"] = 1.0
    view["credit_threshold"] = 0.5


def eno(view: View) -> None:
    """What is needed; V is the retail price for a grid problem, else what the upper level pays."""
    value = np.where(view["grid_need"] > 0, float(view.market.retail), view.price("upper_price"))
    view["volume"] = 1.0
    view["reserve_price"] = leadership.lead(value, household.users_cost(view, ("grid_way", "upper_way")))
