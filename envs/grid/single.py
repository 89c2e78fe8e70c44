"""The sweep of one world, for callers inside numba code; the batch of `envs.grid.lanes` gives the same bytes.

Every operation and its order are those of the batch kernel, so that a world's bytes do not depend on which of the two
has solved it; without lanes to fill, plain scalars are two to three times faster.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from envs.grid.feeder import SweepArrays
from envs.grid.loops import loop_change

TOLERANCE_PU = 1e-10  # what may be left of the way to the solution
FAR_PU2 = 1e-12  # a squared step that leaves too much in any case: no root need be drawn
MAX_ROUNDS = 200  # an ordinary case takes 5-10 rounds, one at the edge of collapse about a hundred
COLLAPSE_PU2 = 0.04  # squared voltage below 0.2 pu: far beyond the nose of the curve, no solution is near


@njit(cache=True)
def settled(step_pu2: float, before_pu2: float) -> bool:
    """Whether less than TOLERANCE_PU is left after two rounds with these largest squared steps.

    Steps shrink like a geometric series, so what is left is step^2 / (before - step); twice that must be allowed.
    """
    if step_pu2 > FAR_PU2:
        return False
    step_pu, before_pu = math.sqrt(step_pu2), math.sqrt(before_pu2)
    if step_pu <= 0.01 * TOLERANCE_PU:  # down where rounding decides how steps compare
        return True
    return before_pu < np.inf and 2.0 * step_pu * step_pu <= TOLERANCE_PU * (before_pu - step_pu)


@njit(cache=True)
def no_load(feeder: SweepArrays, voltage: np.ndarray) -> None:
    """The flat start: voltage (buses,) of the idle feeder, charging currents aside."""
    voltage[0] = feeder.slack_voltage_pu
    for bus in range(1, len(voltage)):
        voltage[bus] = feeder.a[bus] * voltage[feeder.parent[bus]]


@njit(cache=True, error_model="numpy")
def currents_up(
    feeder: SweepArrays, p_kw: np.ndarray, q_kvar: np.ndarray, voltage: np.ndarray, current: np.ndarray
) -> bool:
    """Currents (buses,) from the leaves up the tree; False where a bus has lost its voltage."""
    alive = own_currents(feeder, p_kw, q_kvar, voltage, current)
    sum_up(feeder, voltage, current)
    return alive


@njit(cache=True, error_model="numpy")
def own_currents(
    feeder: SweepArrays, p_kw: np.ndarray, q_kvar: np.ndarray, voltage: np.ndarray, current: np.ndarray
) -> bool:
    """What each bus draws itself, (buses,); False where a bus has lost its voltage."""
    buses = len(voltage)
    scale = 1.0 / feeder.base_kva
    alive = True
    for bus in range(buses):
        re, im = voltage[bus].real, voltage[bus].imag
        square = re * re + im * im
        p, q = p_kw[bus] * scale, q_kvar[bus] * scale
        over = 1.0 / square
        j_re, j_im = -(p * re + q * im) * over, -(p * im - q * re) * over
        shunt_re, shunt_im = feeder.shunt[bus].real, feeder.shunt[bus].imag
        if shunt_re != 0.0 or shunt_im != 0.0:
            j_re += shunt_re * re - shunt_im * im
            j_im += shunt_re * im + shunt_im * re
        current[bus] = complex(j_re, j_im)
        alive = alive and square > COLLAPSE_PU2  # NaN counts as lost
    return alive


@njit(cache=True, error_model="numpy")
def sum_up(feeder: SweepArrays, voltage: np.ndarray, current: np.ndarray) -> None:
    """Add to what each bus draws what its children's branches do."""
    for bus in range(len(voltage) - 1, 0, -1):
        parent = feeder.parent[bus]
        y_re, y_im = feeder.y_eq[bus].real, feeder.y_eq[bus].imag
        k_re, k_im = feeder.k[bus].real, feeder.k[bus].imag
        c_re, c_im = current[bus].real, current[bus].imag
        if y_re == 0.0 and y_im == 0.0 and k_re == 1.0 and k_im == 0.0:  # a line without charging
            current[parent] = complex(current[parent].real + c_re, current[parent].imag + c_im)
            continue
        re, im = voltage[parent].real, voltage[parent].imag
        j_re = current[parent].real + ((y_re * re - y_im * im) + (k_re * c_re - k_im * c_im))
        j_im = current[parent].imag + ((y_re * im + y_im * re) + (k_re * c_im + k_im * c_re))
        current[parent] = complex(j_re, j_im)


