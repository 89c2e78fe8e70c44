"""Strict operator: asks for exactly what is needed and pays at most half of what a kWh costs its customers."""

from __future__ import annotations

import numpy as np

from agents.policy import View


def eno(view: View) -> None:
    """For a grid problem half the retail price; for an upper-level order half of what that pays."""
    needed = view["grid_need"] > 0
    view["volume"] = 1.0
    view["reserve_price"] = np.where(needed, 0.5 * view.market.retail, 0.5 * view.price("upper_price"))
