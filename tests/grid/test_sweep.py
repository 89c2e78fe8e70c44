"""The sweep by itself: batches, signs, collapse, input checks, sensitivities."""

from __future__ import annotations

import numpy as np
import pytest

from envs.grid.feeder import Feeder, load_feeder
from envs.grid.profiles import load_profiles
from envs.grid.sensitivity import branch_membership, voltage_sensitivity
from envs.grid.single import TOLERANCE_PU, currents_up, voltages_down
from envs.grid.sweep import MAX_ROUNDS, PowerFlow, loading_one, sweep_one
from tests.grid.conftest import CASE33, RURAL, TINY, injections


def random_injections(feeder: Feeder, worlds: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0.0, 6.0, (worlds, feeder.bus_count)), rng.normal(0.0, 2.0, (worlds, feeder.bus_count))


@pytest.mark.parametrize("worlds", [8, 16, 40, 65, 131])  # few and many lanes, full and not, and one left over
def test_a_batch_is_its_worlds_to_the_byte(rural: Feeder, worlds: int) -> None:
    p_kw, q_kvar = random_injections(rural, worlds)
    p_kw[7] = -5000.0  # one world without a solution must not touch its neighbours
    power_flow = PowerFlow(rural)
    batch = power_flow.solve(p_kw, q_kvar)
    assert len(set(batch.rounds.tolist())) > 2
    for world in range(worlds):
        alone = power_flow.solve(p_kw[world], q_kvar[world])
        for together, single in zip(batch, alone, strict=True):
            assert np.asarray(together[world]).tobytes() == np.asarray(single).tobytes()


@pytest.mark.parametrize("name", [TINY, RURAL, CASE33])
def test_the_kernel_of_one_world_and_the_batch_agree_to_the_byte(name: str) -> None:
    feeder = load_feeder(name)
    rng = np.random.default_rng(2)
    factor = np.concatenate([rng.uniform(-1.0, 1.0, 60), [5.0, -5.0, 40.0, 1e6]])
    p_kw = factor[:, None] * rng.normal(0.0, 30.0, (64, feeder.bus_count))
    q_kvar = 0.3 * p_kw
    batch = PowerFlow(feeder).solve(p_kw, q_kvar)
    assert 0 < batch.converged.sum() < 64
    voltage, current = np.empty(feeder.bus_count, complex), np.empty(feeder.bus_count, complex)
    for world in range(64):
        rounds = sweep_one(feeder.sweep_arrays, p_kw[world], q_kvar[world], voltage, current, True)
        assert (abs(rounds), rounds > 0) == (batch.rounds[world], batch.converged[world])
        magnitude_pu = np.sqrt(voltage.real * voltage.real + voltage.imag * voltage.imag)
        assert magnitude_pu.tobytes() == batch.voltage_pu[world].tobytes()
        loading = np.empty(feeder.bus_count)
        loading_one(feeder.sweep_arrays, voltage, current, loading)
        assert loading.tobytes() == batch.loading[world].tobytes()


def test_overload_has_no_solution_and_leaks_nothing(rural: Feeder) -> None:
    for p_kw in (-3000.0, -1e9, 1e9, 1e300):
        flow = PowerFlow(rural).solve(np.full(rural.bus_count, p_kw), np.zeros(rural.bus_count))
        assert not flow.converged
        assert flow.rounds <= MAX_ROUNDS
        assert all(np.isfinite(field).all() for field in flow)
        assert (flow.voltage_pu == 0.0).all()


def test_collapse_is_found_where_newton_finds_it(tiny: Feeder) -> None:
    import pandapower

    from tests.grid.conftest import TINY, pandapower_net

    edge_kw = None
    for p_kw in np.arange(5.0, 120.0, 5.0):
        flow = PowerFlow(tiny).solve(*injections(tiny, np.full(6, p_kw), np.zeros(6), np.zeros(3)))
        if not flow.converged:
            edge_kw = p_kw
            break
    assert edge_kw is not None
    pandapower_net(TINY, np.full(6, edge_kw - 10.0), np.zeros(6), np.zeros(3))
    with pytest.raises(pandapower.LoadflowNotConverged):
        pandapower_net(TINY, np.full(6, edge_kw + 5.0), np.zeros(6), np.zeros(3))


def test_injection_lifts_and_load_lowers_the_voltage(tiny: Feeder) -> None:
    base = PowerFlow(tiny).solve(np.zeros(tiny.bus_count), np.zeros(tiny.bus_count))
    for bus in range(1, tiny.bus_count):
        p_kw = np.zeros(tiny.bus_count)
        p_kw[bus] = 5.0
        lifted = PowerFlow(tiny).solve(p_kw, np.zeros(tiny.bus_count))
        lowered = PowerFlow(tiny).solve(-p_kw, np.zeros(tiny.bus_count))
        assert lifted.voltage_pu[bus] > base.voltage_pu[bus] > lowered.voltage_pu[bus]
        assert lifted.slack_p_kw < base.slack_p_kw < lowered.slack_p_kw


