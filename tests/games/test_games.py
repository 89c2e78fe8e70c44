"""The games' faces, and every closed form: equilibrium, revenue, efficiency."""

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

from envs.games import GAMES, GameError, parallel_env
from envs.games.cournot import Cournot
from envs.games.first_price import FirstPrice
from envs.games.midpoint import MidpointAuction
from envs.games.procurement import Procurement
from envs.games.second_price import SecondPrice
from envs.games.subsidy_leader import SubsidyLeader
from evaluation.games import (
    Search,
    best_response,
    draws,
    exploitability,
    nash_conv,
    optimum_over_surplus,
    price_of_anarchy,
    truthful_regret,
)
from evaluation.reproductions._closed_form_rows import rows

MANY = 50_000
FINE = Search(types=12, actions=81, draws=3001)


@pytest.mark.parametrize("name", GAMES)
def test_face(name):
    parallel_api_test(parallel_env(name), num_cycles=30)
    parallel_seed_test(lambda: parallel_env(name))


def test_face_pays_what_the_rules_say():
    env = parallel_env("first_price", bidders=3)
    seen, _ = env.reset(seed=4)
    _, rewards, over, _, _ = env.step({agent: np.array([0.2 * k - 0.5]) for k, agent in enumerate(env.possible_agents)})
    assert rewards["bidder_2"] == pytest.approx(float(seen["bidder_2"][0]) - (0.9 / 2), abs=1e-6)
    assert rewards["bidder_0"] == rewards["bidder_1"] == 0.0
    assert all(over.values())
    assert env.agents == []


@pytest.mark.parametrize(
    "game",
    [
        FirstPrice(2), FirstPrice(4), FirstPrice(2, 0.5), FirstPrice(3, 0.3), SecondPrice(3),
        Procurement(2), Procurement(3, 0.7), MidpointAuction(), Cournot(3), SubsidyLeader(),
    ],
)  # fmt: skip
def test_equilibrium_leaves_nothing_to_gain(game):
    """NashConv below 1e-3, and it sees a strategy that is not an equilibrium."""
    assert nash_conv(game, game.equilibrium, FINE) < 1e-3
    assert nash_conv(game, lambda types: 0.5 * game.equilibrium(types), FINE) > 5e-3


@pytest.mark.parametrize("bidders", [2, 3, 5])
def test_first_price_revenue(bidders):
    types = draws(MANY, bidders)
    game = FirstPrice(bidders)
    assert game.equilibrium(types) == pytest.approx((bidders - 1) * types / bidders)
    expected = (bidders - 1) / (bidders + 1)
    assert game.revenue(game.equilibrium(types)).mean() == pytest.approx(expected, abs=1e-3)
    assert SecondPrice(bidders).revenue(types).mean() == pytest.approx(expected, abs=1e-3)  # revenue equivalence


@pytest.mark.parametrize(("bidders", "reserve"), [(2, 0.5), (3, 0.25), (4, 0.6)])
def test_first_price_with_reserve(bidders, reserve):
    game = FirstPrice(bidders, reserve)
    values = np.linspace(reserve, 1.0, 9)
    expected = (bidders - 1) * values / bidders + reserve**bidders / (bidders * values ** (bidders - 1))
    assert game.equilibrium(values) == pytest.approx(expected)
    n, r = bidders, reserve
    revenue = (n - 1) / (n + 1) + r**n - 2 * n / (n + 1) * r ** (n + 1)
    assert game.revenue(game.equilibrium(draws(MANY, n))).mean() == pytest.approx(revenue, abs=1e-3)


@pytest.mark.parametrize(("suppliers", "ceiling"), [(2, 1.0), (3, 0.6), (5, 0.8)])
def test_procurement_offers(suppliers, ceiling):
    game = Procurement(suppliers, ceiling)
    costs = np.linspace(0.0, ceiling, 9, endpoint=False)
    n = suppliers
    expected = costs + ((1 - costs) ** n - (1 - ceiling) ** n) / (n * (1 - costs) ** (n - 1))
    assert game.equilibrium(costs) == pytest.approx(expected)
    assert np.all(game.equilibrium(costs) <= ceiling + 1e-12)
    if ceiling == 1.0:
        assert game.equilibrium(costs) == pytest.approx(costs + (1 - costs) / n)
        # The buyer pays the second-lowest cost on average: 2 / (n + 1).
        assert game.payment(game.equilibrium(draws(MANY, n))).mean() == pytest.approx(2 / (n + 1), abs=1e-3)


