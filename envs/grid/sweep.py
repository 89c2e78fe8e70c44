"""Backward/forward sweep (paper 000 eq. 8-14): currents go up the tree, voltages come down, until both
settle.

Worlds run side by side and each stops by its own test, so a world inside a batch gives exactly the bytes of
that world alone. A world without a solution (voltage collapse) is reported as not converged, with a dead
grid: voltages, currents and powers 0, so that no NaN or infinity leaves this module.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from envs.grid.feeder import Feeder, SweepArrays
from envs.grid.lanes import new_lanes, read_lanes, sweep_lanes
from envs.grid.measure import loading_one, magnitude, slack_power_kw
from envs.grid.single import COLLAPSE_PU2, MAX_ROUNDS, TOLERANCE_PU, sweep_one

__all__ = [
    "COLLAPSE_PU2",
    "MAX_ROUNDS",
    "TOLERANCE_PU",
    "Flow",
    "PowerFlow",
    "loading_one",
    "magnitude",
    "slack_power_kw",
    "sweep_batch",
    "sweep_one",
]

FEWEST = 8  # worlds that are worth the lanes


class Flow(NamedTuple):
    """A solved power flow; worlds first, or absent when one world was given."""

    voltage_pu: np.ndarray  # (worlds, buses) magnitude
    loading: np.ndarray  # (worlds, branches) fraction of each branch's rating, 0 for the void one of the root
    slack_p_kw: np.ndarray  # (worlds,) power that the upper grid injects at the root, > 0 = import
    losses_kw: np.ndarray  # (worlds,) slack power + all injections
    rounds: np.ndarray  # (worlds,) int64
    converged: np.ndarray  # (worlds,) bool


@njit(cache=True)
def sweep_batch(
    feeder: SweepArrays,
    p_kw: np.ndarray,
    q_kvar: np.ndarray,
    voltage_pu: np.ndarray,
    loading: np.ndarray,
    slack_p_kw: np.ndarray,
    losses_kw: np.ndarray,
    rounds: np.ndarray,
    converged: np.ndarray,
) -> None:
    """Solve (worlds, buses) injections from a flat start into the output arrays, see `Flow`."""
    worlds, buses = p_kw.shape
    voltage, current = np.empty(buses, np.complex128), np.empty(len(feeder.z), np.complex128)
    lanes = new_lanes(feeder, worlds)
    first = 0
    while first < worlds:
        last = min(first + len(lanes.rounds), worlds)
        if last - first >= FEWEST:
            sweep_lanes(feeder, p_kw[first:last], q_kvar[first:last], lanes)
            read_lanes(feeder, lanes, voltage_pu[first:last], loading[first:last], slack_p_kw[first:last])
            rounds[first:last] = lanes.rounds[: last - first]
        else:
            for world in range(first, last):
                rounds[world] = sweep_one(feeder, p_kw[world], q_kvar[world], voltage, current, True)
                for bus in range(buses):
                    voltage_pu[world, bus] = magnitude(voltage[bus])
                loading_one(feeder, voltage, current, loading[world])
                slack_p_kw[world] = slack_power_kw(feeder, voltage, current)
        first = last
    for world in range(worlds):
        converged[world], rounds[world] = rounds[world] > 0, abs(rounds[world])
        losses_kw[world] = slack_p_kw[world]
        for bus in range(buses):
            losses_kw[world] += p_kw[world, bus] if converged[world] else 0.0


class PowerFlow:
    """Power flow of one feeder: checks shapes and values, then runs the kernels."""

    def __init__(self, feeder: Feeder) -> None:
        self.feeder = feeder
        self._arrays = feeder.sweep_arrays

    def solve(self, p_kw: Any, q_kvar: Any) -> Flow:
        """Voltages, loadings and losses for injections (worlds, buses) or (buses,), > 0 into the grid.

        Raises ValueError for a wrong shape or an injection that is not finite.
        """
        p, q = self.checked("p_kw", p_kw), self.checked("q_kvar", q_kvar)
        if p.shape != q.shape:
            raise ValueError(f"p_kw has shape {p.shape}, q_kvar {q.shape}; they must agree")
        single = p.ndim == 1
        p, q = np.atleast_2d(p), np.atleast_2d(q)
        worlds = len(p)
        flow = Flow(
            np.empty_like(p),
            np.empty((worlds, self.feeder.branch_count)),
            np.empty(worlds),
            np.empty(worlds),
            np.empty(worlds, np.int64),
            np.empty(worlds, np.bool_),
        )
        sweep_batch(self._arrays, p, q, *flow)
        return Flow(*(field[0] for field in flow)) if single else flow

    def checked(self, what: str, values: Any) -> np.ndarray:
        """Injections as contiguous floats. Raises ValueError for a wrong shape or one that is not finite."""
        array = np.ascontiguousarray(values, dtype=np.float64)
        if array.ndim not in (1, 2) or array.shape[-1] != self.feeder.bus_count:
            raise ValueError(
                f"{what} has shape {array.shape}; allowed: ({self.feeder.bus_count},) or "
                f"(worlds, {self.feeder.bus_count}) for {self.feeder.name}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"{what} holds a value that is not finite; injections are finite kW and kvar")
        return array
