"""How the grid answers to one kW or kvar more at a bus: the coefficients of the dispatch's network rows.

Linearised at no load, where the branches' series impedances decide alone: to first order the change of V_i by
an injection at j is the resistance of the path that both share (LinDistFlow), transformer and taps included; by a
reactive one, the reactance. Loops share both out by their impedances.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.grid.feeder import Feeder, SweepArrays
from envs.grid.loops import Tree, loop_change, respond
from envs.grid.single import no_load


@njit(cache=True)
def _loop_steps(feeder: SweepArrays, rise: np.ndarray, step: np.ndarray) -> None:
    """step (loops,): the loop currents that a change of the tree's voltages, rise (buses,), brings about."""
    buses = len(rise)
    error = np.empty(len(feeder.loop_upper), np.complex128)
    for m in range(len(error)):
        error[m] = rise[feeder.loop_lower[m]] - feeder.a[buses + m] * rise[feeder.loop_upper[m]]
    for m in range(len(error)):
        step[m] = loop_change(feeder.loop_solve, error, m)


@njit(cache=True)
def _idle(feeder: SweepArrays, voltage: np.ndarray, step: np.ndarray) -> None:
    """Voltages (buses,) without load, loops closed."""
    no_load(feeder, voltage)
    _loop_steps(feeder, voltage, step)
    for bus in range(len(voltage)):
        for m in range(len(step)):
            voltage[bus] += feeder.loop_rise[bus, m] * step[m]


@njit(cache=True)
def _linear_sweep(
    feeder: SweepArrays, loop_drawn: np.ndarray, unit: complex, sensitivity: np.ndarray, share: np.ndarray
) -> None:
    """Answers to ``unit`` kVA at each bus: pu of each bus's voltage, kW less that each branch carries down."""
    buses, count = len(feeder.parent), len(feeder.loop_upper)
    voltage, rise = np.empty(buses, np.complex128), np.empty(buses, np.complex128)
    drawn, step = np.empty(buses, np.complex128), np.empty(count, np.complex128)
    tree = Tree(feeder.parent, feeder.a[:buses], feeder.z[:buses], feeder.k[:buses])
    _idle(feeder, voltage, step)
    for source in range(buses):
        drawn[:] = 0.0
        drawn[source] = -unit.conjugate() / (voltage[source].conjugate() * feeder.base_kva)
        respond(tree, drawn, rise)
        _loop_steps(feeder, rise, step)
        sensitivity[0, source] = 0.0
        for bus in range(buses):
            for m in range(count):
                rise[bus] += feeder.loop_rise[bus, m] * step[m]
                drawn[bus] += loop_drawn[bus, m] * step[m]
            v = voltage[bus]
            share[bus, source] = -(v * drawn[bus].conjugate()).real * feeder.base_kva
            if bus > 0:
                sensitivity[bus, source] = (v.real * rise[bus].real + v.imag * rise[bus].imag) / abs(v)
        for m in range(count):
            share[buses + m, source] = -(voltage[feeder.loop_lower[m]] * step[m].conjugate()).real * feeder.base_kva


def voltage_sensitivity(feeder: Feeder) -> np.ndarray:
    """(buses, buses): entry [i, j] is the change of |V_i| in pu for one kW injected at bus j."""
    return _answers(feeder, 1.0 + 0.0j)[0]


def reactive_sensitivity(feeder: Feeder) -> np.ndarray:
    """(buses, buses): entry [i, j] is the change of |V_i| in pu for one kvar injected at bus j."""
    return _answers(feeder, 1.0j)[0]


def branch_share(feeder: Feeder) -> np.ndarray:
    """(branches, buses): by how many kW one kW injected at bus i lowers the power that branch l carries down.

    In a radial net 1 or 0, see `branch_membership`; the branches of a loop share it by their impedances, and where
    the injection feeds the branch's upper end the entry is negative. Row 0 is the connection to the upper grid: 1.
    """
    if feeder.branch_count == feeder.bus_count:
        return branch_membership(feeder).astype(np.float64)
    return _answers(feeder, 1.0 + 0.0j)[1]


def _answers(feeder: Feeder, unit: complex) -> tuple[np.ndarray, np.ndarray]:
    sensitivity = np.empty((feeder.bus_count, feeder.bus_count))
    share = np.empty((feeder.branch_count, feeder.bus_count))
    _linear_sweep(feeder.sweep_arrays, feeder.loops.drawn, unit, sensitivity, share)
    return sensitivity, share


def branch_membership(feeder: Feeder) -> np.ndarray:
    """(buses, buses) bool: entry [l, i] says that bus i lies below (or at the lower end of) bus l's parent
    branch in the tree.

    Row 0 is the connection to the upper grid: every bus.
    """
    count = feeder.bus_count
    below = np.eye(count, dtype=bool)
    for bus in range(count - 1, 0, -1):
        below[feeder.parent[bus]] |= below[bus]
    return below
