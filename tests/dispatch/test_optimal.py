"""Every rule against the linear programme, solved by HiGHS."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from scipy.optimize import linprog

from envs.dispatch import admm, merit_order
from envs.dispatch.base import DispatchSettings

SITES, BLOCKS, GROUPS = 30, 3, 4


class Case(NamedTuple):
    price: np.ndarray
    size: np.ndarray
    a: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    rows: np.ndarray
    active: np.ndarray


def random_cases(worlds: int, limits: int, seed: int, negative_prices: bool = False) -> Case:
    """Feasible by construction: four award rows over disjoint sites, then `limits` sensitivity rows."""
    rng = np.random.default_rng(seed)
    low_price = -0.3 if negative_prices else 0.1
    price = np.sort(rng.uniform(low_price, 1.0, (worlds, SITES, BLOCKS)), axis=2)
    size = rng.uniform(0.2, 3.0, (worlds, SITES, BLOCKS)) * (rng.uniform(size=(worlds, SITES, BLOCKS)) > 0.1)
    a = np.zeros((worlds, GROUPS + limits, SITES))
    groups = rng.integers(0, GROUPS, (worlds, SITES))
    for group in range(GROUPS):
        a[:, group] = groups == group
    a[:, GROUPS:] = rng.uniform(0.0, 1e-3, (worlds, limits, SITES))
    x_kw = size.sum(axis=2) * rng.uniform(0.0, 1.0, (worlds, SITES))
    value = np.einsum("wri,wi->wr", a, x_kw)
    lower, upper = value.copy(), value.copy()
    upper[:, GROUPS:] = np.inf
    flip = rng.uniform(size=(worlds, limits)) < 0.5
    upper[:, GROUPS:][flip], lower[:, GROUPS:][flip] = value[:, GROUPS:][flip], -np.inf
    return Case(price, size, a, lower, upper, np.full(worlds, GROUPS + limits), np.ones(worlds, bool))


def linear_programme(case: Case, world: int):
    rows = case.rows[world]
    blocks = np.repeat(case.a[world, :rows], BLOCKS, axis=1)
    lower, upper = case.lower[world, :rows], case.upper[world, :rows]
    equal, below, above = lower == upper, np.isfinite(upper), np.isfinite(lower)
    below, above = below & ~equal, above & ~equal
    inequality = np.vstack([blocks[below], -blocks[above]])
    bound = np.concatenate([upper[below], -lower[above]])
    bounds = [(0.0, size) for size in case.size[world].ravel()]
    arguments = {"A_eq": blocks[equal], "b_eq": lower[equal], "bounds": bounds, "method": "highs"}
    if len(bound):
        arguments |= {"A_ub": inequality, "b_ub": bound}
    return linprog(case.price[world].ravel(), **arguments)


def cost(case: Case, answer) -> np.ndarray:
    return (case.price * answer.q_kw).sum(axis=(1, 2))


def assert_blocks_and_rows_hold(case: Case, answer) -> None:
    assert (answer.q_kw >= 0).all()
    assert (answer.q_kw <= case.size).all()
    assert answer.x_kw == pytest.approx(answer.q_kw.sum(axis=2), abs=1e-12)
    value = np.einsum("wri,wi->wr", case.a, answer.x_kw)
    assert (value >= case.lower - 1e-9).all()
    assert (value <= case.upper + 1e-9).all()


@pytest.mark.parametrize("limits", [0, 1, 2, 3])
@pytest.mark.parametrize("negative_prices", [False, True])
@pytest.mark.parametrize("direct", [True, False])
def test_admm_reaches_the_optimum(limits: int, negative_prices: bool, direct: bool) -> None:
    case = random_cases(40, limits, seed=10 + limits, negative_prices=negative_prices)
    answer = admm.solve(*case, DispatchSettings(direct=direct))
    assert answer.converged.all()
    assert_blocks_and_rows_hold(case, answer)
    optimum = np.array([linear_programme(case, world).fun for world in range(40)])
    assert cost(case, answer) == pytest.approx(optimum, rel=1e-9, abs=1e-9)


def test_plain_admm_comes_close_without_the_polish() -> None:
    case = random_cases(20, 2, seed=3)
    answer = admm.solve(*case, DispatchSettings(max_iterations=20_000, tolerance=1e-4, polish=False))
    optimum = np.array([linear_programme(case, world).fun for world in range(20)])
    assert answer.converged.all()
    assert cost(case, answer) == pytest.approx(optimum, rel=1e-4)
    assert (answer.residual_kw < 1e-3).all()


def test_duals_price_one_more_unit() -> None:
    case, step = random_cases(8, 2, seed=5), 1e-3
    duals = admm.solve(*case).duals
    checked = 0
    for world in range(8):
        for row in range(GROUPS):
            moved = case._replace(lower=case.lower.copy(), upper=case.upper.copy())
            costs = []
            for sign in (1, -1):
                moved.lower[world, row] = moved.upper[world, row] = case.lower[world, row] + sign * step
                costs.append(linear_programme(moved, world))
            if all(result.status == 0 for result in costs):
                slope = (costs[0].fun - costs[1].fun) / (2 * step)
                assert duals[world, row] == pytest.approx(slope, abs=1e-6)
                checked += 1
    assert checked >= 24


def test_merit_order_is_exact_for_award_rows_alone() -> None:
    case = random_cases(40, 0, seed=7, negative_prices=True)
    answer = merit_order.solve(*case)
    assert answer.converged.all()
    assert_blocks_and_rows_hold(case, answer)
    optimum = np.array([linear_programme(case, world).fun for world in range(40)])
    assert cost(case, answer) == pytest.approx(optimum, rel=1e-9, abs=1e-9)


def test_merit_order_says_when_a_limit_binds() -> None:
    case = random_cases(40, 1, seed=8)
    answer = merit_order.solve(*case)
    value = np.einsum("wri,wi->wr", case.a, answer.x_kw)[:, GROUPS]
    outside = (value < case.lower[:, GROUPS] - 1e-8) | (value > case.upper[:, GROUPS] + 1e-8)
    assert 0 < outside.sum() < 40
    assert (answer.converged == ~outside).all()
    optimum = np.array([linear_programme(case, world).fun for world in np.flatnonzero(~outside)])
    assert cost(case, answer)[~outside] == pytest.approx(optimum, rel=1e-9)


def test_range_row_stops_at_its_lower_bound_or_takes_what_pays() -> None:
    price, size = np.array([[[-1.0], [2.0], [3.0]]]), np.full((1, 3, 1), 4.0)
    a = np.ones((1, 1, 3))
    for lower, upper, expected in ((6.0, 9.0, [4, 2, 0]), (1.0, 9.0, [4, 0, 0]), (0.0, 3.0, [3, 0, 0])):
        for rule in (admm, merit_order):
            answer = rule.solve(price, size, a, [[lower]], [[upper]], [1], [True])
            assert answer.converged.all()
            assert answer.x_kw[0] == pytest.approx(expected, abs=1e-9)


def test_a_network_row_moves_the_dispatch_to_the_effective_site() -> None:
    price, size = np.array([[[0.1], [0.2]]]), np.full((1, 2, 1), 10.0)
    a = np.array([[[1.0, 1.0], [0.001, 0.004]]])
    answer = admm.solve(price, size, a, [[10.0, 0.025]], [[10.0, np.inf]], [2], [True])
    assert answer.converged.all()
    assert answer.x_kw[0] == pytest.approx([5.0, 5.0], abs=1e-9)
    assert answer.duals[0] == pytest.approx([0.1 - 0.1 / 3, 0.1 / 0.003], rel=1e-6)


def test_rows_that_need_all_there_is_have_a_solution() -> None:
    """Whole Wh, as the market asks them: sums of all blocks differ from the row by rounding alone."""
    rng, worlds = np.random.default_rng(0), 400
    size = rng.integers(0, 900, (worlds, SITES, 2)) * 0.004
    price = np.sort(rng.integers(1, 600, (worlds, SITES, 2)), axis=2) * 1e-3
    a = np.zeros((worlds, 2, SITES))
    a[:, 0, :15], a[:, 1, 15:] = 1.0, 1.0
    wh = np.rint(np.einsum("wri,wim->wr", a, size) * 250.0 * [1.0, 0.5])
    volume, every = wh / 0.25 * 0.001, np.ones(worlds, bool)
    answer = admm.solve(price, size, a, volume, volume, np.full(worlds, 2), every, DispatchSettings(direct=False))
    assert answer.converged.all()
    assert answer.x_kw[:, :15] == pytest.approx(size[:, :15].sum(axis=2), abs=1e-9)
