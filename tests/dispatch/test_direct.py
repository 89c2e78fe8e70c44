"""The merit order inside ADMM: taken where it is the optimum, and then the same orders to the watt-hour."""

from __future__ import annotations

import numpy as np
import pytest

from envs.dispatch import admm
from envs.dispatch.base import ADMM, MERIT_ORDER, NO_METHOD, DispatchSettings
from envs.phases.orders import integer_orders
from envs.records import micro, passes_of
from envs.types import HOURS
from tests.dispatch.test_optimal import cost, linear_programme, random_cases
from tests.envs.play import OFF, by_rules, core_of, episode

WORLDS, SITES, WINNERS = 1500, 33, 4


def awards(levels: int, seed: int):
    """Blocks, members and awards as the market has them: whole Wh, few prices (so that many tie), a volume a winner."""
    rng = np.random.default_rng(seed)
    size_wh = rng.integers(0, 900, (WORLDS, SITES, 2)) * (rng.uniform(size=(WORLDS, SITES, 2)) > 0.15)
    same = rng.uniform(size=WORLDS) < 0.4  # worlds of like sites: equal claims to the last watt-hour
    size_wh[same] = size_wh[same, :1]
    price = np.sort(rng.integers(1, levels + 1, (WORLDS, SITES, 2)), axis=2) / levels * 0.4
    member = rng.integers(-1, WINNERS, (WORLDS, SITES))
    inside = member[:, None] == np.arange(WINNERS)[None, :, None]
    admitted = (inside * size_wh.sum(axis=2)[:, None]).sum(axis=2)
    return size_wh, price, member, inside.astype(float), np.floor(admitted * rng.uniform(0.0, 1.0, admitted.shape))


def whole_orders(case, member, answer) -> np.ndarray:
    size_wh, awarded = case
    ordered, every = np.zeros((WORLDS, SITES), np.int64), np.ones(WORLDS, bool)
    most = np.full(WORLDS, np.iinfo(np.int64).max)
    whole = awarded.astype(np.int64)
    integer_orders(every, ~every, True, answer.x_kw, size_wh, member, whole, most, whole.copy(), ordered)
    return ordered


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_the_orders_are_those_of_admm_to_the_watt_hour(levels: int) -> None:
    size_wh, price, member, a, awarded = awards(levels, seed=levels)
    volume_kw = awarded / HOURS * 0.001
    case = (price, size_wh / HOURS * 0.001, a, volume_kw, volume_kw, np.full(WORLDS, WINNERS), np.ones(WORLDS, bool))
    straight = admm.solve(*case)
    rounds = admm.solve(*case, DispatchSettings(direct=False))
    assert (straight.method == MERIT_ORDER).all()
    assert (rounds.method == ADMM).all()
    assert rounds.converged.all()
    assert rounds.residual_kw.max() < 1e-9
    direct, by_admm = (whole_orders((size_wh, awarded), member, answer) for answer in (straight, rounds))
    assert np.array_equal(direct, by_admm)
    for winner in range(WINNERS):
        assert np.array_equal(np.where(member == winner, direct, 0).sum(axis=1), awarded[:, winner])


@pytest.mark.parametrize("negative_prices", [False, True])
def test_limits_that_do_not_bind_leave_the_merit_order_and_binding_ones_do_not(negative_prices: bool) -> None:
    case = random_cases(300, 1, seed=21, negative_prices=negative_prices)
    answer, rounds = admm.solve(*case), admm.solve(*case, DispatchSettings(direct=False))
    assert answer.converged.all()
    assert 20 < (answer.method == MERIT_ORDER).sum() < 280
    assert cost(case, answer) == pytest.approx(cost(case, rounds), rel=1e-9, abs=1e-9)
    for world in range(0, 300, 15):
        assert cost(case, answer)[world] == pytest.approx(linear_programme(case, world).fun, rel=1e-9, abs=1e-9)


def test_the_market_takes_it_for_awards_and_rounds_for_limits_and_writes_every_loop_down() -> None:
    core, loops = core_of("rural_day", OFF), 0
    for trace in episode(core, by_rules(core), (1,)):
        plan = trace.plan
        for r in np.flatnonzero(trace.stage.asked_wh[0] > 0):
            made = passes_of(trace.stage, plan, 0, r)
            assert len(made) == plan.loops[0, r] + 1
            assert made[0][0] == (MERIT_ORDER if made[0][2] else NO_METHOD)
            assert all(method in (MERIT_ORDER, ADMM) for method, *_ in made[1:])
            assert all(broken for *_, broken in made[:-1])  # a loop follows a broken limit
            assert not plan.safe[0, r] or not made[-1][6]
            assert made[-1][2] == plan.ordered_wh[0, r].sum()
            loops += plan.loops[0, r]
            if plan.safe[0, r]:
                assert made[-1][3:6] == micro(
                    [x[0, r] for x in (plan.after_low_pu, plan.after_high_pu, plan.after_loading)]
                )
    assert loops > 0
