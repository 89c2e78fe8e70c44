"""Dispatch of quotations whose price holds for the whole quantity: not convex, so a mixed-integer programme.

Paper 000 eq. 7 multiplies the quotation S_i(dP_i, T_i) by the whole dP_i T_i. Read literally, a site that ends in its
third segment is paid the third price for everything, not for the third segment only. The cost then jumps from segment
to segment, prices at the margin do not exist, and neither ADMM nor a merit order finds the least cost. With b_im = 1
for the one segment m in which site i ends, and c_im the sum of its segments up to m,

    minimise   sum_im price[i, m] x_im
    subject to c_i,m-1 b_im <= x_im <= c_im b_im,   sum_m b_im <= 1,   lower <= a x <= upper,   x_i = sum_m x_im.

Solved to proven optimality by HiGHS. The market's own dispatch rules read a quotation as marginal blocks, which is
convex; this module is for comparing the two readings.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

RELATIVE_GAP = 1e-9  # of the cost, between the answer and the proven bound


class WholeQuantity(NamedTuple):
    """The answer of one world; without a solution x_kw is 0, segment -1 and the cost 0."""

    x_kw: np.ndarray  # (sites,)
    segment: np.ndarray  # (sites,) int64 segment that sets the site's price, -1 where it is not called
    cost_per_h: float
    proven: bool  # no dispatch that keeps the rows costs less


def solve_whole_quantity(price: Any, size_kw: Any, a: Any, lower: Any, upper: Any) -> WholeQuantity:
    """Least-cost dispatch of one world when the price of the segment a site ends in holds for its whole quantity.

    Args:
        price: (sites, segments) per kWh; they may fall, as discounts for quantity do.
        size_kw: (sites, segments) width of each segment, >= 0.
        a: (rows, sites) coefficients of the rows.
        lower: (rows,) bounds, infinite where open.
        upper: (rows,) bounds.

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
        options={"mip_rel_gap": RELATIVE_GAP},
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
