"""How pictures look: one palette, SVG text, colours that follow the page's light or dark scheme.

A picture is drawn in marker colours which are then replaced by the page's CSS variables, so one SVG serves both
schemes. Bytes are reproducible: fixed hash salt, no date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from envs.config import SettingsError

# Marker colours and the page's variables that replace them.
INK, SOFT, GRID_LINE, PAPER = "#101112", "#606162", "#d0d1d2", "#fafbfc"
WITH, WITHOUT, THIRD, FOURTH = "#1b6ca8", "#d9822b", "#3f8f5f", "#8a5fa8"
ALERT = "#c0392b"
VARIABLES = {
    INK: "--ink", SOFT: "--soft", GRID_LINE: "--line", PAPER: "--paper", WITH: "--blue", WITHOUT: "--orange",
    THIRD: "--green", FOURTH: "--violet", ALERT: "--red",
}  # fmt: skip
SERIES = (WITH, FOURTH, THIRD, WITHOUT)  # scenarios
SETTINGS = {
    "svg.hashsalt": "gridpact", "svg.fonttype": "none", "font.size": 10, "font.family": "DejaVu Sans",
    "axes.edgecolor": SOFT, "axes.labelcolor": INK, "axes.titlecolor": INK, "text.color": INK, "xtick.color": SOFT,
    "ytick.color": SOFT, "xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True, "grid.color": GRID_LINE,
    "grid.linewidth": 0.6, "axes.titlesize": 10, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "legend.frameon": False, "legend.fontsize": 9, "lines.linewidth": 1.6, "axes.linewidth": 0.8,
}  # fmt: skip


class Picture(NamedTuple):
    """A figure of the report."""

    title: str
    caption: str
    svg: str


def draw(paint: Callable[[Figure], None], width_in: float, height_in: float, label: str) -> str:
    """Paint a figure and return it as an inline SVG element without any reference to the outside."""
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        paint(figure)
        buffer = StringIO()
        figure.savefig(
            buffer,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    return _inline(buffer.getvalue(), label)


def picture_kind(path: Path) -> str:
    """svg or png. Raises SettingsError for any other ending."""
    kind = path.suffix.removeprefix(".")
    if kind not in ("svg", "png"):
        raise SettingsError(f"{path}: a picture is a file .svg or .png")
    return kind


def save(paint: Callable[[Figure], None], width_in: float, height_in: float, path: Path) -> None:
    """Paint a figure into a file of its own, on white.

    Raises:
        SettingsError: the file cannot be written, or is of another kind than .svg or .png.
    """
    kind = picture_kind(path)
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width_in, height_in), layout="constrained", facecolor="white")
        paint(figure)
        try:
            figure.savefig(path, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else None)
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror}: a file to write to is needed") from None


def _inline(svg: str, label: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href", "href")
    # Names of groups are the same in every figure and nothing refers to them; those of clips and markers stay.
    svg = re.sub(r' id="(?!C\d+_)[A-Za-z][\w.]*_\d+"', "", svg)
    head, body = svg.split(">", 1)
    box = re.search(r'viewBox="([^"]*)"', head)
    assert box is not None
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    return f'<svg viewBox="{box[1]}" role="img" aria-label="{label}">{body}'


def panels(figure: Figure, titles: Sequence[str], share_y: bool = True, stacked: bool = False) -> list[Axes]:
    """One panel a scenario: side by side, at most two in a row; or one below the other."""
    columns = 1 if stacked or len(titles) == 1 else 2
    rows = -(-len(titles) // columns)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=share_y)
    axes = list(grid.ravel())
    for axis in axes[len(titles) :]:
        axis.remove()
    for axis, title in zip(axes, titles, strict=False):
        axis.set_title(title, y=1.0)
        axis.grid(axis="x", visible=False)
    return axes[: len(titles)]


def panel_size(count: int, row_in: float = 3.2) -> tuple[float, float]:
    """Width and height of a figure of panels."""
    return 10.0, row_in * (-(-count // 2))


def clock(axis: Axes, periods: int, per_day: int) -> None:
    """Label the x axis, in periods, by the time of day (or by the day, where there are several)."""
    hours = periods * 24.0 / per_day
    step = next((s for s in (0.25, 0.5, 1, 2, 3, 4, 6, 12, 24) if hours / s <= 8), 24 * max(1, round(hours / 24 / 8)))
    axis.xaxis.set_major_locator(ticker.MultipleLocator(step * per_day / 24.0))

    def label(x: float, _: int) -> str:
        midnight = hours > 24 and round(x) % per_day == 0
        return f"day {round(x) // per_day + 1}" if midnight else time_of(x, per_day)

    axis.xaxis.set_major_formatter(ticker.FuncFormatter(label))
    axis.set_xlim(0, periods)
    axis.set_xlabel("time of day" if hours <= 24 else "day and time")


def time_of(period: float, per_day: int) -> str:
    """hh:mm at which a period begins."""
    minutes = round(period * 1440 / per_day)
    return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}" if minutes != 1440 else "24:00"
