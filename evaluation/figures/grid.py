"""Pictures of the grid: voltages and loading over the day, events, and the feeder at its worst."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from envs.types import CAUSES
from envs.types import UPPER as UPPER_REQUEST
from envs.world import World
from evaluation.daybook import DayBook, EventPage
from evaluation.figures.style import (
    ALERT,
    INK,
    PAPER,
    SERIES,
    SOFT,
    WITH,
    WITHOUT,
    Picture,
    clock,
    draw,
    panel_size,
    panels,
    time_of,
)
from evaluation.measures.base import lived
from evaluation.study import Part, Study

MOST_NAMES = 20  # events that can be named in full below their bars
# Below the planning band, five steps inside it, above it.
STEPS = ("#5b3f8f", "#e3eff0", "#bcd9dc", "#8fbfc5", "#5f9fa8", "#34808c", "#b5352a")


def _limit_line(axis: Axes, value: float, text: str, style: str, colour: str, right: bool = False) -> None:
    axis.axhline(value, color=colour, linewidth=1.0, linestyle=style)
    axis.annotate(
        text,
        (0.995 if right else 0.005, value),
        xycoords=("axes fraction", "data"),
        fontsize=8,
        color=colour,
        va="bottom",
        ha="right" if right else "left",
    )


def voltage_picture(study: Study) -> Picture:
    """Lowest and highest voltage at any bus, with and without the orders."""
    seed = study.seeds[0]

    def paint(figure: Figure) -> None:
        for axis, part in zip(panels(figure, [p.name for p in study.parts]), study.parts, strict=True):
            book, grid = part.runs[0].book, part.scenario.grid
            x = np.arange(book.periods)
            twin, real = lived(book, True)[0][:, 1:], lived(book, False)[0][:, 1:]
            axis.fill_between(
                x, real.min(axis=1), real.max(axis=1), color=WITH, alpha=0.28, linewidth=0, label="as lived"
            )
            axis.plot(x, real.max(axis=1), color=WITH, linewidth=1.2)
            axis.plot(x, real.min(axis=1), color=WITH, linewidth=1.2)
            axis.plot(x, twin.max(axis=1), color=WITHOUT, linewidth=1.1, linestyle="--", label="without orders")
            axis.plot(x, twin.min(axis=1), color=WITHOUT, linewidth=1.1, linestyle="--")
            for value in (grid.band_low_pu, grid.band_high_pu):
                _limit_line(axis, value, f"planning {value:g} pu", "-", ALERT)
            low, high = float(part.world.feeder.band_low_pu.max()), float(part.world.feeder.band_high_pu.min())
            for value in (low, high):
                _limit_line(axis, value, f"net's own {value:g} pu", ":", SOFT, right=True)
            axis.set_ylim(min(low, grid.band_low_pu) - 0.005, max(high, grid.band_high_pu, float(twin.max())) + 0.01)
            clock(axis, book.periods, part.world.periods_per_day)
            axis.set_ylabel("voltage (pu)")
            axis.legend(loc="center left")

    title = "Voltage over the day"
    caption = (
        f"Range over all buses, seed {seed}. The band is what was lived; dashed, the same period had no order been "
        "carried out. Red: the band the operator plans for. Dotted: the net's own limits."
    )
    return Picture(title, caption, draw(paint, *panel_size(len(study.parts)), title))


def loading_picture(study: Study) -> Picture:
    """Transformer loading with and without the orders."""

    def paint(figure: Figure) -> None:
        for axis, part in zip(panels(figure, [p.name for p in study.parts]), study.parts, strict=True):
            book = part.runs[0].book
            which = part.world.feeder.is_transformer
            which = which if which.any() else np.arange(len(which)) > 0
            real, twin = (100.0 * lived(book, t)[1][:, which].max(axis=1) for t in (False, True))
            x = np.arange(book.periods)
            axis.plot(x, twin, color=WITHOUT, linestyle="--", linewidth=1.1, label="without orders")
            axis.plot(x, real, color=WITH, label="as lived")
            axis.fill_between(x, real, np.maximum(twin, real), color=WITHOUT, alpha=0.18, linewidth=0)
            limit = 100.0 * part.scenario.grid.loading_limit
            _limit_line(axis, limit, f"limit {limit:g} %", "-", ALERT)
            clock(axis, book.periods, part.world.periods_per_day)
            axis.set_ylabel("loading (%)")
            axis.set_ylim(0, max(limit, float(twin.max()), float(real.max())) * 1.12)
            axis.legend(loc="upper left")

    title = "Transformer loading over the day"
    caption = f"Most loaded transformer, seed {study.seeds[0]}. Shaded: what the orders took off."
    return Picture(title, caption, draw(paint, *panel_size(len(study.parts)), title))


def _name(page: EventPage, world: World, short: bool) -> str:
    """An event under its bars: when, why, which way."""
    when = time_of(page.start, world.periods_per_day)
    if short:
        return when
    cause = "order" if page.request == UPPER_REQUEST else CAUSES[page.cause].replace("-", "-\n")
    return f"{when}\n{'more' if page.direction > 0 else 'less'}\n{cause}"


def _timeline(axis: Axes, part: Part) -> None:
    pages = sorted(part.runs[0].book.events, key=lambda page: page.event)
    axis.set_ylabel("energy (kWh)")
    if not pages:
        axis.text(0.5, 0.5, "no event", transform=axis.transAxes, ha="center", color=SOFT)
        axis.set_xticks([])
        return
    x = np.arange(len(pages))
    series = (
        ("asked", SOFT, [page.asked_wh * page.duration for page in pages]),
        ("ordered", WITHOUT, [page.ordered_wh for page in pages]),
        ("verified", WITH, [page.verified_wh for page in pages]),
    )
    for k, (label, colour, wh) in enumerate(series):
        axis.bar(x + (k - 1) * 0.27, np.array(wh) / 1000.0, 0.25, color=colour, label=label)
    crowded = len(pages) > MOST_NAMES
    axis.set_xticks(
        x, [_name(page, part.world, crowded) for page in pages], fontsize=7.5, rotation=90 if crowded else 0
    )
    axis.set_ylim(0, 1.2 * max(max(wh) for _, _, wh in series) / 1000.0 + 1e-3)
    axis.legend(loc="upper right", ncols=3)


def events_picture(study: Study) -> Picture:
    """Asked, ordered and verified energy of every event."""

    def paint(figure: Figure) -> None:
        titles = [part.name for part in study.parts]
        for axis, part in zip(panels(figure, titles, stacked=True), study.parts, strict=True):
            _timeline(axis, part)

    title = "Events of the day"
    caption = (
        f"Every event of seed {study.seeds[0]}: energy asked, ordered from sites after the safety check, and verified. "
        "“less” and “more” say which way injection was to change. The check may order more than was asked: sites "
        "far from "
        "the violated place help less."
    )
    return Picture(title, caption, draw(paint, 10.0, 2.7 * len(study.parts), title))


def worst_period(world: World, book: DayBook) -> int:
    """The period in which the twin strays furthest from the planning limits' middle."""
    grid = world.scenario.grid
    voltage, loading = lived(book, True)
    beyond = np.maximum(voltage[:, 1:] - grid.band_high_pu, grid.band_low_pu - voltage[:, 1:]).max(axis=1)
    over = loading[:, 1:].max(axis=1) - grid.loading_limit
    return int(np.argmax(np.where(beyond > 0.0, beyond, beyond if not (over > 0.0).any() else over * 1e-3)))


