"""ZIP (Cliff 1997) on the two-stage auction: a margin for selling and one for buying, learned from the announced price.

The laboratory's traders hear every shout; here only last period's mean price is public, so it is the one shout of a
period. Who could have had it raises its margin toward it and a little beyond; who asked for more lowers its own.
"""

from __future__ import annotations

import numpy as np

from agents import bargaining, household
from agents.policy import View

RATE = 0.3  # Widrow-Hoff; Cliff draws it from 0.1 to 0.5
BEYOND = 0.025  # targets lie this far beyond the price heard; the mean of Cliff's draws
START = 0.2


def prosumer(view: View) -> None:
    """Valuation times (1 + margin), never past the valuation; the second stage goes to Pa, which shows the price."""
    power = household.run_storage(view)
    worth = household.valuation(view, power)
    side = np.where(bargaining.sells(view, power), 1.0, -1.0)
    heard = view.price("reference_price")
    started = "margin" in view.memory
    margins = view.memory.setdefault("margin", np.stack([np.full(worth.shape, START), np.full(worth.shape, -START)]))
    selling = side > 0
    margin = np.where(selling, margins[0], margins[1])
    if started:  # nothing was heard before the first period
        price = worth * (1.0 + margin)
        way = np.where((price - heard) * side <= 0, side, -side)  # > 0: the price goes up
        margin = (price + RATE * (heard * (1.0 + way * BEYOND) - price)) / worth - 1.0
        margin = np.where(selling, np.maximum(margin, 0.0), np.clip(margin, -1.0, 0.0))
        margins[0] = np.where(selling, margin, margins[0])
        margins[1] = np.where(selling, margins[1], margin)
    bargaining.order(view, worth * (1.0 + margin), worth, 1.0)
