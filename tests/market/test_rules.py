"""Incentives: what each role earns by each rule while the others play the defaults; and what single rules do."""

import re
from pathlib import Path

import numpy as np
import pytest

from agents.policy import rule_policy
from envs import plugins
from envs.actions import action_tables
from envs.config import SettingsError
from envs.games.procurement import Procurement
from envs.settings import load_scenario
from envs.sights import observation_tables
from tests.envs.play import OFF, by_rules, core_of, episode

SEEDS = (0, 1)
TINY = load_scenario("tiny")
RULES = [(role, name) for role in ("prosumer", "aggregator", "eno") for name in plugins.names("rules", needs=role)]


@pytest.fixture(scope="module")
def earned():
    """(role, rule) → reward of each role, summed over a day and two seeds."""
    table = {}
    for role, name in RULES:
        core = core_of("tiny", OFF)
        traces = episode(core, by_rules(core, {role: name}), SEEDS)
        table[role, name] = {r: float(sum(t.reward[r].sum() for t in traces)) for r in traces[0].reward}
    return table


def test_prosumers_incentives(earned):
    """Who trades at its valuation finds partners; who asks for all of the gain does not."""
    own = {name: earned["prosumer", name]["prosumer"] for role, name in RULES if role == "prosumer"}
    assert own["idle"] < own["greedy"] < own["zero_intelligence_unconstrained"] < own["truthful"]
    assert own["zip"] > own["greedy"]
    assert own["price_threshold"] > own["idle"]


def test_aggregators_incentives(earned):
    """A price that users or the operator do not take earns nothing; giving all away neither."""
    own = {name: earned["aggregator", name]["aggregator"] for role, name in RULES if role == "aggregator"}
    assert own["equilibrium"] > own["markup"] > own["idle"] == 0.0
    assert own["greedy"] == own["generous"] == 0.0
    assert own["equilibrium"] > own["subsidy_share"] > 0.0
    users = {name: earned["aggregator", name]["prosumer"] for role, name in RULES if role == "aggregator"}
    assert users["generous"] > users["markup"] > users["greedy"]


def test_operators_incentives(earned):
    """Refusing to pay costs more in violations than paying, and what the operator refuses the aggregators don't get.

    Offers here do not follow the reserve price, so paying any price feeds them no more than planning does.
    """
    own = {name: earned["eno", name]["eno"] for role, name in RULES if role == "eno"}
    # To ask for nothing and to pay nothing come to the same: the last resort cuts either way.
    assert own["idle"] == own["greedy"] < own["strict"] < own["planner"]
    assert own["generous"] > own["strict"]
    assert own["strict"] < own["reserve_price"]
    paid = {name: earned["eno", name]["aggregator"] for role, name in RULES if role == "eno"}
    assert min(paid["generous"], paid["planner"]) > paid["strict"] > paid["greedy"] == 0.0
    assert paid["generous"] == pytest.approx(paid["planner"], rel=0.05)


def _offers(scenario, direction, reserve):
    """Actions by column name of all aggregators by the rule `equilibrium`, asked for one kWh at a reserve price."""
    table = observation_tables(scenario)["aggregator"]
    seen = np.zeros((1, scenario.market.aggregators, len(table)), np.float32)
    for c, column in enumerate(table):
        if column.name == "grid_direction":
            seen[..., c] = direction
        elif column.name == "grid_reserve":
            seen[..., c] = reserve / scenario.market.retail
    said = rule_policy(scenario, "aggregator", "equilibrium").act(seen)[0]
    columns = action_tables(scenario)["aggregator"]
    return {c.name: c.low + (said[:, k] + 1) / 2 * (c.high - c.low) for k, c in enumerate(columns)}


def _play(name, columns, periods, worlds=(3,)):
    """Actions by column name of a prosumer rule over observations given by column name."""
    table = observation_tables(TINY)["prosumer"]
    policy = rule_policy(TINY, "prosumer", name)
    policy.reset(1)
    actions = []
    for k in range(periods):
        seen = np.zeros((*worlds, 2, len(table)), np.float32)
        for c, column in enumerate(table):
            if column.name in columns:
                value = columns[column.name]
                seen[..., c] = value[k] if isinstance(value, list) else value
        said = policy.act(seen)
        names = [column.name for column in action_tables(TINY)["prosumer"]]
        low_high = {c.name: (c.low, c.high) for c in action_tables(TINY)["prosumer"]}
        actions.append(
            {
                n: low_high[n][0] + (said[..., i] + 1) / 2 * (low_high[n][1] - low_high[n][0])
                for i, n in enumerate(names)
            }
        )
    return actions, policy


