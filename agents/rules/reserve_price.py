"""Reserve price: an operator that buys as Myerson's optimal auction would, not as its need alone says.

With offers' costs taken as uniform between what users forgo and what the volume is worth, the reserve that costs a
buyer least in expectation solves r + F(r)/f(r) = V, so r = (V + c) / 2 (Myerson 1981): now and then it goes without.
"""

from __future__ import annotations

import numpy as np

from agents import household
from agents.policy import View


def eno(view: View) -> None:
    """Exactly the need, at the middle between users' cost and its worth (retail, or what the upper level pays)."""
    worth = np.where(view["grid_need"] > 0, float(view.market.retail), view.price("upper_price"))
    cost = household.users_cost(view, ("grid_way", "upper_way"))
    view["volume"] = 1.0
    view["reserve_price"] = 0.5 * (worth + np.minimum(cost, worth))
