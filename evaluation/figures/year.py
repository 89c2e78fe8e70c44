"""A year by month: periods that violate the planning limits, without and with the market."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from envs.types import Ints
from evaluation.figures.style import WITH, WITHOUT, save

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December")  # fmt: skip


def month_of(days: Ints, year_days: int) -> Ints:
    """(D,) month, January 0, of each day of a profile year of that many days; 366 are a leap year's."""
    start = date(2016 if year_days == 366 else 2015, 1, 1)
    return np.array([(start + timedelta(days=int(day))).month - 1 for day in days], np.int64)


def write_picture(days: Ints, counts: Mapping[str, Ints], year_days: int, name: str, path: Path) -> None:
    """Bars a month of ``counts["violated_without"]`` and ``counts["violated_with"]``, (D,) each.

    Raises:
        SettingsError: the file cannot be written, or is of another kind than .svg or .png.
    """
    month = month_of(days, year_days)
    shown = np.unique(month)

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        x = np.arange(len(shown))
        for shift, key, label, colour in (
            (-0.2, "violated_without", "without the market's orders", WITHOUT),
            (0.2, "violated_with", "as lived", WITH),
        ):
            height = [int(counts[key][month == k].sum()) for k in shown]
            axis.bar(x + shift, height, 0.38, color=colour, label=label)
        axis.set_xticks(x, [MONTHS[k][:3] for k in shown])
        axis.set_ylabel("violated periods")
        axis.set_title(f"{name}: periods that violate a planning limit, {len(days)} days")
        axis.grid(axis="x", visible=False)
        axis.legend(loc="upper left")

    save(paint, 8.0, 3.0, path)
