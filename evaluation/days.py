"""Days of the profile year, one a world: counted, balanced, and single ones audited with their full ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from agents.policy import make_policies
from envs.audit import Market
from envs.core import Core
from envs.money import DEFICIT, SURPLUS, TRADE
from envs.reward import violations
from envs.settings import Scenario, load_scenario
from envs.types import GRID, Bools, Floats, Ints, Trace
from envs.world import World, build_world
from evaluation.measures.base import LOAD_FLOOR, VOLT_FLOOR
from evaluation.playing import periods
from evaluation.runs import Job, play
from ledger.audit import audit_file

COUNTS = (
    "periods",
    "converged",  # with a solution of the power flow
    "violated_without",  # planning limits, had no order been carried out
    "violated_with",  # planning limits, as lived
    "own_without",  # the net's own limits
    "own_with",
    "events",  # for the own grid
    "ordered_wh",
    "verified_wh",
    "cut_wh",
    "money_off",  # periods whose transfers are not the changes of balances, or do not add up to zero
    "paid_off",  # sites and periods that are paid for other Wh than were accepted
    "losses_off",  # periods whose losses by flow and accepted readings are not the power flow's, or are below 0
)
Counts = dict[str, Ints]  # name of COUNTS → (days,)


@dataclass(frozen=True)
class Audited:
    """A day with its full ledger."""

    day: int
    sound: bool  # verified from the file, and every public figure derived again
    difference: str  # "" where the audit finds none
    balance: list[int]


def play_days(
    scenario: Scenario, policies: Mapping[str, str], game: str, first_seed: int, days: Ints
) -> tuple[Counts, Ints]:
    """Days as one batch without a ledger: counts and final balances (days, K)."""
    world = build_world(scenario, {"ledger": {"mode": "off"}})
    core = Core(world, world.periods_per_day)
    core.reset(np.uint64(first_seed) + days.astype(np.uint64), days=days)
    counts = {name: np.zeros(len(days), np.int64) for name in COUNTS}
    for trace in periods(core, make_policies(world.scenario, policies), game):
        for name, value in _counted(world, trace).items():
            counts[name] += value
    return counts, core.state.balance.copy()


def _counted(world: World, trace: Trace) -> dict[str, Ints | Bools | int]:
    """What a period adds to each count, (B,)."""
    energy, plan, verdict = trace.energy, trace.plan, trace.verdict
    lived, twin = (energy.voltage_pu, energy.loading), (energy.twin_voltage_pu, energy.twin_loading)
    money, paid = _balanced(world, trace)
    return {
        "periods": 1,
        "converged": energy.converged,
        "violated_without": _planning(world, *twin),
        "violated_with": _planning(world, *lived),
        "own_without": _own(world, *twin),
        "own_with": _own(world, *lived),
        "events": trace.stage.cause[:, GRID] > 0,
        "ordered_wh": (plan.ordered_wh * trace.stage.duration[:, :, None]).sum(axis=(1, 2)),
        "verified_wh": verdict.verified_wh.sum(axis=(1, 2)),
        "cut_wh": np.abs(energy.cut_wh).sum(axis=1),
        "money_off": ~money,
        "paid_off": paid,
        "losses_off": (verdict.losses_wh != energy.technical_loss_wh) | (energy.technical_loss_wh < 0),
    }


def _planning(world: World, voltage_pu: Floats, loading: Floats) -> Bools:
    volts, over = violations(world, voltage_pu, loading)
    return np.asarray((volts > VOLT_FLOOR) | (over > LOAD_FLOOR))


def _own(world: World, voltage_pu: Floats, loading: Floats) -> Bools:
    feeder = world.feeder
    outside = (voltage_pu > feeder.band_high_pu + VOLT_FLOOR) | (voltage_pu < feeder.band_low_pu - VOLT_FLOOR)
    return np.asarray((outside | (loading > 1.0 + LOAD_FLOOR))[:, 1:].any(axis=1))


def _balanced(world: World, trace: Trace) -> tuple[Bools, Ints]:
    """(B,) the period's transfers are its changes of balances and sum to zero; (B,) sites paid for other Wh."""
    payments, worlds = trace.payments, len(trace.payments.count)
    used = np.arange(payments.rows.shape[1])[None, :] < payments.count[:, None]
    b = np.nonzero(used)[0]
    flow, payer, payee, wh, _, amount = payments.rows[used][:, :6].T
    change, paid = np.zeros((2, worlds, world.accounts), np.int64)
    np.add.at(change, (b, payer), -amount)
    np.add.at(change, (b, payee), amount)
    for side, sign in ((payee, 1), (payer, -1)):
        own = np.isin(flow, (TRADE, SURPLUS, DEFICIT))
        np.add.at(paid, (b[own], side[own]), sign * wh[own])
    exact = (change == payments.change).all(axis=1) & (payments.change.sum(axis=1) == 0)
    return np.asarray(exact), np.asarray((paid[:, : world.sites] != trace.verdict.net_wh).sum(axis=1))


def audit_day(scenario: Scenario, policies: Mapping[str, str], game: str, first_seed: int, day: int) -> Audited:
    """Play a day alone with the full ledger, verify the file and execute it again."""
    calendar = {"first_day": day, "last_day": day, "periods": build_world(scenario).periods_per_day}
    alone = load_scenario(scenario, {"calendar": calendar, "ledger": {"mode": "full"}})
    with TemporaryDirectory() as folder:
        run = play(Job(alone, policies, first_seed + day, game, Path(folder) / "day.sqlite"))
        assert run.chain is not None
        report = audit_file(run.chain.path, [Market(build_world(alone))])
    sound = run.chain.sound and not run.chain.differing
    return Audited(day, sound, str(report.difference or ""), run.book.balance.tolist())
