"""Truthful prosumer: quotes what energy and flexibility are worth to it, stores its own surplus, delivers."""

from __future__ import annotations

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
