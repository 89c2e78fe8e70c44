"""Generous: an operator that buys flexibility at any price, an aggregator that passes on all it may get."""

from __future__ import annotations

import numpy as np

from agents.policy import View


def aggregator(view: View) -> None:
    """The reserve price is both subsidy and offer: the users get everything."""
    reserve = np.maximum(view.price("grid_reserve"), view.price("upper_reserve"))
    view["subsidy"] = reserve
    view["offer_price"] = reserve
    view["offer_volume"] = 1.0
    view["credit_threshold"] = 0.0


def eno(view: View) -> None:
    """Half as much again as needed, at up to the market's highest price."""
    view["volume"] = 1.5
    view["reserve_price"] = float(view.market.max_price)
