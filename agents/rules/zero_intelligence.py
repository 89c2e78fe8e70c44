"""Zero-intelligence with a budget constraint (Gode and Sunder 1993): random quotes that never lose money.

Everything but the bargaining is the truthful household's.
"""

from __future__ import annotations

import numpy as np

from agents import household
from agents.policy import View


def prosumer(view: View) -> None:
    """Uniform opening price between the own valuation and the other side's tariff; the limit stays the valuation."""
    market = view.market
    worth = household.valuation(view, household.run_storage(view))
    draw = view.rng.random(worth.shape)
    sells = worth <= market.feed_in
    view["opening_price"] = np.where(
        sells, worth + draw * (market.retail - worth), worth - draw * (worth - market.feed_in)
    )
    view["limit_price"] = worth
    view["quantity"] = 1.0
    view["requote"] = view.rng.random(worth.shape)
    household.offer_flexibility(view)
    household.choose_aggregator(view)
