"""Pictures of demand response: every event of a day, and completion over seeds."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from envs.types import CAUSES
from envs.types import UPPER as UPPER_REQUEST
from envs.world import World
from evaluation.daybook import EventPage
from evaluation.figures.style import (
    INK,
    PAPER,
    SERIES,
    SOFT,
    WITH,
    WITHOUT,
    Picture,
    draw,
    panels,
    time_of,
)
from evaluation.study import Part, Study

MOST_NAMES = 20  # events that can be named in full below their bars


def _name(page: EventPage, world: World, short: bool) -> str:
    """An event under its bars: when, why, which way."""
    when = time_of(page.start, world.periods_per_day)
    if short:
        return when
    narrow = CAUSES[page.cause].replace("-", "-\n").replace("overload", "over-\nload")
    cause = "order" if page.request == UPPER_REQUEST else narrow
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
        f"Every event of seed {study.seeds[0]}: energy asked, ordered from sites after the safety check, and "
        "verified. “less” and “more” say which way injection was to change. The check may order more than was "
        "asked: sites far from the violated place help less."
    )
    return Picture(title, caption, draw(paint, 10.0, 2.7 * len(study.parts), title))


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
