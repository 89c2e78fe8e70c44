"""Where the power flow has no solution: in a forecast, in a dispatch, in a period as it is lived."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest

import envs.core
from envs.audit import Market
from envs.money import OUTAGE, USER_SHORTFALL
from envs.phases import deliver, talk
from envs.phases.network import limits_of, new_desk, set_metered, solve_sites
from envs.phases.outage import far_ends, net_of
from envs.phases.safe import promise
from envs.types import BROKEN, GRID, HOURS, LOW_UPU, MESSAGES, PASS_WH, ROUNDS, TICKS, UNDER_VOLTAGE
from evaluation.ledger_figures import read_daybook
from evaluation.report import render_report
from ledger.audit import audit_file
from ledger.verify import verify_file
from tests.envs.play import by_rules, core_of, episode, periods
from tests.evaluation.conftest import study_in

CASE = '''"""The six nodes with loads that the feeder cannot carry all at once."""

from envs.grid.cases import six_node


def build():
    """Loads of {factor} times the active power, lines of {stretch} times the length."""
    net = six_node.build()
    net.load["p_mw"] *= {factor}
    net.line["length_km"] *= {stretch}
    return net
'''
GENEROUS = {"eno": "generous", "aggregator": "generous"}
CYCLES = 44


@pytest.fixture(scope="module")
def heavy(tmp_path_factory) -> dict:
    """A winter day on which demand goes beyond the nose of the curve, and could be put off."""
    folder = tmp_path_factory.mktemp("plugins")
    (folder / "cases").mkdir()
    for name, factor, stretch in (
        ("laden", 16.0, 1.0),
        ("heavy", 24.0, 1.0),
        ("weak", 20.0, 2.0),
        ("edge", 20.36, 1.0),
    ):
        (folder / "cases" / f"{name}.py").write_text(CASE.format(factor=factor, stretch=stretch))
    return {
        "plugins": [str(folder)],
        "grid": {"net": "case:heavy", "band_low_pu": 0.8, "loading_limit": 2.0, "check": "kernel"},
        "sites": {"flexible_load_share": 1.0},
        "calendar": {"first_day": 0, "last_day": 0},
        "market": {"max_price": 1_200_000, "retail": 500_000},
        "ledger": {"mode": "off"},
    }


@pytest.fixture
def weak(heavy) -> dict:
    """The same on lines of twice the length: more than can be put off, in many a period."""
    return {**heavy, "grid": {**heavy["grid"], "net": "case:weak"}}


@pytest.mark.parametrize("check", ["kernel", "messages"])
def test_flexibility_cures_a_forecast_without_a_solution(heavy, check: str) -> None:
    core = core_of("six_node", {**heavy, "grid": {**heavy["grid"], "check": check}}, CYCLES)
    traces = episode(core, by_rules(core, GENEROUS), (0, 1))
    lost = [(t, b) for t in traces for b in (0, 1) if t.stage.asked_wh[b, GRID] and t.plan.before_low_pu[b, GRID] == 0]
    assert len(lost) > 4
    for trace, b in lost:
        assert trace.stage.cause[b, GRID] == UNDER_VOLTAGE
        assert trace.stage.direction[b, GRID] == 1
        assert trace.plan.safe[b, GRID]
        assert trace.plan.after_low_pu[b, GRID] >= 0.8 - 2e-6
        assert trace.plan.ordered_wh[b, GRID].any()
    assert not any(trace.plan.cut_wh.any() for trace in traces)
    assert all(trace.energy.converged.all() for trace in traces)


def test_what_only_the_nodes_can_solve_is_unsafe_and_the_audit_follows(heavy, tmp_path, monkeypatch) -> None:
    """At the nose of the curve the kernel ends at its last round, where nodes that wait for nobody still settle."""
    nodes, kernel = [], []
    exchange, solve = talk.exchange, talk.solve_sites

    def asked(*args):
        found = exchange(*args)
        nodes.append(found.converged)
        return found

    def solved(*args):
        kernel.append(bool(solve(*args)))
        return kernel[-1]

    monkeypatch.setattr(talk, "exchange", asked)
    monkeypatch.setattr(talk, "solve_sites", solved)
    grid = {**heavy["grid"], "net": "case:edge", "check": "messages", "check_delay_ticks": 2}
    path = tmp_path / "day.sqlite"
    core = core_of("six_node", {**heavy, "grid": grid, "ledger": {"mode": "hashes"}}, 52, str(path))
    core.reset(np.array([3], np.uint64))
    contested = []
    for trace in periods(core, by_rules(core, GENEROUS)):
        if any(one and not other for one, other in zip(nodes, kernel, strict=True)):
            contested.append(trace.plan)
        nodes.clear()
        kernel.clear()
    (plan,) = contested
    first = plan.passes[0, GRID, 0]
    assert first[BROKEN] > 0
    assert first[LOW_UPU] == 0
    assert (first[[ROUNDS, MESSAGES, TICKS]] > 0).all()
    assert plan.loops[0, GRID] > 0
    assert audit_file(path, [Market(core.world)]).difference is None


def test_a_dispatch_without_a_solution_adds_rows_and_is_solved_again(weak) -> None:
    """The operator asks for an eighth of what it needs; more is offered."""

    def short(world, state, stage, quotes, mechanisms):
        stage.asked_wh[:, GRID] //= 8
        return promise(world, state, stage, quotes, mechanisms)

    core = core_of("six_node", weak, CYCLES)
    core.promise = short
    traces = episode(core, by_rules(core, GENEROUS))
    lost = [t.plan for t in traces if t.stage.asked_wh[0, GRID] and t.plan.passes[0, GRID, 0, LOW_UPU] == 0]
    assert len(lost) > 2
    for plan in lost:
        first, second = plan.passes[0, GRID, :2]
        assert first[BROKEN] > 0
        assert second[PASS_WH] > first[PASS_WH]
        assert plan.reopened[0, GRID]
        assert plan.safe[0, GRID]
        assert plan.after_low_pu[0, GRID] >= 0.8 - 2e-6
        assert not plan.cut_wh[0].any()


@pytest.fixture
def broken_promises(weak) -> dict:
    """Next to nobody delivers, so that the collapse that the orders averted is lived."""
    return {**weak, "malicious": {"non_delivery": {"count": 5}}}


def test_protection_disconnects_the_far_end_until_there_is_an_operating_point(broken_promises) -> None:
    core = core_of("six_node", broken_promises, CYCLES)
    traces = episode(core, by_rules(core, GENEROUS), (0, 1))
    world, place = core.world, far_ends(core.world)
    assert place.tolist()[0] == 5  # the root's sites stay
    lost = [(t.energy, t.payments, b) for t in traces for b in (0, 1) if not t.energy.converged[b]]
    assert len(lost) > 4
    for energy, payments, b in lost:
        off = energy.voltage_pu[b, world.site_bus] == 0.0
        assert off.any()
        assert not off.all()
        assert place[world.site_bus[off]].max() < place[world.site_bus[~off]].min()
        for flow_wh in (energy.generated_wh, energy.consumed_wh, energy.storage_wh, net_of(energy)):
            assert not flow_wh[b, off].any()
        assert (energy.outage_wh[b, off] > 0).all()  # load that was not served
        assert not energy.outage_wh[b, ~off].any()
        assert energy.flow_wh[b] > -net_of(energy)[b].sum()  # and what still flows loses some
        rows = payments.rows[b, : payments.count[b]]
        paid = rows[rows[:, 0] == OUTAGE]
        assert sorted(paid[:, 3]) == sorted(energy.outage_wh[b, off])
        assert (paid[:, 4] == world.scenario.market.feed_in).all()
    assert not core.state.balance.sum(axis=1).any()
    single = core_of("six_node", broken_promises, CYCLES)
    for one, many in zip(episode(single, by_rules(single, GENEROUS), (1,)), traces, strict=True):
        assert one.energy.voltage_pu[0].tobytes() == many.energy.voltage_pu[1].tobytes()
        assert one.energy.outage_wh[0].tobytes() == many.energy.outage_wh[1].tobytes()


def test_a_site_without_voltage_delivers_nothing_by_being_without(broken_promises) -> None:
    """Its net injection is zero, which is more than a load's baseline: that is the protection's doing, not its own."""
    core = core_of("six_node", broken_promises, CYCLES)
    core.reset(np.zeros(1, np.uint64))
    ordered_wh = verified_wh = shortfalls = 0
    for trace in periods(core, by_rules(core, GENEROUS)):
        events, period = core.state.events, trace.period
        live = (events.start[0] >= 0) & (events.start[0] <= period) & (period < events.start[0] + events.duration[0])
        dark = (trace.energy.voltage_pu[0, core.world.site_bus] == 0.0) & (core.state.malicious[0] >= 0)
        ordered_wh += events.ordered_wh[0][live][:, dark].sum()
        verified_wh += trace.verdict.verified_wh[0][live][:, dark].sum()
        rows = trace.payments.rows[0, : trace.payments.count[0]]
        failed = rows[(rows[:, 0] == USER_SHORTFALL) & np.isin(rows[:, 1], np.flatnonzero(dark))]
        shortfalls += failed[:, 3].sum()
    assert ordered_wh > 20_000
    assert verified_wh < 0.1 * ordered_wh
    assert shortfalls > 0.9 * ordered_wh


def test_one_bus_less_and_there_would_be_no_operating_point(broken_promises, monkeypatch) -> None:
    """What the sites would have done is solved with as many buses off as were, and with one less."""
    seen = []
    honest = envs.core.deliver

    def watch(world, state, quotes, plan, fraction, last):
        whole = honest(world, deepcopy(state), quotes, plan, fraction, last)
        energy = deepcopy(whole)
        if whole.converged[0]:
            return honest(world, state, quotes, plan, fraction, last)
        deliver._live(world, deepcopy(state), quotes, plan, fraction, last, np.zeros((1, world.sites), np.bool_), whole)
        count, limits = int((energy.voltage_pu[0] == 0.0).sum()), limits_of(world)
        row = world.load_var[int(state.day[0]) * world.periods_per_day + state.period]
        solved = []
        for buses in (count - 1, count):
            desk, off = new_desk(limits), far_ends(world)[world.site_bus] < buses
            set_metered(desk, net_of(whole)[0], whole.consumed_wh[0], row, quotes.reactive_ppm[0], off)
            solved.append(bool(solve_sites(limits, desk)))
        seen.append(solved)
        return honest(world, state, quotes, plan, fraction, last)

    monkeypatch.setattr(envs.core, "deliver", watch)
    core = core_of("six_node", broken_promises, CYCLES)
    episode(core, by_rules(core, GENEROUS))
    assert len(seen) > 2
    assert all(solved == [False, True] for solved in seen)


def test_an_outage_is_on_the_ledger_in_the_audit_and_in_the_figures(tmp_path, broken_promises) -> None:
    settings = {
        **broken_promises,
        "ledger": {"mode": "full"},
        "calendar": {**broken_promises["calendar"], "periods": 44},
    }
    path = tmp_path / "day.sqlite"
    core = core_of("six_node", settings, None, str(path))
    traces = episode(core, by_rules(core, GENEROUS))
    lost = [t.period for t in traces if not t.energy.converged[0]]
    assert verify_file(path).sound
    assert audit_file(path, [Market(core.world)]).difference is None
    book = read_daybook(path)
    assert np.flatnonzero(book.outage_wh.any(axis=1)).tolist() == lost
    study = study_in(tmp_path / "study", [core.world.scenario], seeds=(0,))
    values = study.parts[0].values
    assert values["outage_periods"][0] > 0
    assert values["energy_not_served"][0] > 0
    assert values["violated_periods_with"][0] >= values["outage_periods"][0]
    assert "had no operating point" in render_report(study)


@pytest.mark.parametrize("reactive", ["q_of_u", "agent"])
def test_the_twin_does_not_depend_on_what_the_orders_did(heavy, monkeypatch, reactive: str) -> None:
    """Its inverters carry what they would without orders, also where an order put more load off than they can carry."""
    differing = []
    honest = envs.core.deliver

    def watch(world, state, quotes, plan, fraction, last):
        idle = honest(world, deepcopy(state), quotes, plan, np.zeros_like(fraction), last)
        energy = honest(world, state, quotes, plan, fraction, last)
        assert energy.twin_voltage_pu.tobytes() == idle.twin_voltage_pu.tobytes()
        assert energy.natural_consumed_wh.tobytes() == idle.natural_consumed_wh.tobytes()
        put_off_w = (idle.consumed_wh - energy.consumed_wh) / HOURS
        if energy.twin_voltage_pu.all():
            differing.append(((put_off_w > world.inverter_va) & (world.inverter_va > 0.0)).any())
        return energy

    monkeypatch.setattr(envs.core, "deliver", watch)
    core = core_of(
        "six_node", {**heavy, "grid": {"net": "case:laden", "check": "kernel", "reactive": reactive}}, CYCLES
    )
    episode(core, by_rules(core, GENEROUS))
    assert sum(differing) > 2
