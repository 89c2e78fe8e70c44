"""Whole-quantity quotations: the mixed-integer answer against trying every choice of segments."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

from envs.dispatch import admm
from envs.dispatch.milp import solve_whole_quantity


def by_enumeration(price: np.ndarray, size: np.ndarray, a: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> float:
    """The least cost over all choices of one segment or none a site, each a linear programme."""
    ends = np.cumsum(size, axis=1)
    begins, best = ends - size, np.inf
    for choice in product(range(-1, price.shape[1]), repeat=len(price)):
        bounds = [(begins[i, m], ends[i, m]) if m >= 0 else (0.0, 0.0) for i, m in enumerate(choice)]
        costs = [price[i, m] if m >= 0 else 0.0 for i, m in enumerate(choice)]
        found = linprog(costs, A_ub=np.vstack([a, -a]), b_ub=np.concatenate([upper, -lower]), bounds=bounds)
        best = min(best, found.fun) if found.status == 0 else best
    return best


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_least_cost_of_all_choices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    price, size = rng.uniform(0.1, 1.0, (4, 2)), rng.uniform(0.5, 3.0, (4, 2))
    a = np.vstack([np.ones(4), rng.uniform(0.0, 1.0, 4)])
    volume_kw = 0.6 * size.sum()
    reach = float((a[1] * size.sum(axis=1)).sum())
    lower, upper = np.array([volume_kw, 0.0]), np.array([volume_kw, 0.65 * reach])
    answer = solve_whole_quantity(price, size, a, lower, upper)
    assert answer.proven
    assert answer.cost_per_h == pytest.approx(by_enumeration(price, size, a, lower, upper), rel=1e-7)
    assert answer.x_kw.sum() == pytest.approx(volume_kw, abs=1e-7)
    assert float(a[1] @ answer.x_kw) <= upper[1] + 1e-7
    ends = np.cumsum(size, axis=1)
    for site in np.flatnonzero(answer.segment >= 0):
        segment = answer.segment[site]
        assert ends[site, segment] - size[site, segment] - 1e-7 <= answer.x_kw[site] <= ends[site, segment] + 1e-7


def test_the_two_readings_of_a_quotation_dispatch_differently() -> None:
    price, size = np.array([[1.0, 3.0], [2.0, 2.5]]), np.array([[4.0, 4.0], [3.0, 3.0]])
    marginal = admm.solve(price[None], size[None], np.ones((1, 1, 2)), [[9.0]], [[9.0]], [1], [True])
    assert marginal.x_kw[0] == pytest.approx([4.0, 5.0], abs=1e-9)
    whole = solve_whole_quantity(price, size, np.ones((1, 2)), [9.0], [9.0])
    # 4 at 1.0 and 5 at 2.5 = 16.5; 6 kW at 3.0 and 3 at 2.0 would be 24
    assert whole.x_kw == pytest.approx([4.0, 5.0], abs=1e-7)
    assert whole.segment.tolist() == [0, 1]
    assert whole.cost_per_h == pytest.approx(16.5)
    falling = np.array([[3.0, 1.0], [2.0, 2.0]])  # a discount for quantity, which marginal blocks cannot say
    with pytest.raises(ValueError, match="falls"):
        admm.solve(falling[None], size[None], np.ones((1, 1, 2)), [[5.0]], [[5.0]], [1], [True])
    discounted = solve_whole_quantity(falling, size, np.ones((1, 2)), [5.0], [5.0])
    assert discounted.x_kw == pytest.approx([5.0, 0.0], abs=1e-7)
    assert discounted.cost_per_h == pytest.approx(5.0)


def test_rows_without_a_solution_are_said_to_be_so() -> None:
    answer = solve_whole_quantity([[1.0]], [[2.0]], [[1.0]], [3.0], [3.0])
    assert not answer.proven
    assert answer.x_kw.tolist() == [0.0]
    assert answer.segment.tolist() == [-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size_kw": [[-1.0]]}, "negative size"),
        ({"price": [[np.nan]]}, "price holds"),
        ({"a": [[1.0, 2.0]]}, "a has shape"),
        ({"lower": [4.0]}, "lower > upper"),
        ({"price": [1.0]}, "price must have shape"),
    ],
)
def test_bad_input_is_named(change: dict, message: str) -> None:
    case = {"price": [[1.0]], "size_kw": [[2.0]], "a": [[1.0]], "lower": [1.0], "upper": [1.0]}
    with pytest.raises(ValueError, match=message):
        solve_whole_quantity(**(case | change))
