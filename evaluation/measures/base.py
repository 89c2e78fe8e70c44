"""What a metric is, and the few sums that several of them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from envs.reward import violations
from envs.types import PPM, Floats, Ints
from envs.world import World
from evaluation.daybook import AMOUNT, FLOW, DayBook

if TYPE_CHECKING:
    from evaluation.runs import RunResult

# A limit counts as met to within a millionth, which is what the ledger resolves.
VOLT_FLOOR = 1e-6
LOAD_FLOOR = 1e-6
Value = float | None  # None: the number does not exist (no event, so no completion)


@dataclass(frozen=True)
class Metric:
    """A number of a run.

    ``public`` metrics are functions of the day book, so anybody can derive them from the ledger; ``private`` ones
    need what only the evaluator knows. Exactly one of the two is given.
    """

    group: str
    name: str
    unit: str
    meaning: str
    public: Callable[[World, DayBook], Value] | None = None
    private: Callable[[World, RunResult], Value] | None = None
    summary: bool = False  # shown in the report's first table
    better: int = 0  # +1 more is better, -1 less is better, 0 neither

    def of(self, world: World, run: RunResult) -> Value:
        """The metric of a run."""
        if self.public is not None:
            return self.public(world, run.book)
        assert self.private is not None
        return self.private(world, run)


class Excess(NamedTuple):
    """Violation of one set of limits, summed over a run."""

    voltage_puh: float  # pu·h beyond the band, summed over buses
    overload_h: float  # h above the loading limit times the excess, summed over branches
    periods: int  # in which anything was violated


def lived(book: DayBook, twin: bool) -> tuple[Floats, Floats]:
    """(T, buses) voltage in pu and loading, as lived or of the twin in which no order was carried out."""
    voltage = book.twin_voltage_upu if twin else book.voltage_upu
    loading = book.twin_loading_ppm if twin else book.loading_ppm
    return voltage / PPM, loading / PPM


def planning_excess(world: World, book: DayBook, twin: bool) -> Excess:
    """Against the scenario's planning band and loading limit: the operator's own reading of a violation."""
    volts, over = violations(world, *lived(book, twin))
    return Excess(float(volts.sum()), float(over.sum()), int(((volts > VOLT_FLOOR) | (over > LOAD_FLOOR)).sum()))


def own_excess(world: World, book: DayBook, twin: bool) -> Excess:
    """Against the net's own voltage limits and ratings (loading 1)."""
    voltage, loading = lived(book, twin)
    feeder = world.feeder
    volts = np.maximum(np.maximum(voltage - feeder.band_high_pu, feeder.band_low_pu - voltage), 0.0)[:, 1:].sum(axis=1)
    over = np.maximum(loading - 1.0, 0.0)[:, 1:].sum(axis=1)
    hours = 24.0 / world.periods_per_day
    bad = (volts * hours > VOLT_FLOOR) | (over * hours > LOAD_FLOOR)
    return Excess(float(volts.sum()) * hours, float(over.sum()) * hours, int(bad.sum()))


def ratio(part: float, whole: float) -> Value:
    """A share in percent; None where there is no whole."""
    return 100.0 * part / whole if whole else None


def kwh(wh: int | np.integer) -> float:
    """Wh as kWh."""
    return int(wh) / 1000.0


def currency(micro: int | np.integer) -> float:
    """Micro-currency as currency."""
    return int(micro) / PPM


def flow_sum(book: DayBook, *flows: int) -> int:
    """Micro-currency moved by some flows."""
    return int(book.payments[np.isin(book.payments[:, FLOW], flows), AMOUNT].sum())


def supplier_only(world: World, book: DayBook) -> Ints:
    """(N,) micro-currency of "surplus power online" (paper 003's baseline): every accepted Wh at the tariffs.

    Surplus earns the feed-in price, need costs the retail price and the network charge; physics is that of the run.
    """
    market, net = world.scenario.market, book.net_wh
    income = np.maximum(net, 0).sum(axis=0) * market.feed_in
    cost = np.maximum(-net, 0).sum(axis=0) * (market.retail + market.network_charge)
    return np.asarray((income - cost) // 1000)
