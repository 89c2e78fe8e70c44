"""Nets with loops: the compensated sweep against pandapower and Newton's method, sensitivities, a day on a ring."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from envs.audit import executors
from envs.grid.convert import feeder_arrays
from envs.grid.feeder import Feeder, _feeder, load_feeder
from envs.grid.messages import exchange
from envs.grid.newton import NewtonFlow, load_mesh
from envs.grid.routing import routes_of
from envs.grid.sensitivity import branch_share, reactive_sensitivity, voltage_sensitivity
from envs.grid.single import sweep_one
from envs.grid.sources import build_net, find_source
from envs.grid.sweep import PowerFlow
from envs.types import GRID, OVERLOAD
from ledger.audit import audit_file
from ledger.verify import verify_file
from tests.envs.play import OFF, by_rules, core_of, episode
from tests.grid.conftest import RURAL, assert_agrees
from tests.grid.test_newton import RING, nominal, solved_by_pandapower

VILLAGE = "case:ring"
TIES = "case:ties33"


@pytest.fixture(scope="module")
def village() -> Feeder:
    return load_feeder(VILLAGE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "switched.py").write_text(RING)
    return tmp_path


@pytest.mark.parametrize(("name", "loops"), [(VILLAGE, 2), (TIES, 5), ("case:switched", 4)])
def test_nets_with_loops_agree_with_pandapower_and_with_newton(folder: Path, name: str, loops: int) -> None:
    feeder, mesh = load_feeder(name, [folder]), load_mesh(name, [folder])
    assert feeder.branch_count - feeder.bus_count == loops == mesh.loops
    net = solved_by_pandapower(build_net(find_source(name, [folder])))
    assert_agrees(feeder, PowerFlow(feeder).solve(*nominal(feeder)), net, kw=1e-4)
    for factor in (-0.5, 0.3, 2.0):
        swept = PowerFlow(feeder).solve(*(factor * power for power in nominal(feeder)))
        newton = NewtonFlow(mesh).solve(*(factor * power for power in nominal(mesh)))
        for index in mesh.pandapower_bus:
            apart_pu = swept.voltage_pu[feeder.bus_of(index)] - newton.voltage_pu[mesh.bus_of(index)]
            assert abs(apart_pu) < 1e-8
        by_name = dict(zip(feeder.branch_name.tolist(), swept.loading.tolist(), strict=True))
        for branch, loading in zip(mesh.branch_name.tolist(), newton.loading.tolist(), strict=True):
            assert by_name[branch] == pytest.approx(loading, abs=1e-7)


def test_a_simbench_net_with_all_its_rings_closed_agrees_with_pandapower() -> None:
    net = build_net(find_source("simbench:1-MV-rural--0-no_sw"))
    two_transformers = feeder_arrays(net, "as it is")
    assert len(two_transformers["loop_upper"]) == 1  # the second one is parallel to the first
    net.switch["closed"] = True
    feeder = _feeder("closed", feeder_arrays(net, "closed"))
    assert feeder.branch_count - feeder.bus_count == 7
    assert_agrees(feeder, PowerFlow(feeder).solve(*nominal(feeder)), solved_by_pandapower(net), kw=1e-4)


def test_a_batch_is_its_worlds_to_the_byte_and_collapse_leaks_nothing(village: Feeder) -> None:
    rng = np.random.default_rng(3)
    p_kw = rng.normal(0.0, 12.0, (40, village.bus_count))
    q_kvar = 0.3 * p_kw
    p_kw[7], p_kw[21] = -5000.0, 1e300
    power_flow = PowerFlow(village)
    batch = power_flow.solve(p_kw, q_kvar)
    assert batch.converged.sum() == 38
    assert all(np.isfinite(field).all() for field in batch)
    assert not batch.voltage_pu[[7, 21]].any()
    voltage, current = np.empty(village.bus_count, complex), np.empty(village.branch_count, complex)
    for world in range(40):
        for together, single in zip(batch, power_flow.solve(p_kw[world], q_kvar[world]), strict=True):
            assert np.asarray(together[world]).tobytes() == np.asarray(single).tobytes()
        rounds = sweep_one(village.sweep_arrays, p_kw[world], q_kvar[world], voltage, current, True)
        assert (abs(rounds), rounds > 0) == (batch.rounds[world], batch.converged[world])


@pytest.mark.parametrize("worlds", [8, 17, 64, 70])
def test_loops_side_by_side_are_those_of_the_world_alone(worlds: int) -> None:
    feeder = load_feeder(TIES)
    p_kw = np.random.default_rng(worlds).normal(0.0, 150.0, (worlds, feeder.bus_count))
    batch = PowerFlow(feeder).solve(p_kw, 0.3 * p_kw)
    assert len(set(batch.rounds.tolist())) > 1
    for world in range(worlds):
        for together, single in zip(batch, PowerFlow(feeder).solve(p_kw[world], 0.3 * p_kw[world]), strict=True):
            assert np.asarray(together[world]).tobytes() == np.asarray(single).tobytes()


def test_loops_are_solved_where_the_tree_alone_has_no_solution(village: Feeder) -> None:
    """The load is too much for the tree's paths; the compensated sweep and Newton still agree on it."""
    buses = village.bus_count
    p_kw = np.where(np.arange(buses) > 1, -60.0, 0.0)
    tree = village.sweep_arrays._replace(loop_upper=np.empty(0, int), loop_lower=np.empty(0, int))
    voltage, current = np.empty(buses, complex), np.empty(buses, complex)
    assert sweep_one(tree, p_kw, np.zeros(buses), voltage, current, True) < 0
    flow, mesh = PowerFlow(village).solve(p_kw, np.zeros(buses)), load_mesh(VILLAGE)
    assert flow.converged
    at_mesh = np.zeros(buses)
    for index in mesh.pandapower_bus:
        at_mesh[mesh.bus_of(index)] = p_kw[village.bus_of(index)]
    newton = NewtonFlow(mesh).solve(at_mesh, np.zeros(buses))
    for index in mesh.pandapower_bus:
        assert flow.voltage_pu[village.bus_of(index)] == pytest.approx(newton.voltage_pu[mesh.bus_of(index)], abs=1e-8)


