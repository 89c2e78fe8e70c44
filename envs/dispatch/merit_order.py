"""Merit order alone: the cheapest blocks of each award row; see `envs.dispatch.merit`.

Where another row (a sensitivity, an overlap) is broken the answer says converged = False, and a rule that trades rows
off against each other is needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from envs.dispatch.base import DEFAULTS, MERIT_ORDER, Dispatch, DispatchSettings, checked, empty_answer
from envs.dispatch.merit import fill_by_merit


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
    method: np.ndarray,
) -> None:
    for w in range(len(active)):
        if active[w]:
            n = rows[w]
            iterations[w], method[w] = 1, MERIT_ORDER
            residual[w] = fill_by_merit(
                price[w], size[w], a[w, :n], lower[w, :n], upper[w, :n], q[w], x[w], dual[w, :n]
            )
            converged[w] = residual[w] <= tolerance * max(size[w].max(), 1e-9)


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
