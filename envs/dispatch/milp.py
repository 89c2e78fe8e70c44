"""Dispatch of quotations whose price holds for the whole quantity: not convex, so a mixed-integer programme.

Paper 000 eq. 7 multiplies the quotation S_i(dP_i, T_i) by the whole dP_i T_i. Read literally, a site that ends in its
third segment is paid the third price for everything, not for the third segment only. The cost then jumps from segment
to segment, prices at the margin do not exist, and neither ADMM nor a merit order finds the least cost. With b_im = 1
for the one segment m in which site i ends, and c_im the sum of its segments up to m,

    minimise   sum_im price[i, m] x_im
    subject to c_i,m-1 b_im <= x_im <= c_im b_im,   sum_m b_im <= 1,   lower <= a x <= upper,   x_i = sum_m x_im.

Solved to proven optimality by HiGHS, world by world. Among equal costs the segments of lower sites are taken; inside
the chosen segments the powers are solved again exactly, equal prices pro rata, by the kernels of the other rules, so
that the answer has their last digits and not a tolerance's. A market whose quotations are to be read like this says
`quotation: whole`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from envs.dispatch.base import DEFAULTS, MIXED_INTEGER, Dispatch, DispatchSettings, checked, empty_answer
from envs.dispatch.blocks import move_row, row_scales, totals, worst_violation
from envs.dispatch.dual_simplex import OPTIMAL
from envs.dispatch.polish import polish, scaled, share_equal_offers

QUOTATION = "whole"  # how this rule reads the blocks of an order; the others read them as marginal
RELATIVE_GAP = 1e-9  # of the cost, between the answer and the proven bound
TIE = 1e-9  # of the largest price: by how much the last site's segments count as dearer than the first's
PRICE_SCALE = 1e6  # prices are handed over in millionths of the largest, far above HiGHS' absolute gap of 1e-6


class WholeQuantity(NamedTuple):
    """The answer of one world; without a solution x_kw is 0, segment -1 and the cost 0."""

    x_kw: np.ndarray  # (sites,)
    segment: np.ndarray  # (sites,) int64 segment that sets the site's price, -1 where it is not called
    cost_per_h: float
    proven: bool  # no dispatch that keeps the rows costs less


def solve_whole_quantity(
    price: Any, size_kw: Any, a: Any, lower: Any, upper: Any, gap: float = RELATIVE_GAP
) -> WholeQuantity:
    """Least-cost dispatch of one world when the price of the segment a site ends in holds for its whole quantity.

    Args:
        price: (sites, segments) per kWh; they may fall, as discounts for quantity do.
        size_kw: (sites, segments) width of each segment, >= 0.
        a: (rows, sites) coefficients of the rows.
        lower: (rows,) bounds, infinite where open.
        upper: (rows,) bounds.
        gap: between the answer and the proven bound, relative to the cost.

    Raises:
        ValueError: shapes that do not fit, a negative size, a value that is not finite, lower > upper.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_matrix, hstack, identity, kron, vstack

    price, size_kw, a, lower, upper = _checked(price, size_kw, a, lower, upper)
    sites, segments = price.shape
    count = sites * segments
    end_kw = np.cumsum(size_kw, axis=1).ravel()
    begin_kw = end_kw - size_kw.ravel()
    power, none = identity(count, format="csr"), csr_matrix((len(lower), count))
    rows = hstack([csr_matrix(np.repeat(a, segments, axis=1)), none])
    below_end = hstack([power, -power.multiply(end_kw)])
    above_begin = hstack([power, -power.multiply(begin_kw)])
    one_segment = hstack([csr_matrix((sites, count)), kron(identity(sites), np.ones((1, segments)))])
    constraints = LinearConstraint(
        vstack([rows, below_end, above_begin, one_segment]).tocsr(),
        np.concatenate([lower, np.full(count, -np.inf), np.zeros(count), np.full(sites, -np.inf)]),
        np.concatenate([upper, np.zeros(count), np.full(count, np.inf), np.ones(sites)]),
    )
    found = milp(
        np.concatenate([price.ravel(), np.zeros(count)]),
        integrality=np.repeat([0, 1], count),
        bounds=Bounds(0.0, np.concatenate([end_kw, np.ones(count)])),
        constraints=constraints,
        options={"mip_rel_gap": gap},
    )
    if found.x is None:
        return WholeQuantity(np.zeros(sites), np.full(sites, -1, np.int64), 0.0, False)
    parts_kw = np.clip(found.x[:count], 0.0, end_kw).reshape(sites, segments)
    chosen = found.x[count:].reshape(sites, segments).round().astype(bool) & (parts_kw > 0.0)
    segment = np.where(chosen.any(axis=1), chosen.argmax(axis=1), -1)
    x_kw = np.where(chosen, parts_kw, 0.0).sum(axis=1)
    return WholeQuantity(x_kw, segment, float((price * np.where(chosen, parts_kw, 0.0)).sum()), found.status == 0)


