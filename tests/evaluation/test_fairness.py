"""Fairness, concentration and efficiency of trade, against small cases by hand and the linear program."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from envs.money import SURPLUS
from evaluation.daybook import FLOW, WH
from evaluation.measures.fairness import achieved_gain, declared_optimum, gini, herfindahl, jain
from evaluation.measures.market import gain, trade_gain


def test_indices_by_hand():
    assert jain(np.array([3.0, 3.0, 3.0])) == pytest.approx(1.0)
    assert jain(np.array([0.0, 5.0, 0.0, 0.0])) == pytest.approx(0.25)
    assert jain(np.array([1.0, 3.0])) == pytest.approx(16 / 20)
    assert gini(np.array([3.0, 3.0, 3.0])) == pytest.approx(0.0)
    assert gini(np.array([0.0, 5.0, 0.0, 0.0])) == pytest.approx(0.75)
    assert gini(np.array([3.0, 1.0])) == pytest.approx(0.25)
    assert herfindahl(np.array([50, 30, 20])) == pytest.approx(0.38)
    assert jain(np.array([-1.0, 2.0])) == jain(np.array([0.0, 2.0]))
    assert (jain(np.zeros(3)), gini(np.array([-1.0, 0.0])), herfindahl(np.zeros(2, np.int64))) == (None, None, None)


def test_gini_is_the_mean_difference_of_pairs():
    amounts = np.random.default_rng(4).uniform(0, 9, 40)
    pairs = np.abs(amounts[:, None] - amounts[None]).mean() / (2 * amounts.mean())
    assert gini(amounts) == pytest.approx(pairs)


@pytest.mark.parametrize("seed", range(20))
def test_the_crossing_of_merit_orders_is_the_optimum_of_the_linear_program(seed):
    rng = np.random.default_rng(seed)
    quantity, limit = rng.integers(-500, 500, 12), rng.integers(80, 120, 12)
    sign = np.where(quantity > 0, 1.0, -1.0)
    best = linprog(limit * sign, A_eq=[sign], b_eq=[0.0], bounds=[(0, abs(q)) for q in quantity])
    assert declared_optimum(quantity, limit) == pytest.approx(-best.fun)


def test_measures_of_a_run(study):
    """Each trade gains at the declared limits, and never more than they allow together."""
    for part in study.parts:
        for k, run in enumerate(part.runs):
            book = run.book
            assert achieved_gain(book) > 0
            assert 0.0 < part.values["trading_efficiency"][k] <= 100.0
            assert 1.0 / book.sites <= part.values["gain_jain_index"][k] <= 1.0
            assert part.values["gain_jain_index"][k] == jain(gain(part.world, book))
            assert 0.0 <= part.values["gain_gini"][k] < 1.0
            sellers = len(np.unique(book.trades[:, 2]))
            assert 1.0 / sellers <= part.values["sellers_concentration"][k] <= 1.0
            prices = [
                float((rows[:, 3] * rows[:, 4]).sum() / rows[:, 3].sum())
                for rows in (book.trades[book.trades[:, 0] == t] for t in np.unique(book.trades[:, 0]))
            ]
            assert part.values["price_volatility"][k] == pytest.approx(np.std(prices) / 1e6, abs=1e-6)


def test_what_trade_alone_earns_is_what_the_supplier_loses(study):
    """Each kWh that stays among peers gains retail less feed-in; what was sold but not there costs the charge again."""
    for part in study.parts:
        market = part.scenario.market
        for run in part.runs:
            book = run.book
            injected = int(np.maximum(book.net_wh, 0).sum())
            kept = injected - int(book.payments[book.payments[:, FLOW] == SURPLUS, WH].sum())
            twice = int(book.trades[:, 3].sum()) - kept
            expected = (kept * (market.retail - market.feed_in) - twice * market.network_charge) / 1000
            assert trade_gain(part.world, book).sum() == pytest.approx(expected, abs=len(book.payments))


def test_truthful_limits_leave_the_auction_efficient(study):
    """The two-stage auction pairs best with best, so at truthful quotes it finds the optimum, period by period."""
    honest = study.parts[0]
    assert honest.values["trading_efficiency"] == pytest.approx([100.0, 100.0], abs=1e-6)
