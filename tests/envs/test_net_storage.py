"""Storages of a net that follow their own profiles: what the profile holds, the plan, orders beside it, the rebound."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs import energy_market_v0
from envs.audit import Market
from envs.config import SettingsError
from envs.grid.feeder import load_feeder
from envs.grid.profiles import load_profiles
from envs.observe import Observer
from envs.phases.outlook import published_w
from envs.resources import storage
from envs.types import DOWN, HOURS, LIVED, TWIN, UP
from envs.world import build_world
from evaluation.report import _facts
from evaluation.study import Part
from ledger.__main__ import main
from ledger.audit import Impossible
from tests.envs.play import OFF, assert_each_as_alone, at_random, by_rules, core_of, episode, periods
from tests.envs.test_period import check_period

NET, NAME = "simbench:1-LV-semiurb4--2-sw", "semiurb_spring"
IDLE = dict.fromkeys(("prosumer", "aggregator", "eno"), "idle")
NO_ORDERS = {**OFF, "upper_orders": [], "grid": {"band_high_pu": 1.2}}


def test_a_storage_profile_is_a_plant_and_its_battery():
    import simbench

    net, feeder, profiles = simbench.get_simbench_net(NET.split(":")[1]), load_feeder(NET), load_profiles(NET)
    assert list(feeder.storages.profile) == list(net.storage.profile)
    assert profiles.storage_planned.all()
    for k, name in enumerate(net.storage.profile):
        rated_w, both = feeder.storages.p_max_kw[k] * 1000.0, net.profiles["storage"][name].to_numpy()
        parts = profiles.storage_p_w[:, k] + profiles.storage_pv_w[:, k]
        assert both.min() >= 0.0  # whoever takes it for the battery alone has one that never charges
        assert np.allclose(parts, both * rated_w, atol=1.0)
        assert profiles.storage_p_w[:, k].min() < -0.3 * rated_w


def test_the_batterys_part_fits_the_cells_that_the_net_states():
    world = build_world(NAME)
    equipment, many = world.equipment, np.flatnonzero(world.equipment.follows)
    assert len(many) == 5  # four storages, the largest on two sites
    assert world.storage_wh[many].sum() == pytest.approx(load_feeder(NET).storages.e_max_kwh.sum() * 1000.0)
    charge, followed = np.zeros(world.sites), np.zeros((len(equipment.plan_w), len(many)))
    for t, row in enumerate(equipment.plan_w):
        for n, i in enumerate(many):
            cells = (equipment.capacity_wh[i], equipment.rated_w[i], equipment.efficiency[i])
            followed[t, n] = storage.planned_w(row[i], charge[i], *cells)
            charge[i] = storage.advance_wh(charge[i], cells[0], followed[t, n], cells[2])
    plan = equipment.plan_w[:, many]
    out, into = np.maximum(plan, 0).sum(axis=0), np.minimum(plan, 0).sum(axis=0)
    assert np.allclose(np.maximum(followed, 0).sum(axis=0), out, rtol=1e-3)  # never short of what it gives back
    assert np.all(np.minimum(followed, 0).sum(axis=0) / into > 0.9)  # the rest keeps a full battery full
    assert np.all(world.planned_charge_wh[120] <= world.storage_wh)
    assert np.all(world.planned_charge_wh[120][many] > 0)


def test_the_plant_in_the_profile_is_the_sites_own():
    world, rated = build_world(NAME), build_world(NAME, {"sites": {"net_storage": "ratings"}})
    many, feeder = world.equipment.follows, load_feeder(NET)
    for k, profile in enumerate(feeder.storages.profile):  # behind the meter of the load that the profile serves
        here = world.site_bus[: len(feeder.loads.bus)] == feeder.storages.bus[k]
        homes = np.flatnonzero(many[: len(here)] & here)
        assert profile.split("_")[2] in {str(feeder.loads.profile[i]) for i in homes}
    assert not rated.equipment.follows.any()
    assert world.pv_rated_w.sum() == pytest.approx(rated.pv_rated_w.sum() + world.storage_w[many].sum())
    assert np.all(world.pv_w[:, many].max(axis=0) > 0.5 * world.storage_w[many])
    assert world.fingerprint != rated.fingerprint


def test_a_plant_and_its_battery_that_follows_are_scaled_as_one():
    world = build_world(NAME)
    many, equipment = world.equipment.follows, world.equipment
    for scale in (3.0, 0.5):
        scaled = build_world(NAME, {"sites": {"pv_scale": scale}})
        assert scaled.site_names == world.site_names
        assert np.allclose(scaled.pv_w, scale * world.pv_w)
        assert np.allclose(scaled.storage_wh, scale * world.storage_wh)
        assert np.allclose(scaled.storage_w, scale * world.storage_w)
        assert np.allclose(scaled.equipment.plan_w, scale * equipment.plan_w, atol=scale)
        held = scaled.planned_charge_wh[120, many] / scaled.storage_wh[many]
        assert np.allclose(held, world.planned_charge_wh[120, many] / world.storage_wh[many], atol=1e-3)
    small, rated = (build_world(NAME, {"sites": {"net_storage": "ratings", "pv_scale": s}}) for s in (0.5, 1.0))
    assert np.array_equal(small.storage_wh, rated.storage_wh)


@pytest.mark.parametrize(("name", "count"), [("six_node", 0), ("tiny", 2)])
def test_profiles_that_no_storage_has_are_refused(name, count):
    words = f"sites.net_storage = 'profile': of the {count} storages of grid.net = 'case:{name}' none .*: ratings"
    with pytest.raises(SettingsError, match=words):
        build_world(name, {"sites": {"net_storage": "profile"}})


def test_where_some_storages_have_a_profile_the_report_says_how_many(monkeypatch):
    whole, some = load_profiles(NET), np.arange(4) < 3
    own = replace(whole, storage_pv_w=whole.storage_pv_w * some, storage_p_w=whole.storage_p_w * some)
    monkeypatch.setattr("envs.world.load_profiles", lambda *_: own)
    world = build_world(NAME, {"name": "three_of_four"})  # a name of its own: worlds are kept by their settings
    assert (world.storage_wh > 0).sum() > world.equipment.follows.sum() > 0
    part = Part(world.scenario, world, [SimpleNamespace(day=120, book=SimpleNamespace(periods=96))], {})
    assert dict(_facts(part))["Equipment"].endswith("; 3 of the net's 4 storages follow their profiles")


def test_left_alone_a_battery_does_what_its_profile_says_whatever_it_is_told():
    core = core_of(NAME, NO_ORDERS, 40)
    world, many = core.world, core.world.equipment.follows
    rows = 120 * 96 + np.arange(40)
    for choose in (by_rules(core, IDLE), at_random(3)):
        traces = episode(core, choose, (0, 1))
        stored = np.stack([t.energy.storage_wh for t in traces])[:, :, many]
        plan_wh = np.rint(world.equipment.plan_w[rows][:, many] * HOURS)[:, None]
        charge = np.stack([t.charge_wh for t in traces])[:, :, many]
        free = (charge > 1.0) & (charge < world.storage_wh[many] - 1.0)
        assert free.mean() > 0.5
        assert np.array_equal(stored[free], np.broadcast_to(plan_wh, stored.shape)[free])
        assert np.array_equal(core.state.charge_wh[:, many], core.state.twin_charge_wh[:, many])


def test_schedule_estimate_and_forecast_know_the_plan():
    core = core_of(NAME, NO_ORDERS)
    choose = by_rules(core)
    core.reset(np.array([4], np.uint64))
    many = core.world.equipment.follows
    for trace in periods(core, choose):
        state = core.state
        if trace.period < 20:
            continue
        plan_w = state.battery_w[:, TWIN]
        filed = state.schedule_w - published_w(state)[:, :8] + state.appliance_w[:, TWIN, :8]
        # Filed a step ago on the forecast of then: the plan is the same, what the weather will be has moved a little.
        assert np.abs(filed - plan_w[:, :8])[:, :, many].mean() < 0.2 * np.abs(plan_w).max()
        assert not state.last_storage_w[:, many].any()
        break
    else:
        pytest.fail("the episode was too short")
    table = energy_market_v0.tables(NAME)["observations"]["prosumer"]
    names = [column.name for column in table]
    seen = Observer(core.world, 96).observe("prosumer", core.state, core.stage, True)
    assert np.array_equal(seen[0, :, names.index("storage_follows")] > 0, many)
    planned = seen[0, :, names.index("storage_planned")] * core.world.capacity_w
    assert np.allclose(planned, core.state.battery_w[0, LIVED, 0], atol=1.0)
    assert "storage_follows" not in [c.name for c in energy_market_v0.tables("rural_day")["observations"]["prosumer"]]


@settings(max_examples=200, deadline=None)
@given(
    plan=st.lists(st.floats(-1.0, 1.0), min_size=8, max_size=8), charge=st.floats(0.0, 1.0),
    length=st.integers(1, 8), way=st.sampled_from([UP, DOWN]),
)  # fmt: skip
def test_a_battery_can_move_its_whole_range_beside_its_plan(plan, charge, length, way):
    capacity, rated, efficiency = 10_000.0, 5_000.0, 0.95
    plan_w, planned = np.array(plan)[:, None] * rated, charge * capacity
    reach = storage.range_beside_plan_w(way, plan_w, 0, length, 0, planned, capacity, rated, efficiency)
    assert reach >= 0.0
    moved = planned
    for h in range(length):
        power = storage.planned_w(plan_w[h, 0], planned, capacity, rated, efficiency)
        planned = storage.advance_wh(planned, capacity, power, efficiency)
        lowest, highest = storage.limits_w(moved, capacity, rated, efficiency, 1)
        target = power + way * reach
        assert lowest - 1e-6 <= target <= highest + 1e-6
        moved = storage.advance_wh(moved, capacity, target, efficiency)


def test_an_order_deviates_from_the_plan_and_the_twin_does_not():
    ordered, alone = core_of(NAME, {**OFF, "grid": {"band_high_pu": 1.2}}), core_of(NAME, NO_ORDERS)
    many = ordered.world.equipment.follows
    traces, quiet = episode(ordered, by_rules(ordered), (0,)), episode(alone, by_rules(alone), (0,))
    verified = sum(t.verdict.verified_wh.sum(axis=1) for t in traces)[0]
    moved = np.stack([t.energy.storage_wh[0] for t in traces]) - np.stack([t.energy.storage_wh[0] for t in quiet])
    assert verified[many].sum() > 5_000
    assert abs(moved[:, many]).sum() > 5_000
    # What would have been without the orders is the same whether there were any.
    for with_orders, without in zip(traces, quiet, strict=True):
        assert np.array_equal(with_orders.energy.natural_wh[:, many], without.energy.natural_wh[:, many])
    assert np.array_equal(ordered.state.twin_charge_wh[:, many], alone.state.charge_wh[:, many])
    assert not np.array_equal(ordered.state.charge_wh[:, many], alone.state.charge_wh[:, many])


@pytest.mark.parametrize("who", ["rules", "random"])
def test_every_period_of_planned_storages_balances(who):
    core = core_of(NAME, {**OFF, "malicious": {"false_meter": {"count": 2}}})
    core.reset(np.array([2, 4], np.uint64))
    balance, charge = core.state.balance.copy(), core.state.charge_wh.copy()
    for trace in periods(core, by_rules(core) if who == "rules" else at_random(1)):
        check_period(core, trace, balance, charge)
        balance, charge = core.state.balance.copy(), trace.charge_wh


def test_a_planned_world_in_a_batch_is_that_world_alone():
    keeps = {"ledger": {"mode": "hashes"}, "upper_orders": [
        {"start_period": 2, "periods": 4, "direction": "up", "power_kw": 15.0, "price": 400_000}
    ]}  # fmt: skip
    assert_each_as_alone(NAME, keeps, 8, (10, 11), "charge_wh")


def test_a_day_of_planned_storages_is_recorded_and_audits(tmp_path, capsys):
    path = tmp_path / "spring.sqlite"
    core = core_of(NAME, None, None, str(path))
    traces = episode(core, by_rules(core), (2,))
    assert sum(t.plan.ordered_wh[:, :, core.world.equipment.follows].sum() for t in traces) > 0
    assert main(["audit", str(path), "--config", NAME]) == 0
    assert capsys.readouterr().out.startswith("follows: ")


def test_the_audit_knows_the_plan_itself():
    market = Market(build_world(NAME))
    market.state.day[:] = 120
    stated = np.zeros((1, 2, 9, market.world.sites), np.int64)
    with pytest.raises(Impossible, match="plan of site"):
        market.follow_plans(stated)
