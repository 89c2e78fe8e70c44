"""Every safety check that the nodes ran by messages, as a table: how much talk it took and what it found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.phases.talk import AGREED_PU
from envs.types import CAUSES, HIGH_UPU, LOADING_PPM, LOW_UPU, MESSAGES, PPM, ROUNDS, TICKS
from evaluation.daybook import EventPage
from evaluation.figures.style import time_of
from evaluation.runs import RunResult
from evaluation.story import FLOOR
from evaluation.study import Part, Study
from evaluation.words import NONE, number, outside


@dataclass
class CheckTable:
    """The checks of a scenario's first seed, cells as text."""

    part: str
    seed: int
    delay_ticks: int  # 0: in rounds
    allowed: str  # pu that exchange and power flow may be apart
    rows: list[list[str]]  # event, dispatch, rounds, messages, ticks, voltages, loading, broken limits, apart, agrees


def check_tables(study: Study) -> list[CheckTable]:
    """One a scenario whose nodes check the dispatches."""
    return [_table(part) for part in study.parts if part.scenario.grid.check == "messages"]


def _table(part: Part) -> CheckTable:
    run = part.runs[0]
    pages = sorted(run.book.events, key=lambda page: page.event)
    rows = [row for page in pages for row in _rows(part, run, page)]
    return CheckTable(part.name, run.seed, part.scenario.grid.check_delay_ticks, f"{AGREED_PU:g}", rows)


def _rows(part: Part, run: RunResult, page: EventPage) -> list[list[str]]:
    event = f"{time_of(page.start, part.world.periods_per_day)}, {CAUSES[page.cause]}"
    apart_pu = run.truth.apart_pu.get(page.event, np.zeros(0))
    grid, rows = part.scenario.grid, []
    for n, found in enumerate(page.passes):
        solved = found[LOW_UPU] > 0
        low, high = (
            outside(found[end] / PPM, grid.band_low_pu, grid.band_high_pu, 4, FLOOR) for end in (LOW_UPU, HIGH_UPU)
        )
        rows.append(
            [
                event,
                str(n + 1),
                *(str(found[column]) for column in (ROUNDS, MESSAGES, TICKS)),
                f"{low} to {high}" if solved else "no solution",
                number(100.0 * found[LOADING_PPM] / PPM, "%") if solved else NONE,
                str(int((page.broken[:, 0] == n).sum())),
                f"{apart_pu[n]:.1g}",
                "yes" if apart_pu[n] <= AGREED_PU else "no",
            ]
        )
    return rows
