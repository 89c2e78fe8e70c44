"""An event's twin is the day without it; verified beside changed energy, by baseline method."""

from __future__ import annotations

import numpy as np
import pytest

from agents.policy import DEFAULT_RULES
from envs.config import SettingsError
from envs.money import ACTIVATION, AGGREGATOR_SHORTFALL
from envs.settings import load_scenario
from evaluation import event_table, flexibility
from evaluation.daybook import AMOUNT, EVENT, FLOW, SITE
from evaluation.event_table import event_tables
from evaluation.report import render_report
from evaluation.runs import Job, plan_jobs, play
from evaluation.statistics import estimate
from evaluation.study import study_of
from evaluation.twins import play_day
from evaluation.words import interval, number
from tests.evaluation.conftest import tiny

ORDER = {"start_period": 50, "periods": 4, "direction": "down", "power_kw": 4.0, "price": 400_000}
CALM = {"grid": {"band_low_pu": 0.6, "band_high_pu": 1.4, "loading_limit": 2.0}, "ledger": {"mode": "off"}}


def net_wh(scenario, game="staged"):
    real = play(Job(scenario, DEFAULT_RULES, 3, game, None)).truth.real_wh
    return real[..., 0] - real[..., 1] + real[..., 2]


@pytest.mark.parametrize("game", ["staged", "simultaneous"])
def test_the_twin_of_a_days_only_event_is_the_day_that_never_had_it(game):
    with_it = tiny("with", upper_orders=[ORDER], **CALM)
    day = play_day(with_it, DEFAULT_RULES, 3, game)
    assert [twin.page.event for twin in day.events] == [102]
    difference = net_wh(tiny("without", upper_orders=[], **CALM), game) - net_wh(with_it, game)
    (twin,) = day.events
    assert twin.page.ordered_wh > 0
    assert twin.changed_wh == difference[50:54, twin.page.orders[:, SITE]].sum()
    assert twin.after_wh == difference[54:].sum()
    assert twin.after_wh != 0
    assert day.together_wh == twin.changed_wh


@pytest.fixture(scope="module")
def day():
    return play_day(load_scenario("rural_day"), DEFAULT_RULES, 1)


def test_every_event_of_a_day_has_a_twin_and_changes_about_what_was_verified(day):
    assert [twin.page for twin in day.events] == day.book.events
    assert len(day.events) >= 12
    verified = sum(twin.page.verified_wh for twin in day.events)
    assert sum(twin.changed_wh for twin in day.events) == pytest.approx(verified, rel=0.1)
    assert day.together_wh == pytest.approx(verified, rel=0.1)
    assert day.stepwise_wh != day.together_wh  # batteries remember earlier events
    assert all(0 <= twin.unchanged_wh <= twin.page.verified_wh for twin in day.events)
    paid = np.isin(day.book.payments[:, FLOW], (ACTIVATION, AGGREGATOR_SHORTFALL))
    rows = day.book.payments[paid]
    sign = np.where(rows[:, FLOW] == ACTIVATION, 1, -1)
    for twin in day.events:
        assert twin.paid == (sign * rows[:, AMOUNT])[rows[:, EVENT] == twin.page.event].sum()


def test_what_is_cut_by_force_is_not_the_flexibility_that_changed():
    """With perfect forecasts what was verified is what changed, and the cut beside it is a column of its own."""
    known = {"site": {"noise": 0.0}, "operator": {"noise": 0.0}}
    sites = {"pv_scale": 2.0, "pv_output_noise": 0.0, "load_output_noise": 0.0}
    market = {"safety_loops": 1, "max_event_periods": 1}
    off = {"mode": "off"}
    overrides = {"forecasts": known, "sites": sites, "market": market, "ledger": off, "calendar": {"periods": 44}}
    cut = play_day(load_scenario("six_node", overrides), DEFAULT_RULES, 1)
    assert sum(twin.cut_wh for twin in cut.events) > 2_000
    for twin in cut.events:
        assert twin.cut_wh == sum(abs(wh) for _, wh in twin.page.cuts)
        assert twin.changed_wh == pytest.approx(twin.page.verified_wh, abs=3)
    verified = sum(twin.page.verified_wh for twin in cut.events)
    assert (cut.stepwise_wh, cut.together_wh) == pytest.approx((verified, verified), abs=20)
    assert flexibility.totals(cut)["cut by force"] == sum(twin.cut_wh for twin in cut.events) / 1000.0


def test_the_day_without_events_is_violated(day):
    world = flexibility.build_world("rural_day")
    lived = flexibility.planning_excess(world, day.book, False).periods
    assert flexibility.violated_without(world, day) > lived + 5


