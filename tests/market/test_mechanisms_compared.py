"""The optimum that mechanisms are measured against is the linear programme's; truthful auctions reach it."""

import numpy as np
import pytest
from scipy.optimize import linprog

from envs import plugins
from evaluation.reproductions import mechanisms


def test_optimum_is_the_linear_programme():
    rng = np.random.default_rng(9)
    for _ in range(30):
        limit, quantity = rng.integers(0, 50, 9), rng.integers(-20, 21, 9)
        quantity[0] = 0
        side = np.sign(quantity)
        best = linprog(side * limit, A_eq=[side], b_eq=[0], bounds=[(0, abs(q)) for q in quantity])
        assert mechanisms.optimum(limit, quantity) == pytest.approx(-best.fun)


def test_mechanisms_measured():
    found = {}
    for shaded in (False, True):
        orders = mechanisms.books(shaded, count=60)
        for name in plugins.names("market", needs="clear"):
            trades = plugins.load("market", name, "clear").clear(orders, mechanisms.TARIFFS)
            found[name, shaded] = mechanisms.measures(orders, trades)
            assert 0.0 <= found[name, shaded]["efficiency"] <= 100.0 + 1e-9
    for name in ("two_stage_double", "uniform_price", "listing", "bilateral"):
        assert found[name, False]["efficiency"] == pytest.approx(100.0)
        assert found[name, True]["efficiency"] < 90.0
    for name in ("mid_market", "stackelberg", "uniform_price"):
        assert found[name, False]["scatter of prices"] == 0.0
    # Quotes mean nothing there but for the odd Wh.
    truthful, shaded = (found["mid_market", how]["efficiency"] for how in (False, True))
    assert truthful == pytest.approx(shaded, abs=0.05)
    # The leader sells for the sellers.
    assert found["stackelberg", False]["sellers' part of the gain"] > 60.0
    assert found["listing", False]["sellers' part of the gain"] == pytest.approx(0.0)  # posted at cost
