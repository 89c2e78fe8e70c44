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
def worst_violation(a: np.ndarray, lower: np.ndarray, upper: np.ndarray, scale: np.ndarray, x: np.ndarray) -> float:
    """The largest amount by which a scaled row lies outside its bounds; an empty row counts unscaled."""
    worst = 0.0
    for r in range(len(lower)):
        value = row_value(a, x, r)
        factor = scale[r] if scale[r] > 0.0 else 1.0
        worst = max(worst, factor * (lower[r] - value), factor * (value - upper[r]))
    return worst


@njit(cache=True)
def move_row(
    price: np.ndarray, size: np.ndarray, a: np.ndarray, target: float, r: int, x: np.ndarray, q: np.ndarray
) -> None:
    """Bring row r to `target` by its own sites: cheapest open blocks up, or dearest filled blocks down.

    Blocks of equal cost per unit of the row move pro rata to what they have left. Stops short when blocks run
    out. q (sites, blocks) and x (sites,) change in place.
    """
    missing = target - row_value(a, x, r)
    sign = 1.0 if missing > 0.0 else -1.0
    blocks = q.shape[1]
    cost, place, room = np.empty(q.size), np.empty(q.size, np.int64), np.empty(q.size)
    count = 0
    for i in range(q.shape[0]):
        for m in range(blocks):
            left = _room(size[i, m], q[i, m], sign * a[r, i])
            if left > 0.0:
                cost[count], place[count], room[count] = sign * price[i, m] / a[r, i], i * blocks + m, left
                count += 1
    order = np.argsort(cost[:count], kind="mergesort")
    first = 0
    while sign * missing > 0.0 and first < count:
        last, reach = first, 0.0
        while last < count and cost[order[last]] == cost[order[first]]:
            k = order[last]
            reach += abs(a[r, place[k] // blocks]) * room[k]
            last += 1
        share = min(1.0, abs(missing) / reach)
        for k in order[first:last]:
            i, m = place[k] // blocks, place[k] % blocks
            up = sign * a[r, i] > 0.0
            if share < 1.0:
                q[i, m] += share * room[k] if up else -share * room[k]
            else:
                q[i, m] = size[i, m] if up else 0.0
        missing -= sign * share * reach
        first = last if share == 1.0 else count
    totals(q, x)


@njit(cache=True)
def _room(size: float, q: float, direction: float) -> float:
    """How far a block can move in the direction (> 0 up, < 0 down, 0 not at all)."""
    if direction > 0.0:
        return size - q
    return q if direction < 0.0 else 0.0


@njit(cache=True)
def share_ties(
    price: np.ndarray, size: np.ndarray, a: np.ndarray, compare: np.ndarray, tied: np.ndarray, q: np.ndarray
) -> None:
    """Spread equal offers pro rata: blocks marked `tied` of one price whose sites agree in the rows of
    `compare`.

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
    same = True
    for r in range(a.shape[0]):
        same = same and (not compare[r] or a[r, i] == a[r, j])
    return same
