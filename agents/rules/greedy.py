"""Greedy in any role: asks for all of the gain that a trade could bring, and mostly gets no trade.

Everything but the prices is what the sensible rules do; nothing here is against the rules of the market.
"""

from __future__ import annotations

import numpy as np

from agents import bargaining, household
from agents.policy import View


def prosumer(view: View) -> None:
    """Sell at the retail price, buy at the feed-in tariff, and do not move."""
    market = view.market
    selling = bargaining.sells(view, household.run_storage(view))
    price = np.where(selling, float(market.retail), float(market.feed_in))
    bargaining.order(view, price, price, 0.0)


def aggregator(view: View) -> None:
    """Half of what users need to take part, offered at the reserve price."""
    reserve = np.maximum(view.price("grid_reserve"), view.price("upper_reserve"))
    view["subsidy"] = 0.5 * view.market.feed_in
    view["offer_price"] = reserve
    view["offer_volume"] = 1.0
    view["credit_threshold"] = 0.0


def eno(view: View) -> None:
    """Ask for everything, but pay no more than the feed-in tariff that a curtailed user forgoes."""
    view["volume"] = 1.0
    view["reserve_price"] = float(view.market.feed_in)
