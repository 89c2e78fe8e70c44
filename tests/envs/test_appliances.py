"""Vehicles and heat pumps: their limits, what they owe their owners, and the rebound of what an order put off."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs import energy_market_v0
from envs.actions import appliance_columns
from envs.appliance_settings import HeatPumpSettings, VehicleSettings
from envs.grid.feeder import load_feeder
from envs.grid.profiles import CHARGING, HEAT_PUMPS, load_profiles
from envs.phases.trigger import silent_stage
from envs.resources import thermostatic, vehicle
from envs.settings import load_scenario
from envs.types import DOWN, GRID, HOURS, LIVED, TWIN, UP
from envs.world import build_world
from ledger.__main__ import main
from tests.envs.play import OFF, at_random, by_rules, core_of, episode, periods
from tests.envs.test_period import check_period

IDLE = dict.fromkeys(("prosumer", "aggregator", "eno"), "idle")
ORDER = {"periods": 4, "power_kw": 15.0, "price": 400_000}
DAY = 96


def fleet_of(**changes):
    column, plugs = np.full(1, -1, np.int64), (np.zeros((1, 0)), np.zeros((1, 0), np.int64))
    return vehicle.fleet_of(VehicleSettings(**changes), np.array([11_000.0]), column, plugs, DAY)


def houses_of(rows=DAY, **changes):
    return thermostatic.houses_of(HeatPumpSettings(**changes), np.array([5_000.0]), np.full((rows, 1), np.nan), DAY)


@settings(max_examples=200, deadline=None)
@given(
    need=st.floats(1.0, 50_000.0), held=st.floats(0.0, 1.0), left=st.integers(1, 40), length=st.integers(1, 8),
    way=st.sampled_from([UP, DOWN]),
)  # fmt: skip
def test_a_vehicle_that_moves_its_whole_range_still_gets_what_it_needs(need, held, left, length, way):
    fleet = fleet_of()
    most = fleet.rated_w[0] * fleet.efficiency * HOURS * left
    need = min(need, most)
    power = vehicle.charging_w(fleet, 0, need, held)
    reach = vehicle.range_w(fleet, 0, way, length, need, power, left)
    assert 0.0 <= reach <= fleet.rated_w[0]
    if length > left:
        assert reach == 0.0
        return
    rest = need
    for _ in range(length):
        planned = vehicle.charging_w(fleet, 0, need, held)
        need = vehicle.advance_wh(fleet, need, planned)
        moved = planned - way * reach
        assert -1e-6 <= moved <= fleet.rated_w[0] + 1e-6
        assert rest - moved * fleet.efficiency * HOURS > -1e-6  # never more than the battery takes
        rest = vehicle.advance_wh(fleet, rest, moved)
    if way == UP:  # full power afterwards meets the need, if it did before
        before = need <= fleet.rated_w[0] * fleet.efficiency * HOURS * (left - length) + 1e-6
        assert not before or rest <= fleet.rated_w[0] * fleet.efficiency * HOURS * (left - length) + 1e-6


@settings(max_examples=200, deadline=None)
@given(
    warmth=st.floats(-1.0, 1.0), shift=st.floats(-1.0, 1.0), length=st.integers(1, 8), way=st.sampled_from([UP, DOWN])
)
def test_a_building_whose_pump_moves_its_whole_range_stays_comfortable(warmth, shift, length, way):
    houses, row = houses_of(), 20
    reach = thermostatic.range_w(houses, 0, way, length, row, warmth, shift)
    moved_k, planned_k = warmth, warmth
    for h in range(length):
        hold = houses.hold_w[row + h, 0]
        planned = thermostatic.heating_w(houses, 0, hold, planned_k, shift)
        planned_k = thermostatic.advance_k(houses, 0, hold, planned_k, planned)
        moved_k = thermostatic.advance_k(houses, 0, hold, moved_k, planned - way * reach)
        assert -1e-6 <= planned - way * reach <= houses.rated_w[0] + 1e-6
    if reach > 0.0:
        assert abs(moved_k) <= houses.band_k + 1e-9


def test_heat_is_conserved_and_what_was_put_off_comes_back():
    houses, row = houses_of(outdoor_mean_c=18.0), 40
    hold = houses.hold_w[row, 0]
    assert 0 < hold < houses.rated_w[0]
    cold = thermostatic.advance_k(houses, 0, hold, 0.0, 0.0)
    stored_wh = houses.capacity_wh_per_k[0] * cold
    assert stored_wh == pytest.approx(-houses.cop * hold * HOURS)  # what was not pumped is what is missing
    power = thermostatic.heating_w(houses, 0, hold, cold, 0.0)
    assert power > hold  # the rebound
    assert abs(thermostatic.advance_k(houses, 0, hold, cold, power)) < 1e-9
    assert (power - hold) * HOURS == pytest.approx(hold * HOURS, rel=0.01)  # as much, but for what leaked less
    assert thermostatic.outside_kh(houses, -1.4) == pytest.approx(0.1)
    most = thermostatic.heating_w(houses, 0, hold, 0.9, 1.0)  # the thermostat cuts out at the end of the band
    assert thermostatic.advance_k(houses, 0, hold, 0.9, most) == pytest.approx(houses.band_k)


def test_the_outdoor_curve_is_coldest_in_a_january_night():
    outdoor = thermostatic.outdoor_c(HeatPumpSettings(), 365 * DAY, DAY)
    assert divmod(int(outdoor.argmin()), DAY) == (15, 20)
    assert outdoor.mean() == pytest.approx(9.0, abs=0.01)
    assert houses_of(365 * DAY).hold_w[180 * DAY + 60, 0] < 0.5 * houses_of(365 * DAY).hold_w[15 * DAY + 60, 0]


def test_a_nets_charging_profiles_become_stays_of_the_same_energy():
    net = "simbench:1-LV-rural1--2-sw"
    feeder, profiles = load_feeder(net), load_profiles(net)
    chargers = [i for i, name in enumerate(feeder.loads.profile) if name.startswith(CHARGING)]
    assert len(chargers) == 7
    for i in chargers:
        energy_wh, stay = vehicle.plugs_of(profiles.load_p_w[:, i], 7.0, DAY)
        charged = profiles.load_p_w[:, i][profiles.load_p_w[:, i] > vehicle.CHARGING_W].sum() * HOURS
        assert energy_wh.sum() == pytest.approx(charged)
        arrivals = np.flatnonzero(stay)
        assert np.all(arrivals[:-1] + stay[arrivals[:-1]] <= arrivals[1:])  # it leaves before it comes again
        rated = feeder.loads.p_kw[i] * 1000.0
        assert np.all(energy_wh[arrivals] <= rated * HOURS * stay[arrivals] + 1e-6)  # and can be full when it leaves
    world = build_world("rural_winter")
    assert (world.equipment.fleet.column >= 0).sum() == 7
    played = [name.startswith(CHARGING + HEAT_PUMPS) for name in feeder.loads.profile]
    assert world.load_w[:, : len(played)][:, played].max() == 0.0  # not twice


def test_drawn_stays_are_plausible_and_belong_to_their_day():
    fleet = fleet_of(driven_share=0.75)
    stays = [(t, *vehicle.arrives(fleet, np.uint64(s), 0, 0, t, 0)) for s in range(60) for t in range(-DAY, 4 * DAY)]
    stays = [each for each in stays if each[2] > 0]
    assert 0.65 < len(stays) / 300 < 0.85
    arrival_h = np.array([t % DAY for t, _, _ in stays]) / 4
    assert abs(arrival_h.mean() - 17.5) < 0.3
    assert 1.0 < arrival_h.std() < 2.0
    need = np.array([n for _, n, _ in stays])
    assert abs(need.mean() - 9_000) < 600
    assert all(24 <= stay <= 95 for _, _, stay in stays)


@pytest.mark.parametrize("who", ["rules", "random"])
def test_every_winter_period_balances(who):
    core = core_of("rural_winter", {**OFF, "malicious": {"false_meter": {"count": 2}, "non_delivery": {"count": 2}}})
    core.reset(np.array([2, 4], np.uint64))
    world, balance, charge = core.world, core.state.balance.copy(), core.state.charge_wh.copy()
    fleet, houses = world.equipment.fleet, world.equipment.houses
    choose = by_rules(core) if who == "rules" else at_random(1)
    for trace in periods(core, choose):
        check_period(core, trace, balance, charge)
        balance, charge = core.state.balance.copy(), trace.charge_wh
        energy = trace.energy
        assert np.all(energy.vehicle_wh <= np.rint(fleet.rated_w * HOURS))
        assert np.all(energy.heat_wh <= np.rint(houses.rated_w * HOURS))
        assert np.all(energy.consumed_wh >= energy.vehicle_wh + energy.heat_wh - 2)
        assert np.all((energy.vehicle_wh >= 0) & (energy.heat_wh >= 0) & (energy.missing_wh >= 0))
        assert np.all(core.state.need_wh >= 0)
        assert np.all(core.state.warmth_k <= houses.band_k + 1e-9)
        assert np.isfinite(trace.reward["prosumer"]).all()


def ordered_night(cycles=None):
    """A day with an upward order every hour of the evening."""
    orders = [{**ORDER, "start_period": start, "direction": "up"} for start in range(60, 80, 4)]
    core = core_of("rural_winter", {**OFF, "upper_orders": orders}, cycles)
    return core, episode(core, by_rules(core), (0, 1, 2))


def test_what_an_order_puts_off_comes_back_and_nobody_freezes_or_walks():
    _, traces = ordered_night()
    idle = core_of("rural_winter", OFF)
    alone = episode(idle, by_rules(idle, IDLE), (0, 1, 2))
    moved = np.stack([t.energy.vehicle_wh + t.energy.heat_wh for t in traces]).astype(float)
    natural = np.stack([t.energy.vehicle_wh + t.energy.heat_wh for t in alone]).astype(float)
    behind = (natural - moved).sum(axis=2).cumsum(axis=0)  # (T, B) Wh put off so far
    assert np.all(behind.max(axis=0) > 5_000)
    assert np.all((moved - natural).sum(axis=2).max(axis=0) > 1_000)  # some periods draw more than they would have
    assert np.all(behind[-1] < 0.15 * behind.max(axis=0))  # all of it, but for the heat that cooler rooms did not lose
    assert traces[-1].energy.owed_wh.sum() == 0
    assert sum(t.energy.missing_wh.sum() for t in traces) == 0
    assert sum(t.energy.outside_mkh.sum() for t in traces) == 0
    assert np.array_equal(idle.state.need_wh[:, LIVED], idle.state.need_wh[:, TWIN])


def test_what_is_put_off_beyond_the_end_is_owed():
    idle = core_of("rural_winter", OFF, cycles=80)
    alone = episode(idle, by_rules(idle, IDLE), (0, 1, 2))
    _, traces = ordered_night(cycles=80)
    behind = sum(
        o.energy.vehicle_wh + o.energy.heat_wh - t.energy.vehicle_wh - t.energy.heat_wh
        for o, t in zip(alone, traces, strict=True)
    )
    owed = traces[-1].energy.owed_wh - alone[-1].energy.owed_wh
    assert np.all(owed.sum(axis=1) > 5_000)
    assert np.all(owed.sum(axis=1) <= 1.01 * behind.sum(axis=1))
    assert np.all(owed.sum(axis=1) >= 0.8 * behind.sum(axis=1))
    assert all(not t.energy.owed_wh.any() for t in traces[:-1])


def test_the_rebound_is_not_sold_again():
    """A site that owns nothing but a vehicle can sell no more upward Wh than its car would have drawn by itself."""
    core, traces = ordered_night()
    cars = np.flatnonzero((core.world.equipment.fleet.column >= 0) & (core.world.load_w.max(axis=0) == 0))
    sold = sum(t.verdict.verified_wh.sum(axis=1) for t in traces)[:, cars]
    alone = sum(-np.minimum(t.energy.natural_wh, 0) for t in traces)[:, cars]
    assert sold.sum() > 0
    assert np.all(sold <= alone + DAY)


def test_a_baseline_counts_the_rebound_against_the_seller():
    world = build_world("tiny")
    stage = silent_stage(world, np.zeros((1, 8, world.sites)), np.zeros((1, 8, world.sites)))
    stage.expected_w = np.full((1, 8, world.sites), -500.0)
    for way, against in ((UP, 0.0), (DOWN, -500.0)):
        stage.direction[:, GRID] = way
        assert np.all(stage.measured_against(GRID) == against)
    stage.expected_w = np.full((1, 8, world.sites), 300.0)
    for way, against in ((UP, 300.0), (DOWN, 0.0)):
        stage.direction[:, GRID] = way
        assert np.all(stage.measured_against(GRID) == against)


def held(core, ppm):
    """Idle players whose vehicles and heat pumps hold back this share of what they would draw."""
    rule = by_rules(core, IDLE)
    hold, heat = appliance_columns(core.world.scenario)

    def choose(core, observer, role):
        action = rule(core, observer, role)
        if role == "prosumer":
            action[:, :, hold], action[:, :, heat] = 2.0 * ppm - 1.0, -ppm
        return action

    return choose


def test_failing_the_driver_and_freezing_cost():
    idle, failing = (core_of("rural_winter", OFF) for _ in range(2))
    kept = episode(idle, held(idle, 0.0), (0,))
    failed = episode(failing, held(failing, 1.0), (0,))
    missing = sum(t.energy.missing_wh[0] for t in failed)
    assert sum(t.energy.missing_wh[0].sum() for t in kept) == 0
    assert missing.sum() > 10_000
    assert sum(t.energy.outside_mkh.sum() for t in failed) > 0
    earned = [sum(t.reward["prosumer"][0] for t in traces) for traces in (kept, failed)]
    drivers = missing > 3_000
    assert drivers.any()
    assert np.all(earned[1][drivers] < earned[0][drivers])
    assert earned[1].sum() < earned[0].sum()


def test_rules_earn_more_than_doing_nothing_on_a_winter_day():
    core = core_of("rural_winter", OFF)
    traces = episode(core, by_rules(core), (1, 2))
    ruled = {role: sum(t.reward[role].sum() for t in traces) for role in IDLE}
    for role, total in ruled.items():
        lazy = core_of("rural_winter", OFF)
        assert total > 0.1 + sum(t.reward[role].sum() for t in episode(lazy, by_rules(lazy, {role: "idle"}), (1, 2)))
    over = sum(np.maximum(t.energy.loading - 0.8, 0).sum() for t in traces)
    idle = core_of("rural_winter", {**OFF, "grid": {"last_resort": "asked"}})
    alone = sum(np.maximum(t.energy.loading - 0.8, 0).sum() for t in episode(idle, by_rules(idle, IDLE), (1, 2)))
    assert over < 0.4 * alone


def test_a_winter_world_in_a_batch_is_that_world_alone():
    orders = {"upper_orders": [{**ORDER, "start_period": 2, "direction": "up"}], "ledger": {"mode": "hashes"}}
    batch, record, choose = core_of("rural_winter", orders, cycles=14), [], at_random(5)

    def recorded(core, observer, role):
        record.append((observer.observe(role, core.state, core.stage, True), choose(core, observer, role)))
        return record[-1][1]

    many = episode(batch, recorded, (10, 11))
    for b in range(2):
        single, steps = core_of("rural_winter", orders, cycles=14), iter(record)

        def again(core, observer, role, b=b, steps=steps):
            seen, action = next(steps)
            assert np.array_equal(observer.observe(role, core.state, core.stage, True)[0], seen[b])
            return action[b : b + 1]

        one = episode(single, again, (10 + b,))
        assert single.recorder.heads[0] == batch.recorder.heads[b]
        assert np.array_equal(single.state.need_wh[0], batch.state.need_wh[b])
        assert np.array_equal(single.state.warmth_k[0], batch.state.warmth_k[b])
        assert np.array_equal(one[-1].reward["prosumer"][0], many[-1].reward["prosumer"][b])


def test_a_whole_winter_day_is_recorded_and_audits(tmp_path, capsys):
    path = tmp_path / "winter.sqlite"
    core = core_of("rural_winter", None, None, str(path))
    traces = episode(core, by_rules(core), (2,))
    assert sum(t.plan.ordered_wh.sum() for t in traces) > 0
    assert main(["verify", str(path)]) == 0
    assert main(["audit", str(path), "--config", "rural_winter"]) == 0
    assert "\nfollows: " in capsys.readouterr().out


def test_columns_exist_only_where_the_scenario_has_such_resources():
    summer, winter = (energy_market_v0.tables(name) for name in ("rural_day", "rural_winter"))
    names = {
        kind: [[column.name for column in table[kind]["prosumer"]] for table in (summer, winter)]
        for kind in ("actions", "observations")
    }
    assert names["actions"][1] == [*names["actions"][0], "charge_hold", "heat_shift"]
    added = ["vehicle", "vehicle_need", "vehicle_stay", "heat_pump", "heat_pump_power", "warmth"]
    assert names["observations"][1] == [*names["observations"][0], *added]
    only = load_scenario("rural_day", {"sites": {"heat_pump_share": 0.5}})
    assert appliance_columns(only)[0] == -1
    world = build_world(only)
    assert world.equipment.houses.rated_w.astype(bool).sum() == 14
    assert not world.equipment.fleet.rated_w.any()
