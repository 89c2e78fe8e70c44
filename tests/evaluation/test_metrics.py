"""Metrics against what can be counted by hand from the run."""

from __future__ import annotations

import numpy as np
import pytest

from envs.money import CHARGE, DEFICIT, SURPLUS, TRADE
from evaluation.daybook import AMOUNT, FLOW
from evaluation.measures import METRICS
from evaluation.measures.base import supplier_only
from evaluation.measures.conduct import deliveries, readings
from evaluation.statistics import estimate, paired_difference


def each(study):
    return [(part, k, run) for part in study.parts for k, run in enumerate(part.runs)]


def test_metric_names_are_unique_and_explained():
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))
    assert all(metric.unit and metric.meaning for metric in METRICS)


def test_money_sums_to_zero_by_sides(study):
    sides = ("net_sellers", "net_buyers", "aggregators", "operator", "supplier", "upper_level")
    for part, k, run in each(study):
        assert int(run.book.balance.sum()) == 0
        assert sum(part.values[f"{side}_balance"][k] for side in sides) == pytest.approx(0.0, abs=1e-9)


def test_the_gain_over_tariffs_is_nil_when_all_energy_is_paid_at_tariffs(study):
    """Surplus, deficit and charge of residuals plus the same of the traded energy give the reference."""
    for part, _, run in each(study):
        book, market = run.book, part.scenario.market
        tariff = np.isin(book.payments[:, FLOW], (SURPLUS, DEFICIT, CHARGE, TRADE))
        rows = book.payments[tariff]
        paid = np.zeros(book.sites + book.aggregators + 3, np.int64)
        np.add.at(paid, rows[:, 4], rows[:, AMOUNT])
        np.add.at(paid, rows[:, 3], -rows[:, AMOUNT])
        sold = sum(int(wh) * (int(price) - market.feed_in) for _, _, _, wh, price, *_ in book.trades) / 1000
        bought = sum(int(wh) * (market.retail - int(price)) for _, _, _, wh, price, *_ in book.trades) / 1000
        gain = int(paid[: book.sites].sum() - supplier_only(part.world, book).sum())
        # A contract that is not met costs the difference of the tariffs: at most the trades' surplus is gained.
        assert gain <= sold + bought + len(rows)
        if (book.trades[:, 3] > 0).any():
            assert gain > 0


def test_completion_is_verified_over_ordered(study):
    for part, k, run in each(study):
        done = deliveries(run.book)
        ordered = sum(int(page.verified[:, 2].sum()) for page in run.book.events)
        assert int(done.ordered_wh.sum()) == ordered
        if ordered:
            assert part.values["completion"][k] == pytest.approx(100.0 * done.verified_wh.sum() / ordered)
            assert 0.0 <= part.values["completion"][k] <= 100.0


def test_honest_runs_have_no_misconduct(study):
    honest = study.parts[0]
    assert honest.values["false_readings"] == [0.0, 0.0]
    assert honest.values["detection_rate"] == [None, None]
    assert honest.values["blocks_refused"] == [0.0, 0.0]
    assert honest.values["credit_malicious"] == [None, None]


def test_misconduct_is_counted_and_noticed(study):
    cheated = study.parts[1]
    assert sum(cheated.values["false_readings"]) > 0
    assert sum(cheated.values["forged_blocks"]) > 0
    assert cheated.values["forged_blocks"] == cheated.values["blocks_refused"]
    for run in cheated.runs:
        found = readings(cheated.world, run)
        meters = run.truth.malicious == [b.name for b in run.behaviours].index("false_meter")
        assert not found.false[:, ~meters].any()
        assert found.honest[:, ~meters].all()
        # A reading off by far more than the witnesses' noise never gets through.
        error = np.abs(run.book.claimed_wh - run.truth.real_wh)
        gross = (error > 0.2 * np.abs(run.truth.real_wh) + 50).any(axis=2)
        assert (found.caught[gross]).all()


def test_a_twin_without_orders_is_no_better_than_the_market_on_a_weak_feeder(study):
    honest = study.parts[0]
    before, after = honest.estimate("violated_periods_without"), honest.estimate("violated_periods_with")
    assert before.mean is not None
    assert after.mean is not None
    assert before.mean > after.mean


def test_the_interval_is_students():
    found = estimate([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3.0
    assert found.half_width == pytest.approx(2.7764451 * np.sqrt(2.5 / 5.0), rel=1e-6)
    assert estimate([None, 2.0]) == (2.0, None, 1)
    assert estimate([None]) == (None, None, 0)


def test_differences_are_paired_by_seed():
    found = paired_difference([1.0, 10.0, None, 100.0], [2.0, 11.0, 5.0, 101.0])
    assert found == (1.0, 0.0, 3)
    with pytest.raises(ValueError, match="same seeds"):
        paired_difference([1.0], [1.0, 2.0])
