"""Whole days on the real net: events happen, the market cures them, rules pay, misconduct is noticed."""

import numpy as np
import pytest

from envs.phases.outlook import look_ahead
from envs.phases.trigger import open_period
from envs.types import CAUSES, GRID, UPPER, UPPER_LEVEL
from envs.world import build_world
from tests.envs.play import OFF, at_random, by_rules, core_of, episode, periods

SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def honest_day():
    core = core_of("rural_day", OFF)
    return core, episode(core, by_rules(core), SEEDS)


def test_the_summer_day_has_its_events(honest_day):
    core, traces = honest_day
    assert core.world.sites >= 25
    assert core.world.aggregators == 4
    causes = np.stack([t.stage.cause for t in traces])  # (periods, B, R)
    for b in range(len(SEEDS)):
        assert (causes[:, b, GRID] > 0).sum() >= 8
        assert (causes[:, b, UPPER] == UPPER_LEVEL).sum() >= 4
    assert {CAUSES[c] for c in np.unique(causes)} >= {"over-voltage", "overload", "upper-level order"}


def test_no_site_dominates():
    world = build_world("rural_day")
    assert world.pv_rated_w.max() <= 0.15 * world.pv_rated_w.sum()
    assert world.pv_rated_w.sum() >= 468_000  # the net's own plants are all there, and more
    assert np.count_nonzero(world.storage_wh) > 5
    assert world.storage_wh.max() <= 0.15 * world.storage_wh.sum()


def test_the_market_cures_most_of_the_violation(honest_day):
    core, traces = honest_day
    band = core.world.scenario.grid.band_high_pu
    over = [np.maximum(t.energy.loading - 1.0, 0).sum(axis=1) for t in traces]
    twin = [np.maximum(t.energy.twin_loading - 1.0, 0).sum(axis=1) for t in traces]
    volts = [np.maximum(t.energy.voltage_pu - band, 0).sum(axis=1) for t in traces]
    twin_volts = [np.maximum(t.energy.twin_voltage_pu - band, 0).sum(axis=1) for t in traces]
    assert np.sum(twin) > 0
    assert np.sum(twin_volts) > 0
    assert np.sum(over) < 0.25 * np.sum(twin)
    assert np.sum(volts) < 0.25 * np.sum(twin_volts)


def test_a_passed_check_holds_on_its_own_forecast(honest_day):
    core, traces = honest_day
    grid = core.world.scenario.grid
    for t in traces:
        good = (t.stage.asked_wh[:, GRID] > 0) & t.plan.safe[:, GRID]
        assert np.all(t.plan.after_high_pu[good, GRID] <= grid.band_high_pu + 2e-6)
        assert np.all(t.plan.after_low_pu[good, GRID] >= grid.band_low_pu - 2e-6)
        assert np.all(t.plan.after_loading[good, GRID] <= grid.loading_limit + 2e-6)


def test_a_rule_earns_more_than_doing_nothing_in_every_role(honest_day):
    """One role idles, the others play their rules: the role that idles loses by it."""
    _, traces = honest_day
    ruled = {role: sum(t.reward[role].sum() for t in traces) for role in ("prosumer", "aggregator", "eno")}
    for role, total in ruled.items():
        idle = core_of("rural_day", OFF)
        lazy = sum(t.reward[role].sum() for t in episode(idle, by_rules(idle, {role: "idle"}), SEEDS))
        assert total > lazy + 0.1, f"{role}: {total:.2f} by rules, {lazy:.2f} idle"


def test_each_misconduct_is_noticed():
    core = core_of("rural_day_malicious", OFF)
    traces = episode(core, by_rules(core), SEEDS)
    names = list(core.world.scenario.malicious)
    cast = core.state.malicious
    caught = sum(t.verdict.caught for t in traces)
    assert caught[cast == names.index("false_meter")].sum() > 20
    assert caught[cast != names.index("false_meter")].sum() == 0
    credit = core.state.credit_ppm[:, : core.world.sites]
    honest = credit[cast == -1].mean()
    for name in ("false_meter", "non_delivery", "forging_producer"):
        assert credit[cast == names.index(name)].mean() < honest, name
    refused = {(b, site) for t in traces for b, sites in enumerate(t.refused) for site in sites}
    assert refused
    assert all(cast[b, site] == names.index("forging_producer") for b, site in refused)
    sealed = {(b, int(t.producer[b])) for t in traces for b in range(len(SEEDS))}
    assert not any(cast[b, site] == names.index("forging_producer") for b, site in sealed)


