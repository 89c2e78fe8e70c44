"""Reactive power of inverters: the characteristic, its fixed point in the power flow, set points, what is recorded."""

from __future__ import annotations

import numpy as np
import pytest

from envs.actions import action_tables
from envs.audit import executors
from envs.config import SettingsError
from envs.grid.inverter import Droop, capability_var, droop_share, droop_slope
from envs.grid.sources import build_net, find_source
from envs.phases.network import Desk, Limits, limits_of, new_desk, set_forecast, solve_sites
from envs.phases.violations import effects
from envs.settings import load_scenario
from envs.types import HOURS, PPM
from envs.world import World, build_world
from evaluation import reactive
from ledger.audit import audit_file
from ledger.kinds import SCHEMAS, Kind
from ledger.store import Store
from tests.envs.play import OFF, at_random, by_rules, core_of, episode

Q_OF_U = {"grid": {"reactive": "q_of_u"}}
AGENT = {"grid": {"reactive": "agent"}}
REACTIVE_VARH = [field.name for field in SCHEMAS[Kind.GRID]].index("reactive_varh")
CURVE = Droop(0.93, 0.97, 1.03, 1.07, 0.5)


def crowded(net: str, pv_kwp: float, reactive: str = "q_of_u") -> World:
    """A world in which every load has a plant: more than the net was made for."""
    sites = {"added_pv_share": 1.0, "added_pv_kwp": pv_kwp}
    calendar = {"first_day": 172, "last_day": 172}
    return build_world({"grid": {"net": net, "reactive": reactive}, "sites": sites, "calendar": calendar})


def at_expected(world: World, row: int) -> tuple[Limits, Desk]:
    """A desk with the sites at the profiles' expected powers."""
    limits = limits_of(world)
    desk = new_desk(limits)
    desk.p_w[:] = world.pv_w[row] - world.load_w[row]
    set_forecast(desk, world.load_w[row], world.load_var[row], np.zeros(world.sites, np.int64))
    return limits, desk


def test_the_characteristic_is_that_of_the_rule() -> None:
    for voltage_pu, share in (
        (0.80, 1.0), (0.93, 1.0), (0.95, 0.5), (0.97, 0.0), (1.0, 0.0), (1.03, 0.0), (1.04, -0.25), (1.07, -1.0),
        (1.2, -1.0),
    ):  # fmt: skip
        assert droop_share(CURVE, voltage_pu) == pytest.approx(share, abs=1e-12)
    for voltage_pu in np.linspace(0.9005, 1.0995, 200):
        difference = (droop_share(CURVE, voltage_pu - 1e-6) - droop_share(CURVE, voltage_pu + 1e-6)) / 2e-6
        assert droop_slope(CURVE, voltage_pu) == pytest.approx(difference, abs=1e-3)


def test_an_inverter_gives_what_its_rating_leaves() -> None:
    assert capability_var(0.0, 5_000.0, 2_179.0) == 2_179.0
    assert capability_var(4_900.0, 5_000.0, 2_179.0) == pytest.approx(np.sqrt(5_000.0**2 - 4_900.0**2))
    assert capability_var(-4_900.0, 5_000.0, 2_179.0) == capability_var(4_900.0, 5_000.0, 2_179.0)
    assert capability_var(5_100.0, 5_000.0, 2_179.0) == 0.0


@pytest.mark.parametrize(
    ("net", "pv_kwp"),
    [
        ("simbench:1-LV-rural1--2-sw", 5.0),
        ("simbench:1-LV-rural1--2-sw", 25.0),
        ("simbench:1-LV-semiurb4--2-sw", 10.0),
        ("simbench:1-LV-semiurb4--2-sw", 25.0),
        ("case:six_node", 30.0),
        ("case:tiny", 40.0),
    ],
)
def test_the_loop_settles_in_every_period_of_a_day_on_the_characteristic(net: str, pv_kwp: float) -> None:
    world = crowded(net, pv_kwp)
    absorbing = 0
    for row in range(172 * 96, 173 * 96):
        limits, desk = at_expected(world, row)
        assert solve_sites(limits, desk)
        for i in np.flatnonzero(world.inverter_va):
            wanted = droop_share(limits.droop, desk.magnitude[world.site_bus[i]]) * limits.most_var[i]
            held = np.clip(wanted, -desk.reach_var[i], desk.reach_var[i])
            assert desk.given_var[i] == pytest.approx(held, abs=2e-3)
            absorbing += int(desk.given_var[i] < -100.0)
        assert not desk.given_var[world.inverter_va == 0.0].any()
        apparent = np.hypot(desk.given_var, desk.inverter_w)
        assert (apparent <= np.maximum(world.inverter_va, np.abs(desk.inverter_w)) + 1e-6).all()
    assert absorbing > 100  # the noon is on the characteristic, not in its dead band


