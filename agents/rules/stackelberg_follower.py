"""Stackelberg follower: takes the announced subsidy and price as given and answers with what is best for it.

Its flexibility has a quadratic cost, so it offers q = (s - b) / a of its range to the aggregator with the highest
subsidy. Trade is at the last price heard, as far as that is no worse than its own valuation. Storage is the sensible
household's.
"""

from __future__ import annotations

import numpy as np

from agents import household, leadership
from agents.policy import View


def prosumer(view: View) -> None:
    """Open at the price heard, go all the way to Pa; as much flexibility as the subsidy is worth."""
    power = household.run_storage(view)
    worth, heard = household.valuation(view, power), view.price("reference_price")
    selling = view["pv"] - view["load"] + power * view["storage_power"] > 0
    view["opening_price"] = np.where(selling, np.maximum(heard, worth), np.minimum(heard, worth))
    view["limit_price"] = worth
    view["quantity"] = 1.0
    view["requote"] = 1.0
    household.support_voltage(view)
    aggregators = range(view.market.aggregators)
    subsidy = np.max([view.price(f"subsidy_{a}") for a in aggregators], axis=0)
    start, slope = household.users_cost(view), leadership.cost_slope(view)
    share = leadership.answer(subsidy, start, slope)
    view["flex_share"] = household.SAFE_SHARE * share
    view["flex_price_down"] = start
    view["flex_price_up"] = start
    view["flex_step"] = slope * share / 2.0  # where the second half of what it offers begins
    for a in aggregators:
        view[f"prefers_{a}"] = 0.5 * view[f"subsidy_{a}"] + household.LOYALTY * view[f"member_{a}"] - 1.0
