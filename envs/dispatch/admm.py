"""Sharing ADMM (Boyd et al. 2011, section 7.3, for several rows): the distributed dispatch of paper 000 eq.
7.

Each round a site receives one number per row, r = y - z + u (what the row lacks a head, plus its price), and
answers with its own power from its own blocks alone,

    x_i <- argmin f_i(x) + rho/2 |A_i (x - x_i) + r|^2      in closed form over the blocks,

y is the mean contribution, z its projection on the row's bounds, u <- u + y - z the running price: -rho u.
Means run over a row's own participants, so that an award row of four sites is not slowed down by thirty
others. rho follows the two residuals.

Costs are piecewise linear, so the optimum is a corner and ADMM's last digits are slow. With `polish` (the
default), once ADMM's prices have settled roughly, blocks that are clearly in or out at these prices stay so,
the few others are solved exactly (dual simplex), and every block is checked against the exact prices: the
answer is then optimal to rounding. A failed check lets ADMM go on and takes more blocks as open next time;
the last attempt takes all of them and, if that has no solution, proves the rows infeasible. Without a
solution the rule restores the equality rows, cheapest block first, and reports converged = False.

Where the merit order of the award rows breaks no other row it is the optimum (`envs.dispatch.merit`), with the same
tie rule, and needs no rounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from envs.dispatch.base import ADMM, DEFAULTS, MERIT_ORDER, Dispatch, DispatchSettings, checked, empty_answer
from envs.dispatch.blocks import move_row, totals, worst_violation
from envs.dispatch.dual_simplex import INFEASIBLE, OPTIMAL
from envs.dispatch.merit import fill_by_merit
from envs.dispatch.polish import Sharing, polish, scaled, share_equal_offers

CHECK_EVERY = 10  # rounds between looks at the residuals
FIRST_POLISH = 5e-2  # relative residual at which the first polish is tried; a failed one waits as long again
LAST_POLISH = 200  # rounds after which every block is taken as open
OPEN_WITHIN = 0.05  # margin, relative to the largest price, within which the first polish leaves blocks open
DIRECT = 1e-12  # violation, relative to the largest block, up to which the merit order counts as keeping the rows
BALANCE = 10.0  # ratio of the residuals beyond which rho is changed
BALANCE_ROUNDS = 100  # rho is constant afterwards: convergence is proved for a constant one


@njit(cache=True)
def _site_step(price: np.ndarray, size: np.ndarray, start_kw: float, penalty: float) -> float:
    """argmin over the blocks of cost + penalty/2 (x - start)^2; a penalty of 0 takes what pays by itself."""
    x_kw = 0.0
    for m in range(len(price)):
        if penalty > 0.0:
            wanted = start_kw - price[m] / penalty
        else:
            wanted = np.inf if price[m] < 0.0 else -np.inf
        if wanted <= x_kw:
            break
        if wanted < x_kw + size[m]:
            return wanted
        x_kw += size[m]
    return x_kw


@njit(cache=True)
def _round(
    price: np.ndarray,
    size: np.ndarray,
    share: Sharing,
    rho: float,
    x: np.ndarray,
    u: np.ndarray,
    broadcast: np.ndarray,
) -> float:
    """One round of all sites, then of the rows; the worst distance of a scaled row from its bounds."""
    sites, rows = share.column.shape
    mean = np.zeros(rows)
    for i in range(sites):
        pull = 0.0
        for r in range(rows):
            pull += share.column[i, r] * broadcast[r]
        start = x[i] - pull / share.weight[i] if share.weight[i] > 0.0 else x[i]
        x[i] = _site_step(price[i], size[i], start, rho * share.weight[i])
        for r in range(rows):
            mean[r] += share.column[i, r] * x[i]
    worst = 0.0
    for r in range(rows):
        y = mean[r] / share.members[r]
        wanted = (u[r] + y) * share.members[r]
        z = min(max(wanted, share.low[r]), share.high[r]) / share.members[r]
        u[r] += y - z
        broadcast[r] = y - z + u[r]
        worst = max(worst, abs(y - z) * share.members[r])
    return worst


@njit(cache=True)
def _stationarity(share: Sharing, rho: float, moved: np.ndarray, u: np.ndarray, broadcast_before: np.ndarray) -> float:
    """How far the worst site's step is from optimal at the new prices, in price units (the dual residual)."""
    sites, rows = share.column.shape
    worst = 0.0
    for i in range(sites):
        gap = -share.weight[i] * moved[i]
        for r in range(rows):
            gap += share.column[i, r] * (u[r] - broadcast_before[r])
        worst = max(worst, rho * abs(gap))
    return worst


