"""Subsidy share: an aggregator that asks for the whole reserve price and passes a fixed share of it on to its users.

It bets on the public subsidy: more users come to who pays them more, and the admitted volume is theirs. Where the share
does not cover what users forgo nobody follows, and it earns nothing.
"""

from __future__ import annotations

import numpy as np

from agents.policy import View

SHARE = 0.7


def aggregator(view: View) -> None:
    """Offer at the reserve price of what is asked for, subsidy a share of it; users of any credit above a half."""
    reserve = np.maximum(view.price("grid_reserve"), view.price("upper_reserve"))
    view["subsidy"] = SHARE * reserve
    view["offer_price"] = reserve
    view["offer_volume"] = 1.0
    view["credit_threshold"] = 0.5
