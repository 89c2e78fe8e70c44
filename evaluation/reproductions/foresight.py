"""What each rule's battery schedules are worth, against owners who know the whole day beforehand.

Both are valued at the same prices: a site may trade with its peers at the mean price of the period's trades in the run
itself, without limit of volume, or with the supplier at the tariffs, whichever is better. So a schedule's value is not
what its owner was paid in the run, where volumes end and quotes lose; it is what the schedule alone decides, and the
bound is one for every rule that takes prices as they come. Nobody orders flexibility here. Income without the battery
is the same for all, so it is subtracted; the owner with foresight must leave as much in the cells at the end of the day
as the rule does. Foresight is a yardstick, no policy: a policy sees observations, and tomorrow is not among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from agents.policy import DEFAULT_RULES
from envs.settings import Scenario, load_scenario
from envs.types import Floats
from envs.world import World, build_world
from evaluation.foresight import Battery, best_income, charge_after, income_of
from evaluation.runs import Job, RunResult, play
from evaluation.statistics import estimate

SCENARIOS = {"tiny": 10, "rural_day": 3}  # seeds
RULES = ("truthful", "self_consumption", "price_threshold", "zip", "greedy")
TRADING = ("two_stage_double", "uniform_price")


@dataclass(frozen=True)
class Earned:
    """What one battery adds to its owner's day at the prices of the bound, in currency."""

    seed: int
    site: int
    played: float  # by the schedule that the rule made it follow; not what was paid in the run
    bound: float  # by the best schedule


def prices_of(scenario: Scenario, run: RunResult) -> tuple[Floats, Floats]:
    """(T,) micro-currency per kWh at which a site could have bought and sold in each period."""
    market, mean = scenario.market, run.book.reference.astype(np.float64)
    traded = mean > 0
    buy = np.where(traded, np.minimum(mean, market.retail), market.retail) + market.network_charge
    sell = np.where(traded, np.maximum(mean, market.feed_in), market.feed_in)
    return buy, sell


def _of_run(scenario: Scenario, world: World, run: RunResult) -> Iterator[Earned]:
    real = run.truth.real_wh.astype(np.float64)
    buy, sell = prices_of(scenario, run)
    for i in np.flatnonzero(world.storage_wh).tolist():
        battery = Battery(
            float(world.storage_wh[i]), float(world.storage_w[i]), float(world.efficiency[i]),
            float(scenario.sites.degradation_price),
        )  # fmt: skip
        net, output = real[:, i, 0] - real[:, i, 1], real[:, i, 2]
        start = scenario.sites.initial_charge * battery.capacity_wh
        idle = income_of(net, np.zeros(len(net)), buy, sell, battery.wear_price)
        played = income_of(net, output, buy, sell, battery.wear_price)
        # Readings are whole Wh, so the charge added up from them may lie a little outside the cells.
        end = min(max(charge_after(battery, start, output), 0.0), battery.capacity_wh)
        best = best_income(net, battery, start, end, buy, sell).income
        yield Earned(run.seed, i, (played - idle) / 1e6, (best - idle) / 1e6)


def earned(name: str, rule: str, seeds: int, trading: str = TRADING[0]) -> list[Earned]:
    """What each battery's schedule is worth when all prosumers play ``rule``, seed by seed."""
    quiet = {"ledger": {"mode": "off"}, "upper_orders": [], "grid": {"last_resort": "asked"}}
    scenario = load_scenario(name, {**quiet, "market": {"trading": trading}})
    world, policies = build_world(scenario), {**DEFAULT_RULES, "prosumer": rule, "eno": "idle"}
    runs = (play(Job(scenario, policies, seed, "staged", None)) for seed in range(seeds))
    return [row for run in runs for row in _of_run(scenario, world, run)]


def run() -> str:
    """The table in Markdown."""
    lines = [
        "## Batteries against perfect foresight",
        "",
        "What all batteries together add to their owners' day, in ¤, mean over the seeds with its 95 % interval, when",
        "all prosumers play the rule. *Schedule*: what the batteries really did in the run, valued at the prices of",
        "the bound; not what their owners were paid, which depends on quotes and volumes, too. *Upper bound*: a linear",
        "program that knows the day and the prices (the run's own mean price of peers, or the tariffs where they are",
        "better), from the same charge to the same charge, wear deducted. It is a yardstick and no policy: a policy",
        "sees only its observations, forecasts among them, so no rule and no learner can be expected to reach it.",
        "Flexibility is not ordered. Under `two_stage_double` everybody's truth meets in the middle between the",
        "tariffs, where `price_threshold` rests; under `uniform_price` the price moves with whichever side is short,",
        "and it works its battery, at a loss: last period's price, all it knows, is not this period's. On `tiny` it",
        "charges after a price of 0.08 at one of 0.20 and discharges after 0.27 at 0.08, since all batteries do so",
        "together.",
        "",
        "| scenario | market.trading | rule | schedule | upper bound | missed |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| `{name}` | `{trading}` | `{rule}` | " + " | ".join(_cells(earned(name, rule, seeds, trading), seeds)) + " |"
        for name, seeds in SCENARIOS.items()
        for trading in TRADING
        for rule in RULES
    ]
    return "\n".join(lines)


def _cells(rows: list[Earned], seeds: int) -> list[str]:
    """Value of the schedules, bound and what was missed, each with its interval over the seeds."""
    played, bound = (
        [sum(getattr(row, what) for row in rows if row.seed == seed) for seed in range(seeds)]
        for what in ("played", "bound")
    )
    missed = [b - p for p, b in zip(played, bound, strict=True)]
    return [f"{cell.mean:.2f} ± {cell.half_width:.2f}" for cell in map(estimate, (played, bound, missed))]
