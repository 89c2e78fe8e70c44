"""A period as ledger records: what each node says in it, in integers.

The Scribe of a world turns promises and results into drafts; it keeps the events that are not accounted for yet. Field
by field the bodies follow ``ledger.kinds.FIELDS``.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Any

import numpy as np

from envs.path_list import PathList
from envs.phases.clear import called
from envs.phases.outlook import published_w
from envs.status import Outcome, site_drafts, status_draft
from envs.types import (
    BLOCKS,
    BROKEN,
    GRID,
    HORIZON,
    HOURS,
    LIVED,
    PPM,
    REQUESTS,
    TWIN,
    UPPER,
    Floats,
    Ints,
    Plan,
    Quotes,
    Stage,
    State,
    Trades,
)
from envs.world import World
from ledger.identity import Role
from ledger.kinds import Kind
from ledger.records import Draft
from ledger.roster import AUTHORITY, NodeSpec, Roster

KEY_SEED = 0  # addresses are stable over seeds and scenarios, so that runs can be compared node by node


@lru_cache(maxsize=16)
def _roster(nodes: tuple[NodeSpec, ...]) -> Roster:
    return Roster.create(KEY_SEED, nodes)


def roster_of(world: World) -> Roster:
    """Keys and certificates of all accounts: sites, aggregators, operator, supplier, upper level; made once."""
    peak = int(world.capacity_w.sum())
    nodes = [NodeSpec(f"prosumer_{i}", Role.PROSUMER, int(w)) for i, w in enumerate(world.capacity_w)]
    nodes += [NodeSpec(f"aggregator_{a}", Role.AGGREGATOR, peak) for a in range(world.aggregators)]
    nodes += [NodeSpec("eno_0", Role.ENO, peak)]
    nodes += [NodeSpec(name, Role.COUNTERPARTY, peak) for name in ("supplier", "upper_level")]
    return _roster(tuple(nodes))


def event_id(start: int, request: int) -> int:
    """Events are numbered from 1 by start and request; 0 means none on the ledger."""
    return start * REQUESTS + request + 1


def micro(values: Any) -> list[int]:
    """Floats as integers in millionths."""
    result: list[int] = np.rint(np.asarray(values) * PPM).astype(np.int64).tolist()
    return result


def _shared(trace: Outcome, b: int) -> tuple[list[int], int]:
    """Losses of the trades in their order, and of the exchange with the upper grid."""
    own: list[int] = trace.transport.trade_loss_wh[b, : trace.trades.count[b]].tolist()
    return own, int(trace.transport.exchange_loss_wh[b])


def quoted_blocks(rows: list[list[list[int]]]) -> tuple[Ints, Ints]:
    """(1, R, N, M) Wh and prices of the flexibility blocks in the sites' orders, in their order.

    Blocks of no volume are not recorded; no rule asks for their place. Raises ValueError(found, allowed) for more
    blocks than a request has.
    """
    wh, price = np.zeros((2, 1, REQUESTS, len(rows), BLOCKS), np.int64)
    for i, blocks in enumerate(rows):
        for r in range(REQUESTS):
            own = [block[1:] for block in blocks if block[0] == r]
            if len(own) > BLOCKS:
                raise ValueError(f"{len(own)} blocks of request {r}", f"at most {BLOCKS}")
            for m, (volume, asked) in enumerate(own):
                wh[0, r, i, m], price[0, r, i, m] = volume, asked
    return wh, price


def passes_of(stage: Stage, plan: Plan, b: int, r: int) -> list[list[Any]]:
    """Every dispatch of a request with what its check found, in order; the last column holds the broken limits."""
    count = plan.loops[b, r] + 1 if called(stage, r)[b] else 0
    made = plan.passes[b, r, :count].tolist()
    places = plan.pass_places[b, r].tolist()
    return [[*row[:BROKEN], places[n][: row[BROKEN]]] for n, row in enumerate(made)]


class Scribe:
    """Writes the drafts of one world."""

    def __init__(self, world: World, roster: Roster) -> None:
        self.world = world
        self.addresses = [member.address for member in roster.members]
        self.eno = world.eno_account
        self.path_list = PathList(world, self.addresses)
        self.transfers: dict[int, list[list[Any]]] = {}  # event id → rows of its Atx
        self.verified: dict[int, list[list[Any]]] = {}  # event id → rows of its Vtx
        self.due: list[int] = []  # events whose Vtx is sealed in the coming block
        self.previous_credit: list[tuple[int, int]] = []

    def contracts(self) -> list[Draft]:
        """The rules in force: name, version and hash of their parameters, so that an auditor knows them."""
        scenario = self.world.scenario
        rules = {
            f"trading:{scenario.market.trading}": scenario.market.model_dump_json(),
            f"request:{scenario.market.request}": scenario.market.model_dump_json(),
            f"dispatch:{scenario.market.dispatch}": scenario.grid.model_dump_json(),
            f"grid:{scenario.grid.net}": self.world.fingerprint.hex(),
            "trigger": scenario.model_dump_json(include={"grid", "upper_orders"}),
            "settlement": scenario.market.model_dump_json(),
            "standing": scenario.standing.model_dump_json(),
        }
        return [
            Draft(Kind.CONTRACT, AUTHORITY, 0, [name.encode(), 1, sha256(text.encode()).digest(), 0])
            for name, text in rules.items()
        ]

    def sites(self) -> list[Draft]:
        """What stands behind each meter, and where."""
        return site_drafts(self.world, self.addresses)

    def promises(
        self, b: int, state: State, stage: Stage, quotes: Quotes, trades: Trades, plan: Plan, joined: np.ndarray
    ) -> list[Draft]:
        """Forecasts, orders, offers, triggers, dispatches and trades of the coming period."""
        drafts = self._forecasts(b, state) + self._orders(b, state, quotes) + self._offers(b, state.period, stage)
        return drafts + self.agreed(b, state.period, stage, plan, joined) + self.trades(b, state.period, trades)

    def agreed(self, b: int, period: int, stage: Stage, plan: Plan, joined: np.ndarray) -> list[Draft]:
        """What follows from forecasts, orders and offers: who joins whom, triggers, dispatches."""
        drafts = []
        for i in np.flatnonzero(joined[b]):
            a = int(plan.member[b, i])
            chosen = self.addresses[self.world.sites + a] if a >= 0 else b""
            drafts.append(Draft(Kind.REGISTRATION, int(i), 0, [period, chosen]))
        for r in range(REQUESTS):
            if stage.cause[b, r] > 0:
                drafts += self._event(b, r, period, stage, plan)
        return drafts

    def trades(self, b: int, period: int, trades: Trades) -> list[Draft]:
        """What the peers' market cleared, pair by pair, and the paths that it takes."""
        drafts, count = [], int(trades.count[b])
        for buyer, seller, wh, price in zip(
            *(column[b, :count].tolist() for column in (trades.buyer, trades.seller, trades.wh, trades.price)),
            strict=True,
        ):
            body = [period, self.addresses[buyer], self.addresses[seller], wh, price]
            drafts.append(Draft(Kind.TRADE, self.eno, 0, body))
        paths = self.path_list.of([draft.body for draft in drafts])
        return drafts if paths is None else [*drafts, Draft(Kind.PATHS, self.eno, 0, paths)]

    def _forecasts(self, b: int, state: State) -> list[Draft]:
        """What each site expects of itself, its battery aside, and the operator's independent estimate of it."""
        own = published_w(state)[b].T.tolist()
        drafts = [Draft(Kind.FORECAST, i, 0, [state.period, net_w]) for i, net_w in enumerate(own)]
        estimate = state.operator_net_w[b, :HORIZON].T.astype(np.int64).tolist()
        rows = [list(row) for row in zip(self.addresses, estimate, strict=False)]
        parts = (self._part(b, state.appliance_w), self._part(b, state.battery_w))
        return [*drafts, Draft(Kind.ESTIMATE, self.eno, 0, [state.period, rows, *parts])]

    def _part(self, b: int, ahead_w: Floats) -> list[list[Any]]:
        """Of the estimate: what vehicles and heat pumps draw, or batteries with a plan give, had there been no orders;
        and what past orders change in it.
        """
        alone, lived = (ahead_w[b, side, :HORIZON].T.astype(np.int64) for side in (TWIN, LIVED))
        busy = np.flatnonzero((alone != 0).any(axis=1) | (lived != 0).any(axis=1)).tolist()
        return [[self.addresses[i], alone[i].tolist(), (lived - alone)[i].tolist()] for i in busy]

    def _orders(self, b: int, state: State, quotes: Quotes) -> list[Draft]:
        # The schedule filed is the published forecast and, on top, what the battery and the shift add to it.
        plan_w = quotes.schedule_w[b].astype(np.int64) - published_w(state)[b, 1:]
        plain = zip(
            quotes.quantity_wh[b].tolist(), quotes.opening_price[b].tolist(), quotes.limit_price[b].tolist(),
            quotes.requote_ppm[b].tolist(), quotes.shed_ppm[b].tolist(),
            np.rint(quotes.storage_w[b]).astype(np.int64).tolist(), micro(quotes.preference[b]),
            plan_w.T.tolist(), quotes.reactive_ppm[b].tolist(), quotes.hold_ppm[b].tolist(),
            quotes.heat_ppm[b].tolist(), strict=True,
        )  # fmt: skip
        block_wh, block_price = quotes.block_wh[b], quotes.block_price[b]
        blocks: list[list[list[int]]] = [[] for _ in range(self.world.sites)]
        for r, i, m in zip(*(axis.tolist() for axis in np.nonzero(block_wh)), strict=True):
            blocks[i].append([r, int(block_wh[r, i, m]), int(block_price[r, i, m])])
        return [
            Draft(
                Kind.ORDER, i, 0,
                [
                    state.period, quantity, opening, limit, requote, blocks[i], storage, shed, plan, liking, reactive,
                    hold, heat,
                ],
            )
            for i, (quantity, opening, limit, requote, shed, storage, liking, plan, reactive, hold, heat)
            in enumerate(plain)
        ]  # fmt: skip

    def _offers(self, b: int, period: int, stage: Stage) -> list[Draft]:
        sites = self.world.sites
        return [
            Draft(
                Kind.OFFER, sites + a, 0,
                [
                    period, int(stage.subsidy[b, a]), int(stage.offer_price[b, a]), stage.offer_wh[b, :, a].tolist(),
                    int(stage.threshold_ppm[b, a]),
                ],
            )
            for a in range(self.world.aggregators)
        ]  # fmt: skip

    def _event(self, b: int, r: int, period: int, stage: Stage, plan: Plan) -> list[Draft]:
        event, sites = event_id(period, r), self.world.sites
        trigger = [
            b"", int(stage.cause[b, r]), period, int(stage.duration[b, r]), int(stage.direction[b, r]),
            int(stage.place[b, r]), round(float(stage.need_w[b, r])), int(stage.asked_wh[b, r]),
            int(stage.reserve[b, r]), int(stage.upper_price[b, r]),
        ]  # fmt: skip
        awards = [
            [
                self.addresses[sites + a],
                int(plan.admitted_wh[b, r, a]),
                int(plan.awarded_wh[b, r, a]),
                int(plan.award_price[b, r, a]),
            ]
            for a in range(self.world.aggregators)
            if plan.admitted_wh[b, r, a] or plan.awarded_wh[b, r, a]
        ]
        adjustments, measured_w = [], stage.measured_against(r)
        for i in np.flatnonzero(plan.ordered_wh[b, r]).tolist():
            a = int(plan.member[b, i])
            order = int(plan.ordered_wh[b, r, i])
            base_w = np.rint(measured_w[b, : int(stage.duration[b, r]), i]).astype(np.int64).tolist()
            adjustments.append([self.addresses[i], self.addresses[sites + a], order, int(stage.subsidy[b, a]), base_w])
        cut = plan.cut_wh[b] if r == GRID else np.zeros(0, np.int64)
        cuts = [[self.addresses[i], int(cut[i])] for i in np.flatnonzero(cut).tolist()]
        before = (plan.before_low_pu[b, r], plan.before_high_pu[b, r], plan.before_loading[b, r])
        after = (plan.after_low_pu[b, r], plan.after_high_pu[b, r], plan.after_loading[b, r])
        dispatch = [
            b"", int(plan.verdict[b, r]), int(plan.reopened[b, r]), passes_of(stage, plan, b, r), awards, adjustments,
            cuts, micro(before), micro(after),
        ]  # fmt: skip
        self.begin_event(event)
        return [Draft(Kind.TTX, self.eno, event, trigger), Draft(Kind.DTX, self.eno, event, dispatch)]

    def begin_event(self, event: int) -> None:
        """From now on collect what an event delivers and pays."""
        self.verified[event], self.transfers[event] = [], []

    def results(self, b: int, state: State, trace: Outcome) -> list[Draft]:
        """Readings of the period just lived and what followed from them."""
        verdict, period = trace.verdict, trace.period
        columns = (verdict.claimed_generated_wh, verdict.claimed_consumed_wh, verdict.claimed_storage_wh)
        drafts = [
            Draft(Kind.READING, i, 0, [period, *claim])
            for i, claim in enumerate(zip(*(c[b].tolist() for c in columns), strict=True))
        ]
        accepted = (verdict.generated_wh, verdict.consumed_wh, verdict.storage_wh, verdict.caught.astype(np.int64))
        rows = [list(row) for row in zip(self.addresses, *(c[b].tolist() for c in accepted), strict=False)]
        drafts.append(Draft(Kind.VERIFICATION, self.eno, 0, [period, rows]))
        drafts += self._accounts()
        drafts += self._ended(b, state, trace)
        drafts.append(Draft(Kind.SETTLEMENT, self.eno, 0, [period, self._settlement(b, state, trace)]))
        drafts.append(self._credit(b, trace))
        energy = trace.energy
        grid = [
            period, micro(energy.voltage_pu[b]), micro(energy.loading[b]), micro(energy.twin_voltage_pu[b]),
            micro(energy.twin_loading[b]), int(energy.flow_wh[b]), int(verdict.losses_wh[b]),
            int(energy.technical_loss_wh[b]),
            *_shared(trace, b),
            [] if self.world.scenario.grid.reactive == "none" else energy.reactive_varh[b].tolist(),
            [[self.addresses[i], int(energy.outage_wh[b, i])] for i in np.flatnonzero(energy.outage_wh[b]).tolist()],
        ]  # fmt: skip
        drafts.append(Draft(Kind.GRID, self.eno, 0, grid))
        return [*drafts, status_draft(self.world, b, trace)]

    def _accounts(self) -> list[Draft]:
        """Atx of the events whose Vtx was sealed in the last block."""
        drafts = [Draft(Kind.ATX, self.eno, event, [b"", [], self.transfers.pop(event)]) for event in self.due]
        self.due = []
        return drafts

    def last_accounts(self) -> list[Draft]:
        """What is left for the last closing block."""
        return self._accounts()

    def _ended(self, b: int, state: State, trace: Outcome) -> list[Draft]:
        """Collect what live events delivered; Vtx of those that end with this period."""
        drafts, events, period = [], state.events, trace.period
        for e in range(REQUESTS * HORIZON):
            start, last = int(events.start[b, e]), int(events.start[b, e] + events.duration[b, e]) - 1
            if start < 0 or not start <= period <= last:
                continue
            event = event_id(start, UPPER if e >= HORIZON else GRID)
            verified = trace.verdict.verified_wh[b, e]
            self.verified[event] += [
                [period, self.addresses[i], int(events.ordered_wh[b, e, i]), int(verified[i])]
                for i in np.flatnonzero(events.ordered_wh[b, e]).tolist()
            ]
            if period == last:
                drafts.append(Draft(Kind.VTX, self.eno, event, [b"", self.verified.pop(event)]))
                self.due.append(event)
        return drafts

    def _settlement(self, b: int, state: State, trace: Outcome) -> list[list[Any]]:
        """Rows of the period's settlement; rows that belong to an event wait for its Atx."""
        own = []
        for flow, payer, payee, wh, price, amount, slot in trace.payments.rows[b, : trace.payments.count[b]].tolist():
            row = [flow, trace.period, self.addresses[payer], self.addresses[payee], wh, price, amount]
            if slot < 0:
                own.append(row)
            else:
                event = event_id(int(state.events.start[b, slot]), UPPER if slot >= HORIZON else GRID)
                self.transfers[event].append(row)
        return own

    def _credit(self, b: int, trace: Outcome) -> Draft:
        """Credits and scores that changed in this period."""
        scores = trace.score_ppm[b].tolist() + [0] * self.world.aggregators
        now = list(zip(trace.credit_ppm[b].tolist(), scores, strict=True))
        before = self.previous_credit or [(-1, -1)] * len(now)
        rows = [[self.addresses[n], *now[n]] for n in range(len(now)) if now[n] != before[n]]
        self.previous_credit = now
        return Draft(Kind.CREDIT, self.eno, 0, [trace.period, rows])


assert HOURS == 0.25  # a Dtx states Wh a period
