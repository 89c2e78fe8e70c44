"""The day book: everything of a run that a reader of its ledger can know, as arrays.

It is filled in two ways, from the run while it is played and from the ledger file afterwards
(``evaluation.ledger_figures``). Metrics of the public record are functions of the day book alone, so each of them can
be derived again by an outsider, and both ways must give the same number to the last digit. For that voltages and
loadings are kept in millionths, as on the ledger.

Axes: T periods, N sites, A aggregators, K accounts (sites, aggregators, operator, supplier, upper level).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from envs.grid.routing import path_of
from envs.recorder import week_before
from envs.records import event_id, micro, passes_of
from envs.types import BROKEN, FAILED, GRID, HORIZON, REQUESTS, Bools, Ints, Trace
from envs.world import World

# Columns of the tables below.
EVENT, FLOW, PERIOD, PAYER, PAYEE, WH, PRICE, AMOUNT = range(8)  # payments
SITE, AGGREGATOR, ORDER_WH, SUBSIDY_PRICE, BASELINE_W = range(5)  # orders of an event
TRADED_IN, BUYER, SELLER, TRADED_WH, TRADE_PRICE, BRANCHES, PATH_CHARGE, LOSS_WH = range(8)  # trades
WHEN, WHO, ORDERED, VERIFIED = range(4)  # what was verified of an event


@dataclass
class EventPage:
    """One event: what its trigger asked, its dispatch promised and its verification found."""

    event: int
    cause: int
    start: int
    duration: int
    direction: int
    place: int  # bus, or -1 - branch
    need_w: int
    asked_wh: int  # a period
    reserve: int
    upper_price: int
    verdict: int  # of the check, before any cut of last resort: index into VERDICTS
    reopened: bool
    passes: Ints  # (dispatches, 9) method, proven, Wh a period, extremes of its check in millionths, the nodes' talk
    broken: Ints  # (limits, 2) dispatch, place that its check found broken
    awards: list[list[int]]  # aggregator, admitted Wh, awarded Wh, price
    orders: Ints  # (orders, 4 + periods) site, aggregator, Wh a period, subsidy, baseline W of each period
    cuts: list[list[int]]  # site, Wh
    before: list[int]  # lowest and highest voltage in µpu, highest loading in ppm, forecast without the event
    after: list[int]
    verified: Ints = field(default_factory=lambda: np.zeros((0, 4), np.int64))  # (rows, 4)

    @property
    def request(self) -> int:
        """0 a grid event, 1 an order of the upper level."""
        return (self.event - 1) % REQUESTS

    @property
    def safe(self) -> bool:
        """The check did not fail, so nothing had to be cut by force."""
        return self.verdict != FAILED

    @property
    def loops(self) -> int:
        """How often the safety check had awards reopened."""
        return max(len(self.passes) - 1, 0)

    @property
    def ordered_wh(self) -> int:
        """Over the whole event."""
        return int(self.verified[:, ORDERED].sum())

    @property
    def verified_wh(self) -> int:
        """Over the whole event."""
        return int(self.verified[:, VERIFIED].sum())


@dataclass
class DayBook:
    """The public record of a run."""

    sites: int
    aggregators: int
    voltage_upu: Ints  # (T, buses) as lived
    loading_ppm: Ints  # (T, branches) of each bus's branch to its parent
    twin_voltage_upu: Ints  # (T, buses) had no order been carried out
    twin_loading_ppm: Ints  # (T, branches)
    flow_wh: Ints  # (T,) through the transformer into the grid
    losses_wh: Ints  # (T,) flow + accepted injections
    technical_wh: Ints  # (T,) losses in wires
    exchange_loss_wh: Ints  # (T,) of them, those of the sites' exchange with the upper grid
    outage_wh: Ints  # (T, N) what protection took from disconnected sites, sign of injection
    claimed_wh: Ints  # (T, N, 3) generation, consumption, storage as reported
    accepted_wh: Ints  # (T, N, 3) as believed
    caught: Bools  # (T, N) the report was not believed
    credit_ppm: Ints  # (T, N + A) after the period
    score_ppm: Ints  # (T, N + A)
    orders: Ints  # (T, N, 2) quantity in Wh (> 0 sells) and limit price declared on the market
    trades: Ints  # (trades, 8) period, buyer, seller, Wh, price, branches of the path, its charge per kWh, losses in Wh
    payments: Ints  # (payments, 8)
    events: list[EventPage]
    producers: Ints  # (T,) site that sealed the dispatch chain's block, -1 where no draw was made
    refusals: Ints  # (refusals, 2) period, site whose block was refused; a row for each chain
    history_wh: Ints  # (N, 2) generated and consumed in the week before

    @property
    def periods(self) -> int:
        """T."""
        return len(self.flow_wh)

    @property
    def net_wh(self) -> Ints:
        """(T, N) accepted injection."""
        return np.asarray(self.accepted_wh[..., 0] - self.accepted_wh[..., 1] + self.accepted_wh[..., 2])

    @property
    def balance(self) -> Ints:
        """(K,) micro-currency at the end: nothing but the sum of payments."""
        total = np.zeros(self.sites + self.aggregators + 3, np.int64)
        np.add.at(total, self.payments[:, PAYER], -self.payments[:, AMOUNT])
        np.add.at(total, self.payments[:, PAYEE], self.payments[:, AMOUNT])
        return total

    @property
    def reference(self) -> Ints:
        """(T,) volume-weighted mean price of the period's trades, micro-currency per kWh; 0 without trade."""
        value, wh = np.zeros(self.periods, np.int64), np.zeros(self.periods, np.int64)
        np.add.at(value, self.trades[:, 0], self.trades[:, 3] * self.trades[:, 4])
        np.add.at(wh, self.trades[:, 0], self.trades[:, 3])
        return np.asarray(np.where(wh > 0, value // np.maximum(wh, 1), 0))

    @property
    def traded_wh(self) -> Ints:
        """(T,) Wh traded among peers."""
        wh = np.zeros(self.periods, np.int64)
        np.add.at(wh, self.trades[:, 0], self.trades[:, 3])
        return wh


def table(rows: Iterable[Sequence[int]], columns: int) -> Ints:
    """Rows as a sorted (rows, columns) array: two day books with the same rows are then equal."""
    return np.array(sorted(tuple(row) for row in rows), np.int64).reshape(-1, columns)


def pass_columns(passes: list[list[Any]]) -> dict[str, Ints]:
    """A page's ``passes`` and ``broken`` from the rows of its Dtx."""
    broken = [(n, place) for n, (*_, places) in enumerate(passes) for place in places]
    made = np.array([row[:-1] for row in passes], np.int64).reshape(-1, BROKEN)
    return {"passes": made, "broken": np.array(broken, np.int64).reshape(-1, 2)}


class Diary:
    """Fills a day book while one world is played."""

    def __init__(self, world: World, day: int) -> None:
        self.world = world
        self.series: dict[str, list[Ints]] = {}
        self.trades: list[list[int]] = []
        self.payments: list[list[int]] = []
        self.refusals: list[tuple[int, int]] = []
        self.events: dict[int, EventPage] = {}
        generated, consumed = week_before(world, day)
        self.history_wh = np.stack([generated.sum(axis=1), consumed.sum(axis=1)], axis=1)[: world.sites]

    def write(self, trace: Trace) -> None:
        """Take a period (world 0 of the trace)."""
        energy, verdict = trace.energy, trace.verdict
        claims = (verdict.claimed_generated_wh, verdict.claimed_consumed_wh, verdict.claimed_storage_wh)
        accepted = (verdict.generated_wh, verdict.consumed_wh, verdict.storage_wh)
        for name, value in {
            "voltage_upu": micro(energy.voltage_pu[0]),
            "loading_ppm": micro(energy.loading[0]),
            "twin_voltage_upu": micro(energy.twin_voltage_pu[0]),
            "twin_loading_ppm": micro(energy.twin_loading[0]),
            "flow_wh": energy.flow_wh[0],
            "losses_wh": verdict.losses_wh[0],
            "technical_wh": energy.technical_loss_wh[0],
            "exchange_loss_wh": trace.transport.exchange_loss_wh[0],
            "outage_wh": energy.outage_wh[0].copy(),
            "claimed_wh": np.stack([column[0] for column in claims], axis=1),
            "accepted_wh": np.stack([column[0] for column in accepted], axis=1),
            "caught": verdict.caught[0].copy(),
            "credit_ppm": trace.credit_ppm[0],
            "score_ppm": np.concatenate([trace.score_ppm[0], np.zeros(self.world.aggregators, np.int64)]),
            "orders": np.stack([trace.quotes.quantity_wh[0], trace.quotes.limit_price[0]], axis=1),
            "producers": trace.producer[0],
        }.items():
            self.series.setdefault(name, []).append(np.asarray(value))
        self._trades(trace)
        self.refusals += [(trace.period, site) for site in trace.refused[0]]
        self._events(trace)
        self._payments(trace)

    def _trades(self, trace: Trace) -> None:
        trades, bus, routes = trace.trades, self.world.site_bus, self.world.routes
        count = int(trades.count[0])
        charges, losses = self.world.path_charges(trades), trace.transport.trade_loss_wh
        columns = (trades.buyer, trades.seller, trades.wh, trades.price, charges, losses)
        for buyer, seller, *traded, charge, loss in np.stack([c[0, :count] for c in columns], axis=1).tolist():
            branches = len(path_of(routes, int(bus[seller]), int(bus[buyer]))) - 1
            self.trades.append([trace.period, buyer, seller, *traded, branches, charge, loss])

    def _events(self, trace: Trace) -> None:
        period = trace.period
        for r in np.flatnonzero(trace.stage.cause[0]).tolist():
            page = _page(trace, r)
            self.events[page.event] = page
        for page in self.events.values():
            if not page.start <= period < page.start + page.duration or not len(page.orders):
                continue
            done = trace.verdict.verified_wh[0, page.request * HORIZON + page.start % HORIZON]
            rows = [[period, site, order, int(done[site])] for site, _, order, *_ in page.orders.tolist()]
            page.verified = np.concatenate([page.verified, np.array(rows, np.int64)])

    def _payments(self, trace: Trace) -> None:
        starts = {page.request * HORIZON + page.start % HORIZON: page.event for page in self.events.values()}
        for flow, payer, payee, wh, price, amount, slot in trace.payments.rows[0, : trace.payments.count[0]].tolist():
            event = starts[slot] if slot >= 0 else 0
            self.payments.append([event, flow, trace.period, payer, payee, wh, price, amount])

    def close(self) -> DayBook:
        """The finished day book."""
        arrays: dict[str, Any] = {name: np.stack(values) for name, values in self.series.items()}
        return DayBook(
            sites=self.world.sites,
            aggregators=self.world.aggregators,
            trades=table(self.trades, 8),
            payments=table(self.payments, 8),
            events=list(self.events.values()),
            refusals=table(self.refusals, 2),
            history_wh=self.history_wh,
            **arrays,
        )


def _page(trace: Trace, r: int) -> EventPage:
    """The page of an event that starts in this period."""
    stage, plan = trace.stage, trace.plan
    awards = [
        [a, int(plan.admitted_wh[0, r, a]), int(plan.awarded_wh[0, r, a]), int(plan.award_price[0, r, a])]
        for a in range(plan.awarded_wh.shape[2])
        if plan.admitted_wh[0, r, a] or plan.awarded_wh[0, r, a]
    ]
    measured_w = stage.measured_against(r)
    orders = [
        [
            i,
            (a := int(plan.member[0, i])),
            int(plan.ordered_wh[0, r, i]),
            int(stage.subsidy[0, a]),
            *np.rint(measured_w[0, : int(stage.duration[0, r]), i]).astype(np.int64).tolist(),
        ]
        for i in np.flatnonzero(plan.ordered_wh[0, r]).tolist()
    ]
    cut = plan.cut_wh[0] if r == GRID else np.zeros(0, np.int64)
    return EventPage(
        event=event_id(trace.period, r),
        cause=int(stage.cause[0, r]),
        start=trace.period,
        duration=int(stage.duration[0, r]),
        direction=int(stage.direction[0, r]),
        place=int(stage.place[0, r]),
        need_w=round(float(stage.need_w[0, r])),
        asked_wh=int(stage.asked_wh[0, r]),
        reserve=int(stage.reserve[0, r]),
        upper_price=int(stage.upper_price[0, r]),
        verdict=int(plan.verdict[0, r]),
        reopened=bool(plan.reopened[0, r]),
        **pass_columns(passes_of(stage, plan, 0, r)),
        awards=awards,
        orders=np.array(orders, np.int64).reshape(len(orders), 4 + int(stage.duration[0, r])),
        cuts=[[i, int(cut[i])] for i in np.flatnonzero(cut).tolist()],
        before=micro([plan.before_low_pu[0, r], plan.before_high_pu[0, r], plan.before_loading[0, r]]),
        after=micro([plan.after_low_pu[0, r], plan.after_high_pu[0, r], plan.after_loading[0, r]]),
    )