def test_declared_baselines_pay_for_what_never_changed_when_households_over_declare():
    scenario = load_scenario("rural_day")
    found = {}
    for households in flexibility.HOUSEHOLDS:
        played = flexibility.by_method(scenario, {**DEFAULT_RULES, "prosumer": households}, (0,))
        for method, days in played.items():
            row = flexibility.totals(days[0])
            found[households, method] = row["verified"] / row["changed"]
    assert found["overdeclaring", "declared"] > 1.3
    for key, ratio in found.items():
        if key != ("overdeclaring", "declared"):
            assert ratio == pytest.approx(1.0, abs=0.15), key


def test_players_whose_own_random_numbers_move_energy_are_refused(tmp_path):
    (tmp_path / "rules").mkdir()
    rule = '"""Dice."""\n\n\ndef prosumer(view):\n    view["storage"] = view.rng.uniform(-1.0, 1.0, view["pv"].shape)\n'
    (tmp_path / "rules" / "dicey.py").write_text(rule)
    scenario = tiny("diced", plugins=[str(tmp_path)])
    with pytest.raises(SettingsError, match="cannot live a day again"):
        play_day(scenario, {**DEFAULT_RULES, "prosumer": "dicey"}, 0)


def test_the_command_prints_every_method_and_event(capsys):
    assert flexibility.main(["tiny", "--seeds", "2", "--set", "calendar.periods=60"]) == 0
    text = capsys.readouterr().out
    for households in flexibility.HOUSEHOLDS:
        for method in flexibility.BASELINES:
            assert f"| {households} | `{method}` |" in text
    assert "Every event of seed 0" in text
    assert flexibility.main(["nowhere"]) == 2
    assert capsys.readouterr().err.startswith("python -m evaluation.flexibility: ")


def test_the_report_shows_each_event_beside_its_twin_and_its_price(study):
    tables = event_tables(study)
    assert [table.part for table in tables] == ["honest", "cheated"]
    for table, part in zip(tables, study.parts, strict=True):
        assert table.lived_again
        assert [day.seed for day in table.days] == list(study.seeds)
        assert table.hidden == 0
        for day, run in zip(table.days, part.runs, strict=True):
            priced = [row for row in day.rows if row.cells[7] != "–"]
            assert len(priced) == len([page for page in run.book.events if page.orders.size])
            assert all(row.cells[3] != "–" for row in day.rows)
            for row, page in zip(day.rows, sorted(run.book.events, key=lambda page: page.event), strict=True):
                assert len(row.passes) == len(page.passes)
                assert f"{page.loops} loop" in row.check or page.loops == 0


def test_the_reports_sums_are_means_over_all_seeds(study, monkeypatch):
    whole = event_tables(study)
    monkeypatch.setattr(event_table, "SHOWN", 1)
    for table, full, part in zip(event_tables(study), whole, study.parts, strict=True):
        assert (len(table.days), table.hidden) == (1, len(study.seeds) - 1)
        assert table.sums == full.sums
        text = {name: cell for name, _, cell in table.sums}
        events = [len(run.book.events) for run in part.runs]
        verified = [sum(page.verified_wh for page in run.book.events) / 1000.0 for run in part.runs]
        assert text["events"].startswith(number(float(np.mean(events)), "events"))
        assert text["verified"] == interval(estimate(verified), "kWh")
        assert [day.totals["changed"] for day in full.days] == [
            flexibility.totals(play_day(part.scenario, study.policies, seed))["changed"] for seed in study.seeds
        ]
    assert "Listed are the first 1 seeds; the sums have 1 more." in render_report(study)


def test_a_cut_of_last_resort_is_shown_with_its_price(tmp_path):
    policies = {**DEFAULT_RULES, "prosumer": "idle"}
    scenario = load_scenario("six_node", {"calendar": {"periods": 44}, "ledger": {"mode": "off"}})
    (job,) = plan_jobs([scenario], policies, (0,), "staged", tmp_path)
    run = play(job)
    (table,) = event_tables(study_of([scenario], [run], (0,), "staged", policies))
    cuts = [(page, row) for page, row in zip(run.book.events, table.days[0].rows, strict=True) if page.cuts]
    assert cuts
    for page, row in cuts:
        wh = sum(abs(wh) for _, wh in page.cuts)
        assert row.check.startswith("failed after ")
        assert f"cut of last resort {wh} Wh, paid " in row.check
        assert float(row.check.split("paid ")[1].split()[0]) == pytest.approx(wh * 80_000 / 1e9, abs=0.011)
