"""Vehicles that feed into the grid by order: drivers' needs, the energy in the battery, registers, wear."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.config import SettingsError
from envs.resources import vehicle
from envs.reward import own_costs
from envs.settings import load_scenario
from envs.sights import observation_tables
from envs.types import HOURS, LIVED, UP
from ledger.__main__ import main
from tests.envs.play import OFF, assert_each_as_alone, by_rules, core_of, episode, periods
from tests.envs.test_appliances import fleet_of
from tests.envs.test_period import check_period

FEEDS = {"discharge_kw": 8.0}
ORDERS = [{"start_period": s, "periods": 4, "direction": "up", "power_kw": 40.0, "price": 600_000} for s in (4, 66, 70)]
NAME, CHANGES = "rural_winter", {"vehicle": FEEDS, "upper_orders": ORDERS}


@settings(max_examples=300, deadline=None)
@given(
    need=st.floats(0.0, 50_000.0), held=st.floats(0.0, 1.0), left=st.integers(1, 40), length=st.integers(1, 8),
    share=st.floats(0.0, 1.0),
)  # fmt: skip
def test_who_feeds_in_all_that_is_offered_still_leaves_with_what_it_needs(need, held, left, length, share):
    fleet = fleet_of(**FEEDS)
    full_wh = fleet.rated_w[0] * fleet.efficiency * HOURS
    need = min(need, full_wh * left)
    power = vehicle.charging_w(fleet, 0, need, held)
    waits = vehicle.range_w(fleet, 0, UP, length, need, power, left)
    feeds = vehicle.feed_range_w(fleet, 0, length, need, power, left)
    assert 0.0 <= feeds <= fleet.discharge_w[0]
    planned, rest = need, need
    for _ in range(length):
        alone = vehicle.charging_w(fleet, 0, planned, held)
        planned = vehicle.advance_wh(fleet, planned, alone)
        moved = alone - share * (waits + feeds)
        assert moved >= -fleet.discharge_w[0] - 1e-6
        rest = vehicle.advance_wh(fleet, rest, moved)
        assert feeds == 0.0 or rest <= fleet.most_need_wh + 1e-6  # the least charge stays in
    if planned <= full_wh * (left - length) + 1e-6:  # the need could be kept, so it is
        assert rest <= full_wh * (left - length) + 1e-6
    else:
        assert feeds == 0.0


def test_a_vehicle_feeds_in_only_where_settings_and_stay_allow():
    full = fleet_of(**FEEDS)
    assert vehicle.feed_range_w(full, 0, 4, 0.0, 0.0, 20) == pytest.approx(8_000.0)
    assert vehicle.feed_range_w(full, 0, 4, 0.0, 0.0, vehicle.AWAY) == 0.0
    assert vehicle.feed_range_w(full, 0, 4, 0.0, 0.0, 3) == 0.0
    assert vehicle.feed_range_w(fleet_of(), 0, 4, 0.0, 0.0, 20) == 0.0
    low = vehicle.feed_range_w(full, 0, 4, 39_000.0, 0.0, 90)
    assert low == pytest.approx(1_000.0 * 0.9)  # 1 kWh above the least charge of 10 kWh, for an hour
    fed = vehicle.advance_wh(full, 0.0, -4_000.0)
    assert fed == pytest.approx(4_000.0 * HOURS / 0.9)
    with pytest.raises(SettingsError, match="discharge_kw must be at most power_kw"):
        load_scenario(NAME, {"vehicle": {"discharge_kw": 12.0}})


def test_an_evening_of_feeding_balances_to_the_wh_and_every_driver_leaves_full():
    core = core_of(NAME, {**OFF, **CHANGES})
    core.reset(np.array([0, 1], np.uint64))
    state, fleet = core.state, core.world.equipment.fleet
    balance, charge, fed, worn, missing = state.balance.copy(), state.charge_wh.copy(), 0, 0.0, 0
    need_wh, leaves = state.need_wh[:, LIVED].copy(), state.leaves.copy()
    for trace in periods(core, by_rules(core)):
        energy = trace.energy
        check_period(core, trace, balance, charge)
        stays = leaves > trace.period + 1
        moved = energy.vehicle_wh * fleet.efficiency - energy.fed_wh / fleet.efficiency
        assert np.allclose((need_wh - state.need_wh[:, LIVED])[stays], moved[stays], atol=1.2)
        assert np.all((energy.fed_wh == 0) | (energy.vehicle_wh == 0))
        assert np.all(energy.fed_wh <= np.rint(fleet.discharge_w * HOURS))
        assert np.all(state.need_wh[:, LIVED][energy.fed_wh > 0] <= fleet.most_need_wh + 1.0)
        spared = own_costs(core.world, replace(energy, fed_wh=np.zeros_like(energy.fed_wh)))
        worn = worn + (own_costs(core.world, energy) - spared).sum(axis=1)
        balance, charge = state.balance.copy(), trace.charge_wh
        need_wh, leaves = state.need_wh[:, LIVED].copy(), state.leaves.copy()
        fed, missing = fed + energy.fed_wh.sum(axis=1), missing + energy.missing_wh.sum()
    assert np.all(fed > 5_000)
    assert missing == 0
    price = core.world.scenario.sites.degradation_price
    assert worn == pytest.approx(2 * fed * price / 1e9)  # out and in again, as a battery pays for both


def test_feeding_can_be_seen_and_costs_no_column_elsewhere():
    seen = [
        [c.name for c in observation_tables(load_scenario(NAME, changes))["prosumer"]]
        for changes in ({"vehicle": FEEDS}, None)
    ]
    assert [name for name in seen[0] if name not in seen[1]] == ["vehicle_feed"]


def test_a_night_of_feeding_in_a_batch_is_that_night_alone():
    keeps = {**CHANGES, "ledger": {"mode": "hashes"}}
    traces = assert_each_as_alone(NAME, keeps, 9, (10, 11), "need_wh")
    assert sum(t.energy.fed_wh.sum() for t in traces) > 100


def test_a_night_of_feeding_is_recorded_and_audits(tmp_path, capsys):
    path, changed = tmp_path / "feeding.sqlite", {"vehicle": FEEDS, "upper_orders": ORDERS[:1]}
    core = core_of(NAME, changed, 12, str(path))
    traces = episode(core, by_rules(core), (2,))
    assert sum(t.energy.fed_wh.sum() for t in traces) > 100
    settings = ["vehicle.discharge_kw=8.0", f"upper_orders={json.dumps(ORDERS[:1])}"]
    assert main(["audit", str(path), "--config", NAME, *(f"--set={each}" for each in settings)]) == 0
    assert capsys.readouterr().out.startswith("follows: ")
