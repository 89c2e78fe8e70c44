"""What batteries earn by each rule, against owners who know the whole day beforehand.

A site may trade with its peers at the mean price of the period's trades in the run itself, without limit of volume, or
with the supplier at the tariffs, whichever is better: an upper bound for every rule that takes prices as they come.
Nobody orders flexibility here. Income without the battery is the same for all, so it is subtracted; the owner with
foresight must leave as much in the cells at the end of the day as the rule does.
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
RULES = ("truthful", "price_threshold", "zip", "greedy")


@dataclass(frozen=True)
class Earned:
    """What one battery added to its owner's day, in currency."""

    seed: int
    site: int
    played: float
    bound: float


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


def earned(name: str, rule: str, seeds: int) -> list[Earned]:
    """What each battery earns in a day when all prosumers play ``rule``, seed by seed."""
    scenario = load_scenario(name, {"ledger": {"mode": "off"}, "upper_orders": []})
    world, policies = build_world(scenario), {**DEFAULT_RULES, "prosumer": rule, "eno": "idle"}
    runs = (play(Job(scenario, policies, seed, "staged", None)) for seed in range(seeds))
    return [row for run in runs for row in _of_run(scenario, world, run)]


def run() -> str:
    """The table in Markdown."""
    lines = [
        "## Batteries against perfect foresight",
        "",
        "What all batteries together add to their owners' day, in ¤, mean over the seeds with its 95 % interval, when",
        "all prosumers play the rule; *upper bound*: a linear program that knows the day, the prices (the run's own",
        "mean price of peers, or the tariffs where they are better), from the same charge to the same charge, wear",
        "deducted. Flexibility is not ordered. `price_threshold` rests while the peers' price is in the middle between",
        "the tariffs, as it is when everybody quotes a truth that is one of the two.",
        "",
        "| scenario | rule | played | upper bound | missed |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for name, seeds in SCENARIOS.items():
        for rule in RULES:
            rows = earned(name, rule, seeds)
            played, bound = (
                [sum(getattr(row, what) for row in rows if row.seed == seed) for seed in range(seeds)]
                for what in ("played", "bound")
            )
            missed = [b - p for p, b in zip(played, bound, strict=True)]
            cells = [estimate(values) for values in (played, bound, missed)]
            lines.append(
                f"| `{name}` | `{rule}` | " + " | ".join(f"{c.mean:.2f} ± {c.half_width:.2f}" for c in cells) + " |"
            )
    return "\n".join(lines)
