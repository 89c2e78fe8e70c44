"""Planning operator: asks for what its forecast needs with a reserve, up to what the problem is worth."""

from __future__ import annotations

import numpy as np

from agents.policy import View

RESERVE_VOLUME = 1.15  # forecast errors and late deliverers


def eno(view: View) -> None:
    """Volume with a reserve; for a grid problem up to the retail price, else below what the upper level pays."""
    needed = view["grid_need"] > 0
    view["volume"] = RESERVE_VOLUME
    view["reserve_price"] = np.where(needed, float(view.market.retail), 0.9 * view.price("upper_price"))
