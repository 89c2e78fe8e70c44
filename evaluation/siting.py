"""`python -m evaluation.siting SCENARIO`: where PV can go. What each bus can host alone, and plants on random sites.

*By location*: one plant grows at one bus and nowhere else. *At random*: plants of one size go to sites drawn at random,
one by one and more than one a site, until a limit breaks; many draws give a distribution (the usual stochastic hosting
capacity). A size is hosted when every period of the scenario's day keeps 0.95–1.05 pu at every bus
and every rating; periods that break them without any plant are left out. Physics alone: expected profiles, no noise,
no reactive power of inverters, no storage and no market, so this is the *without* of `evaluation.hosting`. The other
plants of the scenario are off unless ``--others`` scales them in.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from envs import draws
from envs.config import SettingsError
from envs.grid.sweep import PowerFlow
from envs.types import Bools, Floats, Ints
from envs.world import World, build_world
from evaluation.command import Parser, add_scenario, answered, print_or_write, scenario_of, whole
from evaluation.hosting import BAND_PU, LOADING
from evaluation.measures.base import LOAD_FLOOR, VOLT_FLOOR
from evaluation.words import number

LARGEST_KWP = 10_000.0  # tried at one bus
HALVINGS = 24  # of that: to less than a watt
MOST_EACH = 40  # plants a site on average


class Day:
    """The scenario's day as injections without the plants that are tried; worlds are plants' sizes by bus."""

    def __init__(self, world: World, others: float = 0.0) -> None:
        if not world.pv_rated_w.any():
            raise SettingsError(f"{world.scenario.source}: sites: no plant whose profile new ones could follow")
        first = world.scenario.calendar.first_day * world.periods_per_day
        rows = np.arange(first, first + world.periods_per_day)
        self.flow, buses = PowerFlow(world.feeder), world.feeder.bus_count
        pv_w = world.pv_w[rows]
        self.shape: Floats = pv_w.sum(axis=1) / world.pv_rated_w.sum()  # (T,) output of a rated kW
        self.p_kw, self.q_kvar = np.zeros((2, len(rows), buses))
        net_w = others * pv_w - world.usual_load_w(rows)
        for site, bus in enumerate(world.site_bus.tolist()):
            self.p_kw[:, bus] += net_w[:, site] / 1000.0
            self.q_kvar[:, bus] -= world.load_var[rows, site] / 1000.0
        self.counted = np.ones(len(rows), np.bool_)
        self.counted = self._kept(np.zeros((1, buses)))[0]

    def hosted(self, kwp: Floats) -> Bools:
        """(worlds,) whether plants of (worlds, buses) kWp break no limit in any period that counts."""
        return np.asarray((self._kept(kwp) | ~self.counted).all(axis=1))

    def _kept(self, kwp: Floats) -> Bools:
        """(worlds, T) periods inside all limits."""
        worlds, periods = len(kwp), len(self.shape)
        p_kw = (self.p_kw[None] + self.shape[None, :, None] * kwp[:, None]).reshape(worlds * periods, -1)
        found = self.flow.solve(p_kw, np.tile(self.q_kvar, (worlds, 1)))
        volts, loads = found.voltage_pu[:, 1:], found.loading[:, 1:]
        good = (volts <= BAND_PU[1] + VOLT_FLOOR) & (volts >= BAND_PU[0] - VOLT_FLOOR)
        kept = found.converged & good.all(axis=1) & (loads <= LOADING + LOAD_FLOOR).all(axis=1)
        return np.asarray(kept.reshape(worlds, periods))


def by_bus(day: Day, buses: Ints) -> Floats:
    """(buses,) kWp that each of these buses can host alone; at most LARGEST_KWP."""
    good, bad = np.zeros(len(buses)), np.full(len(buses), LARGEST_KWP)
    for _ in tqdm(range(HALVINGS), desc="bus by bus", unit="halving"):
        middle = 0.5 * (good + bad)
        kwp = np.zeros((len(buses), day.p_kw.shape[1]))
        kwp[np.arange(len(buses)), buses] = middle
        hosted = day.hosted(kwp)
        good, bad = np.where(hosted, middle, good), np.where(hosted, bad, middle)
    return good


def at_random(day: Day, site_bus: Ints, plant_kwp: float, count: int, first_seed: int) -> Ints:
    """(count,) plants that each draw hosts before one more breaks a limit; at most MOST_EACH times the sites."""
    seeds, sites = np.uint64(first_seed) + np.arange(count, dtype=np.uint64), len(site_bus)
    kwp, plants, going = np.zeros((count, day.p_kw.shape[1])), np.zeros(count, np.int64), np.arange(count)
    drawn = np.empty((count, MOST_EACH * sites))
    draws.uniforms(seeds, np.zeros(count, np.int64), 0, draws.PLACEMENT, drawn)
    bus = site_bus[(drawn * sites).astype(np.int64)]
    with tqdm(total=count, desc="at random", unit="draw") as bar:
        for k in range(bus.shape[1]):
            kwp[going, bus[going, k]] += plant_kwp
            going = going[day.hosted(kwp[going])]
            plants[going] += 1
            bar.update(count - len(going) - bar.n)
            if not len(going):
                break
    return plants


def study(world: World, plant_kwp: float, count: int, first_seed: int, others: float) -> str:
    """The tables in Markdown."""
    day, feeder = Day(world, others), world.feeder
    buses = np.unique(world.site_bus)
    alone = by_bus(day, buses)
    plants = at_random(day, world.site_bus, plant_kwp, count, first_seed)
    low, median, high = np.percentile(plants * plant_kwp, [5.0, 50.0, 95.0]).tolist()
    lines = [
        f"Scenario `{world.scenario.name}`, day {world.scenario.calendar.first_day}, its plants times {others:g}; "
        f"{int(day.counted.sum())} of {len(day.counted)} periods count. What each bus can host alone:",
        "",
        "| bus | sites | distance to the upper grid (pu) | alone (kWp) |",
        "| --- | ---: | ---: | ---: |",
    ]
    for bus, kwp in sorted(zip(buses.tolist(), alone.tolist(), strict=True), key=lambda row: (-row[1], row[0])):
        sites, distance = int((world.site_bus == bus).sum()), float(world.routes.distance_pu[0, bus])
        lines.append(f"| {feeder.bus_name[bus]} | {sites} | {distance:.4f} | {_size(kwp)} |")
    lines += [
        "",
        f"Plants of {plant_kwp:g} kWp on random sites, {count} draws:",
        "",
        "| | 5 % | median | 95 % |",
        "| --- | ---: | ---: | ---: |",
        "| hosted (kWp) | " + " | ".join(number(kwp, "kWp") for kwp in (low, median, high)) + " |",
    ]
    return "\n".join(lines)


def _size(kwp: float) -> str:
    """Capacity of a bus; a bus at the upper grid has none that was found."""
    return ("over " if kwp > LARGEST_KWP * (1.0 - 1e-6) else "") + number(kwp, "kWp")


def _number(least: float, most: float, open_below: bool) -> type[float]:
    class Number(float):
        def __new__(cls, text: str) -> Number:
            value = super().__new__(cls, text)
            if not least <= value <= most or (open_below and value == least):
                raise argparse.ArgumentTypeError(f"{text} (allowed: {least:g} to {most:g})")
            return value

    return Number


def main(words: Sequence[str] | None = None) -> int:
    """Command line; 0, or 2 where the command or a setting cannot be."""
    made = Parser(prog="python -m evaluation.siting", description=__doc__)
    add_scenario(made, "rural_day")
    made.add_argument("--plant-kwp", type=_number(0.0, 1e4, True), default=5.0, metavar="KWP", help="default 5")
    made.add_argument("--draws", type=whole(1, 10_000), default=200, metavar="N", help="random orders (default 200)")
    made.add_argument("--first-seed", type=whole(0, 2**31), default=0, metavar="S", help="of the draws (default 0)")
    made.add_argument(
        "--others", type=_number(0.0, 100.0, False), default=0.0, metavar="X", help="scale of the plants there are (0)"
    )
    made.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    made.add_argument("--out", type=Path, metavar="FILE", help="write the tables to this file, not to the screen")
    asked = made.parse_args(words)

    def work() -> None:
        world = build_world(scenario_of(asked))
        text = study(world, float(asked.plant_kwp), asked.draws, asked.first_seed, float(asked.others))
        print_or_write(text, asked.out)

    return answered("python -m evaluation.siting", work)


if __name__ == "__main__":
    sys.exit(main())