@njit(cache=True, error_model="numpy")
def voltages_down(feeder: SweepArrays, voltage: np.ndarray, current: np.ndarray) -> float:
    """Voltages (buses,) from the root down; the largest squared step."""
    change = 0.0
    for bus in range(1, len(voltage)):
        parent = feeder.parent[bus]
        a_re, a_im = feeder.a[bus].real, feeder.a[bus].imag
        z_re, z_im = feeder.z[bus].real, feeder.z[bus].imag
        re, im = voltage[parent].real, voltage[parent].imag
        c_re, c_im = current[bus].real, current[bus].imag
        if a_re != 1.0 or a_im != 0.0:  # a transformer or a line with charging
            re, im = a_re * re - a_im * im, a_re * im + a_im * re
        new_re = re - (z_re * c_re - z_im * c_im)
        new_im = im - (z_re * c_im + z_im * c_re)
        step_re, step_im = new_re - voltage[bus].real, new_im - voltage[bus].imag
        square = step_re * step_re + step_im * step_im
        change = square if square > change else change
        voltage[bus] = complex(new_re, new_im)
    return change


@njit(cache=True, error_model="numpy")
def close_loops(feeder: SweepArrays, voltage: np.ndarray, current: np.ndarray) -> float:
    """Loop currents and voltages (buses,) put right for the currents of the round; the largest squared step."""
    buses, count = len(voltage), len(feeder.loop_upper)
    error, step = np.empty(count, np.complex128), np.empty(count, np.complex128)
    for m in range(count):
        branch = buses + m
        expected = feeder.a[branch] * voltage[feeder.loop_upper[m]] - feeder.z[branch] * current[branch]
        error[m] = voltage[feeder.loop_lower[m]] - expected
    for m in range(count):
        step[m] = loop_change(feeder.loop_solve, error, m)
        current[buses + m] += step[m]
    change = 0.0
    for bus in range(1, buses):
        moved = 0.0 + 0.0j
        for m in range(count):
            moved += feeder.loop_rise[bus, m] * step[m]
        voltage[bus] += moved
        square = moved.real * moved.real + moved.imag * moved.imag
        change = square if square > change else change
    return change


@njit(cache=True)
def meshed_up(
    feeder: SweepArrays, p_kw: np.ndarray, q_kvar: np.ndarray, voltage: np.ndarray, current: np.ndarray
) -> bool:
    """`currents_up` with the currents of loops (the last of branches) as they stand."""
    buses = len(voltage)
    alive = own_currents(feeder, p_kw, q_kvar, voltage, current)
    for m in range(len(feeder.loop_upper)):
        upper, branch = feeder.loop_upper[m], buses + m
        current[feeder.loop_lower[m]] -= current[branch]
        current[upper] += feeder.y_eq[branch] * voltage[upper] + feeder.k[branch] * current[branch]
    sum_up(feeder, voltage, current)
    return alive


@njit(cache=True)
def meshed_down(feeder: SweepArrays, voltage: np.ndarray, current: np.ndarray) -> float:
    """The second half of a round: voltages down the tree, then loops; the largest squared step of either."""
    change = voltages_down(feeder, voltage, current)
    if len(feeder.loop_upper) > 0:
        closing = close_loops(feeder, voltage, current)
        change = closing if closing > change else change
    return change


@njit(cache=True)
def sweep_meshed(
    feeder: SweepArrays,
    p_kw: np.ndarray,
    q_kvar: np.ndarray,
    voltage: np.ndarray,
    current: np.ndarray,
    flat_start: bool,
) -> int:
    """`sweep_one` with loops. A function of its own: its scratch arrays would cost a tree half a microsecond."""
    if flat_start:
        no_load(feeder, voltage)
        current[len(voltage) :] = 0.0
    change, before = np.inf, np.inf
    rounds = 0
    while True:
        alive = meshed_up(feeder, p_kw, q_kvar, voltage, current)
        if alive and settled(change, before):
            return rounds
        if not alive or rounds == MAX_ROUNDS:
            voltage[:] = 0.0
            current[:] = 0.0
            return -max(rounds, 1)
        before, change = change, meshed_down(feeder, voltage, current)
        rounds += 1


@njit(cache=True)
def sweep_one(
    feeder: SweepArrays,
    p_kw: np.ndarray,
    q_kvar: np.ndarray,
    voltage: np.ndarray,
    current: np.ndarray,
    flat_start: bool,
) -> int:
    """Solve one world in place, for use inside other numba code.

    p_kw, q_kvar (buses,) net injections, > 0 into the grid. voltage (buses,), current (branches,) complex: the
    solved pu voltages and child-end branch currents; with `flat_start` false, `voltage` and the currents of loops
    are the starting point. Returns the rounds used, or minus that number where there is no solution (both arrays
    are then 0).
    """
    if len(feeder.loop_upper) > 0:
        return sweep_meshed(feeder, p_kw, q_kvar, voltage, current, flat_start)
    if flat_start:
        no_load(feeder, voltage)
    change, before = np.inf, np.inf
    rounds = 0
    while True:
        alive = currents_up(feeder, p_kw, q_kvar, voltage, current)
        if alive and settled(change, before):
            return rounds
        if not alive or rounds == MAX_ROUNDS:
            voltage[:] = 0.0
            current[:] = 0.0
            return -max(rounds, 1)
        before, change = change, voltages_down(feeder, voltage, current)
        rounds += 1
