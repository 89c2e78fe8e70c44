"""The dispatch problem, its answer, and the checks that every rule makes on its input.

Paper 000 eq. 7 with the duration fixed by the order and segmented quotations: site i offers M blocks with
non-decreasing prices, and per world

    minimise   sum_i sum_m price[i, m] q[i, m]
    subject to 0 <= q[i, m] <= size[i, m],   lower[r] <= sum_i a[r, i] x_i <= upper[r],   x_i = sum_m q[i, m].

Award rows are equalities (lower = upper) with 0/1 entries; network rows carry sensitivities. Equal prices
share pro rata to their sizes. Prices are per kWh, powers kW, so the objective is money per hour.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class DispatchSettings(NamedTuple):
    """Settings of a rule. `merit_order` is direct and reads the tolerance only."""

    max_iterations: int = 2000
    tolerance: float = 1e-6  # relative to the largest quantity (rows) and the largest price (optimality)
    polish: bool = True  # finish ADMM's last digits exactly, see `envs.dispatch.admm`
    direct: bool = True  # with the polish: take the merit order, without rounds, where it is the optimum


DEFAULTS = DispatchSettings()

# How a world was solved.
METHODS = ("none", "merit order", "ADMM", "mixed-integer programme")
NO_METHOD, MERIT_ORDER, ADMM, MIXED_INTEGER = range(len(METHODS))


class Dispatch(NamedTuple):
    """The answer, worlds first. Worlds that are not active have zeros and count as converged."""

    q_kw: np.ndarray  # (worlds, sites, blocks)
    x_kw: np.ndarray  # (worlds, sites), the sum of each site's blocks
    iterations: np.ndarray  # (worlds,) int64
    residual_kw: np.ndarray  # (worlds,) worst row violation, rows scaled to a mean-square coefficient of 1
    converged: np.ndarray  # (worlds,) bool: the rows hold and the cost is the least
    duals: np.ndarray  # (worlds, rows): what one unit more of a row's bound costs
    method: np.ndarray  # (worlds,) int64 index into METHODS


class Problem(NamedTuple):
    """Checked input, contiguous and of the types that the kernels expect."""

    price: np.ndarray  # (worlds, sites, blocks)
    size_kw: np.ndarray  # (worlds, sites, blocks)
    a: np.ndarray  # (worlds, rows, sites)
    lower: np.ndarray  # (worlds, rows)
    upper: np.ndarray  # (worlds, rows)
    rows: np.ndarray  # (worlds,) int64, rows in use
    active: np.ndarray  # (worlds,) bool


def checked(
    price: Any,
    size_kw: Any,
    a: Any,
    lower: Any,
    upper: Any,
    rows: Any,
    active: Any,
    settings: DispatchSettings,
    rising: bool = True,
) -> Problem:
    """The input as a `Problem`; prices must not fall from block to block where they are `rising`.

    Raises ValueError naming the array, what is wrong and what is allowed.
    """
    floats = [np.ascontiguousarray(value, dtype=np.float64) for value in (price, size_kw, a, lower, upper)]
    problem = Problem(
        floats[0],
        floats[1],
        floats[2],
        floats[3],
        floats[4],
        np.ascontiguousarray(rows, dtype=np.int64),
        np.ascontiguousarray(active, dtype=np.bool_),
    )
    if problem.price.ndim != 3 or problem.a.ndim != 3:
        raise ValueError("price must have shape (worlds, sites, blocks) and a (worlds, rows, sites)")
    worlds, sites, blocks = problem.price.shape
    row_count = problem.a.shape[1]
    block_shape, bound_shape = (worlds, sites, blocks), (worlds, row_count)
    needed = (block_shape, block_shape, (worlds, row_count, sites), bound_shape, bound_shape, (worlds,), (worlds,))
    for name, array, shape in zip(Problem._fields, problem, needed, strict=True):
        if array.shape != shape:
            raise ValueError(f"{name} has shape {array.shape}; {shape} is needed")
    if settings.max_iterations < 1 or not settings.tolerance > 0:
        raise ValueError(f"{settings}: max_iterations must be at least 1 and tolerance greater than 0")
    _check_values(problem, rising)
    return problem


def _check_values(problem: Problem, rising: bool) -> None:
    live = problem.active
    if ((problem.rows < 0) | (problem.rows > problem.a.shape[1]))[live].any():
        raise ValueError(f"rows holds a count outside 0..{problem.a.shape[1]}")
    for name, array in (("price", problem.price), ("size_kw", problem.size_kw), ("a", problem.a)):
        if not np.isfinite(array[live]).all():
            raise ValueError(f"{name} holds a value that is not finite")
    if (problem.size_kw[live] < 0).any():
        raise ValueError("size_kw holds a negative size; blocks are offered from 0 upwards")
    if rising and (np.diff(problem.price[live], axis=2) < 0).any():
        raise ValueError("price falls from block to block; marginal blocks have non-decreasing prices")
    used = np.arange(problem.lower.shape[1]) < problem.rows[:, None]
    used &= live[:, None]
    if not (problem.lower <= problem.upper)[used].all():
        raise ValueError("a row has lower > upper or NaN; allowed: lower <= upper, infinite where open")


def empty_answer(problem: Problem) -> Dispatch:
    """Zeros to fill in: nothing dispatched, every world converged."""
    worlds, sites, blocks = problem.price.shape
    return Dispatch(
        np.zeros((worlds, sites, blocks)),
        np.zeros((worlds, sites)),
        np.zeros(worlds, np.int64),
        np.zeros(worlds),
        np.ones(worlds, np.bool_),
        np.zeros(problem.lower.shape),
        np.full(worlds, NO_METHOD, np.int64),
    )
