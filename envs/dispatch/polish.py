"""From ADMM's rough prices to the exact corner: the last step of `envs.dispatch.admm`.

Blocks that are clearly in or out at the prices stay so, the open ones are solved by the dual simplex, and
every block is checked against the exact prices, as OSQP's polish does for quadratic programmes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from envs.dispatch.blocks import row_scales, share_ties, totals, worst_violation
from envs.dispatch.dual_simplex import OPTIMAL, dual_simplex

REFUTED = -1  # the exact prices contradict a block that was held in or out


class Sharing(NamedTuple):
    """The scaled problem of one world."""

    column: np.ndarray  # (sites, rows): a, transposed, rows scaled to a mean square of 1
    weight: np.ndarray  # (sites,) squared length of each column
    members: np.ndarray  # (rows,) sites that take part in the row, at least 1
    low: np.ndarray  # (rows,) scaled bounds
    high: np.ndarray  # (rows,)
    scale: np.ndarray  # (rows,) 0 for an empty row


@njit(cache=True)
def scaled(a: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> Sharing:
    """Rows and bounds scaled, columns transposed for the sites."""
    rows, sites = a.shape
    scale, column = np.empty(rows), np.empty((sites, rows))
    weight, members = np.zeros(sites), np.zeros(rows)
    row_scales(a, scale)
    for r in range(rows):
        for i in range(sites):
            column[i, r] = a[r, i] * scale[r]
            weight[i] += column[i, r] * column[i, r]
            if a[r, i] != 0.0:
                members[r] += 1.0
        members[r] = max(members[r], 1.0)
    factor = np.where(scale > 0.0, scale, 1.0)
    return Sharing(column, weight, members, lower * factor, upper * factor, scale)


@njit(cache=True)
def polish(
    price: np.ndarray,
    size: np.ndarray,
    share: Sharing,
    open_within: float,
    tolerance_kw: float,
    tolerance_price: float,
    q: np.ndarray,
    y: np.ndarray,
) -> int:
    """Exact solution over the blocks whose margin at prices y (rows,) is at most `open_within`; q and y in
    place.

    OPTIMAL only when every block, open or not, agrees with the exact prices, else REFUTED or the simplex's
    status.
    """
    sites, rows = share.column.shape
    blocks = price.shape[1]
    margin = np.empty((sites, blocks))
    _margins(price, share, y, margin)
    open_count = 0
    held = np.zeros(rows)
    for i in range(sites):
        for m in range(blocks):
            if abs(margin[i, m]) <= open_within:
                open_count += 1
            elif margin[i, m] < 0.0:
                for r in range(rows):
                    held[r] += share.column[i, r] * size[i, m]
    cost, room = np.empty(open_count), np.empty(open_count)
    column = np.empty((open_count, rows))
    value, exact = np.empty(open_count), np.empty(rows)
    j = 0
    for i in range(sites):
        for m in range(blocks):
            if abs(margin[i, m]) <= open_within:
                cost[j], room[j] = price[i, m], size[i, m]
                column[j] = share.column[i]
                j += 1
    status = dual_simplex(cost, room, column, share.low - held, share.high - held, tolerance_kw, value, exact)
    if status != OPTIMAL:
        return status
    j = 0
    for i in range(sites):
        for m in range(blocks):
            is_open = abs(margin[i, m]) <= open_within
            was_in = margin[i, m] < 0.0
            if is_open:
                q[i, m] = value[j]
                j += 1
            else:
                q[i, m] = size[i, m] if was_in else 0.0
                now = price[i, m]
                for r in range(rows):
                    now -= share.column[i, r] * exact[r]
                if size[i, m] > 0.0 and (now > tolerance_price if was_in else now < -tolerance_price):
                    status = REFUTED
    if status == OPTIMAL:
        y[:] = exact
    return status


@njit(cache=True)
def _margins(price: np.ndarray, share: Sharing, y: np.ndarray, margin: np.ndarray) -> None:
    """margin (sites, blocks): price less what the rows pay for it; negative means in."""
    for i in range(price.shape[0]):
        paid = 0.0
        for r in range(len(y)):
            paid += share.column[i, r] * y[r]
        for m in range(price.shape[1]):
            margin[i, m] = price[i, m] - paid


@njit(cache=True)
def share_equal_offers(
    price: np.ndarray,
    size: np.ndarray,
    a: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    share: Sharing,
    tolerance_kw: float,
    tolerance_price: float,
    q: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
) -> None:
    """Pro rata among equal prices at the margin: over sites that agree in the rows that matter, if the other
    rows bear it, else over sites that agree in every row."""
    margin, before = np.empty(price.shape), q.copy()
    _margins(price, share, y, margin)
    tied = np.abs(margin) <= tolerance_price
    matter = (lower == upper) | (np.abs(y) > tolerance_price)
    share_ties(price, size, a, matter, tied, q)
    totals(q, x)
    if worst_violation(a, lower, upper, share.scale, x) > tolerance_kw:
        q[:] = before
        share_ties(price, size, a, np.ones(len(lower), np.bool_), tied, q)
        totals(q, x)
