"""Misconduct: what was tried, what of it was noticed, what it did to credit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from envs.types import PPM, Bools, Ints
from envs.world import World
from evaluation.daybook import ORDERED, VERIFIED, WHO, DayBook
from evaluation.measures.base import Metric, Value, kwh, ratio

if TYPE_CHECKING:
    from evaluation.runs import RunResult

ON_BLOCKS = ("forge", "misstate", "equivocate", "jump")  # hooks of those who cheat as producers
FULL_DELIVERY = 0.95  # of an order: below that a delivery counts as short


class Readings(NamedTuple):
    """Claims against the truth."""

    false: Bools  # (T, N) the claim differs from the truth by more than the meter tolerance
    honest: Bools  # (T, N) the claim is the truth, to the Wh
    caught: Bools  # (T, N)
    slipped_wh: Ints  # (T, N) Wh claimed wrongly and believed


def readings(world: World, run: RunResult) -> Readings:
    """Compare every claim with what really happened; a register is generation, consumption or storage."""
    standing, book, real = world.scenario.standing, run.book, run.truth.real_wh
    error = np.abs(book.claimed_wh - real)
    tolerance = np.maximum(standing.meter_tolerance_wh, (standing.meter_tolerance * np.abs(real)).astype(np.int64))
    believed = (book.accepted_wh == book.claimed_wh) & (error > 0)
    return Readings(
        (error > tolerance).any(axis=2),
        (error == 0).all(axis=2),
        book.caught,
        np.where(believed, error, 0).sum(axis=2),
    )


class Deliveries(NamedTuple):
    """Orders by site over all events."""

    orders: Ints  # (N,) site-periods under an order
    short: Ints  # (N,) of them, verified below 95 % of the order
    ordered_wh: Ints  # (N,)
    verified_wh: Ints  # (N,)


def deliveries(book: DayBook) -> Deliveries:
    """What each site was ordered and what was verified of it."""
    orders, short, ordered, verified = (np.zeros(book.sites, np.int64) for _ in range(4))
    for page in book.events:
        rows = page.verified
        np.add.at(orders, rows[:, WHO], 1)
        np.add.at(short, rows[:, WHO], rows[:, VERIFIED] < FULL_DELIVERY * rows[:, ORDERED])
        np.add.at(ordered, rows[:, WHO], rows[:, ORDERED])
        np.add.at(verified, rows[:, WHO], rows[:, VERIFIED])
    return Deliveries(orders, short, ordered, verified)


def plays(run: RunResult, hook: str) -> Bools:
    """(N,) sites whose behaviour touches this part of a period (a hook of `runs.HOOKS`)."""
    who = np.zeros(len(run.truth.malicious), np.bool_)
    for index, behaviour in enumerate(run.behaviours):
        if hook in behaviour.hooks:
            who |= run.truth.malicious == index
    return who


def forged_turns(run: RunResult, hook: str = "forge") -> tuple[int, int]:
    """(turns in which a forger was drawn, of these refused). Every turn of a forger is an attempt; whoever jumps the
    queue is honest in a turn of its own.
    """
    forgers = plays(run, hook)
    refused = int(forgers[run.book.refusals[:, 1]].sum())
    drawn = run.book.producers[run.book.producers >= 0]
    sealed = int(forgers[drawn[drawn < len(forgers)]].sum()) if hook != "jump" else 0
    return refused + sealed, refused


def _credit(run: RunResult, malicious: bool) -> Value:
    who = (run.truth.malicious >= 0) == malicious
    return 100.0 * float(run.book.credit_ppm[-1, : run.book.sites][who].mean()) / PPM if who.any() else None


def _false(world: World, run: RunResult) -> float:
    return float(readings(world, run).false.sum())


def _detection(world: World, run: RunResult) -> Value:
    found = readings(world, run)
    return ratio(float((found.false & found.caught).sum()), float(found.false.sum()))


def _false_alarms(world: World, run: RunResult) -> Value:
    found = readings(world, run)
    return ratio(float((found.honest & found.caught).sum()), float(found.honest.sum()))


def _completion_of(run: RunResult, malicious: bool) -> Value:
    who = (run.truth.malicious >= 0) == malicious
    done = deliveries(run.book)
    return ratio(float(done.verified_wh[who].sum()), float(done.ordered_wh[who].sum()))


def _excluded(world: World, book: DayBook) -> float:
    limit = round(world.scenario.standing.admission_threshold * PPM)
    return float((book.credit_ppm[-1, : book.sites] < limit).sum())


METRICS = [
    Metric(
        "credit",
        "credit_honest",
        "%",
        "mean credit of honest prosumers at the end",
        private=lambda w, r: _credit(r, False),
        summary=True,
    ),
    Metric(
        "credit",
        "credit_malicious",
        "%",
        "mean credit of malicious prosumers at the end",
        private=lambda w, r: _credit(r, True),
        summary=True,
    ),
    Metric(
        "credit",
        "credit_aggregators",
        "%",
        "mean credit of aggregators at the end",
        public=lambda w, b: 100.0 * float(b.credit_ppm[-1, b.sites :].mean()) / PPM,
    ),
    Metric(
        "credit",
        "sites_excluded",
        "sites",
        "prosumers whose credit ends below the admission threshold",
        public=_excluded,
    ),
    Metric(
        "conduct",
        "readings_refused",
        "readings",
        "site-periods whose reading was not believed",
        public=lambda w, b: float(b.caught.sum()),
        summary=True,
    ),
    Metric(
        "conduct",
        "false_readings",
        "readings",
        "site-periods whose reading was off by more than the tolerance",
        private=_false,
    ),
    Metric(
        "conduct",
        "detection_rate",
        "%",
        "of the false readings, those refused",
        private=_detection,
        summary=True,
        better=1,
    ),
    Metric("conduct", "false_alarm_rate", "%", "of the true readings, those refused", private=_false_alarms, better=-1),
    Metric(
        "conduct",
        "false_energy_believed",
        "kWh",
        "energy claimed wrongly and believed",
        private=lambda w, r: kwh(readings(w, r).slipped_wh.sum()),
        better=-1,
    ),
    Metric(
        "conduct",
        "completion_honest",
        "%",
        "verified over ordered energy of honest prosumers",
        private=lambda w, r: _completion_of(r, False),
        better=1,
    ),
    Metric(
        "conduct",
        "completion_malicious",
        "%",
        "verified over ordered energy of malicious prosumers",
        private=lambda w, r: _completion_of(r, True),
    ),
    Metric(
        "conduct",
        "forged_blocks",
        "blocks",
        "blocks that producers forged, with the operator's help or without, signed twice or before their turn",
        private=lambda w, r: float(sum(forged_turns(r, hook)[0] for hook in ON_BLOCKS)),
        summary=True,
    ),
    Metric(
        "conduct",
        "blocks_refused",
        "blocks",
        "candidate blocks that the other nodes refused",
        public=lambda w, b: float(len(b.refusals)),
        summary=True,
    ),
]
