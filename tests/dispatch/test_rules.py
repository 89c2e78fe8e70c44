"""What every dispatch rule owes: batches, ties, idle worlds, hopeless rows, named errors."""

from __future__ import annotations

import numpy as np
import pytest

from envs.dispatch import admm, merit_order
from envs.dispatch.base import DispatchSettings
from tests.dispatch.test_optimal import GROUPS, Case, random_cases

RULES = pytest.mark.parametrize("rule", [admm, merit_order], ids=["admm", "merit_order"])


@RULES
def test_a_batch_is_its_worlds_to_the_byte(rule) -> None:
    case = random_cases(24, 2, seed=1)
    case.rows[::3] = GROUPS + 1
    batch = rule.solve(*case)
    for world in range(24):
        alone = rule.solve(*(part[world : world + 1] for part in case))
        for together, single in zip(batch, alone, strict=True):
            assert together[world].tobytes() == single[0].tobytes()


@RULES
def test_idle_worlds_and_unused_rows_are_left_alone(rule) -> None:
    case = random_cases(6, 1, seed=2)
    case.active[1::2] = False
    case.price[1], case.a[:, GROUPS] = np.nan, np.inf  # never read: world 1 is idle, the last row unused
    case.rows[:] = GROUPS
    case.a[case.active, GROUPS] = 0.0
    answer = rule.solve(*case)
    assert (answer.q_kw[1::2] == 0).all()
    assert (answer.iterations[1::2] == 0).all()
    assert (answer.iterations[::2] > 0).all()
    assert answer.converged.all()
    assert (answer.duals[:, GROUPS] == 0).all()


@RULES
def test_equal_prices_share_pro_rata(rule) -> None:
    price = np.array([[[1.0, 5.0], [2.0, 2.0], [2.0, 9.0], [7.0, 7.0]]])
    size = np.array([[[3.0, 3.0], [1.0, 2.0], [6.0, 1.0], [4.0, 4.0]]])
    answer = rule.solve(price, size, np.ones((1, 1, 4)), [[6.0]], [[6.0]], [1], [True])
    assert answer.q_kw[0] == pytest.approx(np.array([[3, 0], [1 / 3, 2 / 3], [2, 0], [0, 0]]), abs=1e-9)


@RULES
def test_ties_do_not_depend_on_the_order_of_sites(rule) -> None:
    case = random_cases(20, 0, seed=4)
    case = case._replace(price=np.round(case.price * 4) / 4)
    order = np.random.default_rng(0).permutation(case.price.shape[1])
    shuffled = case._replace(price=case.price[:, order], size=case.size[:, order], a=case.a[:, :, order])
    straight, turned = rule.solve(*case), rule.solve(*shuffled)
    assert straight.converged.all()
    assert turned.q_kw == pytest.approx(straight.q_kw[:, order], abs=1e-9)


def test_a_slack_network_row_does_not_break_ties() -> None:
    price, size = np.ones((1, 2, 1)), np.array([[[2.0], [6.0]]])
    a = np.array([[[1.0, 1.0], [0.001, 0.002]]])
    answer = admm.solve(price, size, a, [[4.0, -np.inf]], [[4.0, 1.0]], [2], [True])
    assert answer.x_kw[0] == pytest.approx([1.0, 3.0], abs=1e-9)
    # where pro rata would break the row, equal prices yield to it: cost and rows come first
    answer = admm.solve(price, size, a, [[4.0, -np.inf]], [[4.0, 0.0065]], [2], [True])
    assert answer.converged.all()
    assert answer.residual_kw[0] < 1e-5
    assert answer.x_kw[0].sum() == pytest.approx(4.0, abs=1e-9)


def hopeless(case: Case) -> Case:
    """Network rows that contradict the award rows: no dispatch has so small an effect."""
    upper, lower = case.upper.copy(), case.lower.copy()
    value = np.einsum("wri,wi->wr", case.a, np.ones(case.price.shape[:2]))
    upper[:, GROUPS], lower[:, GROUPS] = 1e-3 * value[:, GROUPS], -np.inf
    return case._replace(lower=lower, upper=upper)


@RULES
def test_contradicting_rows_are_flagged_and_awards_still_met(rule) -> None:
    case = hopeless(random_cases(10, 1, seed=6))
    answer = rule.solve(*case)
    assert not answer.converged.any()
    assert (answer.residual_kw > 0.01).all()
    awards = np.einsum("wri,wi->wr", case.a, answer.x_kw)[:, :GROUPS]
    assert awards == pytest.approx(case.lower[:, :GROUPS], abs=1e-9)
    assert np.isfinite(answer.q_kw).all()


@RULES
def test_more_than_is_offered_is_flagged_and_everything_given(rule) -> None:
    price, size = np.array([[[1.0], [2.0]]]), np.array([[[3.0], [4.0]]])
    answer = rule.solve(price, size, np.ones((1, 1, 2)), [[9.0]], [[9.0]], [1], [True])
    assert not answer.converged[0]
    assert answer.x_kw[0].tolist() == [3.0, 4.0]
    assert answer.residual_kw[0] == pytest.approx(2.0)


@RULES
def test_empty_rows_and_sizes(rule) -> None:
    price, size = np.ones((1, 2, 1)), np.zeros((1, 2, 1))
    nothing = rule.solve(price, size, np.zeros((1, 1, 2)), [[0.0]], [[0.0]], [1], [True])
    assert nothing.converged[0]
    impossible = rule.solve(price, size, np.zeros((1, 1, 2)), [[1.0]], [[1.0]], [1], [True])
    assert not impossible.converged[0]
    no_bounds = np.zeros((1, 0))
    no_rows = rule.solve(-price, size + 2.0, np.zeros((1, 0, 2)), no_bounds, no_bounds, [0], [True])
    assert no_rows.x_kw[0].tolist() == [2.0, 2.0]


@RULES
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": -np.ones((2, 30, 3))}, "negative size"),
        ({"price": np.tile([3.0, 2.0, 1.0], (2, 30, 1))}, "falls"),
        ({"price": np.full((2, 30, 3), np.nan)}, "price holds"),
        ({"rows": np.array([9, 1])}, r"0\.\.5"),
        ({"lower": np.full((2, 5), 1e9)}, "lower > upper"),
        ({"lower": np.zeros((2, 4))}, "lower has shape"),
        ({"price": np.zeros(3)}, "price must have shape"),
    ],
)
def test_bad_input_is_named(rule, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rule.solve(*random_cases(2, 1, seed=0)._replace(**change))


def test_bad_settings_are_named() -> None:
    for settings in (DispatchSettings(max_iterations=0), DispatchSettings(tolerance=0.0)):
        with pytest.raises(ValueError, match="at least 1"):
            admm.solve(*random_cases(1, 1, seed=0), settings)
