"""Truthful prosumer: quotes what energy and flexibility are worth to it, stores its own surplus, delivers.

A surplus is worth the feed-in tariff, a need the retail price. Less injection costs the forgone feed-in, more
injection a discharged battery or put-off load. It joins the aggregator with the best subsidy and reputation.
"""

from __future__ import annotations

import numpy as np

from agents.policy import View

SAFE_SHARE = 0.85  # of the adjustable range: what a forecast error will not take away
FULL = 0.98  # state of charge at which a battery stops buying
FILL_RATE = 0.3  # of the rated power: a battery without own surplus fills over the noon hours
NOON = 0.64  # |sin| of the hour angle between about 9:20 and 14:40
CLASSES = 4  # reputations are compared in classes: nobody leaves a proven partner over a few percent
LOYALTY = 0.03  # a user changes its aggregator only for a clearly better one, and starts with its neighbourhood's


def prosumer(view: View) -> None:
    """Limit at the own valuation, flexibility at cost, self-consumption by storage."""
    market, sites = view.market, view.scenario.sites
    room = np.maximum(view["storage_power"], 1e-6)
    power = np.clip((view["load"] - view["pv"]) / room, -1.0, 1.0)
    # A battery without a surplus of its own fills up when everybody else has one.
    fills = (
        (view["load"] >= view["pv"])
        & (view["charge"] < FULL)
        & (np.abs(view["hour_sin"]) < NOON)
        & (view["hour_cos"] < 0)
    )
    power = np.where(fills, -FILL_RATE, power)
    power = np.where((power < 0) & (view["charge"] >= FULL), 0.0, power) * (view["storage_power"] > 0)
    sells = view["pv"] - view["load"] + power * view["storage_power"] > 0
    stored_worth = 0.9 * market.retail - 2.0 * sites.degradation_price
    worth = np.where(sells, market.feed_in, np.where(power < 0, stored_worth, market.retail))
    view["opening_price"] = worth
    view["limit_price"] = worth
    view["quantity"] = 1.0
    view["requote"] = 0.5
    view["storage"] = power
    view["storage_plan"] = power
    view["flex_share"] = SAFE_SHARE
    view["flex_price_down"] = market.feed_in
    view["flex_price_up"] = max(sites.discomfort_price, sites.degradation_price + market.feed_in)
    view["flex_step"] = sites.degradation_price
    habit = np.arange(view["pv"].shape[-1]) % market.aggregators
    for a in range(market.aggregators):
        reputation = np.floor(view[f"aggregator_credit_{a}"] * CLASSES) / CLASSES
        better = 0.5 * view[f"subsidy_{a}"] + reputation - 1.0
        view[f"prefers_{a}"] = better + LOYALTY * view[f"member_{a}"] + LOYALTY * (habit == a)
