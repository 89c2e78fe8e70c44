"""Exact merit order: each award row takes its own sites' cheapest blocks, equal prices pro rata.

A row is an award row when its entries are 0 or 1 and none of its sites belongs to an award row before it. All
other rows (sensitivities, overlaps) are only checked: where one of them binds, the answer says converged =
False, and a rule that trades rows off against each other is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from envs.dispatch.base import DEFAULTS, Dispatch, DispatchSettings, checked, empty_answer
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
def _solve_world(
    price: np.ndarray,
    size: np.ndarray,
    a: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    tolerance: float,
    q: np.ndarray,
    x: np.ndarray,
    dual: np.ndarray,
) -> tuple[float, bool]:
    """One world in place; (worst scaled row violation, converged)."""
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
    residual = worst_violation(a, lower, upper, scale, x)
    return residual, residual <= tolerance * max(size.max(), 1e-9)


@njit(cache=True)
def _marginal_price(price: np.ndarray, a: np.ndarray, q: np.ndarray, r: int) -> float:
    """The dearest block that a row uses, 0 when it uses none."""
    dearest = -np.inf
    for i in range(q.shape[0]):
        for m in range(q.shape[1]):
            if a[r, i] != 0.0 and q[i, m] > 0.0:
                dearest = max(dearest, price[i, m])
    return dearest if dearest > -np.inf else 0.0


@njit(cache=True)
def _solve_batch(
    price: np.ndarray,
    size: np.ndarray,
    a: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    rows: np.ndarray,
    active: np.ndarray,
    tolerance: float,
    q: np.ndarray,
    x: np.ndarray,
    iterations: np.ndarray,
    residual: np.ndarray,
    converged: np.ndarray,
    dual: np.ndarray,
) -> None:
    for w in range(len(active)):
        if active[w]:
            n = rows[w]
            iterations[w] = 1
            residual[w], converged[w] = _solve_world(
                price[w], size[w], a[w, :n], lower[w, :n], upper[w, :n], tolerance, q[w], x[w], dual[w, :n]
            )


def solve(
    price: Any,
    size: Any,
    a: Any,
    lower: Any,
    upper: Any,
    rows: Any,
    active: Any,
    settings: DispatchSettings = DEFAULTS,
) -> Dispatch:
    """Merit order of every active world; shapes and units in `envs.dispatch.base`. Raises ValueError for bad
    input."""
    problem = checked(price, size, a, lower, upper, rows, active, settings)
    answer = empty_answer(problem)
    _solve_batch(*problem, settings.tolerance, *answer)
    return answer