def test_non_delivery_delivers_less_and_pays_for_it():
    cheats = {"malicious": {"non_delivery": {"count": 29}}}
    core = core_of("rural_day", {**OFF, **cheats}, cycles=60)
    traces = episode(core, by_rules(core), (0,))
    assert sum(int(t.plan.ordered_wh.sum()) for t in traces) > 0
    for t in traces:  # nobody but the operator's cut moved anything, within the rounding of three registers
        assert np.all(np.abs(_net(t) - t.energy.natural_wh - t.energy.cut_wh) <= 2)
    rows = np.concatenate([t.payments.rows[0, : t.payments.count[0]] for t in traces])
    assert rows[rows[:, 0] == 6, 5].sum() > 0  # users' shortfall


def _net(trace):
    return trace.energy.generated_wh - trace.energy.consumed_wh + trace.energy.storage_wh


def test_every_period_of_a_year_is_finite_and_of_order_one():
    """All days of the profile at once as a batch, in three parts: observations and rewards of every agent."""
    from envs.observe import Observer

    world = build_world("rural_day", OFF)
    largest = dict.fromkeys(("eno", "aggregator", "prosumer"), 0.0)
    total = dict.fromkeys(largest, 0.0)
    for part in np.array_split(np.arange(world.days), 3):
        core = core_of("rural_day", OFF)
        core.reset(np.arange(len(part), dtype=np.uint64))
        core.state.day[:] = part
        look_ahead(world, core.state, fresh=True)
        core.stage = open_period(world, core.state, core.max_cycles)
        observer, choose = Observer(world, core.max_cycles), by_rules(core)
        for trace in periods(core, choose):
            assert trace.energy.converged.all()
            for role, reward in trace.reward.items():
                assert np.isfinite(reward).all()
                largest[role] = max(largest[role], float(np.abs(reward).max()))
                total[role] += float(np.abs(reward).mean()) / (3 * core.max_cycles)
                seen = observer.observe(role, core.state, core.stage, True)
                assert np.isfinite(seen).all()
    assert max(largest.values()) < 30.0, largest
    assert min(largest.values()) > 1.0, largest
    assert max(total.values()) < 3.0, total


def test_random_play_never_breaks_the_world():
    core = core_of("rural_day_malicious", OFF)
    for trace in [*episode(core, at_random(3), (5, 6))]:
        assert all(np.isfinite(reward).all() for reward in trace.reward.values())
        assert np.isfinite(trace.energy.voltage_pu).all()


def test_over_declaring_the_schedule_gains_little():
    """Declaring half the capacity too much gains at most the tolerance around the operator's own estimate.

    It is not nothing: it costs the operator 18 % of what it spends (24 days; three tell too little), and one site alone
    gains. The bounds hold it there: with a tolerance of the capacity instead the operator lost its whole budget to it.
    """
    from envs.actions import SCHEDULE_SHIFT

    days = range(12)

    def earned(liars):
        core = core_of("rural_day", OFF)
        rule = by_rules(core)

        def choose(core, observer, role):
            action = rule(core, observer, role)
            if role == "prosumer":
                action[:, liars, SCHEDULE_SHIFT] = 1.0
            return action

        traces = episode(core, choose, days)
        return sum(t.reward["prosumer"].sum(axis=0) for t in traces) / len(days), sum(
            t.reward["eno"].sum() for t in traces
        ) / len(days)

    honest, operator = earned([])
    together, defrauded = earned(list(range(len(honest))))
    assert together.sum() < honest.sum() * 1.03
    assert defrauded > operator - 0.25 * abs(operator)
    owners = np.flatnonzero(build_world("rural_day").pv_rated_w > 20_000)
    for site in owners[:4]:
        assert earned([site])[0][site] < honest[site] + 0.4
