"""Loops of worlds side by side: what `envs.grid.single` does for one world, operation by operation."""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.grid.feeder import SweepArrays


@njit(cache=True, error_model="numpy")
def loop_currents(feeder: SweepArrays, v_re: np.ndarray, v_im: np.ndarray, j_re: np.ndarray, j_im: np.ndarray) -> None:
    """Currents of the loops (the last of branches) as they stand, added to what their ends draw; (buses, lanes)."""
    for m in range(len(feeder.loop_upper)):
        upper, lower, branch = feeder.loop_upper[m], feeder.loop_lower[m], len(v_re) + m
        y_re, y_im = feeder.y_eq[branch].real, feeder.y_eq[branch].imag
        k_re, k_im = feeder.k[branch].real, feeder.k[branch].imag
        for lane in range(v_re.shape[1]):
            j_re[lower, lane] -= j_re[branch, lane]
            j_im[lower, lane] -= j_im[branch, lane]
        for lane in range(v_re.shape[1]):
            re, im, c_re, c_im = v_re[upper, lane], v_im[upper, lane], j_re[branch, lane], j_im[branch, lane]
            j_re[upper, lane] += (y_re * re - y_im * im) + (k_re * c_re - k_im * c_im)
            j_im[upper, lane] += (y_re * im + y_im * re) + (k_re * c_im + k_im * c_re)


@njit(cache=True, error_model="numpy")
def close_loops(
    feeder: SweepArrays,
    v_re: np.ndarray,
    v_im: np.ndarray,
    j_re: np.ndarray,
    j_im: np.ndarray,
    closing: np.ndarray,
    step: np.ndarray,
    running: np.ndarray,
) -> None:
    """Loop currents and voltages put right for the currents of the round, where the lane is running.

    closing (4, loops + 1, lanes) is scratch; step (lanes,) rises to the largest squared step.
    """
    buses, loops = len(v_re), len(feeder.loop_upper)
    for m in range(loops):
        upper, lower, branch = feeder.loop_upper[m], feeder.loop_lower[m], buses + m
        a_re, a_im = feeder.a[branch].real, feeder.a[branch].imag
        z_re, z_im = feeder.z[branch].real, feeder.z[branch].imag
        for lane in range(len(step)):
            re, im, c_re, c_im = v_re[upper, lane], v_im[upper, lane], j_re[branch, lane], j_im[branch, lane]
            expected_re = (a_re * re - a_im * im) - (z_re * c_re - z_im * c_im)
            expected_im = (a_re * im + a_im * re) - (z_re * c_im + z_im * c_re)
            closing[0, m, lane] = v_re[lower, lane] - expected_re
            closing[1, m, lane] = v_im[lower, lane] - expected_im
    for m in range(loops):
        closing[2:, loops] = 0.0
        for j in range(loops):
            _add_product(closing, 0, j, feeder.loop_solve[m, j])
        for lane in range(len(step)):
            closing[2, m, lane], closing[3, m, lane] = -closing[2, loops, lane], -closing[3, loops, lane]
            if running[lane] > 0.0:
                j_re[buses + m, lane] += closing[2, m, lane]
                j_im[buses + m, lane] += closing[3, m, lane]
    for bus in range(1, buses):
        closing[2:, loops] = 0.0
        for m in range(loops):
            _add_product(closing, 2, m, feeder.loop_rise[bus, m])
        for lane in range(len(step)):
            moved_re, moved_im = closing[2, loops, lane], closing[3, loops, lane]
            step[lane] = max(step[lane], moved_re * moved_re + moved_im * moved_im)
            v_re[bus, lane] = v_re[bus, lane] + moved_re if running[lane] > 0.0 else v_re[bus, lane]
            v_im[bus, lane] = v_im[bus, lane] + moved_im if running[lane] > 0.0 else v_im[bus, lane]


@njit(cache=True, error_model="numpy")
def _add_product(closing: np.ndarray, part: int, row: int, factor: complex) -> None:
    """Add factor times a row (real parts in closing[part], imaginary ones in the next) to the sum in the last rows."""
    f_re, f_im, last = factor.real, factor.imag, closing.shape[1] - 1
    for lane in range(closing.shape[2]):
        re, im = closing[part, row, lane], closing[part + 1, row, lane]
        closing[2, last, lane] += f_re * re - f_im * im
        closing[3, last, lane] += f_re * im + f_im * re
