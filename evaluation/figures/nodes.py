"""A small net node by node, as paper 000 shows its case (Fig. 6, 7): topology, generation, load, voltages."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from envs.types import HOURS, Floats, Ints
from envs.world import World
from evaluation.daybook import ORDER_WH, SITE, DayBook
from evaluation.figures.feeder import places, worst_period
from evaluation.figures.style import (
    ALERT,
    FOURTH,
    INK,
    PAPER,
    SOFT,
    THIRD,
    WITH,
    WITHOUT,
    Picture,
    clock,
    draw,
    time_of,
)
from evaluation.measures.base import lived
from evaluation.study import Study

MOST_NODES = 10  # more lines in a panel cannot be told apart
COLOURS = (WITH, WITHOUT, THIRD, FOURTH, SOFT, INK)


def node_pictures(study: Study) -> list[Picture]:
    """The first scenario's net node by node; empty where it has more nodes than a picture can hold."""
    if study.parts[0].world.feeder.bus_count > MOST_NODES:
        return []
    return [_topology(study), _curves(study)]


def _by_bus(world: World, wh: Ints) -> Floats:
    """(T, buses) kW of (T, N) Wh of sites."""
    power = np.zeros((len(wh), world.feeder.bus_count))
    np.add.at(power.T, world.site_bus, wh.T / HOURS / 1000.0)
    return power


def _ordered(world: World, book: DayBook) -> Floats:
    """(T, buses) kW of running orders, signed like injection."""
    wh = np.zeros((book.periods, book.sites), np.int64)
    for page in book.events:
        wh[page.start : page.start + page.duration, page.orders[:, SITE]] += page.direction * page.orders[:, ORDER_WH]
    return _by_bus(world, wh)


def _topology(study: Study) -> Picture:
    part = study.parts[0]
    world, book = part.world, part.runs[0].book
    feeder, when = world.feeder, worst_period(world, book)
    before, after = (lived(book, twin)[0][when] for twin in (True, False))
    plants = np.zeros(feeder.bus_count)
    np.add.at(plants, world.site_bus, world.pv_rated_w / 1000.0)

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        x, y = places(world)
        for up, bus in feeder.ends[1:].tolist():
            axis.plot([x[up], x[bus]], [y[up], y[bus]], color=SOFT, linewidth=1.0, zorder=1)
        out = (before < feeder.band_low_pu - 1e-6) | (before > feeder.band_high_pu + 1e-6)
        axis.scatter(x, y, c=[ALERT if bad else PAPER for bad in out], s=130, edgecolors=INK, linewidths=0.9, zorder=2)
        for bus in range(feeder.bus_count):
            owns = f"plant {plants[bus]:.0f} kW" if plants[bus] else "load only"
            name = f"{feeder.bus_name[bus]}{' (grid)' if bus == 0 else ''}"
            axis.annotate(
                f"{name}\n{owns}\n{before[bus]:.3f} → {after[bus]:.3f} pu",
                (x[bus], y[bus]),
                xytext=(9, 7),
                textcoords="offset points",
                fontsize=8,
                color=INK,
            )
        axis.set_axis_off()
        axis.margins(0.16, 0.2)

    title = "The net and its nodes"
    caption = (
        f"{part.name}, seed {study.seeds[0]}, {time_of(when, world.periods_per_day)}, the worst period: voltage "
        "without orders → as lived. Red: outside the net's own band without orders."
    )
    return Picture(title, caption, draw(paint, 10.0, 3.6, title))


def _lines(axis: Axes, world: World, values: Floats, buses: np.ndarray) -> None:
    """A line a node; ``values`` (T, buses)."""
    for bus in buses.tolist():
        colour, style = COLOURS[bus % len(COLOURS)], "-" if bus < len(COLOURS) else "--"
        axis.plot(values[:, bus], color=colour, linestyle=style, linewidth=1.3, label=world.feeder.bus_name[bus])
    axis.grid(axis="x", visible=False)
    clock(axis, len(values), world.periods_per_day)


def _curves(study: Study) -> Picture:
    part = study.parts[0]
    run, world = part.runs[0], part.world
    book, buses = run.book, np.arange(world.feeder.bus_count)
    plants = np.unique(world.site_bus[world.pv_rated_w > 0])
    grid, feeder = part.scenario.grid, world.feeder
    limits = {grid.band_low_pu: "-", grid.band_high_pu: "-"}
    limits |= {float(feeder.band_low_pu[1:].max()): ":", float(feeder.band_high_pu[1:].min()): ":"}
    panels = (
        ("generation without orders (kW) †", _by_bus(world, run.truth.available_wh), plants, False),
        ("generation as lived (kW)", _by_bus(world, book.accepted_wh[..., 0]), plants, False),
        ("voltage without orders (pu)", lived(book, True)[0], buses, True),
        ("voltage as lived (pu)", lived(book, False)[0], buses, True),
        ("load (kW)", _by_bus(world, book.accepted_wh[..., 1]), buses, False),
        ("orders of the market (kW)", _ordered(world, book), buses, False),
    )

    def paint(figure: Figure) -> None:
        axes = figure.subplots(3, 2)
        for axis, (title, values, shown, voltage) in zip(axes.ravel(), panels, strict=True):
            axis.set_title(title)
            _lines(axis, world, values, shown)
            for limit, style in limits.items() if voltage else ():
                axis.axhline(limit, color=ALERT, linewidth=1.0, linestyle=style)
        for row in axes[:2]:
            low, high = min(a.get_ylim()[0] for a in row), max(a.get_ylim()[1] for a in row)
            for axis in row:
                axis.set_ylim(low, high)
        names, labels = axes[1, 0].get_legend_handles_labels()
        figure.legend(names, labels, loc="outside lower center", ncols=len(labels))

    title = "Generation, load and voltage of every node"
    caption = (
        f"{part.name}, seed {study.seeds[0]}, before and after the market. Red: the band the operator plans for; "
        "dotted, the net's own limits. Orders are what the dispatch records hold: below 0, less injection. All from "
        "the ledger, but what the plants could have generated (†)."
    )
    return Picture(title, caption, draw(paint, 10.0, 8.4, title))