def test_sensitivities_are_finite_differences(village: Feeder) -> None:
    buses, step_kw, zeros = village.bus_count, 0.01, np.zeros((village.bus_count, village.bus_count))
    up, down = np.eye(buses) * step_kw, -np.eye(buses) * step_kw
    solve = PowerFlow(village).solve
    by_p = (solve(up, zeros).voltage_pu - solve(down, zeros).voltage_pu) / (2 * step_kw)
    by_q = (solve(zeros, up).voltage_pu - solve(zeros, down).voltage_pu) / (2 * step_kw)
    assert voltage_sensitivity(village) == pytest.approx(by_p.T, rel=2e-3, abs=1e-9)
    assert reactive_sensitivity(village) == pytest.approx(by_q.T, rel=2e-3, abs=1e-9)


def test_shares_are_what_an_injection_takes_off_each_branch(village: Feeder) -> None:
    share = branch_share(village)
    voltage, current = np.empty(village.bus_count, complex), np.empty(village.branch_count, complex)
    lower = village.ends[:, 1]

    def carried_kw(bus: int, p_kw: float) -> np.ndarray:
        injected = np.zeros(village.bus_count)
        injected[bus] = p_kw
        sweep_one(village.sweep_arrays, injected, np.zeros(village.bus_count), voltage, current, True)
        return np.asarray((voltage[lower] * current.conj()).real * village.base_kva)

    for bus in range(village.bus_count):
        taken = (carried_kw(bus, -0.05) - carried_kw(bus, 0.05)) / 0.1
        assert share[1:, bus] == pytest.approx(taken[1:], abs=3e-3)
    assert (share < -0.1).any()  # a site may feed a loop's branch from its upper end
    assert ((share > 0.1) & (share < 0.9)).any()


