"""GD and AA traders in the laboratory and as rules of the environment."""

import numpy as np
import pytest

from agents.aggressive_traders import AggressiveTraders, aggressiveness, spans, target, theta_of
from agents.belief_traders import BeliefTraders, belief
from agents.traders import BUYER, SELLER, Turn
from evaluation.reproductions import learning_traders
from tests.envs.play import OFF, by_rules, core_of, episode
from tests.market.test_rules import TINY, _play

MARKETS = {market.name: market for market in learning_traders.markets()}


@pytest.mark.parametrize("kind", ["zip", "gd", "aa"])
@pytest.mark.parametrize("name", MARKETS)
def test_learners_trade_nearly_everything_that_gains(name, kind):
    efficiency = learning_traders.play(kind, MARKETS[name], sessions=3, days=3)[..., 0]
    assert efficiency.mean() > 97.5
    assert np.all(efficiency <= 100.0)


def test_learners_settle_near_the_equilibrium_price():
    """In the symmetric market (equilibrium 200) prices of learners scatter less than those of zero intelligence."""
    market, spread = MARKETS["symmetric"], {}
    for kind in learning_traders.KINDS:
        rng = np.random.default_rng(5)
        traders = learning_traders.population(kind, market, rng)
        days = [learning_traders.day(market, traders, rng)[1] for _ in range(6)]
        late = np.array([price for day in days[3:] for price in day])
        spread[kind] = float(np.sqrt(((late - 200.0) ** 2).mean()))
    assert all(spread[kind] < 0.5 * spread["zi-c"] for kind in ("zip", "gd", "aa"))


def test_alpha_by_day_falls_for_learners_only():
    market = MARKETS["symmetric"]
    assert market.equilibrium == 200.0
    assert [MARKETS[name].equilibrium for name in ("1", "2", "3", "4")] == [82.0, 69.0, 95.0, 170.0]
    assert learning_traders.smiths_alpha([190, 210], 200.0) == pytest.approx(5.0)
    alpha = {k: learning_traders.play(k, market, 8, 6)[..., 1].mean(axis=0) for k in learning_traders.KINDS}
    for kind in ("zip", "gd", "aa"):
        assert alpha[kind][-1] < 0.4 * alpha["zi-c"][-1]
    assert alpha["zip"][-1] < 0.5 * alpha["zip"][0]
    assert alpha["zi-c"][-1] > 0.7 * alpha["zi-c"][0]


def test_unknown_traders_are_refused():
    with pytest.raises(ValueError, match="no traders 'snipers' \\(allowed: zi-c, zip, gd, aa\\)"):
        learning_traders.population("snipers", MARKETS["1"], np.random.default_rng(0))


def test_beliefs_by_hand():
    """Asks 60 (taken) and 80 (failed), one bid 50: the formula at the prices heard, flat cubics between them."""
    chance = belief(SELLER, np.array([60, 80]), np.array([True, False]), np.array([50]), 100)
    assert chance[[0, 50, 60, 80, 100]].tolist() == [1.0, 1.0, 1.0, 0.0, 0.0]
    assert chance[70] == pytest.approx(0.5)
    assert np.all(np.diff(chance) <= 0)
    mirrored = belief(BUYER, np.array([40, 20]), np.array([True, False]), np.array([50]), 100)
    assert mirrored == pytest.approx(chance[::-1])
    two = belief(SELLER, np.array([60, 70]), np.array([False, True]), np.array([], int), 100)
    assert two[60] == pytest.approx(1 / 2)  # one taken at or above it, one failed at or below
    with pytest.raises(ValueError, match="memory = 0"):
        BeliefTraders(100, 0)


def _turn(side, limit, bid, ask):
    return Turn(0, side, limit, bid, ask, np.array([limit]), np.array([True]))


def test_a_belief_trader_betters_the_standing_quote_or_waits():
    traders = BeliefTraders(100)
    ask = traders.shout(_turn(SELLER, 30, 0, 60))
    assert 30 < ask < 60
    assert traders.shout(_turn(SELLER, 70, 0, 60)) is None
    traders.hear(_turn(BUYER, 90, 0, 101), BUYER, 55, False)
    traders.hear(_turn(SELLER, 30, 55, 101), BUYER, 55, True)
    assert 50 <= traders.shout(_turn(SELLER, 30, 0, 101)) <= 80


@pytest.mark.parametrize("theta", [-8.0, -1.0, 0.0, 2.0])
@pytest.mark.parametrize(("side", "limit"), [(SELLER, 30.0), (SELLER, 80.0), (BUYER, 90.0), (BUYER, 20.0)])
def test_aggressiveness_is_the_inverse_of_the_target(side, limit, theta):
    """From all that could be asked at -1 through the estimate (or the limit of who is out) to the limit at 1."""
    at = spans(np.array(side), np.array(limit), 50.0, 100.0)
    r = np.linspace(-1.0, 1.0, 21)
    prices = target(r, theta, *at)
    out = (50.0 - limit) * side < 0
    assert prices[[0, 10, 20]] == pytest.approx([100.0 if side == SELLER else 0.0, limit if out else 50.0, limit])
    assert np.all(np.diff(prices) * side <= 1e-9)
    back = aggressiveness(prices, np.array(side), theta, *at)
    known = r <= 0.0 if out else r <= 1.0
    assert back[known] == pytest.approx(r[known], abs=1e-6)


def test_theta_falls_with_the_scatter_of_prices():
    assert theta_of(np.array([0.0, 1.0]), np.array(0.0), np.array(1.0)) == pytest.approx([2.0, -8.0])


def test_an_aggressive_trader_never_quotes_past_its_limit():
    rng = np.random.default_rng(2)
    side = np.array([BUYER, SELLER])
    traders, limits = AggressiveTraders(rng, side, 100), np.array([70, 40])
    for _ in range(300):
        who, bid, ask = int(rng.integers(2)), int(rng.integers(0, 60)), int(rng.integers(61, 102))
        turn = Turn(who, int(side[who]), int(limits[who]), bid, ask, limits, np.ones(2, bool))
        price = traders.shout(turn)
        if price is not None:
            assert (price - limits[who]) * side[who] >= 0
            traders.hear(turn, int(rng.choice(side)), price, bool(rng.integers(2)))
    assert np.all(np.abs(traders.r) <= 1.0)


@pytest.mark.parametrize("rule", ["gd", "aa"])
def test_rules_follow_the_announced_price_and_forget_on_reset(rule):
    market = TINY.market
    dear, policy = _play(rule, {"pv": 0.8, "load": 0.1, "reference_price": 0.9}, 40)
    cheap = _play(rule, {"pv": 0.8, "load": 0.1, "reference_price": 0.35}, 40)[0]
    assert dear[0]["opening_price"] == pytest.approx(cheap[0]["opening_price"])
    assert np.all(dear[-1]["opening_price"] > 0.8 * market.retail)
    assert np.all(cheap[-1]["opening_price"] < 0.5 * market.retail)
    assert np.all(cheap[-1]["opening_price"] >= market.feed_in - 1)  # never at a loss
    policy.reset(1)
    assert not policy._memory


@pytest.mark.parametrize("rule", ["gd", "aa"])
def test_rules_find_partners_in_the_environment(rule):
    traded = {}
    for name in (rule, "greedy"):
        core = core_of("tiny", OFF)
        traded[name] = sum(int(t.trades.wh.sum()) for t in episode(core, by_rules(core, {"prosumer": name}), (0,)))
    assert traded[rule] > traded["greedy"]
