"""How the grid answers to one kW or kvar more at a bus: the coefficients of the dispatch's network rows.

Linearised at no load, where the branches' series impedances decide alone: to first order the change of V_i by
an injection at j is the resistance of the path that both share (LinDistFlow), transformer and taps included; by a
reactive one, the reactance.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.grid.feeder import Feeder, SweepArrays


@njit(cache=True)
def _linear_sweep(feeder: SweepArrays, unit: complex, sensitivity: np.ndarray) -> None:
    buses = len(feeder.parent)
    voltage, rise = np.empty(buses, np.complex128), np.empty(buses, np.complex128)
    current = np.empty(buses, np.complex128)
    voltage[0] = feeder.slack_voltage_pu
    for bus in range(1, buses):
        voltage[bus] = feeder.a[bus] * voltage[feeder.parent[bus]]
    for source in range(buses):
        current[:] = 0.0
        bus = source
        current[bus] = -unit.conjugate() / (voltage[bus].conjugate() * feeder.base_kva)
        while bus > 0:
            current[feeder.parent[bus]] = feeder.k[bus] * current[bus]
            bus = feeder.parent[bus]
        rise[0] = 0.0
        sensitivity[0, source] = 0.0
        for bus in range(1, buses):
            rise[bus] = feeder.a[bus] * rise[feeder.parent[bus]] - feeder.z[bus] * current[bus]
            v = voltage[bus]
            sensitivity[bus, source] = (v.real * rise[bus].real + v.imag * rise[bus].imag) / abs(v)


def voltage_sensitivity(feeder: Feeder) -> np.ndarray:
    """(buses, buses): entry [i, j] is the change of |V_i| in pu for one kW injected at bus j."""
    return _sensitivity(feeder, 1.0 + 0.0j)


def reactive_sensitivity(feeder: Feeder) -> np.ndarray:
    """(buses, buses): entry [i, j] is the change of |V_i| in pu for one kvar injected at bus j."""
    return _sensitivity(feeder, 1.0j)


def _sensitivity(feeder: Feeder, unit: complex) -> np.ndarray:
    sensitivity = np.empty((feeder.bus_count, feeder.bus_count))
    _linear_sweep(feeder.sweep_arrays, unit, sensitivity)
    return sensitivity


def branch_membership(feeder: Feeder) -> np.ndarray:
    """(buses, buses) bool: entry [l, i] says that bus i lies below (or at the lower end of) bus l's parent
    branch.

    One kW injected at i lowers the power that branch l carries down by about one kW wherever the entry is
    true. Row 0 is the connection to the upper grid: every bus.
    """
    count = feeder.bus_count
    below = np.eye(count, dtype=bool)
    for bus in range(count - 1, 0, -1):
        below[feeder.parent[bus]] |= below[bus]
    return below
