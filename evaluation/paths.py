"""The paths of a run's trades as tables: by length, and the dearest ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.types import Ints
from envs.world import World
from evaluation.daybook import BRANCHES, BUYER, LOSS_WH, PATH_CHARGE, SELLER, TRADED_WH
from evaluation.measures.base import ratio
from evaluation.measures.network import charges_micro
from evaluation.study import Part, Study
from evaluation.words import number

DEAREST = 5


@dataclass
class PathTables:
    """Of the first run of a scenario, cells as text."""

    part: str
    seed: int
    rule: str  # of the network charge
    lengths: list[list[str]]  # branches, trades, share of the energy, kWh, distance, charge, losses
    dearest: list[list[str]]  # from, to, branches, trades, kWh, charge per kWh, charge, losses


def _cells(rows: Ints) -> list[str]:
    """Charge in ¤ and losses in kWh."""
    return [number(charges_micro(rows) / 1e6, "¤"), number(rows[:, LOSS_WH].sum() / 1000.0, "¤/kWh")]


def _distance(world: World, rows: Ints) -> str:
    """Electrical distance weighted by volume, the mean site's path to the upper grid = 1."""
    pairs = world.routes.distance_pu[world.site_bus[rows[:, SELLER]], world.site_bus[rows[:, BUYER]]]
    wh = rows[:, TRADED_WH]
    return number(float((pairs * wh).sum() / wh.sum() / world.reference_pu), "1") if world.reference_pu > 0 else "–"


def _lengths(world: World, trades: Ints) -> list[list[str]]:
    table = []
    for branches in np.unique(trades[:, BRANCHES]).tolist():
        rows = trades[trades[:, BRANCHES] == branches]
        wh = int(rows[:, TRADED_WH].sum())
        share = number(ratio(wh, int(trades[:, TRADED_WH].sum())), "%")
        table.append(
            [str(branches), str(len(rows)), share, number(wh / 1000, "kWh"), _distance(world, rows), *_cells(rows)]
        )
    return table


def _dearest(world: World, trades: Ints) -> list[list[str]]:
    """Pairs of buses that paid most for the network, both directions apart; ties by bus."""
    ends = np.stack([world.site_bus[trades[:, SELLER]], world.site_bus[trades[:, BUYER]]], axis=1)
    groups = [(start, goal, trades[(ends == [start, goal]).all(axis=1)]) for start, goal in np.unique(ends, axis=0)]
    groups.sort(key=lambda group: -charges_micro(group[2]))
    names = world.feeder.bus_name
    return [
        [
            str(names[start]),
            str(names[goal]),
            str(rows[0, BRANCHES]),
            str(len(rows)),
            number(rows[:, TRADED_WH].sum() / 1000.0, "kWh"),
            number(rows[0, PATH_CHARGE] / 1e6, "¤/kWh"),
            *_cells(rows),
        ]
        for start, goal, rows in groups[:DEAREST]
    ]


def _tables(part: Part) -> PathTables:
    run, world = part.runs[0], part.world
    trades, rule = run.book.trades, world.scenario.market.network_charge_rule
    return PathTables(part.name, run.seed, rule, _lengths(world, trades), _dearest(world, trades))


def path_tables(study: Study) -> list[PathTables]:
    """One a scenario in which anything was traded."""
    return [_tables(part) for part in study.parts if len(part.runs[0].book.trades)]
