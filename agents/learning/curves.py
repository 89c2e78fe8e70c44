"""Learning curves: a CSV file that grows by a row an iteration, and a picture of it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from agents.policy import ROLES
from envs.config import SettingsError

Row = dict[str, float]


def write_curve(path: Path, rows: Sequence[Row]) -> None:
    """Write all rows; the first row names the columns."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_curve(path: Path, last_iteration: int) -> list[Row]:
    """Rows up to ``last_iteration``. Raises SettingsError when the file is missing or not a curve."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError) as error:
        raise SettingsError(f"{path}: not a learning curve: {error}") from None
    return [row for row in rows if row.get("iteration", 0) <= last_iteration]


def draw_curve(path: Path, rows: Sequence[Row], title: str) -> None:
    """One panel a role: mean return of an episode over periods played, as SVG."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    FigureCanvasSVG(figure)
    played = [row["total_periods"] for row in rows]
    for k, role in enumerate(ROLES):
        axes = figure.add_subplot(1, len(ROLES), k + 1)
        axes.plot(played, [row[f"return_{role}"] for row in rows], color="tab:blue")
        axes.set_title(role)
        axes.set_xlabel("periods played")
        axes.grid(alpha=0.3)
        if k == 0:
            axes.set_ylabel("mean return of an episode")
    figure.suptitle(title)
    figure.savefig(path)
