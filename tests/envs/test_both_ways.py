"""Every broken limit by its own direction: nets with over- and under-voltage at once, and with many places at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.audit import executors
from envs.certify import certify, last_problems, watching
from envs.core import Core
from envs.phases.network import limits_of, new_desk, solve_sites
from envs.phases.places import Places, rank
from envs.phases.rows import Promise, check_promise, no_check, no_rows
from envs.types import FAILED, GRID, HORIZON, HOURS, NOT_ITS_DOING, OUTLOOK, PASSED, UPPER, Trace
from ledger.audit import audit_file
from tests.envs.play import OFF, by_rules, core_of, episode, periods

HOUSES = 6
NOON = 54  # periods played: to half past one
NET: dict[str, Any] = {
    "calendar": {"first_day": 172, "last_day": 172, "periods": NOON},
    "sites": {"added_pv_share": 0.0, "added_storage_share": 0.0, "max_site_share": 1.0},
}


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of two nets: `both`, a feeder with a plant beside one with loads; `star`, a house with a plant on each."""
    import pandapower as pp

    folder = tmp_path_factory.mktemp("nets")
    both, star = pp.create_empty_network(), pp.create_empty_network()
    source = {id(net): pp.create_bus(net, 0.4) for net in (both, star)}

    def feeder(net: Any, km: float, loads_kw: tuple[float, ...], plant_kw: float) -> None:
        bus = pp.create_bus(net, 0.4)
        pp.create_line(net, source[id(net)], bus, km, "NAYY 4x150 SE")
        for kw in loads_kw:
            pp.create_load(net, bus, kw / 1000.0, 0.2 * kw / 1000.0)
        if plant_kw:
            pp.create_sgen(net, bus, plant_kw / 1000.0, type="PV")

    feeder(both, 1.0, (4.0,), 60.0)
    feeder(both, 1.0, (90.0,) * 4, 0.0)
    for house in range(HOUSES):
        feeder(star, 1.0 + 0.1 * house, (6.0,), 60.0)
    for name, net in (("both", both), ("star", star)):
        pp.create_ext_grid(net, source[id(net)])
        pp.to_json(net, str(folder / f"{name}.json"))
    return folder


def scenario_of(nets: Path, name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "grid": {"net": f"file:{nets / name}.json"}, **NET, **more}


def outside(core: Core, trace: Trace, r: int) -> bool:
    """Whether the extremes on the Dtx are beyond the planning limits."""
    plan, grid = trace.plan, core.world.scenario.grid
    volts = plan.after_low_pu[0, r] < grid.band_low_pu - 2e-6 or plan.after_high_pu[0, r] > grid.band_high_pu + 2e-6
    return bool(volts or plan.after_loading[0, r] > grid.loading_limit + 2e-6)


def test_no_plan_passes_with_a_broken_limit_of_either_direction(nets: Path, tmp_path: Path) -> None:
    """Both directions at once: each has its turn with an event, the last resort mends what is left of both, and the
    audit, which looks at every bus itself, agrees.
    """
    import yaml

    config = tmp_path / "both.yaml"
    config.write_text(yaml.safe_dump(scenario_of(nets, "both")))
    core = core_of(str(config), None, None, str(tmp_path / "both.sqlite"))
    traces = [trace for trace in episode(core, by_rules(core)) if trace.stage.cause[0, GRID]]
    ways = [int(trace.stage.direction[0, GRID]) for trace in traces]
    assert {-1, 1} == set(ways)
    assert any((trace.plan.cut_wh < 0).any() or (trace.plan.cut_wh > 0).any() for trace in traces)
    for trace in traces:
        verdict = trace.plan.verdict[0, GRID]
        assert verdict != PASSED or not outside(core, trace, GRID)
        assert verdict == FAILED or not trace.plan.cut_wh.any()
    assert any(trace.plan.uncured[0, GRID] for trace in traces)  # too little load can wait
    report = audit_file(tmp_path / "both.sqlite", [executors(str(config), [])])
    assert report.difference is None, str(report.difference)
    assert all(found["feasible"] for found in report.findings if found["outcome"] != "unsafe")
    assert {"cut"} <= {found["outcome"] for found in report.findings}