@pytest.mark.parametrize("net", ["simbench:1-LV-semiurb4--2-sw", "case:six_node"])
def test_pandapower_finds_the_same_voltages_with_the_resulting_reactive_power(net: str) -> None:
    import pandapower as pp

    world, row = crowded(net, 10.0), 172 * 96 + 52
    limits, desk = at_expected(world, row)
    assert solve_sites(limits, desk)
    assert np.abs(desk.given_var).max() > 100.0
    other = build_net(find_source(net))
    for table in ("load", "sgen", "storage"):
        other[table]["in_service"] = False
    first = {
        int(bus): int(index) for index, bus in zip(world.feeder.pandapower_bus, world.feeder.feeder_bus, strict=True)
    }
    for i in range(world.sites):
        q_mvar = (desk.given_var[i] - desk.load_var[i]) / 1e6
        pp.create_sgen(other, first[int(world.site_bus[i])], desk.p_w[i] / 1e6, q_mvar)
    pp.runpp(other, trafo_model="t", tolerance_mva=1e-10, numba=False)
    for bus, index in first.items():
        assert desk.magnitude[bus] == pytest.approx(other.res_bus.vm_pu[index], abs=1e-7)


def test_effects_are_finite_differences_of_the_closed_loop() -> None:
    world, row = crowded("simbench:1-LV-rural1--2-sw", 10.0), 172 * 96 + 48
    limits, desk = at_expected(world, row)
    assert solve_sites(limits, desk)
    slopes = [droop_slope(limits.droop, v) for v in desk.magnitude[world.site_bus]]
    assert sum(slope > 0.0 for slope in slopes) > 5
    place = int(np.argmax(desk.magnitude))
    assert effects(limits, desk, place) == desk.effect.max()
    found, load_w = desk.effect.copy(), world.load_w[row]
    assert (found < 0.7 * world.volt_per_w[place]).all()  # the droop takes much of the rise back
    for i in range(0, world.sites, 5):
        volts = []
        for step_w in (100.0, -100.0):
            _, moved = at_expected(world, row)
            moved.p_w[i] += step_w
            set_forecast(moved, load_w, world.load_var[row], moved.set_ppm)
            moved.inverter_w[i] -= step_w  # what the inverter can give stays, as the effects assume
            assert solve_sites(limits, moved)
            volts.append(moved.magnitude[place])
        # linearised at the idle grid, as the sensitivities without inverters are
        assert found[i] == pytest.approx((volts[0] - volts[1]) / 200.0, abs=0.08 * found.max())


def test_the_table_of_the_docs_counts_what_was_played() -> None:
    found = reactive.outcome({"calendar": {"periods": 50}}, "q_of_u", seeds=1)
    core = core_of("rural_day", {**OFF, **Q_OF_U}, cycles=50)
    traces = episode(core, by_rules(core, staged=False), (0,))
    assert found.reactive_kvarh == pytest.approx(sum(abs(t.energy.reactive_varh).sum() for t in traces) / 1000.0)
    assert found.events == sum(int(trace.stage.cause[0, 0] > 0) for trace in traces)
    assert found.row().count("|") == 5


