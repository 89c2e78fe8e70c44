"""Whole-quantity quotations: the mixed-integer answer against trying every choice of segments."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

from benchmarks.dispatch import whole_cost
from envs.audit import executors
from envs.config import SettingsError
from envs.dispatch import admm, milp
from envs.dispatch.base import MIXED_INTEGER, NO_METHOD
from envs.dispatch.milp import solve_whole_quantity
from evaluation.ledger_figures import read_daybook
from ledger.audit import audit_file
from tests.envs.play import OFF, at_random, by_rules, core_of, episode


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


@pytest.mark.parametrize("seed", range(5))
def test_the_rule_solves_a_batch_to_the_least_cost_of_all_choices(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    price, size = rng.integers(1, 5, (3, 4, 2)) * 0.1, rng.uniform(0.5, 3.0, (3, 4, 2))
    a = np.stack([np.ones((3, 4)), rng.uniform(0.0, 1e-3, (3, 4))], axis=1)  # volume, and a voltage in pu per kW
    x_kw = size.sum(axis=2) * rng.uniform(0.2, 0.9, (3, 4))
    value = np.einsum("wri,wi->wr", a, x_kw)
    lower, upper = value.copy(), value.copy()
    lower[:, 1] = -np.inf
    batch = milp.solve(price, size, a, lower, upper, [2, 2, 2], [True, False, True])
    assert batch.converged.all()
    assert batch.method.tolist() == [MIXED_INTEGER, NO_METHOD, MIXED_INTEGER]
    assert (batch.x_kw[1] == 0).all()
    for w in (0, 2):
        best = by_enumeration(price[w], size[w], a[w], np.maximum(lower[w], -9.0), upper[w])
        assert whole_cost(price[w], size[w], batch.x_kw[w]) == pytest.approx(best, rel=1e-7)
        alone = milp.solve(price[[w]], size[[w]], a[[w]], lower[[w]], upper[[w]], [2], [True])
        for together, single in zip(batch, alone, strict=True):
            assert together[w].tobytes() == single[0].tobytes()


def test_equal_offers_share_pro_rata_and_equal_choices_fall_to_the_first_site() -> None:
    price, size = np.full((1, 3, 1), 0.2), np.array([[[2.0], [6.0], [4.0]]])
    shared = milp.solve(price, size, np.ones((1, 1, 3)), [[6.0]], [[6.0]], [1], [True])
    assert shared.x_kw[0] == pytest.approx([1.0, 3.0, 2.0], abs=1e-9)
    # One site at its discount costs less than two without: whichever it is, the first is taken.
    price, size = np.tile([0.3, 0.2], (1, 4, 1)), np.tile([2.0, 3.0], (1, 4, 1))
    chosen = milp.solve(price, size, np.ones((1, 1, 4)), [[5.0]], [[5.0]], [1], [True])
    assert chosen.x_kw[0] == pytest.approx([5.0, 0.0, 0.0, 0.0], abs=1e-9)


def test_rows_without_a_solution_leave_the_volume_and_say_so() -> None:
    rows = np.array([[[1.0, 1.0], [1.0, 1.0]]])
    answer = milp.solve([[[0.1], [0.2]]], [[[3.0], [3.0]]], rows, [[4.0, 0.0]], [[4.0, 1.0]], [2], [True])
    assert not answer.converged[0]
    assert answer.x_kw[0].tolist() == [3.0, 1.0]
    assert answer.residual_kw[0] == pytest.approx(3.0)


WHOLE = {"market": {"dispatch": "milp", "quotation": "whole"}}


def test_a_market_of_whole_quantities_goes_to_milp_and_says_so(tmp_path) -> None:
    path, cycles = tmp_path / "whole.sqlite", 44
    core = core_of("tiny", WHOLE, cycles, str(path))
    events = [event for trace in episode(core, by_rules(core), (2,)) for event in np.flatnonzero(trace.stage.cause[0])]
    page = [page for page in read_daybook(path).events if len(page.passes)]
    assert 0 < len(page) <= len(events)
    methods = np.concatenate([each.passes for each in page])
    assert set(methods[:, 0]) <= {NO_METHOD, MIXED_INTEGER}
    assert (methods[:, 0] == MIXED_INTEGER).any()
    assert (methods[methods[:, 0] == MIXED_INTEGER, 1] == 1).all()  # least cost, proven
    settings = ["market.dispatch=milp", "market.quotation=whole"]
    assert audit_file(path, [executors("tiny", settings)]).difference is None
    batch = core_of("tiny", WHOLE, cycles)
    episode(batch, by_rules(batch), (1, 2))
    assert batch.recorder.heads[1] == core.recorder.heads[0]


def test_on_real_quotations_it_costs_no_more_than_the_marginal_reading(monkeypatch) -> None:
    problems, solve = [], milp.solve

    def listening(*problem):
        problems.append(problem)
        return solve(*problem)

    monkeypatch.setattr(milp, "solve", listening)
    core = core_of("rural_day", OFF | WHOLE, 56)
    episode(core, at_random(3), (1,))
    cheaper = 0
    for price, size, a, lower, upper, rows, active, settings in problems:
        if not active[0] or rows[0] != core.world.aggregators:
            continue  # reopened: what stays uncured has a price too
        for part in (1.0, 0.6, 0.3):  # of the awards, which often take all that was quoted
            problem = (price, size, a, part * lower, part * upper, rows, active, settings)
            whole, marginal = solve(*problem), admm.solve(*problem)
            assert whole.converged[0]
            least, other = (whole_cost(price[0], size[0], answer.x_kw[0]) for answer in (whole, marginal))
            assert least <= other + 1e-9
            cheaper += least < other - 1e-6
    assert cheaper > 0


@pytest.mark.parametrize(
    ("market", "message"),
    [
        ({"quotation": "whole"}, r"admm reads marginal quotations \(allowed .*market.dispatch = milp\)"),
        ({"dispatch": "milp"}, r"milp reads whole quotations \(allowed .*market.dispatch = admm or merit_order\)"),
        ({"quotation": "block"}, "quotation.*marginal.*whole"),
    ],
)
def test_a_rule_that_reads_quotations_otherwise_is_refused(market: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        core_of("tiny", {"market": market})
