"""The audit of triggers, awards, dispatch and check: frauds of an operator that has everybody's signature."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import envs.core
from envs.audit import executors
from envs.certify import certify, cost_of, last_problems, least_cost, watching
from envs.phases import safe
from envs.types import GRID, NO_EVENT, OVER_VOLTAGE
from envs.world import build_world
from ledger.__main__ import main
from ledger.audit import audit_file
from ledger.kinds import Kind
from ledger.store import Store
from ledger.verify import verify_file
from tests.envs.play import by_rules, core_of, episode, periods

SCENARIO = "rural_day_malicious"
FROM = 30  # period in which the frauds begin


def audited(core, path, scenario=SCENARIO, overrides=(), seed=1):
    """Play a prepared core to its end and audit what it wrote."""
    traces = episode(core, by_rules(core), (seed,))
    assert verify_file(path).sound
    return audit_file(path, [executors(scenario, overrides)]), traces


@pytest.mark.parametrize("seed", [0, 1])
def test_every_dispatch_of_a_day_is_certified(tmp_path, capsys, seed):
    path = tmp_path / "day.sqlite"
    core = core_of(SCENARIO, None, None, str(path))
    report, traces = audited(core, path, seed=seed)
    assert report.difference is None, str(report.difference)
    asked = sum(int((trace.stage.asked_wh > 0).sum()) for trace in traces)
    assert len(report.findings) == asked > 10
    for found in report.findings:
        assert found["feasible"]
        assert found["claimed"]
        assert -1e-6 <= found["cost_per_h"] - found["bound_per_h"] <= found["allowed_per_h"]
        assert found["allowed_per_h"] < 0.02 * found["bound_per_h"]
    assert main(["audit", str(path), "--config", SCENARIO, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["findings"] == list(report.findings)


@pytest.mark.parametrize("mode", ["agent", "q_of_u"])
def test_dispatches_with_reactive_power_follow_too(tmp_path, mode):
    path = tmp_path / "day.sqlite"
    core = core_of("rural_day", {"grid": {"reactive": mode}}, 60, str(path))
    report, _ = audited(core, path, "rural_day", [f"grid.reactive={mode}"])
    assert report.difference is None, str(report.difference)
    assert report.findings


@pytest.mark.parametrize(("pv_scale", "end"), [(5, 55), (20, 49)])
def test_far_above_the_rating_play_and_certificate_agree_on_what_orders_make_worse(tmp_path, pv_scale, end):
    path = tmp_path / "day.sqlite"
    core = core_of("rural_day", {"sites": {"pv_scale": pv_scale}, "market": {"max_event_periods": 8}}, end, str(path))
    overrides = [f"sites.pv_scale={pv_scale}", "market.max_event_periods=8"]
    report, _ = audited(core, path, "rural_day", overrides, seed=0)
    assert report.difference is None, str(report.difference)
    assert report.findings


def test_a_rule_that_is_not_optimal_claims_no_certificate(tmp_path):
    path = tmp_path / "day.sqlite"
    core = core_of("rural_day", {"market": {"dispatch": "merit_order"}}, 60, str(path))
    report, _ = audited(core, path, "rural_day", ["market.dispatch=merit_order"])
    assert report.difference is None, str(report.difference)
    assert any(not found["near_optimal"] and not found["claimed"] for found in report.findings)


def fraud_of_the_award(core, monkeypatch):
    """The dearest offers win."""
    honest = core.mechanisms.request

    def award(offers):
        if core.state.period < FROM:
            return honest.award(offers)
        turned = honest.award(offers._replace(price=offers.price.max() - offers.price))
        return np.minimum(turned, offers.wh)

    core.mechanisms = replace(core.mechanisms, request=SimpleNamespace(award=award, pay=honest.pay))


def fraud_of_the_trigger(core, monkeypatch):
    """A request is opened where the forecast breaks no limit."""
    honest = envs.core.open_period

    def needless(world, state, last_period):
        stage = honest(world, state, last_period)
        if state.period >= FROM and stage.cause[0, GRID] == NO_EVENT:
            stage.cause[0, GRID], stage.direction[0, GRID], stage.duration[0, GRID] = OVER_VOLTAGE, -1, 1
            stage.need_w[0, GRID], stage.place[0, GRID] = 5_000.0, 3
        return stage

    monkeypatch.setattr(envs.core, "open_period", needless)


def fraud_of_the_silence(core, monkeypatch):
    """A limit is going to be broken, and nobody is told."""
    honest = envs.core.open_period

    def silent(world, state, last_period):
        stage = honest(world, state, last_period)
        if state.period >= FROM:
            stage.cause[0, GRID] = stage.direction[0, GRID] = stage.duration[0, GRID] = 0
        return stage

    monkeypatch.setattr(envs.core, "open_period", silent)


def fraud_of_the_check(core, monkeypatch):
    """What the check finds is not looked at: the first dispatch is called safe."""
    honest = safe._Request.check

    def blind(self, active, ordered, add):
        found = honest(self, active, ordered, add)
        if core.state.period >= FROM:
            found.violated[:] = False
        return found

    monkeypatch.setattr(safe._Request, "check", blind)


FRAUDS = {
    "award": (fraud_of_the_award, "dispatch:admm", "DTX", "passes"),  # what it buys does something else
    "trigger": (fraud_of_the_trigger, "trigger", "TTX", "record"),
    "silence": (fraud_of_the_silence, "trigger", "TTX", "record"),
    "check": (fraud_of_the_check, "dispatch:admm", "DTX", "reopened"),
}


@pytest.mark.parametrize("fraud", FRAUDS)
def test_an_operator_that_plays_by_other_rules_is_found(tmp_path, monkeypatch, fraud):
    path = tmp_path / "day.sqlite"
    commit, contract, kind, field = FRAUDS[fraud]
    core = core_of(SCENARIO, None, 52, str(path))
    commit(core, monkeypatch)
    episode(core, by_rules(core), (1,))
    monkeypatch.undo()
    assert verify_file(path).sound
    report = audit_file(path, [executors(SCENARIO, [])])
    assert report.difference is not None
    found = report.difference
    assert found.block > FROM
    assert (found.contract, found.kind) == (contract, kind)
    assert field in found.field


def test_an_estimate_changed_after_the_fact_is_found(tmp_path, monkeypatch):
    """The operator plans with one estimate and publishes another."""
    from envs.records import Scribe

    honest = Scribe._forecasts

    def other(self, b, state):
        drafts = honest(self, b, state)
        if state.period == 50:
            for row in drafts[-1].body[1]:
                row[1] = [net_w + 2_000 for net_w in row[1]]
        return drafts

    monkeypatch.setattr(Scribe, "_forecasts", other)
    path = tmp_path / "day.sqlite"
    core = core_of(SCENARIO, None, 52, str(path))
    report, _ = audited(core, path)
    assert report.difference is not None
    assert (report.difference.block, report.difference.contract) == (51, "trigger")


def event_with_limits(core):
    """(state before, stage, quotes, plan, problem) of the first grid event whose awards were reopened."""
    kept = {}
    honest = core.promise

    def watch(world, state, stage, quotes, mechanisms):
        watched, asked = watching(mechanisms)
        plan = honest(world, state, stage, quotes, watched)
        if plan.reopened[0, GRID] and plan.safe[0, GRID] and not kept:
            problem = last_problems(stage, asked, world.sites)[GRID]
            found = certify(world, state, stage, quotes, plan, problem, GRID, (1, 1))
            altered = replace(plan, ordered_wh=plan.ordered_wh.copy())
            kept.update(found=found, problem=problem, plan=plan, altered=altered)
            kept["judge"] = lambda other: certify(world, state, stage, quotes, other, problem, GRID, (1, 1))
            altered.ordered_wh[0, GRID] = 0
            kept["idle"] = kept["judge"](altered)
            altered.ordered_wh[0, GRID] = np.rint(problem.size_kw[: world.sites].sum(axis=1) * 250.0)
            kept["all"] = kept["judge"](altered)
        return plan

    core.promise = watch
    core.reset(np.array([1], np.uint64))
    for _ in periods(core, by_rules(core)):
        if kept:
            break
    return kept


def test_the_certificate_stands_on_its_own():
    """It refuses a plan that claims to be safe without orders, and one that buys all there is."""
    kept = event_with_limits(core_of("rural_day", {"ledger": {"mode": "off"}}))
    found, idle, everything = kept["found"], kept["idle"], kept["all"]
    assert (found.outcome, found.feasible, found.near_optimal) == ("safe", True, True)
    assert not idle.feasible  # the limit is broken
    assert idle.cost_per_h > found.cost_per_h + found.allowed_per_h  # what stays uncured is dearer than any block
    assert idle.cost_per_h > idle.bound_per_h + idle.allowed_per_h
    assert not idle.near_optimal
    assert not everything.near_optimal
    assert everything.gap > 0.01


def test_least_cost_is_below_every_dispatch_that_keeps_the_rows():
    kept = event_with_limits(core_of("rural_day", {"ledger": {"mode": "off"}}))
    problem, ordered_wh = kept["problem"], kept["plan"].ordered_wh[0, GRID]
    bound = least_cost(problem)
    assert bound == pytest.approx(cost_of(problem, ordered_wh), rel=0.01)
    assert bound < cost_of(problem, 2 * ordered_wh)


def test_the_net_is_bound_by_its_hash(tmp_path):
    world = build_world("tiny")
    other = replace(world, feeder=replace(world.feeder, z=world.feeder.z * 1.001))
    assert world.fingerprint != other.fingerprint
    assert replace(world, load_var=world.load_var + 1.0).fingerprint != world.fingerprint
    path = tmp_path / "day.sqlite"
    audited(core_of("tiny", None, 3, str(path)), path, "tiny")
    with Store.open(path) as store:
        genesis = next(iter(store.blocks()))
    names = [record.body[0] for record in genesis.records if record.kind is Kind.CONTRACT]
    assert f"grid:{world.scenario.grid.net}".encode() in names
