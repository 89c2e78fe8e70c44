"""Mark-up aggregator: announces a subsidy that users' costs call for and offers it on with a margin.

A smaller portfolio pays a little more to grow, a better reputation asks a little less margin, so that the four do not
stay copies of each other.
"""

from __future__ import annotations

import numpy as np

from agents import household
from agents.policy import View

MARGIN = 0.25
SHARE = 1.6  # offered of the volume asked, per share of the users: four alike cover a request once and a half


def aggregator(view: View) -> None:
    """Subsidy by the direction that is asked for; the offer is subsidy plus margin."""
    cost = household.users_cost(view) + 1.5 * view.scenario.sites.degradation_price
    subsidy = cost * (1.0 + 0.1 * (1.0 - view["members"]))
    view["subsidy"] = subsidy
    view["offer_price"] = subsidy * (1.0 + MARGIN * (1.5 - view["credit"]))
    view["offer_volume"] = np.clip(SHARE * view["members"], 0.2, 1.0)
    view["credit_threshold"] = 0.5
