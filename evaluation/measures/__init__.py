"""Metrics, one file a subject; each file has a list METRICS."""

from __future__ import annotations

from envs.world import World
from evaluation.daybook import DayBook
from evaluation.measures import chain, conduct, fairness, grid, market, network, resources
from evaluation.measures.base import Metric, Value

METRICS: tuple[Metric, ...] = (
    *grid.METRICS,
    *market.METRICS,
    *network.METRICS,
    *resources.METRICS,
    *fairness.METRICS,
    *conduct.METRICS,
    *chain.METRICS,
)


def public_figures(world: World, book: DayBook) -> dict[str, Value]:
    """Every public metric of a day book by name."""
    return {metric.name: metric.public(world, book) for metric in METRICS if metric.public is not None}


def differing_figures(world: World, played: DayBook, read: DayBook) -> list[str]:
    """Names of the public metrics in which two day books of a run differ, to the last digit."""
    first, second = public_figures(world, played), public_figures(world, read)
    return [name for name, value in first.items() if value != second[name]]
