"""AA (Vytelingum 2008) on the two-stage auction: an aggressiveness for selling and one for buying.

The laboratory's traders hear every shout; here only last period's mean price is public, so it is the one trade of a
period. Prices between the tariffs are all that could be asked: nobody sells below feed-in or buys above retail.
"""

from __future__ import annotations

import numpy as np

from agents import bargaining, household
from agents.aggressive_traders import ABSOLUTE, FADE, RELATIVE, aggressiveness, spans, target, theta_of
from agents.policy import View

RATE = 0.4  # of both kinds of learning; the mean of the laboratory's draws
START = -0.5
BEND = -3.0  # θ at the start, the middle of its range


def prosumer(view: View) -> None:
    """Open at the target price, never past the valuation; the second stage goes to Pa."""
    power = household.run_storage(view)
    worth = household.valuation(view, power)
    selling = bargaining.sells(view, power)
    opening, memory = worth, view.memory
    if "r" not in memory:  # nothing was heard before the first period
        memory["r"] = np.full((2, *worth.shape), START)
    else:
        heard = view.price("reference_price")
        _estimate(memory, heard)
        side = np.where(selling, 1.0, -1.0)
        top, floor = float(view.market.retail), float(view.market.feed_in)
        at = spans(side, worth, memory["estimate"], top, floor)
        r, theta = np.where(selling, memory["r"][0], memory["r"][1]), memory["theta"]
        # Who wants more than was paid gets keener, who wants less gets calmer.
        way = np.where((target(r, theta, *at) - heard) * side > 0, 1.0, -1.0)
        paid = aggressiveness(heard, side, theta, *at)
        goal = np.clip(paid + way * (RELATIVE * np.abs(paid) + ABSOLUTE), -1.0, 1.0)
        r = r + RATE * (goal - r)
        memory["r"] = np.stack([np.where(selling, r, memory["r"][0]), np.where(selling, memory["r"][1], r)])
        opening = target(r, theta, *at)
    bargaining.order(view, opening, worth, 1.0)


def _estimate(memory: dict[str, np.ndarray], heard: np.ndarray) -> None:
    """Competitive price, scatter of the prices around it and θ, with one price more."""
    if "estimate" not in memory:
        memory["estimate"], memory["square"] = heard, np.zeros(heard.shape)
        memory["low"], memory["high"] = np.full(heard.shape, np.inf), np.zeros(heard.shape)
        memory["theta"] = np.full(heard.shape, BEND)
        return
    estimate = FADE * memory["estimate"] + (1.0 - FADE) * heard
    square = FADE * memory["square"] + (1.0 - FADE) * (heard - estimate) ** 2
    scatter = np.sqrt(square) / np.maximum(estimate, 1.0)  # Smith's α
    memory["estimate"], memory["square"] = estimate, square
    memory["low"], memory["high"] = np.minimum(memory["low"], scatter), np.maximum(memory["high"], scatter)
    goal = theta_of(scatter, memory["low"], memory["high"])
    memory["theta"] = memory["theta"] + RATE * (goal - memory["theta"])
