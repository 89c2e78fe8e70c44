"""The bound with perfect foresight: by hand, against random schedules, and above what is played."""

import numpy as np
import pytest

from evaluation.foresight import Battery, best_income, charge_after, income_of
from evaluation.reproductions import foresight

BATTERY = Battery(capacity_wh=2000.0, rated_w=4000.0, efficiency=0.9, wear_price=10_000.0)
BUY, SELL = np.array([100_000.0, 100_000.0, 400_000.0]), np.array([50_000.0, 50_000.0, 50_000.0])


def test_buy_cheap_and_use_when_dear():
    """1000 Wh are needed when power is dear: 1000 / 0.81 Wh are bought before, a full hour's quarter at most each."""
    net = np.array([0.0, 0.0, -1000.0])
    bound = best_income(net, BATTERY, 0.0, 0.0, BUY, SELL)
    bought = 1000.0 / 0.81
    assert bound.income == pytest.approx(-bought * 100.0 - (bought + 1000.0) * 10.0)
    assert bound.storage_wh[2] == pytest.approx(1000.0)
    assert bound.storage_wh[:2].sum() == pytest.approx(-bought)
    assert bound.income == pytest.approx(income_of(net, bound.storage_wh, BUY, SELL, BATTERY.wear_price))


def test_without_a_battery_the_site_pays_its_prices():
    net = np.array([500.0, -200.0, -1000.0])
    none = Battery(0.0, 0.0, 0.9, 0.0)
    assert best_income(net, none, 0.0, 0.0, BUY, SELL).income == pytest.approx(500 * 50 - 200 * 100 - 1000 * 400)


@pytest.mark.parametrize("seed", range(5))
def test_no_schedule_earns_more(seed):
    rng = np.random.default_rng(seed)
    net, sell = rng.uniform(-900, 900, 24), rng.uniform(0, 200_000, 24)
    buy = sell + rng.uniform(0, 200_000, 24)
    for _ in range(20):
        output, charge = np.zeros(24), 800.0
        for t in range(24):
            low = -min(1000.0, (2000.0 - charge) / 0.9)
            output[t] = rng.uniform(low, min(1000.0, charge * 0.9))
            charge = charge_after(BATTERY, charge, output[t : t + 1])
        best = best_income(net, BATTERY, 800.0, charge - 1e-6, buy, sell)
        assert best.income >= income_of(net, output, buy, sell, BATTERY.wear_price) - 1e-3


def test_impossible_demands_are_refused():
    net = np.zeros(3)
    with pytest.raises(ValueError, match="period 2: sell > buy"):
        best_income(net, BATTERY, 0.0, 0.0, BUY, np.array([0.0, 0.0, 500_000.0]))
    with pytest.raises(ValueError, match="no schedule leads from 0 Wh to 3000 Wh"):
        best_income(net, BATTERY, 0.0, 3000.0, BUY, SELL)


@pytest.mark.parametrize("trading", foresight.TRADING)
@pytest.mark.parametrize("rule", ["truthful", "self_consumption", "price_threshold"])
def test_no_schedule_of_a_rule_is_worth_more_than_that_of_foresight(rule, trading):
    rows = foresight.earned("tiny", rule, 2, trading)
    assert rows
    # Rounding of readings to whole Wh is worth a fraction of a cent.
    assert all(row.played <= row.bound + 0.01 for row in rows)
    assert any(row.played < 0.9 * row.bound for row in rows)


def test_price_threshold_needs_prices_that_move():
    """It rests where everybody's truth meets in the middle, and works its battery where prices tell who is short."""
    still, moving = (foresight.earned("tiny", "price_threshold", 2, trading) for trading in foresight.TRADING)
    assert all(row.played == 0.0 for row in still)
    assert all(row.played != 0.0 for row in moving)
