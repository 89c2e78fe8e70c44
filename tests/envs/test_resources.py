"""Every resource declares its state, what agents set and see, its adjustable range and its cost in one form."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from envs.actions import prosumer_columns
from envs.resources import storage
from envs.resources.site import RESOURCES
from envs.reward import own_costs, price_of
from envs.settings import load_scenario
from envs.sights import prosumer_columns as prosumer_sights
from envs.types import DOWN, UP, Energy, State
from tests.envs.play import OFF, at_random, by_rules, core_of, episode

WINTER = load_scenario("rural_winter")
FOLDER = Path(__file__).resolve().parents[2] / "envs" / "resources"


def test_every_file_is_a_resource_and_declares_it():
    assert set(RESOURCES) == {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "base", "site"}


@pytest.mark.parametrize("name", RESOURCES)
def test_what_a_resource_declares_is_what_the_world_has(name):
    resource = RESOURCES[name]
    assert set(resource.state) <= {field.name for field in fields(State)}
    assert {c.name for c in resource.actions} <= {c.name for c in prosumer_columns(WINTER)}
    assert {c.name for c in resource.observations} <= {c.name for c in prosumer_sights(WINTER)}
    assert resource.range_w
    assert set(resource.range_w) <= {UP, DOWN}
    assert resource.costs
    for cost in resource.costs:
        price = price_of(WINTER, cost)
        assert price > 0
        assert cost.of(3_000, price) >= 3_000 * price
        assert cost.of(0, price) == 0


def test_rewards_charge_every_declared_cost_once():
    core = core_of("rural_winter", OFF, 40)
    traces = episode(core, at_random(2), (3,))
    energy = traces[-1].energy
    nothing = {field.name: np.zeros_like(getattr(energy, field.name)) for field in fields(Energy)}
    for resource in RESOURCES.values():
        for cost in resource.costs:
            charged = 0.0
            for field in ("available_wh", "shed_wh", "lost_wh", "cycled_wh", "missing_wh", "fed_wh", "outside_mkh"):
                one = Energy(**{**nothing, field: np.full_like(energy.shed_wh, 2_000)})
                if cost.amount(one).any():
                    charged = own_costs(core.world, one)
            due = 0.0 if cost.settled else cost.of(2_000, price_of(core.world.scenario, cost)) / 1e9
            assert np.allclose(charged, due)
    assert sum(own_costs(core.world, t.energy).sum() for t in traces) > 0


def _last_hour(power: float):
    """The rules, but that in the episode's last hour everybody's battery is told this power."""

    def choose(core, observer, role):
        action = by_rules(core)(core, observer, role)
        if role == "prosumer" and core.state.period >= core.max_cycles - 4:
            names = [column.name for column in core.columns[role]]
            action = action.copy()
            action[:, :, names.index("storage")] = power
        return action

    return choose


def test_neither_emptying_nor_filling_batteries_at_the_end_pays():
    """They settle their charge with the one that they began with."""
    calm = {**OFF, "upper_orders": []}
    earned, refill = {}, {}
    for power in (-1.0, 0.0, 1.0):
        core = core_of("rural_day", calm, 12)
        traces = episode(core, _last_hour(power), (0, 1))
        earned[power] = sum(t.reward["prosumer"].sum() for t in traces)
        refill[power] = traces[-1].energy.refill_wh.sum()
        missing = core.world.first_charge_wh - core.state.charge_wh
        assert np.array_equal(np.sign(np.rint(missing)), np.sign(traces[-1].energy.refill_wh))
        assert all(not t.energy.refill_wh.any() for t in traces[:-1])
    assert refill[-1.0] < -5_000 < 5_000 < refill[1.0]
    assert earned[1.0] < earned[0.0] > earned[-1.0]


def test_missing_charge_is_bought_at_retail_and_what_is_left_sold_at_feed_in():
    core = core_of("rural_day", OFF, 1)
    (trace,) = episode(core, by_rules(core))
    market = core.world.scenario.market
    nothing = {field.name: np.zeros_like(getattr(trace.energy, field.name)) for field in fields(Energy)}
    due = {3_000: 3_000 * (market.retail + market.network_charge) / 1e9, -3_000: -3_000 * market.feed_in / 1e9}
    for wh, cost in due.items():
        one = Energy(**{**nothing, "refill_wh": np.full_like(trace.energy.refill_wh, wh)})
        assert np.allclose(own_costs(core.world, one), cost)
    charges = np.array([400.0, 1_000.0, 1_600.0])
    assert storage.refill_wh(charges, np.full(3, 1_000.0), np.full(3, 0.8)).tolist() == [750, 0, -480]


def test_batteries_that_follow_a_profile_owe_what_orders_took():
    core = core_of("semiurb_spring", OFF, 8)
    traces = episode(core, by_rules(core, {"prosumer": "idle", "eno": "idle"}))
    followers = core.world.equipment.follows
    assert followers.any()
    assert np.any(core.state.charge_wh[0, followers] != core.world.first_charge_wh[followers])
    assert not traces[-1].energy.refill_wh[0, followers].any()


def test_load_that_is_switched_off_by_force_costs_its_household():
    """Vehicles and heat pumps go first; here nobody has one."""
    plain = {"sites": {"net_appliances": False, "vehicle_share": 0.0, "heat_pump_share": 0.0}}
    core = core_of("rural_winter", {**OFF, **plain, "grid": {"loading_limit": 0.15}}, 40)
    traces = episode(core, by_rules(core, {"prosumer": "idle"}), (0, 1))
    lost = sum(t.energy.lost_wh for t in traces)
    cut = sum(np.maximum(t.energy.cut_wh, 0) for t in traces)
    assert cut.sum() > 10_000
    assert np.array_equal(lost, cut)
    price = core.world.scenario.sites.lost_load_price
    for trace in traces:
        spared = own_costs(core.world, replace(trace.energy, lost_wh=np.zeros_like(trace.energy.lost_wh)))
        assert np.allclose(own_costs(core.world, trace.energy) - spared, trace.energy.lost_wh * price / 1e9)