def test_reactive_power_cures_the_voltages_that_the_twin_without_it_has() -> None:
    highest_pu = {}
    for rule in ("none", "q_of_u", "agent"):
        core = core_of("rural_day", {**OFF, "grid": {"reactive": rule}}, cycles=60)
        traces = episode(core, by_rules(core), (0, 1))
        assert all(trace.energy.converged.all() for trace in traces)
        highest_pu[rule] = max(trace.energy.twin_voltage_pu.max() for trace in traces)
        given = np.stack([trace.energy.reactive_varh for trace in traces])
        assert given.any() == (rule != "none")
        most_var = limits_of(core.world).most_var
        assert (np.abs(given) <= most_var * HOURS + 1.0).all()
    assert highest_pu["none"] > 1.055
    assert highest_pu["q_of_u"] < 1.05
    assert highest_pu["agent"] < highest_pu["none"] - 0.005


def test_agents_set_points_are_obeyed_within_the_inverters_rating() -> None:
    core = core_of("tiny", {**OFF, **AGENT}, cycles=60)
    for trace in episode(core, at_random(4), (1,)):
        active_w = (trace.energy.generated_wh + trace.energy.storage_wh) / HOURS
        limits = limits_of(core.world)
        for i in range(core.world.sites):
            reach = capability_var(active_w[0, i], core.world.inverter_va[i], limits.most_var[i])
            wanted = reach * trace.quotes.reactive_ppm[0, i] / PPM * HOURS
            assert trace.energy.reactive_varh[0, i] == pytest.approx(wanted, abs=0.51)
        assert not trace.energy.reactive_varh[0, core.world.inverter_va == 0.0].any()


@pytest.mark.parametrize("setting", [Q_OF_U, AGENT])
def test_a_batch_is_its_worlds_to_the_byte(setting: dict) -> None:
    cycles, seeds = 56, (3, 4, 5)
    together = core_of("rural_day", {**OFF, **setting}, cycles)
    batch = episode(together, by_rules(together), seeds)
    for b, seed in enumerate(seeds[:2]):
        core = core_of("rural_day", {**OFF, **setting}, cycles)
        for one, many in zip(episode(core, by_rules(core), (seed,)), batch, strict=True):
            for name in ("voltage_pu", "loading", "reactive_varh", "flow_wh"):
                assert getattr(one.energy, name).tobytes() == getattr(many.energy, name)[b : b + 1].tobytes()
        assert np.array_equal(core.state.balance[0], together.state.balance[b])


def test_reactive_energy_is_on_the_ledger_and_survives_an_audit(tmp_path) -> None:
    for rule in ("none", "q_of_u", "agent"):
        path = tmp_path / f"{rule}.sqlite"
        core = core_of("rural_day", {"grid": {"reactive": rule}}, cycles=52, path=str(path))
        traces = episode(core, by_rules(core), (0,))
        report = audit_file(path, [executors("rural_day", [f"grid.reactive={rule}"])])
        assert report.difference is None, str(report.difference)
        grids = [
            record.body for block in Store.open(path).blocks() for record in block.records if record.kind is Kind.GRID
        ]
        recorded = [body[REACTIVE_VARH] for body in grids]
        if rule == "none":
            assert recorded == [[]] * len(traces)
        else:
            assert recorded == [trace.energy.reactive_varh[0].tolist() for trace in traces]
            assert any(map(any, recorded))


def test_the_action_column_exists_only_where_agents_set_reactive_power() -> None:
    for rule, there in (("none", False), ("q_of_u", False), ("agent", True)):
        table = action_tables(load_scenario("tiny", {"grid": {"reactive": rule}}))["prosumer"]
        assert [column.name == "reactive" for column in table] == [False] * (len(table) - 1) + [there]


def test_impossible_settings_are_named() -> None:
    with pytest.raises(SettingsError, match=r"grid\.reactive"):
        load_scenario("tiny", {"grid": {"reactive": "always"}})
    with pytest.raises(SettingsError, match="full_low_pu < dead_low_pu"):
        load_scenario("tiny", {"grid": {"inverter": {"full_low_pu": 0.98}}})


def test_the_command_reads_its_arguments(capsys, monkeypatch):
    for words in (["nope"], ["--seeds", "0"]):
        with pytest.raises(SystemExit) as refused:
            reactive.main(words)
        assert refused.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setattr(reactive, "DAYS", {"short": {"calendar": {"periods": 2}}})
    assert reactive.main(["--seeds", "1"]) == 0
    assert capsys.readouterr().out.count("| short |") == len(reactive.RULES)