def _map(axis: Axes, world: World, voltage: np.ndarray, loading: np.ndarray, norm: BoundaryNorm) -> None:
    feeder, colours = world.feeder, ListedColormap(STEPS)
    x, y = feeder.position[:, 0], feeder.position[:, 1]
    limit = world.scenario.grid.loading_limit
    for bus in range(1, feeder.bus_count):
        up = int(feeder.parent[bus])
        over = loading[bus] > limit + 1e-6
        axis.plot(
            [x[up], x[bus]], [y[up], y[bus]], color=ALERT if over else SOFT, linewidth=3.0 if over else 1.0, zorder=1
        )
    axis.scatter(x, y, c=[colours(norm(v)) for v in voltage], s=150, edgecolors=INK, linewidths=0.7, zorder=2)
    axis.scatter(x[:1], y[:1], s=150, marker="s", color=PAPER, edgecolors=INK, zorder=3)
    grid = world.scenario.grid
    for bus in range(1, feeder.bus_count):
        if not grid.band_low_pu - 1e-6 <= voltage[bus] <= grid.band_high_pu + 1e-6:
            axis.annotate(
                f"{voltage[bus]:.3f}",
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
        "the upper "
        "voltage level. Numbers mark buses outside the planning band, thick red lines overloaded branches."
    )
    return Picture(title, caption, draw(paint, 10.0, 4.2, title))


def completion_picture(study: Study) -> Picture:
    """Completion of demand response by scenario and kind of event, with intervals over seeds."""
    kinds = (
        ("all events", "completion"),
        ("own grid", "completion_grid_events"),
        ("upper level", "completion_upper_level"),
        ("honest sites", "completion_honest"),
        ("malicious sites", "completion_malicious"),
    )

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        height = 0.8 / len(study.parts)
        for k, part in enumerate(study.parts):
            found = [part.estimate(metric) for _, metric in kinds]
            y = np.arange(len(kinds)) + (k - (len(study.parts) - 1) / 2.0) * height
            means = [e.mean or 0.0 for e in found]
            axis.barh(
                y,
                means,
                height * 0.9,
                color=SERIES[k % len(SERIES)],
                label=part.name,
                xerr=[e.half_width or 0.0 for e in found],
                ecolor=INK,
                capsize=2.5,
            )
            for at, e in zip(y, found, strict=True):
                axis.annotate(
                    "–" if e.mean is None else f"{e.mean:.1f} %",
                    (1.5, at),
                    va="center",
                    fontsize=8,
                    color=INK if e.mean is None else PAPER,
                )
        axis.set_yticks(range(len(kinds)), [name for name, _ in kinds])
        axis.invert_yaxis()
        axis.grid(axis="y", visible=False)
        axis.set_xlim(0, 105)
        axis.set_xlabel("verified of ordered energy (%)")
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))

    title = "Completion of demand response"
    caption = "Verified over ordered energy, mean over seeds; whiskers: 95 % confidence interval."
    return Picture(title, caption, draw(paint, 10.0, 0.8 + 0.34 * len(kinds) * max(2, len(study.parts)), title))