def _checked(price: Any, size_kw: Any, a: Any, lower: Any, upper: Any) -> tuple[np.ndarray, ...]:
    arrays = tuple(np.asarray(value, dtype=float) for value in (price, size_kw, a, lower, upper))
    if arrays[0].ndim != 2 or arrays[2].ndim != 2:
        raise ValueError("price must have shape (sites, segments) and a (rows, sites)")
    rows, sites = len(arrays[2]), len(arrays[0])
    needed = (arrays[0].shape, arrays[0].shape, (rows, sites), (rows,), (rows,))
    for name, array, shape in zip(("price", "size_kw", "a", "lower", "upper"), arrays, needed, strict=True):
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}; {shape} is needed")
    for name, array in zip(("price", "size_kw", "a"), arrays[:3], strict=True):
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds a value that is not finite")
    if (arrays[1] < 0.0).any():
        raise ValueError("size_kw holds a negative size; segments are offered from 0 upwards")
    if not (arrays[3] <= arrays[4]).all():
        raise ValueError("a row has lower > upper or NaN; allowed: lower <= upper, infinite where open")
    return arrays


@njit(cache=True)
def _exact(
    price: np.ndarray,
    size: np.ndarray,
    a: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    tolerance: float,
    q: np.ndarray,
    x: np.ndarray,
    dual: np.ndarray,
) -> bool:
    """The powers inside the chosen segments, one block (sites, 1) a site; False where the rows cannot be kept."""
    share = scaled(a, lower, upper)
    price_scale, kw_scale = max(np.abs(price).max(), 1e-9), max(size.max(), 1e-9)
    y = np.zeros(len(lower))
    if polish(price, size, share, np.inf, tolerance * kw_scale, tolerance * price_scale, q, y) != OPTIMAL:
        return False
    share_equal_offers(price, size, a, lower, upper, share, tolerance * kw_scale, 1e-9 * price_scale, q, x, y)
    dual[:] = y * share.scale
    return True


@njit(cache=True)
def _restore(
    price: np.ndarray,
    size: np.ndarray,
    a: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    x: np.ndarray,
    q: np.ndarray,
) -> None:
    """Without a solution: equality rows first, cheapest block first."""
    q[:] = 0.0
    totals(q, x)
    for r in range(len(lower)):
        if lower[r] == upper[r]:
            move_row(price, size, a, lower[r], r, x, q)


def _solve_world(
    price: np.ndarray, size: np.ndarray, a: np.ndarray, lower: np.ndarray, upper: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """One world: (q, x, duals, whether x keeps the rows at the proven least cost)."""
    sites = len(price)
    scale = np.zeros(len(lower))
    row_scales(a, scale)
    factor = np.where(scale > 0.0, scale, 1.0)
    unit = PRICE_SCALE / max(float(np.abs(price).max()), 1e-9)
    biased = price * unit + (TIE * PRICE_SCALE * np.arange(sites) / sites)[:, None]
    chosen = solve_whole_quantity(biased, size, a * factor[:, None], lower * factor, upper * factor, gap=0.0)
    segment = np.maximum(chosen.segment, 0)[:, None]  # whoever is not called may still share in its first segment
    wide = np.take_along_axis(size, segment, axis=1)
    begin = np.take_along_axis(np.cumsum(size, axis=1), segment, axis=1) - wide
    at = np.take_along_axis(price, segment, axis=1)
    fixed = np.sum(a * begin[:, 0], axis=1)
    above, x, dual = np.zeros((sites, 1)), np.zeros(sites), np.zeros(len(lower))
    held = chosen.proven and _exact(at, wide, a, lower - fixed, upper - fixed, tolerance, above, x, dual)
    q = np.zeros_like(price)
    if held:
        x += begin[:, 0]
        q = np.clip(x[:, None] - np.cumsum(size, axis=1) + size, 0.0, size)
    else:
        _restore(price, size, a, lower, upper, x, q)
    return q, x, dual, held


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
    """Least-cost dispatch of every active world, each site paid the price of its last segment for its whole quantity.

    Shapes and units in `envs.dispatch.base`; prices may fall from block to block. ``duals`` are those inside the chosen
    segments. Raises ValueError for input that breaks the base's rules. Rows without a solution give converged = False.
    """
    problem = checked(price, size, a, lower, upper, rows, active, settings, rising=False)
    answer = empty_answer(problem)
    for w in np.flatnonzero(problem.active):
        n = problem.rows[w]
        bounds = (problem.a[w, :n], problem.lower[w, :n], problem.upper[w, :n])
        found = _solve_world(problem.price[w], problem.size_kw[w], *bounds, settings.tolerance)
        answer.q_kw[w], answer.x_kw[w], answer.duals[w, :n], answer.converged[w] = found
        scale = np.zeros(n)
        row_scales(bounds[0], scale)
        answer.residual_kw[w] = worst_violation(*bounds, scale, answer.x_kw[w])
        answer.iterations[w], answer.method[w] = 1, MIXED_INTEGER
    return answer
