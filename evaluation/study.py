"""A study: scenarios played over the same seeds, and the numbers that compare them."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from envs.settings import Scenario
from envs.world import World, build_world
from evaluation.measures import METRICS, Metric, Value
from evaluation.runs import RunResult
from evaluation.statistics import Estimate, estimate, paired_difference

COLUMNS = ("scenario", "seed", "metric", "value", "unit")


@dataclass
class Part:
    """A scenario and its runs, one a seed."""

    scenario: Scenario
    world: World
    runs: list[RunResult]
    values: dict[str, list[Value]]  # metric → value of each run

    @property
    def name(self) -> str:
        """What the runs are called: the scenario's name, or that of its variant."""
        return self.runs[0].scenario

    def estimate(self, metric: str) -> Estimate:
        """Mean over seeds with its interval."""
        return estimate(self.values[metric])


@dataclass
class Study:
    """All parts, in the order in which they were asked for."""

    parts: list[Part]
    seeds: tuple[int, ...]
    game: str
    policies: dict[str, str]

    def difference(self, metric: str, second: int) -> Estimate:
        """Part ``second`` less the first, paired by seed."""
        return paired_difference(self.parts[0].values[metric], self.parts[second].values[metric])


def study_of(
    scenarios: Sequence[Scenario],
    runs: Sequence[RunResult],
    seeds: Sequence[int],
    game: str,
    policies: Mapping[str, str],
) -> Study:
    """Sort finished runs (scenario by scenario, seed by seed) into a study."""
    parts = []
    for k, scenario in enumerate(scenarios):
        own = list(runs[k * len(seeds) : (k + 1) * len(seeds)])
        world = build_world(scenario)
        values = {metric.name: [metric.of(world, run) for run in own] for metric in METRICS}
        parts.append(Part(scenario, world, own, values))
    return Study(parts, tuple(seeds), game, dict(policies))


def metric_rows(study: Study) -> list[dict[str, str | int | Value]]:
    """One row a scenario, seed and metric."""
    return [
        {
            "scenario": part.name,
            "seed": run.seed,
            "metric": metric.name,
            "value": part.values[metric.name][k],
            "unit": metric.unit,
        }
        for part in study.parts
        for k, run in enumerate(part.runs)
        for metric in METRICS
    ]


def write_metrics(study: Study, out: Path) -> None:
    """``metrics.json`` and ``metrics.csv``; a number that does not exist is null, or empty."""
    rows = metric_rows(study)
    (out / "metrics.json").write_text(json.dumps(rows, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    with (out / "metrics.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def summary_metrics() -> list[Metric]:
    """The metrics of the report's first table."""
    return [metric for metric in METRICS if metric.summary]
