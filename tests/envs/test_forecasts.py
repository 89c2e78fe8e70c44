"""Forecasts: how they err is what the settings say, and what is published is what everybody computes with."""

from itertools import groupby

import numpy as np
import pytest

from envs.config import SettingsError
from envs.generate import generate
from envs.phases.outlook import look_ahead, published_w
from envs.settings import load_scenario
from envs.types import HORIZON, OUTLOOK
from envs.world import build_world
from ledger.kinds import Kind
from ledger.store import Store
from tests.envs.play import by_rules, core_of, episode, periods

NOON = 48
SIDES = ("site", "operator")


def looks(forecasts, seeds=400, start=NOON, count=1, config="tiny"):
    """Relative errors of the operator's net and the sites' PV and load, (count, seeds, OUTLOOK, N), and the world."""
    world = build_world(config, {"forecasts": forecasts})
    state = generate(world, np.arange(seeds, dtype=np.uint64), np.zeros(seeds, np.int64))
    found = {"pv": [], "load": [], "net": []}
    row = (state.day * world.periods_per_day)[:, None] + np.arange(OUTLOOK)
    for period in range(start, start + count):
        state.period = period
        look_ahead(world, state, fresh=True)
        pv_w, load_w = world.pv_w[row + period], world.load_w[row + period]
        with np.errstate(divide="ignore", invalid="ignore"):
            found["pv"].append((state.site_pv_w - state.truth_pv_w) / pv_w)
            found["load"].append((state.site_load_w - state.truth_load_w) / load_w)
            net_w = state.truth_pv_w - state.truth_load_w
            found["net"].append((state.operator_net_w - net_w) / (pv_w + load_w))
    return {name: np.array(values) for name, values in found.items()}, world


def busy(world):
    """Sites whose demand at noon is far above the rounding to a watt."""
    row = world.scenario.calendar.first_day * world.periods_per_day + NOON
    return world.load_w[row : row + OUTLOOK].min(axis=0) > 200.0


def spread(errors):
    return errors.std(axis=(1, -1), ddof=1)[0]


@pytest.mark.parametrize("growth", [0.0, 1.0, 3.0])
def test_errors_spread_as_the_settings_say_and_grow_with_lead_time(growth):
    error = {"noise": 0.06, "growth": growth}
    errors, world = looks(dict.fromkeys(SIDES, error))
    expected = 0.06 * np.sqrt(1.0 + growth * np.arange(OUTLOOK))
    if growth < 3.0:  # what would be negative is published as zero: far ahead the spread of the demand is cut
        np.testing.assert_allclose(spread(errors["load"][..., busy(world)]), expected, rtol=0.1)
    np.testing.assert_allclose(spread(errors["net"][..., busy(world)]), expected, rtol=0.1)


def test_no_noise_and_no_bias_is_a_perfect_forecast_to_the_watt():
    error = {"noise": 0.0}
    world = build_world("tiny", {"forecasts": dict.fromkeys(SIDES, error)})
    state = generate(world, np.arange(3, dtype=np.uint64), np.zeros(3, np.int64))
    assert np.abs(state.site_load_w - state.truth_load_w).max() <= 0.5
    assert np.abs(state.operator_net_w - (state.truth_pv_w - state.truth_load_w)).max() <= 0.5


def test_bias_moves_the_mean_and_nothing_else():
    errors, world = looks({side: {"noise": 0.02, "bias": 0.1} for side in SIDES})
    inside = busy(world)
    assert errors["load"][..., inside].mean() == pytest.approx(0.1, abs=0.005)
    assert spread(errors["load"][..., inside])[0] == pytest.approx(0.02, rel=0.1)
    plain, _ = looks({side: {"noise": 0.02} for side in SIDES})
    row = world.scenario.calendar.first_day * world.periods_per_day + NOON + np.arange(OUTLOOK)
    signed = (world.pv_w - world.load_w)[row] / (world.pv_w + world.load_w)[row]
    moved = (errors["net"] - plain["net"])[0].mean(axis=0)
    np.testing.assert_allclose(moved[:, inside], 0.1 * signed[:, inside], atol=0.005)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 1.0])
def test_successive_forecasts_of_a_period_share_the_error_that_the_settings_say(correlation):
    error = {"noise": 0.05, "growth": 0.0, "correlation": correlation}
    errors, world = looks(dict.fromkeys(SIDES, error), seeds=2000, count=2)
    for name in ("load", "net"):
        now, then = errors[name][1][:, :-1][..., busy(world)], errors[name][0][:, 1:][..., busy(world)]
        assert np.corrcoef(now.ravel(), then.ravel())[0, 1] == pytest.approx(correlation, abs=0.03)
        ahead = errors[name][0][..., busy(world)]  # two periods of one forecast err independently
        assert abs(np.corrcoef(ahead[:, 0].ravel(), ahead[:, 1].ravel())[0, 1]) < 0.05


