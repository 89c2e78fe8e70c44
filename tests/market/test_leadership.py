"""Leaders and followers against the closed form, rule by rule; and the battery that serves its owner alone."""

import numpy as np
import pytest

import evaluate
from agents import household, leadership
from agents.policy import rule_policy
from envs.actions import action_tables
from envs.games.subsidy_leader import SubsidyLeader
from envs.settings import load_scenario
from envs.sights import observation_tables
from tests.envs.play import OFF, by_rules, core_of, episode

TINY = load_scenario("tiny")
RETAIL, FEED_IN = TINY.market.retail, TINY.market.feed_in
SLOPE = 2.0 * TINY.sites.degradation_price


def say(role, name, columns):
    """What a rule does, by column name, on an observation given by column name (zero elsewhere)."""
    seen = np.zeros((1, len(observation_tables(TINY)[role])), np.float32)
    for k, column in enumerate(observation_tables(TINY)[role]):
        seen[:, k] = columns.get(column.name, 0.0)
    said = rule_policy(TINY, role, name).act(seen)[0]
    return {
        c.name: c.low + (float(x) + 1.0) / 2.0 * (c.high - c.low)
        for c, x in zip(action_tables(TINY)[role], said, strict=True)
    }


def test_the_leader_and_its_users_are_the_games():
    """s* = (V + b̄)/2 with b̄ = Σ(b/a)/Σ(1/a); each user's share is its best response."""
    slopes, starts = np.array([1.0, 2.0, 4.0]), np.array([0.1, 0.2, 0.3])
    game = SubsidyLeader(slopes, starts, 1.0)
    mean = float((starts / slopes).sum() / (1.0 / slopes).sum())
    assert float(leadership.lead(np.float64(1.0), mean)) == pytest.approx(game.best_subsidy(), abs=1e-6)
    for s in (0.05, 0.25, 0.6):
        own = [float(leadership.answer(np.float64(s), b, a)) for a, b in zip(slopes, starts, strict=True)]
        assert own == pytest.approx(game.answer(np.array(s)).tolist(), abs=1e-12)


@pytest.mark.parametrize("reserve", [90_000, 100_000, 117_000])
def test_the_aggregator_leads_its_users_by_the_closed_form(reserve):
    """To the micro-currency; and no other subsidy leaves it more, given what the follower answers."""
    seen = {"grid_direction": -1, "grid_reserve": reserve / RETAIL}
    said = say("aggregator", "stackelberg_leader", seen)
    assert said["subsidy"] == pytest.approx((reserve + FEED_IN) / 2.0, abs=0.1)
    assert said["offer_price"] == pytest.approx(reserve, abs=0.1)

    def profit(subsidy):
        answer = say("prosumer", "stackelberg_follower", {**seen, "subsidy_1": subsidy / RETAIL})
        return (reserve - subsidy) * answer["flex_share"]

    best = profit(said["subsidy"])
    assert best == pytest.approx((reserve - FEED_IN) ** 2 / 4.0 / SLOPE * household.SAFE_SHARE, rel=1e-4)
    assert best > max(profit(said["subsidy"] + step) for step in (-2_000, -200, 200, 2_000))


def test_a_leader_pays_no_more_than_the_last_kwh_costs():
    dear = say("aggregator", "stackelberg_leader", {"grid_direction": -1, "grid_reserve": 1.0})
    assert dear["subsidy"] == pytest.approx(FEED_IN + SLOPE, abs=0.1)


def test_the_operator_leads_the_aggregators():
    grid = say("eno", "stackelberg_leader", {"grid_need": 0.5, "grid_way": -1})
    assert grid["reserve_price"] == pytest.approx((RETAIL + FEED_IN) / 2.0, abs=0.1)
    up = say("eno", "stackelberg_leader", {"upper_need": 0.5, "upper_way": 1, "upper_price": 4 / 3})
    cost = max(TINY.sites.discomfort_price, TINY.sites.degradation_price + FEED_IN)
    assert up["reserve_price"] == pytest.approx((4 / 3 * RETAIL + cost) / 2.0, abs=0.1)
    assert say("eno", "stackelberg_leader", {"upper_need": 0.5, "upper_way": 1})["volume"] == pytest.approx(1.0)


def test_the_follower_offers_up_to_the_subsidy_and_goes_where_it_is_highest():
    seen = {"grid_direction": -1, "subsidy_0": 90_000 / RETAIL, "subsidy_1": 100_000 / RETAIL, "member_0": 1.0}
    said = say("prosumer", "stackelberg_follower", seen)
    assert said["flex_share"] == pytest.approx(household.SAFE_SHARE * (100_000 - FEED_IN) / SLOPE, abs=1e-6)
    assert said["flex_price_down"] == pytest.approx(FEED_IN, abs=0.1)
    assert said["flex_price_down"] + said["flex_step"] == pytest.approx((FEED_IN + 100_000) / 2.0, abs=0.1)
    assert said["prefers_0"] > say("prosumer", "stackelberg_follower", {**seen, "member_0": 0.0})["prefers_0"]
    much = say("prosumer", "stackelberg_follower", {**seen, "subsidy_1": 0.8})
    assert much["prefers_1"] > much["prefers_0"]
    assert say("prosumer", "stackelberg_follower", {**seen, "subsidy_0": 0.1, "subsidy_1": 0.1})["flex_share"] == 0.0


def test_the_follower_trades_at_the_price_it_heard_but_never_at_a_loss():
    for heard, surplus, opening in ((0.5, 0.4, 0.5 * RETAIL), (0.1, 0.4, FEED_IN), (0.5, -0.4, 0.5 * RETAIL)):
        columns = {"reference_price": heard, "pv": max(surplus, 0.0), "load": max(-surplus, 0.0)}
        said = say("prosumer", "stackelberg_follower", columns)
        assert said["opening_price"] == pytest.approx(opening, abs=0.1)


SURE = {
    "sites": {"pv_output_noise": 0.0, "load_output_noise": 0.0},
    "forecasts": {"site": {"noise": 0.0, "growth": 0.0}},
    "upper_orders": [],
}


def test_self_consumption_stores_own_surplus_and_never_buys():
    """With sure forecasts and nobody asking: the battery takes what is over, gives what is missing, and no more."""
    core = core_of("tiny", {**OFF, **SURE})
    traces = episode(core, by_rules(core, {"prosumer": "self_consumption", "eno": "idle"}), (1,))
    stored = np.array([t.energy.storage_wh[0] for t in traces])
    rest = np.array([t.energy.generated_wh[0] - t.energy.consumed_wh[0] for t in traces])
    owners = core.world.storage_w > 0
    assert np.all(-stored <= np.maximum(rest, 0) + 2)
    assert np.all(stored <= np.maximum(-rest, 0) + 2)
    assert stored[:, owners].min() < -100
    assert stored[:, owners].max() > 100
    # Whoever has room takes all that is over, up to the rated power.
    room = np.array([t.charge_wh[0] for t in traces]) < 0.97 * core.world.storage_wh
    full_power = np.minimum(rest, core.world.storage_w * 0.25)
    taken = (rest > 0) & room & owners
    assert np.all(np.abs(-stored - full_power)[taken] <= 2)


def test_usable_in_evaluate(tmp_path):
    words = ["tiny", "--seeds", "1", "--set", "calendar.periods=50", "--set", "ledger.mode=off", "--out", str(tmp_path)]
    words += ["--policy", "prosumer=stackelberg_follower", "--policy", "aggregator=stackelberg_leader"]
    assert evaluate.main([*words, "--policy", "eno=stackelberg_leader"]) == 0
