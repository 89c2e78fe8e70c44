"""Every event in a line: what was ordered, verified and changed, what was paid and what its place was worth.

Each seed has a list of its own; the sums over all seeds stand above. What changed is measured against the event's twin
(``evaluation.twins``). The nodal price is what one kWh more at a site would have saved in the event's dispatch: the
price of energy less what the site does to the limits that bind. The operator pays as offered, so the difference is what
the offers kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.config import SettingsError
from envs.money import LAST_RESORT
from envs.types import CAUSES, PASSED, PPM, VERDICTS
from evaluation.daybook import AMOUNT, FLOW, ORDER_WH, PERIOD, SITE, SUBSIDY_PRICE, EventPage
from evaluation.figures.style import time_of
from evaluation.flexibility import COLUMNS, totals
from evaluation.measures.base import currency, kwh
from evaluation.runs import RunResult
from evaluation.statistics import estimate
from evaluation.story import passes
from evaluation.study import Part, Study
from evaluation.twins import EventTwin, play_day
from evaluation.words import interval, number

SHOWN = 10  # seeds whose events are listed one by one: a few kB each


@dataclass
class EventRow:
    """An event: its cells, the outcome of its safety check, and each dispatch with what its check found."""

    cells: list[str]
    check: str
    passes: list[str]


@dataclass
class EventDay:
    """The events of one seed."""

    seed: int
    rows: list[EventRow]
    totals: dict[str, float | None]  # by the columns of `evaluation.flexibility`; empty without twins


@dataclass
class EventTable:
    """The events of a scenario: their sums over all its seeds, and each seed's, event by event."""

    part: str
    sums: list[tuple[str, str, str]]  # (what, unit, mean of a day ± half width of the 95 % interval)
    days: list[EventDay]  # of the first SHOWN seeds
    hidden: int  # seeds whose events are in the sums alone
    lived_again: bool  # the twins exist: the players could live the day again


def event_tables(study: Study) -> list[EventTable]:
    """A table a scenario that has events."""
    return [_table(study, part) for part in study.parts if any(run.book.events for run in part.runs)]


def _table(study: Study, part: Part) -> EventTable:
    days = [_day(study, part, run) for run in part.runs]
    found = [day.totals for day in days if day.totals]
    sums = [(name, unit, interval(estimate([row[name] for row in found]), unit)) for name, unit in COLUMNS.items()]
    return EventTable(part.name, sums if found else [], days[:SHOWN], max(0, len(days) - SHOWN), bool(found))


def _day(study: Study, part: Part, run: RunResult) -> EventDay:
    try:
        day = play_day(part.scenario, study.policies, run.seed, study.game)
    except SettingsError:  # players with random numbers of their own
        twins, sums = {}, {}
    else:
        twins, sums = {twin.page.event: twin for twin in day.events}, totals(day)
    pages = sorted(run.book.events, key=lambda page: page.event)
    return EventDay(run.seed, [_row(part, run, page, twins.get(page.event)) for page in pages], sums)


def _row(part: Part, run: RunResult, page: EventPage, twin: EventTwin | None) -> EventRow:
    way = "more" if page.direction > 0 else "less"
    cells = [
        f"{time_of(page.start, part.world.periods_per_day)}, {CAUSES[page.cause]}: {way}",
        number(kwh(page.ordered_wh), "kWh"),
        number(kwh(page.verified_wh), "kWh"),
        number(None if twin is None else kwh(twin.changed_wh), "kWh"),
        number(None if twin is None else kwh(twin.after_wh), "kWh"),
        _mean(np.array([[won, price] for _, _, won, price in page.awards], np.int64).reshape(-1, 2)),
        _mean(page.orders[:, [ORDER_WH, SUBSIDY_PRICE]]),
        _nodal(run, page),
    ]
    return EventRow(cells, _check(run, page), passes(part, page))


def _mean(rows: np.ndarray) -> str:
    """Mean price weighted by Wh, of (n, 2) Wh and micro-currency per kWh."""
    total = int(rows[:, 0].sum())
    return number(float((rows[:, 0] * rows[:, 1]).sum()) / total / PPM if total else None, "¤/kWh")


def _nodal(run: RunResult, page: EventPage) -> str:
    """Lowest to highest nodal price of the sites with an order; ‡ marks those that hold the price of the uncured."""
    prices = run.truth.nodal_price.get(page.event)
    if prices is None or not len(page.orders):
        return number(None, "¤/kWh")
    low, high = (number(float(edge(prices[page.orders[:, SITE]])) / PPM, "¤/kWh") for edge in (np.min, np.max))
    mark = " ‡" if page.event in run.truth.uncured else ""
    return f"{low}{mark}" if low == high else f"{low} to {high}{mark}"


def _check(run: RunResult, page: EventPage) -> str:
    loops = f" after {page.loops} loop{'s' if page.loops != 1 else ''}" if page.loops else ""
    if page.cuts:
        cut = sum(abs(wh) for _, wh in page.cuts)
        rows = run.book.payments
        paid = rows[(rows[:, FLOW] == LAST_RESORT) & (rows[:, PERIOD] == page.start), AMOUNT].sum()
        return f"failed{loops}; cut of last resort {cut} Wh, paid {number(currency(paid), '¤')} ¤"
    return f"{VERDICTS[page.verdict]}{loops or (' at once' if page.verdict == PASSED else '')}"
