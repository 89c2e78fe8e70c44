"""GD (Gjerstad and Dickhaut 1998) on the two-stage auction: the price of highest expected gain by what was heard.

The laboratory's traders hear every shout; here only last period's mean price is public. It counts as an ask and a bid
that were taken, and worse prices of that period for the other side as ones that failed. Belief changes only at prices
heard, so the best price is one of them.
"""

from __future__ import annotations

import numpy as np

from agents import bargaining, household
from agents.policy import View

MEMORY = 8  # periods


def prosumer(view: View) -> None:
    """Open at the best of the remembered prices, at the valuation where none gains; stage two goes to Pa."""
    power = household.run_storage(view)
    worth = household.valuation(view, power)
    side = np.where(bargaining.sells(view, power), 1.0, -1.0)
    opening = worth
    if "heard" in view.memory:  # nothing was heard before the first period
        news = view.price("reference_price")[None]
        heard = np.concatenate([view.memory["heard"], news])[-MEMORY:]  # (M, …, agents)
        view.memory["heard"] = heard
        # (M, …, agents) share of the periods in which this price or a worse one for the other side was paid
        chance = ((heard[None] - heard[:, None]) * side >= 0).mean(axis=1)
        gain = np.maximum((heard - worth) * side, 0.0) * chance
        best = np.take_along_axis(heard, gain.argmax(axis=0)[None], axis=0)[0]
        opening = np.where(gain.max(axis=0) > 0.0, best, worth)
    else:
        view.memory["heard"] = np.empty((0, *worth.shape))
    bargaining.order(view, opening, worth, 1.0)
