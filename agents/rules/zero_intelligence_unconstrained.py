"""Zero intelligence without a budget constraint (Gode and Sunder 1993): any price, at a loss or not.

Everything but the bargaining is the truthful household's.
"""

from __future__ import annotations

from agents import bargaining, household
from agents.policy import View


def prosumer(view: View) -> None:
    """Uniform opening price up to the highest that the market knows; it is the limit, too."""
    power = household.run_storage(view)
    price = view.rng.random(power.shape) * view.market.max_price
    bargaining.order(view, price, price, view.rng.random(power.shape))
