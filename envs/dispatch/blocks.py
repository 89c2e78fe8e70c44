"""Shared numba parts of the rules: row scales and violations, filling a row cheapest first, pro-rata ties."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True)
def row_scales(a: np.ndarray, scale: np.ndarray) -> None:
    """scale (rows,): what makes the mean square of each row's non-zero entries 1; 0 for an empty row."""
    for r in range(a.shape[0]):
        squares, count = 0.0, 0
        for i in range(a.shape[1]):
            if a[r, i] != 0.0:
                squares += a[r, i] * a[r, i]
                count += 1
        scale[r] = math.sqrt(count / squares) if count > 0 else 0.0


@njit(cache=True)
def totals(q: np.ndarray, x: np.ndarray) -> None:
    """x (sites,): each site's sum of blocks."""
    for i in range(q.shape[0]):
        total = 0.0
        for m in range(q.shape[1]):
            total += q[i, m]
        x[i] = total


@njit(cache=True)
def row_value(a: np.ndarray, x: np.ndarray, r: int) -> float:
    """sum_i a[r, i] x_i, in site order."""
    total = 0.0
    for i in range(len(x)):
        total += a[r, i] * x[i]
    return total


@njit(cache=True)
def worst_violation(
    a: np.ndarray, lower: np.ndarray, upper: np.ndarray, scale: np.ndarray, x: np.ndarray
) -> float:
    """The largest amount by which a scaled row lies outside its bounds; an empty row counts unscaled."""
    worst = 0.0
    for r in range(len(lower)):
        value = row_value(a, x, r)
        factor = scale[r] if scale[r] > 0.0 else 1.0
        worst = max(worst, factor * (lower[r] - value), factor * (value - upper[r]))
    return worst


@njit(cache=True)
def move_row(price: np.ndarray, size: np.ndarray, a: np.ndarray, target: float, r: int, x: np.ndarray,
             q: np.ndarray) -> None:
    """Bring row r to `target` by its own sites: cheapest open blocks up, or dearest filled blocks down.

    Blocks of equal cost per unit of the row move pro rata to what they have left. Stops short when blocks run out.
    """
    missing = target - row_value(a, x, r)
    done = np.zeros(q.shape, np.bool_)
    while missing != 0.0:
        best = np.inf
        for i in range(q.shape[0]):
            for m in range(q.shape[1]):
                room = _room(size[i, m], q[i, m], a[r, i] * missing)
                if room > 0.0 and not done[i, m]:
                    best = min(best, _unit_cost(price[i, m], a[r, i], missing))
        if best == np.inf:
            return
        reach = 0.0
        for i in range(q.shape[0]):
            for m in range(q.shape[1]):
                room = _room(size[i, m], q[i, m], a[r, i] * missing)
                if room > 0.0 and not done[i, m] and _unit_cost(price[i, m], a[r, i], missing) == best:
                    reach += abs(a[r, i]) * room
        share = min(1.0, abs(missing) / reach)
        sign = 1.0 if missing > 0.0 else -1.0
        for i in range(q.shape[0]):
            for m in range(q.shape[1]):
                room = _room(size[i, m], q[i, m], a[r, i] * missing)
                if room > 0.0 and not done[i, m] and _unit_cost(price[i, m], a[r, i], missing) == best:
                    up = sign * a[r, i] > 0.0
                    full = size[i, m] if up else 0.0
                    q[i, m] = full if share >= 1.0 else q[i, m] + (share * room if up else -share * room)
                    done[i, m] = True
        totals(q, x)
        if share < 1.0 or reach == abs(missing):
            return
        missing = target - row_value(a, x, r)
        if sign * missing <= 0.0:  # rounding carried the sum past the target
            return


@njit(cache=True)
def _room(size: float, q: float, direction: float) -> float:
    """How far a block can move in the direction (> 0 up, < 0 down, 0 not at all)."""
    if direction > 0.0:
        return size - q
    return q if direction < 0.0 else 0.0


@njit(cache=True)
def _unit_cost(price: float, entry: float, missing: float) -> float:
    """Cost of one unit of the row in the direction that is missing."""
    return price / entry if missing > 0.0 else -price / entry


@njit(cache=True)
def share_ties(
    price: np.ndarray, size: np.ndarray, a: np.ndarray, compare: np.ndarray, tied: np.ndarray, q: np.ndarray
) -> None:
    """Spread equal offers pro rata: blocks marked `tied` of one price whose sites agree in the rows of `compare`.

    The sum over such a group, and with it every compared row and the cost, stays as it is.
    """
    sites, blocks = price.shape
    done = np.zeros((sites, blocks), np.bool_)
    for i in range(sites):
        for m in range(blocks):
            if not tied[i, m] or done[i, m]:
                continue
            amount, room = 0.0, 0.0
            for j in range(i, sites):
                if _same_column(a, compare, i, j):
                    for n in range(blocks):
                        if tied[j, n] and price[j, n] == price[i, m]:
                            amount += q[j, n]
                            room += size[j, n]
            share = min(1.0, amount / room) if room > 0.0 else 0.0
            for j in range(i, sites):
                if _same_column(a, compare, i, j):
                    for n in range(blocks):
                        if tied[j, n] and price[j, n] == price[i, m]:
                            q[j, n] = share * size[j, n]
                            done[j, n] = True


@njit(cache=True)
def _same_column(a: np.ndarray, compare: np.ndarray, i: int, j: int) -> bool:
    for r in range(a.shape[0]):
        if compare[r] and a[r, i] != a[r, j]:
            return False
    return True