def test_paths_of_trades_follow_the_tree_of_shortest_electrical_paths(village: Feeder) -> None:
    routes = routes_of(village)
    distance_pu = np.full((village.bus_count, village.bus_count), np.inf)
    np.fill_diagonal(distance_pu, 0.0)
    for (upper, lower), z in zip(village.ends[1:].tolist(), np.abs(village.z[1:]).tolist(), strict=True):
        distance_pu[upper, lower] = distance_pu[lower, upper] = min(distance_pu[upper, lower], z)
    for middle in range(village.bus_count):  # Floyd and Warshall, loops included
        distance_pu = np.minimum(distance_pu, distance_pu[:, middle, None] + distance_pu[None, middle])
    assert routes.distance_pu[0] == pytest.approx(distance_pu[0])


def test_neighbours_refuse_to_settle_a_loop_by_messages(village: Feeder) -> None:
    with pytest.raises(ValueError, match="case:ring has loops"):
        exchange(village, np.zeros(village.bus_count), np.zeros(village.bus_count))


def test_loops_without_impedance_are_refused(village: Feeder) -> None:
    broken = replace(village, name="shorted", z=np.zeros_like(village.z))
    with pytest.raises(ValueError, match="shorted has loops without impedance"):
        _ = broken.sweep_arrays


def test_a_day_on_the_ring_is_settled_and_audited(tmp_path: Path) -> None:
    path = tmp_path / "ring.sqlite"
    core = core_of("ring", path=str(path))
    traces = episode(core, by_rules(core), (0,))
    assert all(trace.energy.converged.all() for trace in traces)
    assert sum(int(trace.plan.ordered_wh[0, GRID].sum() > 0) for trace in traces) > 3
    twin_pu = max(float(trace.energy.twin_voltage_pu.max()) for trace in traces)
    assert max(float(trace.energy.voltage_pu.max()) for trace in traces) < twin_pu - 0.005
    for trace in traces:
        net_wh = trace.energy.generated_wh - trace.energy.consumed_wh + trace.energy.storage_wh
        assert trace.energy.flow_wh + net_wh.sum(axis=1) == trace.energy.technical_loss_wh
        assert trace.energy.technical_loss_wh >= 0
        assert trace.payments.change.sum() == 0
    assert verify_file(path).sound
    report = audit_file(path, [executors("ring", [])])
    assert report.difference is None, str(report.difference)


@pytest.mark.parametrize("reactive", ["none", "q_of_u"])
def test_an_overloaded_branch_of_a_loop_is_relieved(reactive: str) -> None:
    grid = {"band_high_pu": 1.3, "loading_limit": 0.25, "reactive": reactive}
    core = core_of("ring", {**OFF, "grid": grid}, cycles=60)
    traces = episode(core, by_rules(core), (0, 1))
    causes = np.stack([trace.stage.cause[:, GRID] for trace in traces])
    assert (causes == OVERLOAD).sum() > 5
    assert set(np.unique(causes)) <= {0, OVERLOAD}
    excess = [
        np.maximum(getattr(t.energy, side) - 0.25, 0).sum() for t in traces for side in ("twin_loading", "loading")
    ]
    assert sum(excess[1::2]) < 0.3 * sum(excess[::2])


def test_a_world_in_a_batch_on_the_ring_is_that_world_alone() -> None:
    batch = core_of("ring", cycles=44)
    episode(batch, by_rules(batch), (5, 6))
    for b in range(2):
        alone = core_of("ring", cycles=44)
        episode(alone, by_rules(alone), (5 + b,))
        assert alone.recorder.heads[0] == batch.recorder.heads[b]


def test_what_closes_a_loop_is_drawn_once() -> None:
    feeder = load_feeder(RURAL)
    assert feeder.ends[1:, 0].tolist() == feeder.parent[1:].tolist()
    assert len(feeder.ends) == feeder.bus_count == feeder.branch_count