@njit(cache=True)
def _iterate(
    price: np.ndarray,
    size: np.ndarray,
    share: Sharing,
    price_scale: float,
    kw_scale: float,
    max_iterations: int,
    tolerance: float,
    finish: bool,
    x: np.ndarray,
    q: np.ndarray,
    y: np.ndarray,
) -> tuple[int, int]:
    """ADMM rounds with polish attempts; (rounds, status). With OPTIMAL, q and the scaled prices y are the
    answer."""
    rows = len(share.low)
    u, broadcast, broadcast_before = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    x_before = np.zeros(len(x))
    rho = price_scale / kw_scale
    for r in range(rows):
        z = min(max(0.0, share.low[r]), share.high[r]) / share.members[r]
        broadcast[r] = -z
    next_try, open_within = 0, OPEN_WITHIN * price_scale
    for rounds in range(1, max_iterations + 1):
        looking = rounds % CHECK_EVERY == 0 or rounds == max_iterations
        if looking:
            broadcast_before[:] = broadcast
            x_before[:] = x
        primal = _round(price, size, share, rho, x, u, broadcast) / kw_scale
        if not looking:
            continue
        dual = _stationarity(share, rho, x - x_before, u, broadcast_before) / price_scale
        settled = max(primal, dual) <= tolerance
        last = rounds >= min(LAST_POLISH, max_iterations) or settled
        if finish and (last or (rounds >= next_try and max(primal, dual) <= FIRST_POLISH)):
            y[:] = -rho * u
            within = np.inf if last else open_within
            status = polish(price, size, share, within, tolerance * kw_scale, tolerance * price_scale, q, y)
            if status == OPTIMAL or last:
                return rounds, status
            next_try, open_within = 2 * rounds, 2.0 * open_within
        elif settled:
            y[:] = -rho * u
            return rounds, OPTIMAL
        if rounds <= BALANCE_ROUNDS:
            rho *= _rebalance(primal, dual, u, broadcast)
    y[:] = -rho * u
    return max_iterations, INFEASIBLE


@njit(cache=True)
def _rebalance(primal: float, dual: float, u: np.ndarray, broadcast: np.ndarray) -> float:
    """The factor by which rho moves toward equal residuals; u and the broadcast keep the prices rho u as they
    are."""
    factor = 2.0 if primal > BALANCE * dual else (0.5 if dual > BALANCE * primal else 1.0)
    for r in range(len(u)):
        broadcast[r] += u[r] / factor - u[r]
        u[r] /= factor
    return factor


@njit(cache=True)
def _blocks_of(size: np.ndarray, x: np.ndarray, q: np.ndarray) -> None:
    """Blocks filled in order up to each site's power."""
    for i in range(len(x)):
        left = x[i]
        for m in range(size.shape[1]):
            q[i, m] = min(max(left, 0.0), size[i, m])
            left -= q[i, m]


@njit(cache=True)
def _solve_world(
    price: np.ndarray,
    size: np.ndarray,
    a: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    max_iterations: int,
    tolerance: float,
    finish: bool,
    direct: bool,
    q: np.ndarray,
    x: np.ndarray,
    dual: np.ndarray,
) -> tuple[int, float, bool, int]:
    """One world in place; (rounds, worst scaled row violation, converged, method)."""
    price_scale, kw_scale = max(np.abs(price).max(), 1e-9), max(size.max(), 1e-9)
    if finish and direct:
        residual = fill_by_merit(price, size, a, lower, upper, q, x, dual)
        if residual <= DIRECT * kw_scale:
            return 1, residual, True, MERIT_ORDER
        q[:], x[:], dual[:] = 0.0, 0.0, 0.0
    share = scaled(a, lower, upper)
    tolerance_kw = tolerance * kw_scale
    y = np.zeros(len(lower))
    rounds, status = 0, INFEASIBLE
    if _reachable(share, size, tolerance_kw):
        rounds, status = _iterate(price, size, share, price_scale, kw_scale, max_iterations, tolerance, finish, x, q, y)
    if status == OPTIMAL and finish:
        share_equal_offers(price, size, a, lower, upper, share, tolerance_kw, 1e-9 * price_scale, q, x, y)
    else:
        _blocks_of(size, x, q)
        totals(q, x)
    if status != OPTIMAL:
        for _ in range(2):  # the second pass settles sites that two equality rows share
            for r in range(len(lower)):
                if lower[r] == upper[r]:
                    move_row(price, size, a, lower[r], r, x, q)
    for r in range(len(lower)):
        dual[r] = y[r] * share.scale[r]
    residual = worst_violation(a, lower, upper, share.scale, x)
    return rounds, residual, status == OPTIMAL, ADMM


@njit(cache=True)
def _reachable(share: Sharing, size: np.ndarray, tolerance_kw: float) -> bool:
    """Each row by itself: can the blocks bring it inside its bounds at all?"""
    sites, rows = share.column.shape
    for r in range(rows):
        least, most = 0.0, 0.0
        for i in range(sites):
            reach = share.column[i, r] * size[i].sum()
            least, most = least + min(reach, 0.0), most + max(reach, 0.0)
        if most < share.low[r] - tolerance_kw or least > share.high[r] + tolerance_kw:
            return False
    return True


@njit(cache=True)
def _solve_batch(
    price: np.ndarray,
    size: np.ndarray,
    a: np.ndarray,
    lower: np.ndarray,
    upper: np.ndarray,
    rows: np.ndarray,
    active: np.ndarray,
    max_iterations: int,
    tolerance: float,
    finish: bool,
    direct: bool,
    q: np.ndarray,
    x: np.ndarray,
    iterations: np.ndarray,
    residual: np.ndarray,
    converged: np.ndarray,
    dual: np.ndarray,
    method: np.ndarray,
) -> None:
    for w in range(len(active)):
        if active[w]:
            n = rows[w]
            iterations[w], residual[w], converged[w], method[w] = _solve_world(
                price[w],
                size[w],
                a[w, :n],
                lower[w, :n],
                upper[w, :n],
                max_iterations,
                tolerance,
                finish,
                direct,
                q[w],
                x[w],
                dual[w, :n],
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
    """Least-cost dispatch of every active world; shapes and units in `envs.dispatch.base`.

    Raises ValueError for input that breaks the base's rules. Rows without a solution give converged = False.
    """
    problem = checked(price, size, a, lower, upper, rows, active, settings)
    answer = empty_answer(problem)
    _solve_batch(*problem, settings.max_iterations, settings.tolerance, settings.polish, settings.direct, *answer)
    return answer
