"""Backward/forward sweep (paper 000 eq. 8-14): currents go up the tree, voltages come down, until both
settle.

Worlds run side by side and each stops by its own test, so a world inside a batch gives exactly the bytes of
that world alone. A world without a solution (voltage collapse) is reported as not converged, with a dead
grid: voltages, currents and powers 0, so that no NaN or infinity leaves this module.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from envs.grid.feeder import Feeder, SweepArrays
from envs.grid.single import COLLAPSE_PU2, MAX_ROUNDS, TOLERANCE_PU, no_load, sweep_one

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

LANES = 32  # worlds side by side: independent arithmetic, so the processor's vector units are filled


class Flow(NamedTuple):
    """A solved power flow; worlds first, or absent when one world was given."""

    voltage_pu: np.ndarray  # (worlds, buses) magnitude
    loading: np.ndarray  # (worlds, branches) fraction of each branch's rating, 0 for the void one of the root
    slack_p_kw: np.ndarray  # (worlds,) power that the upper grid injects at the root, > 0 = import
    losses_kw: np.ndarray  # (worlds,) slack power + all injections
    rounds: np.ndarray  # (worlds,) int64
    converged: np.ndarray  # (worlds,) bool


@njit(cache=True, error_model="numpy")
def _backward(
    feeder: SweepArrays,
    p_kw: np.ndarray,
    q_kvar: np.ndarray,
    v_re: np.ndarray,
    v_im: np.ndarray,
    j_re: np.ndarray,
    j_im: np.ndarray,
    collapsed: np.ndarray,
) -> None:
    """Currents from the leaves up; arrays (buses, lanes), collapsed (lanes,) counts buses without voltage."""
    buses, lanes = v_re.shape
    scale = 1.0 / feeder.base_kva
    collapsed[:] = 0.0
    for bus in range(buses):
        shunt_re, shunt_im = feeder.shunt[bus].real, feeder.shunt[bus].imag
        for lane in range(lanes):
            re, im = v_re[bus, lane], v_im[bus, lane]
            square = re * re + im * im
            p, q = p_kw[bus, lane] * scale, q_kvar[bus, lane] * scale
            # conj(S / V) = conj(S) V / |V|^2: one real division instead of a complex one
            over = 1.0 / square
            j_re[bus, lane] = shunt_re * re - shunt_im * im - (p * re + q * im) * over
            j_im[bus, lane] = shunt_re * im + shunt_im * re - (p * im - q * re) * over
            collapsed[lane] += 0.0 if square > COLLAPSE_PU2 else 1.0  # NaN counts as collapsed
    for bus in range(buses - 1, 0, -1):
        parent = feeder.parent[bus]
        y_re, y_im = feeder.y_eq[bus].real, feeder.y_eq[bus].imag
        k_re, k_im = feeder.k[bus].real, feeder.k[bus].imag
        for lane in range(lanes):
            re, im = v_re[parent, lane], v_im[parent, lane]
            c_re, c_im = j_re[bus, lane], j_im[bus, lane]
            j_re[parent, lane] += (y_re * re - y_im * im) + (k_re * c_re - k_im * c_im)
            j_im[parent, lane] += (y_re * im + y_im * re) + (k_re * c_im + k_im * c_re)


@njit(cache=True, error_model="numpy")
def _forward(
    feeder: SweepArrays,
    v_re: np.ndarray,
    v_im: np.ndarray,
    j_re: np.ndarray,
    j_im: np.ndarray,
    change: np.ndarray,
) -> None:
    """Voltages from the root down; change (lanes,) is the largest squared step."""
    buses, lanes = v_re.shape
    change[:] = 0.0
    for bus in range(1, buses):
        parent = feeder.parent[bus]
        a_re, a_im = feeder.a[bus].real, feeder.a[bus].imag
        z_re, z_im = feeder.z[bus].real, feeder.z[bus].imag
        for lane in range(lanes):
            re, im = v_re[parent, lane], v_im[parent, lane]
            c_re, c_im = j_re[bus, lane], j_im[bus, lane]
            new_re = (a_re * re - a_im * im) - (z_re * c_re - z_im * c_im)
            new_im = (a_re * im + a_im * re) - (z_re * c_im + z_im * c_re)
            step_re, step_im = new_re - v_re[bus, lane], new_im - v_im[bus, lane]
            square = step_re * step_re + step_im * step_im
            change[lane] = square if square > change[lane] else change[lane]
            v_re[bus, lane], v_im[bus, lane] = new_re, new_im


@njit(cache=True, error_model="numpy")
def _sweep_lanes(
    feeder: SweepArrays,
    p_kw: np.ndarray,
    q_kvar: np.ndarray,
    voltage: np.ndarray,
    current: np.ndarray,
    rounds: np.ndarray,
) -> None:
    """Worlds side by side: p_kw, q_kvar (buses, lanes); voltage, current (lanes, buses) start and answer.

    A lane is copied out in the round in which it settles, so what its neighbours still need does not touch
    it; rounds (lanes,) is negative where there is no solution.
    """
    buses, lanes = p_kw.shape
    v_re, v_im = np.empty((buses, lanes)), np.empty((buses, lanes))
    j_re, j_im = np.empty((buses, lanes)), np.empty((buses, lanes))
    change, collapsed = np.full(lanes, np.inf), np.zeros(lanes)
    for lane in range(lanes):
        rounds[lane] = 0
        for bus in range(buses):
            v_re[bus, lane], v_im[bus, lane] = voltage[lane, bus].real, voltage[lane, bus].imag
    running = lanes
    for done in range(MAX_ROUNDS + 1):
        _backward(feeder, p_kw, q_kvar, v_re, v_im, j_re, j_im, collapsed)
        for lane in range(lanes):
            if rounds[lane] != 0:
                continue
            solved = change[lane] <= TOLERANCE_PU * TOLERANCE_PU and collapsed[lane] == 0.0
            if solved or collapsed[lane] > 0.0 or done == MAX_ROUNDS:
                running -= 1
                rounds[lane] = done if solved else -max(done, 1)
                for bus in range(buses):
                    voltage[lane, bus] = complex(v_re[bus, lane], v_im[bus, lane]) if solved else 0.0
                    current[lane, bus] = complex(j_re[bus, lane], j_im[bus, lane]) if solved else 0.0
        if running == 0:
            return
        _forward(feeder, v_re, v_im, j_re, j_im, change)


@njit(cache=True)
def magnitude(value: complex) -> float:
    """|value| without the library's guard against overflow: per-unit values are near 1, and this is three
    times faster.
    """
    return math.sqrt(value.real * value.real + value.imag * value.imag)


@njit(cache=True, error_model="numpy")
def loading_one(feeder: SweepArrays, voltage: np.ndarray, current: np.ndarray, loading: np.ndarray) -> None:
    """Loading (branches,) as a fraction: the worse end of each branch against its rating, as pandapower defines
    it."""
    loading[0] = 0.0
    buses = len(voltage)
    for branch in range(1, len(current)):
        parent = feeder.parent[branch] if branch < buses else feeder.loops.upper[branch - buses]
        upper = feeder.y_eq[branch] * voltage[parent] + feeder.k[branch] * current[branch]
        lower = magnitude(current[branch]) / feeder.rating_child_pu[branch]
        loading[branch] = max(magnitude(upper) / feeder.rating_parent_pu[branch], lower)


@njit(cache=True, error_model="numpy")
def slack_power_kw(feeder: SweepArrays, voltage: np.ndarray, current: np.ndarray) -> float:
    """Active power that the upper grid injects at the root."""
    v, i = voltage[0], current[0]
    return (v.real * i.real + v.imag * i.imag) * feeder.base_kva


@njit(cache=True)
def _measure(
    feeder: SweepArrays,
    p_kw: np.ndarray,
    voltage: np.ndarray,
    current: np.ndarray,
    used: int,
    voltage_pu: np.ndarray,
    loading: np.ndarray,
    slack_p_kw: np.ndarray,
    losses_kw: np.ndarray,
    rounds: np.ndarray,
    converged: np.ndarray,
    world: int,
) -> None:
    """Row `world` of the output arrays from its solved voltages and currents; `used` as `sweep_one` returns it."""
    for bus in range(len(voltage)):
        voltage_pu[world, bus] = magnitude(voltage[bus])
    loading_one(feeder, voltage, current, loading[world])
    slack_p_kw[world] = slack_power_kw(feeder, voltage, current)
    losses_kw[world] = slack_p_kw[world]
    for bus in range(len(voltage)):
        losses_kw[world] += p_kw[bus] if used > 0 else 0.0
    converged[world], rounds[world] = used > 0, abs(used)


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
    start = np.empty(buses, np.complex128)
    no_load(feeder, start)
    if len(feeder.loops.upper) > 0:  # one by one: what is gained by lanes is lost in the loops' small matrices
        single, flowing = np.empty(buses, np.complex128), np.empty(len(feeder.z), np.complex128)
        for world in range(worlds):
            used = sweep_one(feeder, p_kw[world], q_kvar[world], single, flowing, True)
            _measure(
                feeder, p_kw[world], single, flowing, used, voltage_pu, loading, slack_p_kw, losses_kw, rounds,
                converged, world,
            )  # fmt: skip
        return
    for first in range(0, worlds, LANES):
        lanes = min(LANES, worlds - first)
        voltage, current = np.empty((lanes, buses), np.complex128), np.empty((lanes, buses), np.complex128)
        voltage[:] = start
        settled = np.empty(lanes, np.int64)
        _sweep_lanes(
            feeder,
            p_kw[first : first + lanes].T.copy(),
            q_kvar[first : first + lanes].T.copy(),
            voltage,
            current,
            settled,
        )
        for lane in range(lanes):
            _measure(
                feeder, p_kw[first + lane], voltage[lane], current[lane], settled[lane], voltage_pu, loading,
                slack_p_kw, losses_kw, rounds, converged, first + lane,
            )  # fmt: skip


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
