"""Pictures of standing: credit over time, and who sealed blocks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluation.figures.style import (
    ALERT,
    FOURTH,
    INK,
    SERIES,
    SOFT,
    THIRD,
    WITH,
    WITHOUT,
    Picture,
    clock,
    draw,
    panel_size,
    panels,
)
from evaluation.measures.chain import shares
from evaluation.study import Part, Study

BEHAVIOUR_COLOURS = (WITHOUT, ALERT, FOURTH, THIRD)


def _spread(values: np.ndarray, gap: float) -> np.ndarray:
    """Positions for labels near ``values``, at least ``gap`` apart, in the same order, none above 100."""
    order = np.argsort(values, kind="stable")
    placed = values.astype(np.float64).copy()
    for low, high in pairwise(order):
        placed[high] = max(placed[high], placed[low] + gap)
    ceiling = 101.0
    for at in order[::-1]:
        placed[at] = min(placed[at], ceiling)
        ceiling = placed[at] - gap
    return placed


def _credit(axis: Axes, part: Part) -> None:
    run = part.runs[0]
    credit = 100.0 * run.book.credit_ppm[:, : run.book.sites] / 1e6
    bad = run.truth.malicious >= 0
    x = np.arange(run.book.periods) + 1
    if (~bad).any():
        honest = credit[:, ~bad]
        axis.fill_between(x, honest.min(axis=1), honest.max(axis=1), color=WITH, alpha=0.18, linewidth=0)
        axis.plot(x, honest.mean(axis=1), color=WITH, label="honest: mean, lowest to highest")
    sites = np.flatnonzero(bad)
    heights = _spread(credit[-1, sites], 6.5)
    for site, height in zip(sites, heights, strict=True):
        kind = int(run.truth.malicious[site])
        colour = BEHAVIOUR_COLOURS[kind % len(BEHAVIOUR_COLOURS)]
        axis.plot(x, credit[:, site], color=colour, linewidth=1.1)
        name = f"{run.behaviours[kind].name.replace('_', ' ')} · {site}"
        axis.annotate(
            name,
            (run.book.periods, height),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=7.5,
            color=colour,
            va="center",
            annotation_clip=False,
        )
    limit = 100.0 * part.scenario.standing.admission_threshold
    axis.axhline(limit, color=INK, linewidth=0.9, linestyle=":")
    axis.annotate(f"admission {limit:g} %", (0.005, limit), xycoords=("axes fraction", "data"), fontsize=8, va="bottom")
    clock(axis, run.book.periods, part.world.periods_per_day)
    axis.set_ylim(0, 103)
    axis.set_ylabel("credit (%)")
    axis.legend(loc="lower left")


def credit_picture(study: Study) -> Picture:
    """Credit of the prosumers over the day."""

    def paint(figure: Figure) -> None:
        for axis, part in zip(panels(figure, [p.name for p in study.parts]), study.parts, strict=True):
            _credit(axis, part)

    title = "Credit over the day"
    caption = (
        f"Prosumers, seed {study.seeds[0]}. Credit moves toward what a site delivers of its orders; a refused "
        "reading or block costs a fixed deduction. Below the admission line a site gets no orders and seals no "
        "blocks. Labels: behaviour · site."
    )
    return Picture(title, caption, draw(paint, *panel_size(len(study.parts), 3.6), title))


def producers_picture(study: Study) -> Picture:
    """Share of blocks sealed against share of verified energy, one dot a site, mean over seeds."""

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        top = 1.0
        for k, part in enumerate(study.parts):
            found = [shares(part.world, run.book) for run in part.runs]
            energy, blocks = (np.mean([pair[j] for pair in found], axis=0) for j in (0, 1))
            top = max(top, float(energy.max()), float(blocks.max()))
            axis.scatter(energy, blocks, s=26, color=SERIES[k % len(SERIES)], alpha=0.8, linewidths=0, label=part.name)
        axis.plot([0, top], [0, top], color=SOFT, linewidth=0.9, linestyle="--", label="in proportion")
        axis.set_xlabel("share of verified energy (%)")
        axis.set_ylabel("share of blocks sealed (%)")
        axis.legend(loc="upper left")

    title = "Who seals blocks"
    caption = (
        "Blocks of the dispatch chain. Proof of Energy draws the producer in proportion to verified generation and "
        "consumption. One dot a site, mean over seeds. Few blocks a run: dots scatter around the line."
    )
    return Picture(title, caption, draw(paint, 6.2, 3.8, title))
