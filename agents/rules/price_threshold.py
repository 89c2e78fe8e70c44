"""Price-threshold storage: buys below one share of the way from feed-in to retail, sells above another.

The price it goes by is last period's Pa, the only one it knows. Bargaining and flexibility are the truthful
household's.
"""

from __future__ import annotations

import numpy as np

from agents import bargaining, household
from agents.policy import View

CHEAP, DEAR = 0.4, 0.6  # of the way from feed-in to retail
LEAST, MOST = 0.05, 0.98  # state of charge where discharging and charging end


def prosumer(view: View) -> None:
    """Charge at rated power when power was cheap, discharge when it was dear, rest between."""
    market = view.market
    level = (view.price("reference_price") - market.feed_in) / max(market.retail - market.feed_in, 1)
    power = np.where((level < CHEAP) & (view["charge"] < MOST), -1.0, 0.0)
    power = np.where((level > DEAR) & (view["charge"] > LEAST), 1.0, power) * (view["storage_power"] > 0)
    power = household.heed_plan(view, power)
    view["storage"] = power
    view["storage_plan"] = power
    worth = household.valuation(view, power)
    bargaining.order(view, worth, worth, 0.5)
