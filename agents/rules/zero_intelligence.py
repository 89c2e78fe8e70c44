"""Zero-intelligence with a budget constraint (Gode and Sunder 1993): random quotes that never lose money.

Everything but the prices is the truthful rule's.
"""

from __future__ import annotations

import numpy as np

from agents.policy import View
from agents.rules import truthful


def prosumer(view: View) -> None:
    """Uniform opening price between the own valuation and the other side's tariff; the limit stays the valuation."""
    truthful.prosumer(view)
    market = view.market
    span = market.retail - market.feed_in
    draw = view.rng.random(view["pv"].shape)
    limit = view.values[..., 1]
    view["opening_price"] = np.where(limit <= market.feed_in, market.feed_in + draw * span, market.retail - draw * span)
    view["requote"] = view.rng.random(view["pv"].shape)
