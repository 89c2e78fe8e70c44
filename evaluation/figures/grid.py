"""Pictures of the grid over the day: voltages and loading, with and without the orders."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.figures.style import (
    ALERT,
    SOFT,
    WITH,
    WITHOUT,
    Picture,
    clock,
    draw,
    panel_size,
    panels,
)
from evaluation.measures.base import lived
from evaluation.study import Study


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
            low, high = float(part.world.feeder.band_low_pu[1:].max()), float(part.world.feeder.band_high_pu[1:].min())
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
    """Loading of the transformer (of the lines, where there is none) with and without the orders."""

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
            axis.set_ylim(0, max(limit, float(twin.max()), float(real.max())) * 1.2)
            axis.legend(loc="upper right", ncols=2)

    kind = "transformer" if study.parts[0].world.feeder.is_transformer.any() else "line"
    title = f"{kind.capitalize()} loading over the day"
    caption = f"Most loaded {kind}, seed {study.seeds[0]}. Shaded: what the orders took off."
    return Picture(title, caption, draw(paint, *panel_size(len(study.parts)), title))
