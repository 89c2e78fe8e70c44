"""How long power flows take, beside the tools that do the same, measured in one run.

`run()` returns dicts of name, value and unit; `python -m benchmarks grid` prints them. Each figure is the best of
several repetitions in processor time: the machine's own share, not that of its neighbours. Times are for one world,
whatever the batch; every time has its rate, the worlds solved per second, beside it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.pgm import batch_solver
from benchmarks.timing import Row, best_us, timed
from envs.grid.feeder import Feeder, load_feeder
from envs.grid.messages import exchange
from envs.grid.newton import NewtonFlow, load_mesh
from envs.grid.sources import build_net, find_source
from envs.grid.sweep import PowerFlow, sweep_one

FEEDERS = (
    "case:six_node",
    "simbench:1-LV-rural1--2-sw",
    "pandapower:case33bw",
    "pandapower:create_kerber_dorfnetz",
)
MESHED = ("case:ring", "case:ties33")
BATCHES = (1, 64, 1024)


def run() -> list[Row]:
    """All figures of the grid."""
    return [*_power_flow_rows(), *_message_rows()]


def _power_flow_rows() -> Iterator[Row]:
    for name in (*FEEDERS, *MESHED):
        feeder = load_feeder(name)
        label = f"{name} ({feeder.bus_count} buses)"
        p_kw, q_kvar = np.zeros(feeder.bus_count), np.zeros(feeder.bus_count)
        np.add.at(p_kw, feeder.loads.bus, -0.5 * feeder.loads.p_kw)
        np.add.at(q_kvar, feeder.loads.bus, -0.5 * feeder.loads.q_kvar)
        yield from timed(f"sweep kernel, one world, {label}", _kernel_us(feeder, p_kw, q_kvar))
        power_flow = PowerFlow(feeder)
        for worlds in BATCHES:
            # every world a little different, so that they do not stop together
            factor = np.linspace(0.5, 1.0, worlds)[:, None]
            spent = best_us(partial(power_flow.solve, p_kw * factor, q_kvar * factor))
            yield from timed(f"PowerFlow, batch of {worlds}, {label}", spent / worlds)
        yield from _reference_rows(name, label)
        yield from _pgm_rows(name, label)


def _kernel_us(feeder: Feeder, p_kw: np.ndarray, q_kvar: np.ndarray) -> float:
    """One world without Python's overhead: many solutions inside one compiled loop."""
    from numba import njit

    @njit
    def many(arrays: Any, p: np.ndarray, q: np.ndarray, voltage: np.ndarray, current: np.ndarray) -> int:
        total = 0
        for _ in range(200):
            total += sweep_one(arrays, p, q, voltage, current, True)
        return total

    voltage, current = np.empty(feeder.bus_count, complex), np.empty(feeder.branch_count, complex)
    return best_us(partial(many, feeder.sweep_arrays, p_kw, q_kvar, voltage, current)) / 200


def _reference_rows(name: str, label: str) -> Iterator[Row]:
    """pandapower as users call it, and lightsim2grid's own Newton solver without pandapower around it."""
    import pandapower
    from lightsim2grid.network import init_from_pandapower

    net = build_net(find_source(name))
    net.load["scaling"] = 0.5
    net.trafo["shift_degree"] = 0.0  # a flat start is 150 degrees off otherwise; magnitudes stay the same
    for table in ("load", "sgen", "storage"):  # SimBench leaves untyped blanks; lightsim2grid wants numbers
        for limit in ("min_p_mw", "max_p_mw", "min_q_mvar", "max_q_mvar"):
            net[table][limit] = np.nan
    yield from timed(f"pandapower.runpp, {label}", best_us(partial(pandapower.runpp, net)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about columns that the net leaves empty
        model = init_from_pandapower(net)
    start = np.ones(model.total_bus(), complex)
    solution = model.ac_pf(start, 20, 1e-8)
    if solution.shape == (0,):
        raise RuntimeError(f"lightsim2grid does not solve {name}")
    spent = best_us(partial(model.ac_pf, start, 20, 1e-8))
    yield from timed(f"lightsim2grid ac_pf, {label}", spent)


def _pgm_rows(name: str, label: str) -> Iterator[Row]:
    """power-grid-model on the worlds of the sweep's rows, after a check that it finds the same voltages."""
    mesh = load_mesh(name)
    p_kw, q_kvar = np.zeros(mesh.bus_count), np.zeros(mesh.bus_count)
    np.add.at(p_kw, mesh.loads.bus, -0.5 * mesh.loads.p_kw)
    np.add.at(q_kvar, mesh.loads.bus, -0.5 * mesh.loads.q_kvar)
    for worlds in BATCHES:
        factor = np.linspace(0.5, 1.0, worlds)[:, None]
        solve = batch_solver(mesh, p_kw * factor, q_kvar * factor)
        apart_pu = float(np.abs(solve() - NewtonFlow(mesh).solve(p_kw * factor, q_kvar * factor).voltage_pu).max())
        if apart_pu > 1e-7:
            raise RuntimeError(f"power-grid-model and Newton's method are {apart_pu} pu apart on {name}")
        yield from timed(f"power-grid-model, batch of {worlds}, {label}", best_us(solve) / worlds)


def _message_rows() -> Iterator[Row]:
    """What the distributed check costs in talk: at nominal load, in rounds and with random delays."""
    for name in FEEDERS:
        feeder = load_feeder(name)
        p_kw, q_kvar = np.zeros(feeder.bus_count), np.zeros(feeder.bus_count)
        np.add.at(p_kw, feeder.loads.bus, -feeder.loads.p_kw)
        np.add.at(q_kvar, feeder.loads.bus, -feeder.loads.q_kvar)
        for delay_ticks in (0, 5):
            way = f"delays of 1-{delay_ticks} ticks" if delay_ticks else "in rounds"
            talk = exchange(feeder, p_kw, q_kvar, delay_ticks)
            yield Row(name=f"distributed check {way}, {name}: messages", value=talk.messages, unit="")
            yield Row(name=f"distributed check {way}, {name}: time", value=talk.ticks, unit="ticks")
