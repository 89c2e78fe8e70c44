"""Backward/forward sweep (paper 000 eq. 8-14): currents go up the tree, voltages come down, until both
settle.

The kernels loop over worlds and each world stops by its own test, so a world inside a batch gives exactly the
bytes of that world alone. A world without a solution (voltage collapse) is reported as not converged, with a
dead grid: voltages, currents and powers 0, so that no NaN or infinity leaves this module.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from envs.grid.feeder import Feeder, SweepArrays

TOLERANCE_PU = 1e-10
MAX_ROUNDS = 200  # an ordinary case takes 5-10 rounds, one at the edge of collapse about a hundred
COLLAPSE_PU2 = 0.04  # squared voltage below 0.2 pu: far beyond the nose of the curve, no solution is near


class Flow(NamedTuple):
    """A solved power flow; worlds first, or absent when one world was given."""

    voltage_pu: np.ndarray  # (worlds, buses) magnitude
    loading: np.ndarray  # (worlds, buses) fraction of the rating of each bus's parent branch, 0 at the root
    slack_p_kw: np.ndarray  # (worlds,) power that the upper grid injects at the root, > 0 = import
    losses_kw: np.ndarray  # (worlds,) slack power + all injections
    rounds: np.ndarray  # (worlds,) int64
    converged: np.ndarray  # (worlds,) bool


@njit(cache=True)
def _no_load(feeder: SweepArrays, voltage: np.ndarray) -> None:
    voltage[0] = feeder.slack_voltage_pu
    for bus in range(1, len(voltage)):
        voltage[bus] = feeder.a[bus] * voltage[feeder.parent[bus]]


@njit(cache=True)
def _backward(
    feeder: SweepArrays, p_kw: np.ndarray, q_kvar: np.ndarray, voltage: np.ndarray, current: np.ndarray
) -> bool:
    """Currents from the leaves up; False when a voltage has collapsed."""
    scale = 1.0 / feeder.base_kva
    alive = True
    for bus in range(len(voltage)):
        v = voltage[bus]
        square = v.real * v.real + v.imag * v.imag
        alive = alive and square > COLLAPSE_PU2  # false for NaN too
        p, q = p_kw[bus] * scale, q_kvar[bus] * scale
        # conj(S / V) = conj(S) V / |V|^2, written out: one real division instead of a complex one
        over = 1.0 / square if square > COLLAPSE_PU2 else 0.0
        drawn = complex((p * v.real + q * v.imag) * over, (p * v.imag - q * v.real) * over)
        current[bus] = feeder.shunt[bus] * v - drawn
    for bus in range(len(voltage) - 1, 0, -1):
        parent = feeder.parent[bus]
        current[parent] += feeder.y_eq[bus] * voltage[parent] + feeder.k[bus] * current[bus]
    return alive


@njit(cache=True)
def _forward(feeder: SweepArrays, voltage: np.ndarray, current: np.ndarray) -> float:
    """Voltages from the root down; the largest squared change."""
    largest = 0.0
    for bus in range(1, len(voltage)):
        v = feeder.a[bus] * voltage[feeder.parent[bus]] - feeder.z[bus] * current[bus]
        real, imag = v.real - voltage[bus].real, v.imag - voltage[bus].imag
        change = real * real + imag * imag
        if not change <= largest:  # takes NaN along, so that it cannot pass for convergence
            largest = change
        voltage[bus] = v
    return largest


@njit(cache=True)
def sweep_one(
    feeder: SweepArrays, p_kw: np.ndarray, q_kvar: np.ndarray, voltage: np.ndarray, current: np.ndarray,
    flat_start: bool,
) -> int:
    """Solve one world in place, for use inside other numba code.

    p_kw, q_kvar (buses,) net injections, > 0 into the grid. voltage, current (buses,) complex work arrays:
    the solved pu voltages and child-end branch currents; with `flat_start` false, `voltage` is the starting
    point. Returns the rounds used, or minus that number where there is no solution (both arrays are then 0).
    """
    if flat_start:
        _no_load(feeder, voltage)
    for rounds in range(1, MAX_ROUNDS + 1):
        if not _backward(feeder, p_kw, q_kvar, voltage, current):
            break
        change = _forward(feeder, voltage, current)
        if change <= TOLERANCE_PU * TOLERANCE_PU:
            if _backward(feeder, p_kw, q_kvar, voltage, current):
                return rounds
            break
    voltage[:] = 0.0
    current[:] = 0.0
    return -rounds


@njit(cache=True)
def loading_one(feeder: SweepArrays, voltage: np.ndarray, current: np.ndarray, loading: np.ndarray) -> None:
    """Loading (buses,) as a fraction: the worse end of each branch against its rating, as pandapower defines
    it."""
    loading[0] = 0.0
    for bus in range(1, len(voltage)):
        upper = feeder.y_eq[bus] * voltage[feeder.parent[bus]] + feeder.k[bus] * current[bus]
        lower = abs(current[bus]) / feeder.rating_child_pu[bus]
        loading[bus] = max(abs(upper) / feeder.rating_parent_pu[bus], lower)


@njit(cache=True)
def slack_power_kw(feeder: SweepArrays, voltage: np.ndarray, current: np.ndarray) -> float:
    """Active power that the upper grid injects at the root."""
    v, i = voltage[0], current[0]
    return (v.real * i.real + v.imag * i.imag) * feeder.base_kva


@njit(cache=True)
def sweep_batch(
    feeder: SweepArrays, p_kw: np.ndarray, q_kvar: np.ndarray, voltage_pu: np.ndarray, loading: np.ndarray,
    slack_p_kw: np.ndarray, losses_kw: np.ndarray, rounds: np.ndarray, converged: np.ndarray,
) -> None:
    """Solve (worlds, buses) injections from a flat start into the output arrays, see `Flow`."""
    buses = p_kw.shape[1]
    voltage, current = np.empty(buses, np.complex128), np.empty(buses, np.complex128)
    for world in range(p_kw.shape[0]):
        used = sweep_one(feeder, p_kw[world], q_kvar[world], voltage, current, True)
        rounds[world], converged[world] = abs(used), used > 0
        for bus in range(buses):
            voltage_pu[world, bus] = abs(voltage[bus])
        loading_one(feeder, voltage, current, loading[world])
        slack_p_kw[world] = slack_power_kw(feeder, voltage, current)
        losses = slack_p_kw[world]
        if used > 0:
            for bus in range(buses):
                losses += p_kw[world, bus]
        losses_kw[world] = losses


class PowerFlow:
    """Power flow of one feeder: checks shapes and values, then runs the kernels."""

    def __init__(self, feeder: Feeder) -> None:
        self.feeder = feeder
        self._arrays = feeder.sweep_arrays

    def solve(self, p_kw: Any, q_kvar: Any) -> Flow:
        """Voltages, loadings and losses for injections (worlds, buses) or (buses,), > 0 into the grid.

        Raises ValueError for a wrong shape or an injection that is not finite.
        """
        p, q = self._checked("p_kw", p_kw), self._checked("q_kvar", q_kvar)
        if p.shape != q.shape:
            raise ValueError(f"p_kw has shape {p.shape}, q_kvar {q.shape}; they must agree")
        single = p.ndim == 1
        p, q = np.atleast_2d(p), np.atleast_2d(q)
        worlds = len(p)
        flow = Flow(
            np.empty_like(p), np.empty_like(p), np.empty(worlds), np.empty(worlds),
            np.empty(worlds, np.int64), np.empty(worlds, np.bool_),
        )
        sweep_batch(self._arrays, p, q, *flow)
        return Flow(*(field[0] for field in flow)) if single else flow

    def _checked(self, what: str, values: Any) -> np.ndarray:
        array = np.ascontiguousarray(values, dtype=np.float64)
        if array.ndim not in (1, 2) or array.shape[-1] != self.feeder.bus_count:
            raise ValueError(
                f"{what} has shape {array.shape}; allowed: ({self.feeder.bus_count},) or "
                f"(worlds, {self.feeder.bus_count}) for {self.feeder.name}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"{what} holds a value that is not finite; injections are finite kW and kvar")
        return array
