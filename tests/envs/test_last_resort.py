"""Where the market does not reach: a forecast without an operating point, an upper-level order that breaks a limit."""

from __future__ import annotations

import pytest

from envs.audit import executors
from envs.types import GRID, UPPER
from ledger.audit import audit_file
from tests.envs.play import OFF, by_rules, core_of, episode

MORNING, CYCLES = 28, 32  # the first upper-level order, to its end; it brings the transformer beyond half its rating


def test_a_forecast_without_a_solution_is_cut_until_there_is_one() -> None:
    core = core_of("rural_day", {**OFF, "sites": {"pv_scale": 15.0}, "upper_orders": []})
    traces = episode(core, by_rules(core, {"prosumer": "idle"}))
    assert all(trace.energy.converged.all() for trace in traces)
    plans = [t.plan for t in traces if t.stage.asked_wh[0, GRID] and not t.plan.before_low_pu[0, GRID]]
    assert len(plans) > 5
    assert all((plan.cut_wh <= 0).all() for plan in plans)


def test_a_reopened_upper_level_order_is_rounded_into_its_limit() -> None:
    core = core_of("rural_day", {**OFF, "grid": {"loading_limit": 0.5}}, CYCLES)
    plan = episode(core, by_rules(core), (0, 1))[MORNING].plan
    assert plan.reopened[:, UPPER].all()
    assert plan.safe[:, UPPER].all()
    assert (plan.ordered_wh[:, UPPER].sum(axis=1) > 100).all()
    assert (plan.after_loading[:, UPPER] <= 0.5 + 2e-6).all()


@pytest.mark.parametrize("loops", [1, 6])
def test_an_upper_level_order_that_fails_its_check_is_dropped(tmp_path, loops: int) -> None:
    """One loop does not suffice. The audit takes the chain either way, dropped orders and rounded ones."""
    path, overrides = tmp_path / "day.sqlite", {"grid": {"loading_limit": 0.5}, "market": {"safety_loops": loops}}
    core = core_of("rural_day", overrides, CYCLES, str(path))
    trace = episode(core, by_rules(core))[MORNING]
    plan, dropped = trace.plan, loops == 1
    assert plan.reopened[0, UPPER]
    assert plan.safe[0, UPPER] != dropped
    assert plan.ordered_wh[0, UPPER].any() != dropped
    assert plan.awarded_wh[0, UPPER].any() != dropped
    assert (plan.after_loading[0, UPPER] == plan.before_loading[0, UPPER]) == dropped
    settings = ["grid.loading_limit=0.5", f"market.safety_loops={loops}"]
    report = audit_file(path, [executors("rural_day", settings)])
    assert report.difference is None