def test_both_directions_are_cut_in_one_period(nets: Path) -> None:
    core = core_of(scenario_of(nets, "both", **OFF), {"market": {"max_event_periods": 1}})
    plans = [trace.plan for trace in episode(core, by_rules(core, {"eno": "idle"}))]
    assert any((plan.cut_wh < 0).any() and (plan.cut_wh > 0).any() for plan in plans)
    assert not any(plan.ordered_wh.any() for plan in plans)


def events_of(core: Core) -> Iterator[tuple[Trace, Any]]:
    """Each grid event with its certificate."""
    certificates: list[Any] = []
    honest = core.promise

    def watch(world: Any, state: Any, stage: Any, quotes: Any, mechanisms: Any) -> Any:
        watched, asked = watching(mechanisms)
        plan = honest(world, state, stage, quotes, watched)
        if stage.cause[0, GRID]:
            problem = last_problems(stage, asked, world.sites)[GRID]
            certificates.append(certify(world, state, stage, quotes, plan, problem, GRID, (1, 1)))
        return plan

    core.promise = watch
    core.reset(np.array([0], np.uint64))
    for trace in periods(core, by_rules(core)):
        if trace.stage.cause[0, GRID]:
            yield trace, certificates[-1]


def test_the_certificate_sees_what_the_check_overlooks(nets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that calls everything passed is not believed where a limit is broken that only the other way relieves."""
    from envs.phases import safe

    honest = safe._Request.check

    def blind(self: Any, active: Any, ordered: Any, add: bool) -> Any:
        found = honest(self, active, ordered, add)
        found.violated[:] = found.others[:] = False
        return found

    monkeypatch.setattr(safe._Request, "check", blind)
    core = core_of(scenario_of(nets, "both", **OFF), {"market": {"max_event_periods": 1}})
    for trace, found in events_of(core):
        assert found.outcome == "safe"
        assert found.feasible != outside(core, trace, GRID)
        if not found.feasible and trace.stage.direction[0, GRID] > 0 and found.high_pu > 1.0501:
            return
    raise AssertionError("no over-voltage during an event that raises the injection")


def test_all_broken_places_become_rows_and_no_offered_block_idles(nets: Path) -> None:
    """One house on each feeder: nobody can help another, so all of them must be ordered at once."""
    core = core_of(scenario_of(nets, "star", **OFF), {"market": {"max_event_periods": 1}})
    traces = [trace for trace in episode(core, by_rules(core)) if trace.stage.cause[0, GRID]]
    many = [trace for trace in traces if trace.plan.before_high_pu[0, GRID] > 1.06]
    assert len(many) > 5
    for trace in traces:
        assert trace.plan.verdict[0, GRID] == PASSED
        assert not trace.plan.cut_wh.any()
    first = np.array([np.unique(trace.plan.pass_places[0, GRID, 0]).size for trace in many])
    assert first.max() >= HOUSES - 1
    ordered = [trace for trace in many if (trace.plan.ordered_wh[0, GRID] > 0).sum() >= HOUSES - 1]
    assert ordered
    assert any(trace.plan.ordered_wh[0, GRID].sum() > 2 * trace.stage.asked_wh[0, GRID] for trace in ordered)


def test_rows_are_scarce_and_go_to_feeders_that_do_not_help_each_other(nets: Path) -> None:
    core = core_of(scenario_of(nets, "star", **OFF))
    limits = limits_of(core.world)
    bus = limits.site_bus[:2]
    need_w = np.array([5_000.0, 4_900.0, 300.0])
    place = np.array([bus[0], bus[0], bus[1]])  # two in a row of one feeder, and one of another in lesser need
    excess = need_w * limits.volt_per_w[place].max(axis=1)
    found = Places(place, np.full(3, -1), excess, need_w.copy())
    rank(limits, found, 3, 2)
    assert found.place.tolist() == [bus[0], bus[1], bus[0]]
    assert found.need_w.tolist() == [5_000.0, 300.0, 4_900.0]


@pytest.mark.parametrize("when", ["always", "asked"])
def test_an_operator_that_asks_for_nothing_is_checked_all_the_same(when: str) -> None:
    core = core_of("six_node", {**OFF, "grid": {"last_resort": when}})
    traces = episode(core, by_rules(core, {"eno": "idle"}))
    events = [trace for trace in traces if trace.stage.cause[0, GRID]]
    assert len(events) > 5
    assert all(trace.plan.verdict[0, GRID] == FAILED for trace in events)
    assert not any(trace.plan.ordered_wh.any() for trace in events)
    lived_high = max(float(trace.energy.voltage_pu.max()) for trace in traces)
    if when == "always":
        assert all((trace.plan.cut_wh < 0).any() for trace in events)
        assert lived_high < 1.05
    else:
        assert not any(trace.plan.cut_wh.any() for trace in events)
        assert lived_high > 1.05


def test_an_order_that_neither_broke_a_limit_nor_can_mend_it_says_so() -> None:
    """Upper-level orders of the day by rules: passed means that no limit is broken."""
    core = core_of("rural_day", OFF)
    verdicts = []
    for seed in range(4):
        for trace in episode(core, by_rules(core), (seed,)):
            if trace.stage.asked_wh[0, UPPER] > 0:
                verdicts.append(int(trace.plan.verdict[0, UPPER]))
                assert outside(core, trace, UPPER) == (verdicts[-1] != PASSED)
    assert NOT_ITS_DOING in verdicts
    assert PASSED in verdicts


def test_orders_that_break_a_limit_against_their_linear_effect_fail_the_check() -> None:
    """Far above the transformer's rating less injection raises voltages near it: an order down breaks a limit there."""
    world = core_of("rural_day", OFF).world
    limits = limits_of(world)
    desk = new_desk(limits)
    desk.load_var[:] = desk.inverter_w[:] = 0.0
    bus, step_kw = 1 + int(np.argmin(limits.volt_per_w[1:].sum(axis=1))), 5.0

    def at_pu(kw: float) -> float:
        desk.p_w[:] = kw * 1000.0
        return float(desk.magnitude[bus]) if solve_sites(limits, desk) else 0.0

    nothing, one = np.zeros((1, HORIZON, world.sites)), np.ones(1, np.int64)
    ordered_wh = np.full((1, world.sites), int(step_kw * 1000.0 * HOURS))
    for base_kw, broken in ((20.0, False), (75.0, True)):
        before_pu, after_pu = at_pu(base_kw), at_pu(base_kw - step_kw)
        assert (after_pu > before_pu + 1e-5) == broken
        tight = limits._replace(high_pu=(before_pu + after_pu) / 2, low_pu=0.2, loading=1e3)
        check, rows = no_check(1), no_rows(1, world.aggregators, world.sites)
        promise = Promise(
            nothing + base_kw * 1000.0, nothing, np.zeros_like(world.load_w), np.zeros_like(world.load_var),
            np.zeros((1, 2, OUTLOOK, world.sites)), np.zeros((1, world.sites), np.int64), 0 * one, -one, one,
            False, ordered_wh,
        )  # fmt: skip
        check_promise(tight, np.ones(1, np.bool_), promise, True, one, rows, check)
        assert bool(check.violated[0]) == broken
        assert check.others[0]  # buses further out are relieved, and still beyond the limit
        assert not rows.used.any()  # no linear row can say it


def test_a_plan_that_claims_to_be_clean_is_refuted(nets: Path) -> None:
    """The words of the verdict are not interchangeable: what is not its doing did not pass, and what failed was not."""
    core = core_of(scenario_of(nets, "both", **OFF), {"market": {"max_event_periods": 1}})
    honest, claims = core.promise, []

    def watch(world: Any, state: Any, stage: Any, quotes: Any, mechanisms: Any) -> Any:
        watched, asked = watching(mechanisms)
        plan = honest(world, state, stage, quotes, watched)
        if plan.verdict[0, GRID] == FAILED and stage.cause[0, GRID] and plan.cut_wh.any():
            problem = last_problems(stage, asked, world.sites)[GRID]
            for verdict in (PASSED, NOT_ITS_DOING):
                other = replace(plan, verdict=np.full_like(plan.verdict, verdict), cut_wh=np.zeros_like(plan.cut_wh))
                claims.append(certify(world, state, stage, quotes, other, problem, GRID, (1, 1)).feasible)
        return plan

    core.promise = watch
    episode(core, by_rules(core))
    assert claims
    assert not any(claims)