@pytest.mark.parametrize("suppliers", [2, 3, 5])
def test_equilibrium_offers_as_the_closed_form_of_the_procurement_does(suppliers):
    """Costs uniform on [subsidy, R] moved to [0, 1]: the offer is that of the game with the ceiling at 1."""
    scenario = load_scenario("tiny", {"market": {"aggregators": suppliers}})
    game, dear = Procurement(suppliers), scenario.sites
    cost = {
        1: max(dear.discomfort_price, dear.degradation_price + scenario.market.feed_in),
        -1: scenario.market.feed_in,
    }
    for direction, users in cost.items():
        subsidy = users + 1.5 * dear.degradation_price
        for reserve in (0.9 * subsidy, 1.5 * subsidy, 3.0 * subsidy):
            said = _offers(scenario, direction, reserve)
            low, high = subsidy, max(reserve, subsidy)
            # The lowest cost of all, in the game's units, and back.
            share = game.equilibrium(np.zeros((1, suppliers)))[0]
            assert said["offer_price"] == pytest.approx(low + share * (high - low), rel=1e-5)
            assert said["subsidy"] == pytest.approx(subsidy, rel=1e-5)


def test_zip_follows_the_announced_price_and_forgets_on_reset():
    market = TINY.market
    dear = _play("zip", {"pv": 0.8, "load": 0.1, "reference_price": 0.9}, 30)[0]
    cheap, policy = _play("zip", {"pv": 0.8, "load": 0.1, "reference_price": 0.1}, 30)
    assert dear[0]["opening_price"] == pytest.approx(cheap[0]["opening_price"])
    assert np.all(dear[-1]["opening_price"] > 0.8 * market.retail)
    assert np.all(cheap[-1]["opening_price"] < 1.05 * market.feed_in)
    assert np.all(cheap[-1]["opening_price"] >= market.feed_in - 1)  # never at a loss
    assert policy._memory
    policy.reset(1)
    assert not policy._memory


def test_price_threshold_buys_cheap_and_sells_dear():
    columns = {"storage_power": 0.5, "charge": 0.5, "reference_price": [0.3, 0.65, 0.95]}
    actions = _play("price_threshold", columns, 3)[0]
    assert [float(a["storage"][0, 0]) for a in actions] == pytest.approx([-1.0, 0.0, 1.0], abs=1e-6)
    full = _play("price_threshold", {**columns, "charge": 0.99}, 1)[0]
    assert float(full[0]["storage"][0, 0]) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("trading", plugins.names("market", needs="clear"))
def test_every_mechanism_plays_in_the_environment(trading):
    """Until one o'clock, so that there is a surplus to trade: sound trades, and money that only changes hands."""
    core = core_of("tiny", {**OFF, "market": {"trading": trading}}, cycles=52)
    traces = episode(core, by_rules(core, {"prosumer": "zero_intelligence"}), (3,))
    assert len(traces) == 52
    assert sum(t.payments.change.sum() for t in traces) == 0
    made = sum(int(t.trades.count.sum()) for t in traces)
    assert (made == 0) if trading == "feed_in" else (made > 20)
    for trace in traces:
        count = int(trace.trades.count[0])
        seller, buyer, wh, price = (
            getattr(trace.trades, name)[0, :count] for name in ("seller", "buyer", "wh", "price")
        )
        limit, quantity = trace.quotes.limit_price[0], trace.quotes.quantity_wh[0]
        assert np.all((limit[seller] <= price) & (price <= limit[buyer]))
        sold, bought = np.zeros_like(quantity), np.zeros_like(quantity)
        np.add.at(sold, seller, wh)
        np.add.at(bought, buyer, wh)
        assert np.all(wh > 0)
        assert np.all(sold <= np.maximum(quantity, 0))
        assert np.all(bought <= np.maximum(-quantity, 0))
        if trading in ("mid_market", "second_price", "stackelberg", "uniform_price"):
            assert len(set(price.tolist())) <= 1


def own_rule(folder: Path, text: str):
    """A core of the tiny scenario and the prosumers' choice of a rule that was written outside the repository."""
    (folder / "rules").mkdir()
    (folder / "rules" / "mine.py").write_text(text)
    core = core_of("tiny", {**OFF, "plugins": [str(folder)]}, cycles=2)
    return core, {"prosumer": "mine"}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('view["nosuch"] = 1.0', "rules/mine.py: prosumer sets no column 'nosuch' (allowed: opening_price, "),
        ('view["quantiti"] = 1.0', "sets no column 'quantiti'; did you mean quantity? (allowed: "),
        ('view["charg"]', "rules/mine.py: prosumer sees no column 'charg'; did you mean charge? (allowed: announced, "),
        ('view.price("quantity")', "prosumer sees no column 'quantity'"),
    ],
)
def test_a_column_that_is_not_there_is_one_line(tmp_path, line, says):
    core, choice = own_rule(tmp_path, f"def prosumer(view):\n    {line}\n")
    with pytest.raises(SettingsError) as error:
        episode(core, by_rules(core, choice))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_the_guides_rule_plays_and_sells(tmp_path):
    guide = (Path(__file__).resolve().parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (text,) = (block for block in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "def prosumer" in block)
    core, choice = own_rule(tmp_path, text)
    market = core.world.scenario.market
    for trace in episode(core, by_rules(core, choice)):
        assert set(np.unique(trace.quotes.limit_price)) <= {(market.retail + market.feed_in) // 2, market.retail}
        assert trace.quotes.quantity_wh.any()
