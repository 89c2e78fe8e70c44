"""What the default household's battery earns at the tariffs, against an owner who knows the whole day beforehand.

Nobody orders flexibility here. Income without the battery is the same for both, so it is subtracted; the owner with
foresight must leave as much in the cells at the end of the day as the household does.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from agents.policy import DEFAULT_RULES
from envs.settings import load_scenario
from envs.world import build_world
from evaluation.foresight import Battery, best_income, charge_after, income_of
from evaluation.runs import Job, play
from evaluation.statistics import estimate

SCENARIO, SEEDS = "tiny", 10


def earned(seeds: int = SEEDS) -> Iterator[tuple[int, int, float, float]]:
    """(seed, site, played, with foresight) currency that each battery earns in a day."""
    scenario = load_scenario(SCENARIO, {"ledger": {"mode": "off"}, "upper_orders": []})
    world, market = build_world(scenario), scenario.market
    for seed in range(seeds):
        run = play(Job(scenario, {**DEFAULT_RULES, "eno": "idle"}, seed, "staged", None))
        real = run.truth.real_wh.astype(np.float64)
        buy = np.full(len(real), float(market.retail + market.network_charge))
        sell = np.full(len(real), float(market.feed_in))
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
            yield seed, i, (played - idle) / 1e6, (best - idle) / 1e6


def run() -> str:
    """The table in Markdown."""
    rows = list(earned())
    lines = [
        "## A battery with perfect foresight",
        "",
        f"What each battery of scenario `{SCENARIO}` adds to its owner's day at the tariffs, in ¤, mean over",
        f"{SEEDS} seeds with its 95 % interval; from the same charge to the same charge, wear deducted. Below 0: the",
        "day ends with more in the cells than it began with.",
        "",
        "| site | default household | upper bound |",
        "| ---: | ---: | ---: |",
    ]
    for site in sorted({row[1] for row in rows}):
        cells = [estimate([row[k] for row in rows if row[1] == site]) for k in (2, 3)]
        lines.append(f"| {site} | " + " | ".join(f"{c.mean:.2f} ± {c.half_width:.2f}" for c in cells) + " |")
    return "\n".join(lines)