def test_midpoint_trade_and_efficiency():
    game, types = MidpointAuction(), draws(MANY, 2)
    actions = game.equilibrium(types)
    assert np.array_equal(game.trades(actions) > 0, types[:, 0] - types[:, 1] >= 0.25)
    assert game.trades(actions).mean() == pytest.approx(9 / 32, abs=1e-3)
    assert 1 / optimum_over_surplus(game) == pytest.approx(27 / 32, abs=1e-3)


def test_subsidy_leader_closed_form():
    game = SubsidyLeader((1.0, 2.0, 4.0), (0.1, 0.2, 0.3), 1.0)
    weight = 1 / game.a
    mean = (game.b * weight).sum() / weight.sum()
    assert game.best_subsidy() == pytest.approx((1.0 + mean) / 2, abs=1e-12)
    profit = game.payoffs(np.zeros(1), np.array([game.best_subsidy()]))[0]
    assert profit == pytest.approx((1.0 - mean) ** 2 / 4 * weight.sum(), abs=1e-12)


def test_subsidy_leader_leaves_out_who_is_too_dear():
    game = SubsidyLeader((1.0, 1.0), (0.0, 0.9), 1.0)
    assert game.best_subsidy() == pytest.approx(0.5)
    grid = np.linspace(0, 1, 100_001)
    for b in (0.55, 0.3, 0.65, 0.8):
        game = SubsidyLeader((1.0, 0.2), (0.0, b), 1.0)
        profit = game.payoffs(np.zeros(1), grid[:, None])[:, 0]
        assert game.best_subsidy() == pytest.approx(grid[np.argmax(profit)], abs=2e-5)


@pytest.mark.parametrize("firms", [1, 2, 5])
def test_cournot_price(firms):
    game = Cournot(firms, 1.0, 0.1)
    quantity = game.equilibrium(np.zeros(firms))
    assert game.price(quantity) == pytest.approx((1.0 + firms * 0.1) / (firms + 1))
    # Deadweight loss: the optimum over what the equilibrium leaves, 1 / (1 - 1/(m+1)²).
    assert price_of_anarchy(game, count=10) == optimum_over_surplus(game, count=10)
    assert optimum_over_surplus(game, count=10) == pytest.approx(1 / (1 - 1 / (firms + 1) ** 2))


def test_price_of_anarchy_is_that_of_the_worst_equilibrium_known():
    """No trade loses everything; one bidder at 1 wins whatever the others value: E[max] / E[v] = 3/4 / (1/2)."""
    for game in (MidpointAuction(), SecondPrice(3)):
        for k in range(len(game.equilibria(draws(1, len(game.players))))):
            assert nash_conv(game, lambda types, k=k, game=game: game.equilibria(types)[k], FINE) < 1e-3
    assert price_of_anarchy(MidpointAuction()) == np.inf
    assert price_of_anarchy(SecondPrice(3)) == pytest.approx(1.5, abs=1e-3)
    assert optimum_over_surplus(SecondPrice(3)) == pytest.approx(1.0)


def test_every_closed_form_in_the_table_is_met():
    found = rows()
    assert len({row.quantity for row in found}) == len(found) >= 18
    for row in found:
        assert row.difference <= row.allowed, row


def test_best_response_to_truth_in_the_first_price_auction():
    """Against a truthful opponent the best bid is v/2; the regret of truth is E[v²/4] = 1/12."""
    response = best_response(FirstPrice(2), lambda types: types, 0, FINE)
    assert response.actions == pytest.approx(response.types / 2, abs=0.0126)
    assert truthful_regret(FirstPrice(2), FINE) == pytest.approx(1 / 12, abs=1e-3)
    assert truthful_regret(SecondPrice(2), FINE) < 1e-3
    assert exploitability(FirstPrice(2), lambda types: types, FINE) == truthful_regret(FirstPrice(2), FINE)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("first_price", {"bidders": 1}, "at least 2"), ("first_price", {"reserve": 1.0}, "reserve = 1.0"),
        ("procurement", {"ceiling": 0.0}, "ceiling = 0.0"), ("cournot", {"cost": 2.0}, "cost = 2.0"),
        ("subsidy_leader", {"slopes": (1.0,)}, "1 slopes and 3 starts"), ("poker", {}, "no such game"),
    ],
)  # fmt: skip
def test_bad_settings_say_what_is_allowed(name, settings, message):
    with pytest.raises(GameError, match=message):
        parallel_env(name, **settings)
