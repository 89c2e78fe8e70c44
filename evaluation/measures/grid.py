"""Events, demand response and what they did to the grid."""

from __future__ import annotations

from functools import partial

import numpy as np

from envs.types import CAUSES, GRID, UPPER
from envs.world import World
from evaluation.daybook import DayBook
from evaluation.measures.base import Excess, Metric, Value, kwh, lived, own_excess, planning_excess, ratio


def _events(book: DayBook, request: int) -> float:
    return float(sum(page.request == request for page in book.events))


def _caused(world: World, book: DayBook, cause: int) -> float:
    return float(sum(page.cause == cause for page in book.events))


def _completion(book: DayBook, *requests: int) -> Value:
    """Verified over ordered Wh of all events of some requests, in percent."""
    pages = [page for page in book.events if page.request in requests]
    return ratio(sum(page.verified_wh for page in pages), sum(page.ordered_wh for page in pages))


def completion_by_cause(book: DayBook) -> dict[str, Value]:
    """Verified over ordered Wh by cause, in percent; causes that occurred."""
    found = sorted({page.cause for page in book.events})
    return {
        CAUSES[cause]: ratio(
            sum(page.verified_wh for page in book.events if page.cause == cause),
            sum(page.ordered_wh for page in book.events if page.cause == cause),
        )
        for cause in found
    }


def _ordered(book: DayBook) -> float:
    return kwh(sum(page.ordered_wh for page in book.events))


def _verified(book: DayBook) -> float:
    return kwh(sum(page.verified_wh for page in book.events))


def _asked(book: DayBook) -> float:
    return kwh(sum(page.asked_wh * page.duration for page in book.events))


def _undelivered(book: DayBook) -> float:
    return _ordered(book) - _verified(book)


def _relief(world: World, book: DayBook) -> Value:
    """Share of the twin's violated periods in which nothing is violated any more."""
    before, after = planning_excess(world, book, True).periods, planning_excess(world, book, False).periods
    return ratio(before - after, before)


def _extreme(world: World, book: DayBook, twin: bool, which: str) -> float:
    voltage, loading = lived(book, twin)
    if which == "low":
        return float(voltage[:, 1:].min())
    return float(voltage[:, 1:].max()) if which == "high" else 100.0 * float(loading[:, 1:].max())


def _cut(book: DayBook) -> float:
    return kwh(sum(abs(wh) for page in book.events for _, wh in page.cuts))


def _safe(book: DayBook) -> Value:
    return ratio(sum(page.safe for page in book.events), len(book.events))


def _limits(field: str, label: str, unit: str, meaning: str) -> list[Metric]:
    """A violation by its four readings: planning and own limits, without and with the orders."""

    def of(excess: Excess) -> float:
        return float(getattr(excess, field))

    return [
        Metric(
            "grid",
            f"{label}_without",
            unit,
            f"{meaning}, planning limits, had no order been carried out",
            public=lambda w, b: of(planning_excess(w, b, True)),
            summary=True,
            better=-1,
        ),
        Metric(
            "grid",
            f"{label}_with",
            unit,
            f"{meaning}, planning limits, as lived",
            public=lambda w, b: of(planning_excess(w, b, False)),
            summary=True,
            better=-1,
        ),
        Metric(
            "grid",
            f"{label}_own_limits_without",
            unit,
            f"{meaning}, the net's own limits, without orders",
            public=lambda w, b: of(own_excess(w, b, True)),
            better=-1,
        ),
        Metric(
            "grid",
            f"{label}_own_limits_with",
            unit,
            f"{meaning}, the net's own limits, as lived",
            public=lambda w, b: of(own_excess(w, b, False)),
            better=-1,
        ),
    ]


METRICS = [
    Metric(
        "events",
        "grid_events",
        "events",
        "events that the operator triggered for its own grid",
        public=lambda w, b: _events(b, GRID),
        summary=True,
    ),
    Metric(
        "events",
        "upper_level_orders",
        "events",
        "flexibility orders of the upper level",
        public=lambda w, b: _events(b, UPPER),
        summary=True,
    ),
    *(
        Metric(
            "events",
            f"{CAUSES[c].replace('-', '_')}_events",
            "events",
            f"events caused by {CAUSES[c]}",
            public=partial(_caused, cause=c),
        )
        for c in (1, 2, 3)
    ),
    Metric("events", "asked_energy", "kWh", "volume asked over all events", public=lambda w, b: _asked(b)),
    Metric(
        "events",
        "ordered_energy",
        "kWh",
        "adjustments ordered from sites over all events",
        public=lambda w, b: _ordered(b),
        summary=True,
    ),
    Metric(
        "events",
        "verified_energy",
        "kWh",
        "of the ordered adjustments, what was verified",
        public=lambda w, b: _verified(b),
        summary=True,
    ),
    Metric(
        "events", "undelivered_energy", "kWh", "ordered less verified", public=lambda w, b: _undelivered(b), better=-1
    ),
    Metric(
        "events",
        "completion",
        "%",
        "demand response: verified over ordered energy",
        public=lambda w, b: _completion(b, GRID, UPPER),
        summary=True,
        better=1,
    ),
    Metric(
        "events",
        "completion_grid_events",
        "%",
        "the same for the operator's own events",
        public=lambda w, b: _completion(b, GRID),
        better=1,
    ),
    Metric(
        "events",
        "completion_upper_level",
        "%",
        "the same for orders of the upper level",
        public=lambda w, b: _completion(b, UPPER),
        better=1,
    ),
    Metric(
        "events",
        "plans_safe",
        "%",
        "events whose plan did not fail the safety check, so that nothing was cut as a last resort",
        public=lambda w, b: _safe(b),
        better=1,
    ),
    Metric(
        "events",
        "awards_reopened",
        "events",
        "events whose awards were reopened by the safety check",
        public=lambda w, b: float(sum(page.reopened for page in b.events)),
    ),
    Metric(
        "events",
        "cut_of_last_resort",
        "kWh",
        "generation or load that the operator cut by force",
        public=lambda w, b: _cut(b),
        summary=True,
        better=-1,
    ),
    Metric(
        "grid",
        "outage_periods",
        "periods",
        "periods without an operating point: protection disconnected buses, whose voltage counts as 0",
        public=lambda w, b: float((b.outage_wh != 0).any(axis=1).sum()),
        better=-1,
    ),
    Metric(
        "grid",
        "energy_not_served",
        "kWh",
        "what sites that protection disconnected would have drawn or fed in",
        public=lambda w, b: kwh(np.abs(b.outage_wh).sum()),
        better=-1,
    ),
    *_limits("periods", "violated_periods", "periods", "periods with a violation"),
    *_limits("voltage_puh", "voltage_violation", "pu·h", "voltage beyond the band, summed over buses and hours"),
    *_limits(
        "overload_h", "overload", "h", "loading above the limit (as a share of it), summed over branches and hours"
    ),
    Metric(
        "grid",
        "violated_periods_removed",
        "%",
        "share of the violated periods that the market's orders cured",
        public=_relief,
        summary=True,
        better=1,
    ),
    *(
        Metric("grid", f"{label}_{suffix}", unit, f"{meaning}, {how}", public=partial(_extreme, twin=twin, which=key))
        for key, label, unit, meaning in (
            ("low", "lowest_voltage", "pu", "lowest voltage at any bus"),
            ("high", "highest_voltage", "pu", "highest voltage at any bus"),
            ("loading", "highest_loading", "%", "highest loading of any line or transformer"),
        )
        for twin, suffix, how in ((True, "without", "had no order been carried out"), (False, "with", "as lived"))
    ),
]
