"""The sweep of many worlds of a tree side by side: arrays (buses, LANES), to fill the processor's vector units.

Operation by operation it is `envs.grid.single`, and every world stops by its own test, so a world's bytes are those of
the world alone. The loops over lanes have a fixed length; lanes without a world repeat one that has.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from envs.grid.feeder import SweepArrays
from envs.grid.single import COLLAPSE_PU2, MAX_ROUNDS, no_load, settled

LANES = 32


class Lanes(NamedTuple):
    """Worlds side by side; (buses, LANES) unless said otherwise."""

    p_pu: np.ndarray
    q_pu: np.ndarray
    v_re: np.ndarray
    v_im: np.ndarray
    j_re: np.ndarray
    j_im: np.ndarray
    solved: np.ndarray  # (4, buses, LANES) v_re, v_im, j_re, j_im as they were when each lane settled
    step: np.ndarray  # (LANES,) largest squared step of the round
    before: np.ndarray  # (LANES,) that of the round before
    lost: np.ndarray  # (LANES,) buses without voltage
    rounds: np.ndarray  # (LANES,) int64: 0 while running, negative where there is no solution


@njit(cache=True)
def new_lanes(buses: int) -> Lanes:
    """Room for LANES worlds."""
    shape = (buses, LANES)
    return Lanes(
        np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape), np.empty(shape),
        np.empty((4, buses, LANES)), np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES, np.int64),
    )  # fmt: skip


@njit(cache=True, error_model="numpy")
def _currents_up(
    feeder: SweepArrays,
    p: np.ndarray,
    q: np.ndarray,
    v_re: np.ndarray,
    v_im: np.ndarray,
    j_re: np.ndarray,
    j_im: np.ndarray,
    lost: np.ndarray,
) -> None:
    """Currents from the leaves up. (Plain arguments: taken out of a tuple here, each array would be counted row by
    row.)
    """
    lost[:] = 0.0
    for bus in range(len(v_re)):
        shunt_re, shunt_im = feeder.shunt[bus].real, feeder.shunt[bus].imag
        vr, vi, jr, ji, pb, qb = v_re[bus], v_im[bus], j_re[bus], j_im[bus], p[bus], q[bus]
        for lane in range(LANES):
            re, im = vr[lane], vi[lane]
            square = re * re + im * im
            # conj(S / V) = conj(S) V / |V|^2: one real division instead of a complex one
            over = 1.0 / square
            jr[lane] = shunt_re * re - shunt_im * im - (pb[lane] * re + qb[lane] * im) * over
            ji[lane] = shunt_re * im + shunt_im * re - (pb[lane] * im - qb[lane] * re) * over
            lost[lane] += 0.0 if square > COLLAPSE_PU2 else 1.0  # NaN counts as lost
    for bus in range(len(v_re) - 1, 0, -1):
        parent = feeder.parent[bus]
        y_re, y_im = feeder.y_eq[bus].real, feeder.y_eq[bus].imag
        k_re, k_im = feeder.k[bus].real, feeder.k[bus].imag
        jr, ji, ur, ui = j_re[bus], j_im[bus], j_re[parent], j_im[parent]
        if y_re == 0.0 and y_im == 0.0 and k_re == 1.0 and k_im == 0.0:  # a line without charging
            for lane in range(LANES):
                ur[lane] += jr[lane]
                ui[lane] += ji[lane]
        else:
            vr, vi = v_re[parent], v_im[parent]
            for lane in range(LANES):
                re, im, c_re, c_im = vr[lane], vi[lane], jr[lane], ji[lane]
                ur[lane] += (y_re * re - y_im * im) + (k_re * c_re - k_im * c_im)
                ui[lane] += (y_re * im + y_im * re) + (k_re * c_im + k_im * c_re)


@njit(cache=True, error_model="numpy")
def _voltages_down(
    feeder: SweepArrays,
    v_re: np.ndarray,
    v_im: np.ndarray,
    j_re: np.ndarray,
    j_im: np.ndarray,
    step: np.ndarray,
) -> None:
    """Voltages from the root down."""
    step[:] = 0.0
    for bus in range(1, len(v_re)):
        parent = feeder.parent[bus]
        a_re, a_im = feeder.a[bus].real, feeder.a[bus].imag
        z_re, z_im = feeder.z[bus].real, feeder.z[bus].imag
        jr, ji, ur, ui, vr, vi = j_re[bus], j_im[bus], v_re[parent], v_im[parent], v_re[bus], v_im[bus]
        plain = a_re == 1.0 and a_im == 0.0  # a line without charging
        for lane in range(LANES):
            re, im, c_re, c_im = ur[lane], ui[lane], jr[lane], ji[lane]
            if not plain:
                re, im = a_re * re - a_im * im, a_re * im + a_im * re
            new_re = re - (z_re * c_re - z_im * c_im)
            new_im = im - (z_re * c_im + z_im * c_re)
            step_re, step_im = new_re - vr[lane], new_im - vi[lane]
            square = step_re * step_re + step_im * step_im
            step[lane] = square if square > step[lane] else step[lane]
            vr[lane] = new_re
            vi[lane] = new_im


@njit(cache=True)
def _keep(lanes: Lanes, done: int) -> int:
    """Set aside the lanes that end in this round, so that what their neighbours still need does not touch them; how
    many run on.
    """
    running, ending = 0, 0
    now, found = np.zeros(LANES, np.bool_), np.zeros(LANES, np.bool_)
    for lane in range(LANES):
        if lanes.rounds[lane] == 0:
            alive = lanes.lost[lane] == 0.0
            found[lane] = alive and settled(lanes.step[lane], lanes.before[lane])
            now[lane] = found[lane] or not alive or done == MAX_ROUNDS
            lanes.rounds[lane] = (done if found[lane] else -max(done, 1)) if now[lane] else 0
            running += 0 if now[lane] else 1
            ending += 1 if now[lane] else 0
    if ending > 0:
        _set_aside(lanes.v_re, now, found, lanes.solved[0])
        _set_aside(lanes.v_im, now, found, lanes.solved[1])
        _set_aside(lanes.j_re, now, found, lanes.solved[2])
        _set_aside(lanes.j_im, now, found, lanes.solved[3])
    return running


@njit(cache=True)
def _set_aside(values: np.ndarray, now: np.ndarray, found: np.ndarray, kept: np.ndarray) -> None:
    """Copy the lanes that end now; zeros where they found nothing."""
    for bus in range(len(values)):
        source, target = values[bus], kept[bus]
        for lane in range(LANES):
            value = source[lane] if found[lane] else 0.0
            target[lane] = value if now[lane] else target[lane]


@njit(cache=True)
def sweep_lanes(feeder: SweepArrays, p_kw: np.ndarray, q_kvar: np.ndarray, lanes: Lanes) -> None:
    """Solve up to LANES worlds (worlds, buses) from a flat start: rounds and solved of ``lanes``."""
    worlds, buses = p_kw.shape
    start = np.empty(buses, np.complex128)
    no_load(feeder, start)
    scale = 1.0 / feeder.base_kva
    for lane in range(LANES):
        world = lane if lane < worlds else 0
        for bus in range(buses):
            lanes.p_pu[bus, lane], lanes.q_pu[bus, lane] = p_kw[world, bus] * scale, q_kvar[world, bus] * scale
    for bus in range(buses):
        lanes.v_re[bus], lanes.v_im[bus] = start[bus].real, start[bus].imag
    p, q, v_re, v_im, j_re, j_im = lanes.p_pu, lanes.q_pu, lanes.v_re, lanes.v_im, lanes.j_re, lanes.j_im
    lanes.rounds[:] = 0
    lanes.step[:] = np.inf
    lanes.before[:] = np.inf
    for done in range(MAX_ROUNDS + 1):
        _currents_up(feeder, p, q, v_re, v_im, j_re, j_im, lanes.lost)
        if _keep(lanes, done) == 0:
            return
        lanes.before[:] = lanes.step
        _voltages_down(feeder, v_re, v_im, j_re, j_im, lanes.step)


@njit(cache=True, error_model="numpy")
def measure_lanes(feeder: SweepArrays, lanes: Lanes, magnitude_pu: np.ndarray, loading: np.ndarray) -> None:
    """Magnitudes and loadings (buses, LANES) of the solved lanes, as `envs.grid.measure` has them."""
    v_re, v_im, j_re, j_im = lanes.solved[0], lanes.solved[1], lanes.solved[2], lanes.solved[3]
    for lane in range(LANES):
        magnitude_pu[0, lane] = math.sqrt(v_re[0, lane] * v_re[0, lane] + v_im[0, lane] * v_im[0, lane])
    loading[0] = 0.0
    for bus in range(1, len(v_re)):
        parent = feeder.parent[bus]
        y_re, y_im = feeder.y_eq[bus].real, feeder.y_eq[bus].imag
        k_re, k_im = feeder.k[bus].real, feeder.k[bus].imag
        rated_upper, rated_lower = feeder.rating_parent_pu[bus], feeder.rating_child_pu[bus]
        vr, vi, ur, ui, jr, ji = v_re[bus], v_im[bus], v_re[parent], v_im[parent], j_re[bus], j_im[bus]
        size, load = magnitude_pu[bus], loading[bus]
        for lane in range(LANES):
            re, im, c_re, c_im = ur[lane], ui[lane], jr[lane], ji[lane]
            upper_re = (y_re * re - y_im * im) + (k_re * c_re - k_im * c_im)
            upper_im = (y_re * im + y_im * re) + (k_re * c_im + k_im * c_re)
            lower = math.sqrt(c_re * c_re + c_im * c_im) / rated_lower
            upper = math.sqrt(upper_re * upper_re + upper_im * upper_im) / rated_upper
            load[lane] = upper if upper > lower else lower
            size[lane] = math.sqrt(vr[lane] * vr[lane] + vi[lane] * vi[lane])
