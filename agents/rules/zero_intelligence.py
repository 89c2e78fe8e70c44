"""Zero-intelligence with a budget constraint (Gode and Sunder 1993): random quotes that never lose money.

Everything but the bargaining is the truthful household's.
"""

from __future__ import annotations

import numpy as np

from agents import bargaining, household
from agents.policy import View


def prosumer(view: View) -> None:
    """Uniform opening price between the own valuation and the other side's tariff; the limit stays the valuation."""
    market = view.market
    power = household.run_storage(view)
    worth = household.valuation(view, power)
    draw = view.rng.random(worth.shape)
    opening = np.where(
        bargaining.sells(view, power),
        worth + draw * (market.retail - worth),
        worth - draw * (worth - market.feed_in),
    )
    bargaining.order(view, opening, worth, view.rng.random(worth.shape))