def test_persistence_says_what_was_lived_a_day_before():
    overrides = {"forecasts": {side: {"kind": "persistence", "noise": 0.0} for side in SIDES}}
    core = core_of("tiny", overrides | {"ledger": {"mode": "off"}}, 130)
    core.reset(np.zeros(1, np.uint64))
    lived = []
    day = core.world.periods_per_day
    for _ in periods(core, by_rules(core)):
        lived.append((core.state.truth_pv_w[0, 0].copy(), core.state.truth_load_w[0, 0].copy()))
        if core.state.period > day:  # lived holds the periods from 1 on
            pv_w, load_w = lived[core.state.period - day - 1]
            assert np.abs(core.state.site_load_w[0, 0] - load_w).max() <= 0.5
            assert np.abs(core.state.operator_net_w[0, 0] - (pv_w - load_w)).max() <= 0.5
    assert len(lived) == 130


def test_sites_and_operator_err_apart_and_a_batch_as_its_worlds():
    errors, world = looks({}, seeds=3000)
    assert (
        abs(np.corrcoef(errors["load"][..., busy(world)].ravel(), errors["net"][..., busy(world)].ravel())[0, 1]) < 0.03
    )
    error = {"kind": "persistence", "correlation": 0.3, "bias": 0.02, "growth": 2.0}
    world = build_world("tiny", {"forecasts": dict.fromkeys(SIDES, error)})
    batch = generate(world, np.arange(4, dtype=np.uint64), np.zeros(4, np.int64))
    for b in range(4):
        alone = generate(world, np.array([b], np.uint64), np.zeros(1, np.int64))
        for name in ("site_pv_w", "site_load_w", "operator_net_w"):
            assert getattr(batch, name)[b].tobytes() == getattr(alone, name)[0].tobytes()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("kind", "crystal_ball"), ("noise", -0.1), ("correlation", 1.5), ("growth", -1.0), ("luck", 1)],
)
def test_impossible_error_models_are_refused(setting, value):
    with pytest.raises(SettingsError, match=rf"forecasts\.site\.{setting}"):
        load_scenario("tiny", {"forecasts": {"site": {setting: value}}})


def test_what_is_published_is_what_the_phases_compute_with(tmp_path):
    """Forecast + plan is the schedule of the next period; the estimate is the operator's, to the watt."""
    path = tmp_path / "day.sqlite"
    core = core_of("tiny", None, 12, str(path))
    seen, published = [], []
    core.reset(np.zeros(1, np.uint64))
    estimate, schedule = core.state.operator_net_w[0].copy(), core.state.schedule_w[0].copy()
    own = published_w(core.state)[0].copy()
    for trace in periods(core, by_rules(core)):
        seen.append((estimate[:HORIZON], schedule))
        published.append((own, trace.quotes.schedule_w[0].copy()))
        estimate, schedule = core.state.operator_net_w[0].copy(), core.state.schedule_w[0].copy()
        own = published_w(core.state)[0].copy()
    with Store.open(path) as store:
        heights = groupby(store.blocks(), key=lambda block: block.header.height)
        sealed = [[record for block in blocks for record in block.records] for _, blocks in heights]
    promised = [records for records in sealed if any(r.kind is Kind.ORDER for r in records)]
    before = None
    for records, (estimate, schedule), (own, filed) in zip(promised, seen, published, strict=True):
        forecast = np.array([r.body[1] for r in records if r.kind is Kind.FORECAST]).T
        plan = np.array([r.body[8] for r in records if r.kind is Kind.ORDER]).T
        rows = next(r for r in records if r.kind is Kind.ESTIMATE).body[1]
        np.testing.assert_array_equal(np.array([net_w for _, net_w in rows]).T, estimate)
        np.testing.assert_array_equal(forecast, own)
        np.testing.assert_array_equal(schedule, forecast[:HORIZON] if before is None else before)
        before = forecast[1:] + plan
        np.testing.assert_array_equal(before, filed)


def test_forecasts_matter_to_the_triggers():
    """A biased operator sees other events than an exact one: the settings reach the market."""
    found = []
    for bias in (0.0, 0.4):
        forecasts = {"operator": {"noise": 0.0, "bias": bias}}
        core = core_of("rural_day", {"forecasts": forecasts, "ledger": {"mode": "off"}}, 60)
        found.append([tuple(trace.stage.cause[0]) for trace in episode(core, by_rules(core))])
    assert found[0] != found[1]
