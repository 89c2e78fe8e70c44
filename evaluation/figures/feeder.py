"""The feeder drawn in its worst period, without and with the orders."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from envs.world import World
from evaluation.daybook import DayBook
from evaluation.figures.style import (
    ALERT,
    INK,
    PAPER,
    SOFT,
    Picture,
    draw,
    panels,
    time_of,
)
from evaluation.measures.base import lived
from evaluation.study import Study
from evaluation.words import outside

# Below the planning band, five steps inside it, above it.
STEPS = ("#5b3f8f", "#e3eff0", "#bcd9dc", "#8fbfc5", "#5f9fa8", "#34808c", "#b5352a")


def worst_period(world: World, book: DayBook) -> int:
    """The period in which the twin strays furthest from the planning limits' middle."""
    grid = world.scenario.grid
    voltage, loading = lived(book, True)
    beyond = np.maximum(voltage[:, 1:] - grid.band_high_pu, grid.band_low_pu - voltage[:, 1:]).max(axis=1)
    over = loading[:, 1:].max(axis=1) - grid.loading_limit
    return int(np.argmax(np.where(beyond > 0.0, beyond, beyond if not (over > 0.0).any() else over * 1e-3)))


def places(world: World) -> tuple[np.ndarray, np.ndarray]:
    """Where buses are drawn: the net's own places, the root just above what it feeds (nets place it anywhere)."""
    feeder = world.feeder
    x, y = feeder.position[:, 0].copy(), feeder.position[:, 1].copy()
    fed = np.flatnonzero(feeder.parent == 0)
    x[0] = x[fed].mean()
    y[0] = y[1:].max() + 0.18 * max(float(np.ptp(y[1:])), 1e-6)
    return x, y


def _map(axis: Axes, world: World, voltage: np.ndarray, loading: np.ndarray, norm: BoundaryNorm) -> None:
    feeder, colours = world.feeder, ListedColormap(STEPS)
    x, y = places(world)
    limit = world.scenario.grid.loading_limit
    for branch in range(1, feeder.branch_count):
        up, bus = feeder.ends[branch].tolist()
        over = loading[branch] > limit + 1e-6
        axis.plot(
            [x[up], x[bus]], [y[up], y[bus]], color=ALERT if over else SOFT, linewidth=3.0 if over else 1.0, zorder=1
        )
    axis.scatter(x, y, c=[colours(norm(v)) for v in voltage], s=150, edgecolors=INK, linewidths=0.7, zorder=2)
    axis.scatter(x[:1], y[:1], s=150, marker="s", color=PAPER, edgecolors=INK, zorder=3)
    grid = world.scenario.grid
    for bus in range(1, feeder.bus_count):
        if not grid.band_low_pu - 1e-6 <= voltage[bus] <= grid.band_high_pu + 1e-6:
            axis.annotate(
                outside(voltage[bus], grid.band_low_pu, grid.band_high_pu, 4),
                (x[bus], y[bus]),
                xytext=(8, 6),
                textcoords="offset points",
                fontsize=8,
                color=ALERT,
            )
    axis.set_axis_off()
    axis.margins(0.12)


def map_picture(study: Study) -> Picture:
    """The feeder of the first scenario in its worst period, without and with the orders."""
    part = study.parts[0]
    book, world, grid = part.runs[0].book, part.world, part.scenario.grid
    when = worst_period(world, book)
    seen = np.concatenate([lived(book, twin)[0][when] for twin in (True, False)])
    # The steps span what occurs inside the band, widened to thousandths.
    inner = np.clip(
        [np.floor(seen.min() * 1e3) / 1e3, np.ceil(seen.max() * 1e3) / 1e3], grid.band_low_pu, grid.band_high_pu
    )
    edges = np.linspace(inner[0], max(inner[1], inner[0] + 1e-3), len(STEPS) - 1)
    norm = BoundaryNorm([0.0, *edges[:-1], edges[-1] + 1e-6, 9.0], len(STEPS))

    def paint(figure: Figure) -> None:
        for axis, twin in zip(panels(figure, ["without orders", "as lived"]), (True, False), strict=True):
            voltage, loading = lived(book, twin)
            _map(axis, world, voltage[when], loading[when], norm)
        steps = [f"{a:.3f}–{b:.3f}" for a, b in pairwise(edges)]
        names = [f"< {edges[0]:.3f}", *steps, f"> {edges[-1]:.3f}"]
        used = [k for k in range(len(STEPS)) if (norm(seen) == k).any() or 0 < k < len(STEPS) - 1]
        names = [names[k] for k in used]
        handles = [axis.scatter([], [], color=STEPS[k], edgecolors=INK, linewidths=0.7, s=70) for k in used]
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), title="voltage (pu)", fontsize=8)

    title = "The feeder in its worst period"
    caption = (
        f"{part.name}, seed {study.seeds[0]}, {time_of(when, world.periods_per_day)}. Dots are buses, the square is "
        "the upper voltage level. Numbers mark buses outside the planning band, thick red lines overloaded branches."
    )
    return Picture(title, caption, draw(paint, 10.0, 4.2, title))
