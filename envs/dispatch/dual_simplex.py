"""A bounded dual simplex for few rows and many blocks, which finishes ADMM's answer exactly.

minimise c.v subject to sum_j column_j v_j = s, 0 <= v <= size, lower <= s <= upper. The row slacks are the
first basis, which is dual feasible whatever the prices (a block with a negative price starts full), so no
first phase is needed. The ratio test flips bounds on its way. Work grows with rows x blocks; the basis
inverse is rows x rows.
"""

from __future__ import annotations

import numpy as np
from numba import njit

OPTIMAL, INFEASIBLE, STALLED = 0, 1, 2
ROUNDING = 1e-6  # of the tolerance: what sums may lack when all blocks together are just enough
PIVOT_MIN = 1e-9  # rows are scaled to entries near 1, so a smaller pivot is rounding


@njit(cache=True)
def dual_simplex(
    cost: np.ndarray,
    size: np.ndarray,
    column: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    tolerance: float,
    value: np.ndarray,
    dual: np.ndarray,
) -> int:
    """Solve into value (blocks,) and dual (rows,).

    cost, size (blocks,), column (blocks, rows), lower, upper (rows,). Returns OPTIMAL, INFEASIBLE (proved by
    an unbounded dual), or STALLED when the cap on pivots is reached.
    """
    count, rows = column.shape
    inverse = np.zeros((rows, rows))  # of the basis; the slack of row r has column -e_r
    basis = np.empty(rows, np.int64)
    basic_value = np.empty(rows)
    place = np.full(count + rows, -1)  # row of the basis that holds a variable, -1 if none
    at_upper = np.zeros(count + rows, np.bool_)
    for r in range(rows):
        inverse[r, r] = -1.0
        basis[r] = count + r
        place[count + r] = r
    for j in range(count):
        at_upper[j] = cost[j] < 0.0
    for _ in range(50 * (rows + 4)):
        _basic_values(inverse, size, column, lower, upper, place, at_upper, basic_value)
        for r in range(rows):
            dual[r] = 0.0
            for k in range(rows):
                if basis[k] < count:
                    dual[r] += cost[basis[k]] * inverse[k, r]
        leaving = _leaving_row(basis, basic_value, size, lower, upper, count, tolerance)
        if leaving < 0:
            _read_values(size, place, at_upper, basic_value, value)
            return OPTIMAL
        slack = ROUNDING * tolerance
        status = _pivot(
            cost, size, column, lower, upper, inverse, basis, basic_value, place, at_upper, dual, leaving, slack
        )
        if status != OPTIMAL:
            return status
    return STALLED


@njit(cache=True)
def _basic_values(
    inverse: np.ndarray,
    size: np.ndarray,
    column: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    place: np.ndarray,
    at_upper: np.ndarray,
    basic_value: np.ndarray,
) -> None:
    """Values of the basic variables that balance what the others hold."""
    count, rows = column.shape
    held = np.zeros(rows)
    for j in range(count):
        if place[j] < 0 and at_upper[j]:
            for r in range(rows):
                held[r] += column[j, r] * size[j]
    for r in range(rows):
        if place[count + r] < 0:
            held[r] -= upper[r] if at_upper[count + r] else lower[r]
    for k in range(rows):
        total = 0.0
        for r in range(rows):
            total -= inverse[k, r] * held[r]
        basic_value[k] = total


@njit(cache=True)
def _bounds(j: int, size: np.ndarray, lower: np.ndarray, upper: np.ndarray, count: int) -> tuple[float, float]:
    if j < count:
        return 0.0, size[j]
    return lower[j - count], upper[j - count]


@njit(cache=True)
def _leaving_row(
    basis: np.ndarray,
    basic_value: np.ndarray,
    size: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    count: int,
    tolerance: float,
) -> int:
    """The row of the basis that is furthest outside its bounds, -1 when all are inside."""
    worst, leaving = tolerance, -1
    for k in range(len(basis)):
        low, high = _bounds(basis[k], size, lower, upper, count)
        outside = max(low - basic_value[k], basic_value[k] - high)
        if outside > worst:
            worst, leaving = outside, k
    return leaving


@njit(cache=True)
def _pivot(
    cost: np.ndarray,
    size: np.ndarray,
    column: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    inverse: np.ndarray,
    basis: np.ndarray,
    basic_value: np.ndarray,
    place: np.ndarray,
    at_upper: np.ndarray,
    dual: np.ndarray,
    leaving: int,
    slack: float,
) -> int:
    """Drive one basic variable to its bound but for the slack, flipping blocks passed on the way; INFEASIBLE when
    nothing can."""
    count, rows = column.shape
    low, high = _bounds(basis[leaving], size, lower, upper, count)
    rising = basic_value[leaving] < low
    remaining = low - basic_value[leaving] if rising else basic_value[leaving] - high
    alpha, ratio = np.empty(count + rows), np.full(count + rows, np.inf)
    for j in range(count + rows):
        if place[j] >= 0:
            continue
        if j < count:
            entry, reduced = 0.0, cost[j]
            for r in range(rows):
                entry += inverse[leaving, r] * column[j, r]
                reduced -= dual[r] * column[j, r]
        else:
            entry, reduced = -inverse[leaving, j - count], dual[j - count]
        alpha[j] = entry
        low_j, high_j = _bounds(j, size, lower, upper, count)
        # does moving j off its bound push the leaving variable toward the bound that it broke?
        helps = (entry < 0.0) != (at_upper[j] == rising)
        if helps and abs(entry) > PIVOT_MIN and high_j > low_j:
            ratio[j] = abs(reduced) / abs(entry)
    entering = -1
    while True:
        entering = int(np.argmin(ratio))
        if ratio[entering] == np.inf:
            return INFEASIBLE
        low_j, high_j = _bounds(entering, size, lower, upper, count)
        remaining -= abs(alpha[entering]) * (high_j - low_j)
        if remaining <= slack:
            break
        at_upper[entering] = not at_upper[entering]
        ratio[entering] = np.inf
    at_upper[basis[leaving]] = not rising
    place[basis[leaving]] = -1
    basis[leaving] = entering
    place[entering] = leaving
    _update_inverse(inverse, column, entering, leaving)
    return OPTIMAL


@njit(cache=True)
def _update_inverse(inverse: np.ndarray, column: np.ndarray, entering: int, leaving: int) -> None:
    count, rows = column.shape
    step = np.empty(rows)
    for k in range(rows):
        if entering < count:
            step[k] = 0.0
            for r in range(rows):
                step[k] += inverse[k, r] * column[entering, r]
        else:
            step[k] = -inverse[k, entering - count]
    for r in range(rows):
        inverse[leaving, r] /= step[leaving]
    for k in range(rows):
        if k != leaving:
            for r in range(rows):
                inverse[k, r] -= step[k] * inverse[leaving, r]


@njit(cache=True)
def _read_values(
    size: np.ndarray, place: np.ndarray, at_upper: np.ndarray, basic_value: np.ndarray, value: np.ndarray
) -> None:
    for j in range(len(value)):
        if place[j] >= 0:
            # inside its bounds up to the tolerance: make that exact
            value[j] = min(max(basic_value[place[j]], 0.0), size[j])
        else:
            value[j] = size[j] if at_upper[j] else 0.0
