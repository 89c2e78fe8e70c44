"""The sweep of many worlds side by side: arrays (buses, lanes), to fill the processor's vector units.

Operation by operation it is `envs.grid.single`, and every world stops by its own test, so a world's bytes are those of
the world alone. A lane that has ended keeps its voltages, and thereby its currents, while its neighbours go on; lanes
without a world repeat the first one.

The loops over buses read them from an array: of a bus that is counted, LLVM asks whether any row of the array overlaps
that of the parent, finds that some do, and leaves the vector units idle.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from envs.grid.feeder import SweepArrays
from envs.grid.lane_loops import close_loops, loop_currents
from envs.grid.single import COLLAPSE_PU2, MAX_ROUNDS, no_load, settled

MOST_LANES = 64
VECTOR = 16  # lanes come in multiples of it: two of the widest vectors


class Lanes(NamedTuple):
    """Worlds side by side."""

    bus: np.ndarray  # (buses,) int64: 0, 1, 2 ...
    p_pu: np.ndarray  # (buses, lanes)
    q_pu: np.ndarray  # (buses, lanes)
    v_re: np.ndarray  # (buses, lanes)
    v_im: np.ndarray  # (buses, lanes)
    j_re: np.ndarray  # (branches, lanes)
    j_im: np.ndarray  # (branches, lanes)
    closing: np.ndarray  # (4, loops + 1, lanes) scratch of `envs.grid.lane_loops`
    step: np.ndarray  # (lanes,) largest squared step of the round
    before: np.ndarray  # (lanes,) that of the round before
    lost: np.ndarray  # (lanes,) buses without voltage
    running: np.ndarray  # (lanes,) 1 until the lane ends, then 0
    rounds: np.ndarray  # (lanes,) int64: 0 while running, negative where there is no solution


@njit(cache=True)
def new_lanes(feeder: SweepArrays, worlds: int) -> Lanes:
    """Room for so many worlds, or for an even share of them where they are too many to go together."""
    share = -(-worlds // -(-worlds // MOST_LANES))
    lanes = -(-share // VECTOR) * VECTOR
    buses, branches = (len(feeder.parent), lanes), (len(feeder.z), lanes)
    return Lanes(
        np.arange(len(feeder.parent)),
        np.empty(buses), np.empty(buses), np.empty(buses), np.empty(buses), np.empty(branches), np.empty(branches),
        np.empty((4, len(feeder.loop_upper) + 1, lanes)),
        np.empty(lanes), np.empty(lanes), np.empty(lanes), np.empty(lanes), np.empty(lanes, np.int64),
    )  # fmt: skip


@njit(cache=True, error_model="numpy")
def _own_currents(feeder: SweepArrays, lanes: Lanes) -> None:
    """What each bus draws itself."""
    p, q, v_re, v_im, j_re, j_im = lanes.p_pu, lanes.q_pu, lanes.v_re, lanes.v_im, lanes.j_re, lanes.j_im
    lost = lanes.lost
    lost[:] = 0.0
    for bus in range(len(v_re)):
        shunt_re, shunt_im = feeder.shunt[bus].real, feeder.shunt[bus].imag
        for lane in range(v_re.shape[1]):
            re, im = v_re[bus, lane], v_im[bus, lane]
            square = re * re + im * im
            # conj(S / V) = conj(S) V / |V|^2: one real division instead of a complex one
            over = 1.0 / square
            own_re = (p[bus, lane] * re + q[bus, lane] * im) * over
            own_im = (p[bus, lane] * im - q[bus, lane] * re) * over
            j_re[bus, lane] = shunt_re * re - shunt_im * im - own_re
            j_im[bus, lane] = shunt_re * im + shunt_im * re - own_im
            lost[lane] += 0.0 if square > COLLAPSE_PU2 else 1.0  # NaN counts as lost


@njit(cache=True, error_model="numpy")
def _sum_up(feeder: SweepArrays, lanes: Lanes) -> None:
    """Currents from the leaves up."""
    v_re, v_im, j_re, j_im = lanes.v_re, lanes.v_im, lanes.j_re, lanes.j_im
    for at in range(len(v_re) - 1, 0, -1):
        bus = lanes.bus[at]
        parent = feeder.parent[bus]
        y_re, y_im = feeder.y_eq[bus].real, feeder.y_eq[bus].imag
        k_re, k_im = feeder.k[bus].real, feeder.k[bus].imag
        if y_re == 0.0 and y_im == 0.0 and k_re == 1.0 and k_im == 0.0:  # a line without charging
            for lane in range(v_re.shape[1]):
                j_re[parent, lane] += j_re[bus, lane]
                j_im[parent, lane] += j_im[bus, lane]
        else:
            for lane in range(v_re.shape[1]):
                re, im, c_re, c_im = v_re[parent, lane], v_im[parent, lane], j_re[bus, lane], j_im[bus, lane]
                j_re[parent, lane] += (y_re * re - y_im * im) + (k_re * c_re - k_im * c_im)
                j_im[parent, lane] += (y_re * im + y_im * re) + (k_re * c_im + k_im * c_re)


@njit(cache=True, error_model="numpy")
def _voltages_down(feeder: SweepArrays, lanes: Lanes) -> None:
    """Voltages from the root down, where the lane is running."""
    v_re, v_im, j_re, j_im, step, running = (
        lanes.v_re, lanes.v_im, lanes.j_re, lanes.j_im, lanes.step, lanes.running
    )  # fmt: skip
    step[:] = 0.0
    for at in range(1, len(v_re)):
        bus = lanes.bus[at]
        parent = feeder.parent[bus]
        a_re, a_im = feeder.a[bus].real, feeder.a[bus].imag
        z_re, z_im = feeder.z[bus].real, feeder.z[bus].imag
        plain = a_re == 1.0 and a_im == 0.0  # a line without charging
        for lane in range(v_re.shape[1]):
            re, im, c_re, c_im = v_re[parent, lane], v_im[parent, lane], j_re[bus, lane], j_im[bus, lane]
            if not plain:
                re, im = a_re * re - a_im * im, a_re * im + a_im * re
            old_re, old_im = v_re[bus, lane], v_im[bus, lane]
            new_re = re - (z_re * c_re - z_im * c_im)
            new_im = im - (z_re * c_im + z_im * c_re)
            step_re, step_im = new_re - old_re, new_im - old_im
            step[lane] = max(step[lane], step_re * step_re + step_im * step_im)
            v_re[bus, lane] = new_re if running[lane] > 0.0 else old_re
            v_im[bus, lane] = new_im if running[lane] > 0.0 else old_im


@njit(cache=True)
def _stop(lanes: Lanes, done: int) -> int:
    """End the lanes that are through after this round; how many run on."""
    on = 0
    for lane in range(len(lanes.rounds)):
        if lanes.rounds[lane] == 0:
            alive = lanes.lost[lane] == 0.0
            if alive and settled(lanes.step[lane], lanes.before[lane]):
                lanes.rounds[lane] = done
            elif not alive or done == MAX_ROUNDS:
                lanes.rounds[lane] = -max(done, 1)
            lanes.running[lane] = 1.0 if lanes.rounds[lane] == 0 else 0.0
            on += 1 if lanes.rounds[lane] == 0 else 0
    return on


@njit(cache=True)
def _begin(feeder: SweepArrays, p_kw: np.ndarray, q_kvar: np.ndarray, lanes: Lanes) -> None:
    """Injections (worlds, buses) into their lanes, and the flat start."""
    worlds, buses = p_kw.shape
    start = np.empty(buses, np.complex128)
    no_load(feeder, start)
    scale = 1.0 / feeder.base_kva
    for bus in range(buses):
        for lane in range(len(lanes.rounds)):
            world = lane if lane < worlds else 0
            lanes.p_pu[bus, lane], lanes.q_pu[bus, lane] = p_kw[world, bus] * scale, q_kvar[world, bus] * scale
            lanes.v_re[bus, lane], lanes.v_im[bus, lane] = start[bus].real, start[bus].imag
    lanes.j_re[buses:] = 0.0
    lanes.j_im[buses:] = 0.0
    lanes.rounds[:] = 0
    lanes.step[:] = np.inf
    lanes.before[:] = np.inf


@njit(cache=True)
def sweep_lanes(feeder: SweepArrays, p_kw: np.ndarray, q_kvar: np.ndarray, lanes: Lanes) -> None:
    """Solve (worlds, buses) injections, no more worlds than lanes, from a flat start: rounds, and voltages and currents
    where rounds are positive.
    """
    _begin(feeder, p_kw, q_kvar, lanes)
    meshed = len(feeder.loop_upper) > 0
    for done in range(MAX_ROUNDS + 1):
        _own_currents(feeder, lanes)
        if meshed:
            loop_currents(feeder, lanes.v_re, lanes.v_im, lanes.j_re, lanes.j_im)
        _sum_up(feeder, lanes)
        if _stop(lanes, done) == 0:
            return
        lanes.before[:] = lanes.step
        _voltages_down(feeder, lanes)
        if meshed:
            close_loops(
                feeder, lanes.v_re, lanes.v_im, lanes.j_re, lanes.j_im, lanes.closing, lanes.step, lanes.running
            )


@njit(cache=True, error_model="numpy")
def read_lanes(
    feeder: SweepArrays, lanes: Lanes, voltage_pu: np.ndarray, loading: np.ndarray, slack_p_kw: np.ndarray
) -> None:
    """Magnitudes (worlds, buses), loadings (worlds, branches) and the slack's power (worlds,) of the solved lanes, as
    `envs.grid.measure` has them; zeros where there is no solution.
    """
    v_re, v_im, j_re, j_im = lanes.v_re, lanes.v_im, lanes.j_re, lanes.j_im
    worlds, buses = voltage_pu.shape
    size, load = np.empty(v_re.shape[1]), np.zeros(v_re.shape[1])
    for branch in range(len(j_re)):
        if branch < buses:
            for lane in range(len(size)):
                size[lane] = math.sqrt(
                    v_re[branch, lane] * v_re[branch, lane] + v_im[branch, lane] * v_im[branch, lane]
                )
            for world in range(worlds):
                voltage_pu[world, branch] = size[world] if lanes.rounds[world] > 0 else 0.0
        if branch > 0:
            _branch_loading(feeder, branch, v_re, v_im, j_re, j_im, load)
        for world in range(worlds):
            loading[world, branch] = load[world] if lanes.rounds[world] > 0 else 0.0
    for world in range(worlds):
        power_pu = v_re[0, world] * j_re[0, world] + v_im[0, world] * j_im[0, world]
        slack_p_kw[world] = power_pu * feeder.base_kva if lanes.rounds[world] > 0 else 0.0


@njit(cache=True, error_model="numpy")
def _branch_loading(
    feeder: SweepArrays,
    branch: int,
    v_re: np.ndarray,
    v_im: np.ndarray,
    j_re: np.ndarray,
    j_im: np.ndarray,
    load: np.ndarray,
) -> None:
    """Loading (lanes,) of one branch."""
    buses = len(v_re)
    upper = feeder.parent[branch] if branch < buses else feeder.loop_upper[branch - buses]
    y_re, y_im = feeder.y_eq[branch].real, feeder.y_eq[branch].imag
    k_re, k_im = feeder.k[branch].real, feeder.k[branch].imag
    strain_upper, strain_lower = feeder.strain_parent[branch], feeder.strain_child[branch]
    for lane in range(len(load)):
        re, im, c_re, c_im = v_re[upper, lane], v_im[upper, lane], j_re[branch, lane], j_im[branch, lane]
        upper_re = (y_re * re - y_im * im) + (k_re * c_re - k_im * c_im)
        upper_im = (y_re * im + y_im * re) + (k_re * c_im + k_im * c_re)
        upper_strain = (upper_re * upper_re + upper_im * upper_im) * strain_upper
        load[lane] = math.sqrt(max(upper_strain, (c_re * c_re + c_im * c_im) * strain_lower))