def test_sites_and_losses_are_the_flow_through_the_root(rural: Feeder) -> None:
    p_kw, q_kvar = random_injections(rural, 20)
    flow = PowerFlow(rural).solve(p_kw, q_kvar)
    assert flow.losses_kw == pytest.approx(flow.slack_p_kw + p_kw.sum(axis=1), abs=1e-9)
    assert (flow.losses_kw > 0).all()


def test_warm_start_reaches_the_same_voltages(rural: Feeder) -> None:
    p_kw, q_kvar = random_injections(rural, 2)
    buses = rural.bus_count
    warm, current, flat = np.empty(buses, complex), np.empty(buses, complex), np.empty(buses, complex)
    cold_rounds = sweep_one(rural.sweep_arrays, p_kw[0], q_kvar[0], flat, current, True)
    sweep_one(rural.sweep_arrays, 0.999 * p_kw[0], q_kvar[0], warm, current, True)
    warm_rounds = sweep_one(rural.sweep_arrays, p_kw[0], q_kvar[0], warm, current, False)
    assert 0 < warm_rounds < cold_rounds
    assert np.abs(warm - flat).max() < 1e-9


@pytest.mark.parametrize(
    ("p_kw", "message"),
    [(np.zeros(3), "shape"), (np.zeros((2, 2, 15)), "shape"), (np.full(15, np.nan), "not finite")],
)
def test_bad_injections_are_named(rural: Feeder, p_kw: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PowerFlow(rural).solve(p_kw, np.zeros(15))
    with pytest.raises(ValueError, match="agree"):
        PowerFlow(rural).solve(np.zeros((2, 15)), np.zeros(15))


def test_sensitivity_is_the_finite_difference(rural: Feeder) -> None:
    sensitivity, step_kw = voltage_sensitivity(rural), 0.01
    up, down = np.eye(rural.bus_count) * step_kw, -np.eye(rural.bus_count) * step_kw
    zeros = np.zeros_like(up)
    difference = PowerFlow(rural).solve(up, zeros).voltage_pu - PowerFlow(rural).solve(down, zeros).voltage_pu
    assert pytest.approx(difference / (2 * step_kw), rel=1e-3, abs=1e-10) == sensitivity.T
    assert (sensitivity[1:, 1:] > 0).all()
    assert (sensitivity[0] == 0).all()


def test_membership_is_the_path_to_the_root_and_carries_the_power(rural: Feeder) -> None:
    below = branch_membership(rural)
    for bus in range(rural.bus_count):
        path, at = {bus}, bus
        while at:
            at = int(rural.parent[at])
            path.add(at)
        assert set(np.flatnonzero(below[:, bus]).tolist()) == path
    for branch in range(rural.bus_count):
        members = np.flatnonzero(below[branch])
        assert members.tolist() == list(range(branch, branch + len(members)))  # subtrees are contiguous


def test_planning_band_is_violated_as_often_as_measured(rural: Feeder) -> None:
    profiles = load_profiles(RURAL)
    p_kw = np.zeros((profiles.periods, rural.bus_count))
    q_kvar = np.zeros_like(p_kw)
    for column, bus in enumerate(rural.loads.bus):
        p_kw[:, bus] -= profiles.load_p_w[:, column] / 1000
        q_kvar[:, bus] -= profiles.load_q_var[:, column] / 1000
    for column, bus in enumerate(rural.generators.bus):
        p_kw[:, bus] += profiles.pv_p_w[:, column] / 1000
    flow = PowerFlow(rural).solve(p_kw, q_kvar)
    assert flow.converged.all()
    assert (flow.voltage_pu[:, 1:].max(axis=1) > 1.05).mean() == pytest.approx(0.029, abs=0.001)


@pytest.mark.parametrize("name", [TINY, RURAL, CASE33])
def test_less_than_the_tolerance_is_left_where_the_sweep_stops(name: str) -> None:
    feeder = load_feeder(name)
    arrays = feeder.sweep_arrays
    rng = np.random.default_rng(7)
    voltage, current = np.empty(feeder.bus_count, complex), np.empty(feeder.bus_count, complex)
    most_rounds = 0
    for factor in np.concatenate([rng.uniform(-1.0, 1.0, 40), np.linspace(1.0, 12.0, 40)]):
        p_kw = factor * rng.uniform(-30.0, 10.0, feeder.bus_count)
        q_kvar = 0.3 * p_kw
        rounds = sweep_one(arrays, p_kw, q_kvar, voltage, current, True)
        if rounds < 0:
            continue
        most_rounds = max(most_rounds, rounds)
        stopped = voltage.copy()
        for _ in range(100):  # go on long after it has stopped
            currents_up(arrays, p_kw, q_kvar, voltage, current)
            voltages_down(arrays, voltage, current)
        assert np.abs(voltage - stopped).max() <= TOLERANCE_PU
    assert most_rounds > 8  # slow cases too, where what is left is many times the last step
