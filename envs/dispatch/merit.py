"""Exact merit order of one world: each award row takes its own sites' cheapest blocks, equal prices pro rata.

A row is an award row when its entries are 0 or 1 and none of its sites belongs to an award row before it. All other
rows (sensitivities, overlaps) are only checked. Where they hold the answer is the optimum of the whole problem: it is
that of the problem without them, and more rows cannot lower a cost.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.dispatch.blocks import move_row, row_scales, row_value, totals, worst_violation


@njit(cache=True)
def _claim_award_rows(a: np.ndarray, award: np.ndarray) -> None:
    """award (rows,) bool: the rows with entries 0 or 1 whose sites are still free."""
    claimed = np.zeros(a.shape[1], np.bool_)
    for r in range(a.shape[0]):
        award[r] = False
        for i in range(a.shape[1]):
            if a[r, i] != 0.0:
                award[r] = a[r, i] == 1.0 and not claimed[i]
                if not award[r]:
                    break
        if award[r]:
            claimed |= a[r] != 0.0


@njit(cache=True)
def fill_by_merit(
    price: np.ndarray,
    size: np.ndarray,
    a: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    q: np.ndarray,
    x: np.ndarray,
    dual: np.ndarray,
) -> float:
    """One world in place: q (sites, blocks), x (sites,), dual (rows,); the worst scaled row violation."""
    rows = len(lower)
    award, scale = np.empty(rows, np.bool_), np.empty(rows)
    row_scales(a, scale)
    _claim_award_rows(a, award)
    for i in range(q.shape[0]):
        for m in range(q.shape[1]):
            q[i, m] = size[i, m] if price[i, m] < 0.0 else 0.0  # what pays by itself, before any row asks
    totals(q, x)
    for r in range(rows):
        if award[r]:
            value = row_value(a, x, r)
            target = min(max(value, lower[r]), upper[r])
            if target != value:
                move_row(price, size, a, target, r, x, q)
            if lower[r] == upper[r] or target != value:
                dual[r] = _marginal_price(price, a, q, r)
    return worst_violation(a, lower, upper, scale, x)


@njit(cache=True)
def _marginal_price(price: np.ndarray, a: np.ndarray, q: np.ndarray, r: int) -> float:
    """The dearest block that a row uses, 0 when it uses none."""
    dearest = -np.inf
    for i in range(q.shape[0]):
        for m in range(q.shape[1]):
            if a[r, i] != 0.0 and q[i, m] > 0.0:
                dearest = max(dearest, price[i, m])
    return dearest if dearest > -np.inf else 0.0
