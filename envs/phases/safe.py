"""Dispatch and check: awards become orders, orders are checked by power flow, violated limits become constraints.

First the winners' users share each award (paper 000 eq. 7). If the power flow of the result breaks a limit, awards
reopen: one dispatch over all admitted blocks with the limits as rows, the awards are its sums; the request's mechanism
says what they are paid. What no admitted block can cure is cut as a last resort, for the coming period only.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.dispatch.base import DispatchSettings
from envs.dispatch.rounding import round_one
from envs.mechanisms import Mechanisms
from envs.phases.clear import Blocks, admit_blocks, choose_aggregators, delivered_price, offers_of, taken_blocks
from envs.phases.cut import last_resort
from envs.phases.network import Limits, limits_of
from envs.phases.rows import LIMIT_ROWS, Check, Promise, Rows, check_promise, no_check, no_rows, open_rows
from envs.phases.talk import Nodes, check_by_messages
from envs.types import (
    BROKEN,
    GRID,
    HOURS,
    LIVED,
    PPM,
    REQUESTS,
    UPPER,
    Bools,
    Floats,
    Ints,
    Plan,
    Quotes,
    Stage,
    State,
)
from envs.world import World

RESOLVED = 1e6  # parts of a Wh in which claims to the last Wh are compared: equal ones tie, whatever rounding did
UNCURED = 10.0  # price of a violated limit's relief by nobody, in ceilings of the market
UNCURED_KW = 1e-6


def _empty_plan(stage: Stage, sites: int, passes: int) -> Plan:
    worlds, aggregators = stage.offer_price.shape

    def ints(*shape: int) -> Ints:
        return np.zeros((worlds, *shape), np.int64)

    def floats(*shape: int) -> Floats:
        return np.zeros((worlds, *shape))

    return Plan(
        awarded_wh=ints(REQUESTS, aggregators),
        award_price=np.repeat(stage.offer_price[:, None], REQUESTS, axis=1),
        ordered_wh=ints(REQUESTS, sites),
        admitted_wh=ints(REQUESTS, aggregators),
        member=ints(sites),
        cut_wh=ints(sites),
        loops=ints(REQUESTS),
        passes=ints(REQUESTS, passes, BROKEN + 1),
        apart_pu=floats(REQUESTS, passes),
        pass_places=ints(REQUESTS, passes, LIMIT_ROWS),
        reopened=np.zeros((worlds, REQUESTS), np.bool_),
        safe=np.ones((worlds, REQUESTS), np.bool_),
        iterations=ints(REQUESTS),
        nodal_price=ints(REQUESTS, sites),
        priced=np.zeros((worlds, REQUESTS), np.bool_),
        before_low_pu=floats(REQUESTS),
        before_high_pu=floats(REQUESTS),
        before_loading=floats(REQUESTS),
        after_low_pu=floats(REQUESTS),
        after_high_pu=floats(REQUESTS),
        after_loading=floats(REQUESTS),
        residual_voltage_puh=floats(),
        residual_overload_h=floats(),
    )


@njit(cache=True)
def _integer_orders(active, reopened, up, x_kw, size_wh, member, admitted, most_wh, awarded, ordered):
    """Wh a period, aggregator by aggregator: an award exactly; reopened, its part as far as admitted, rounded ``up``
    where it must cure, else down, because a limit that leaves so much room has no watt-hour more.
    """
    worlds, sites = x_kw.shape
    caps, want, share = np.empty(sites, np.int64), np.empty(sites), np.empty(sites, np.int64)
    for b in range(worlds):
        if not active[b]:
            continue
        ordered[b] = 0
        left = most_wh[b]
        for a in range(awarded.shape[1]):
            total, most = 0.0, np.int64(0)
            for i in range(sites):
                inside = member[b, i] == a
                caps[i] = size_wh[b, i, 0] + size_wh[b, i, 1] if inside else 0
                want[i] = min(max(np.rint(x_kw[b, i] * 1000.0 * HOURS * RESOLVED) / RESOLVED, 0.0), caps[i])
                total += want[i]
                most += caps[i]
            if reopened[b]:
                whole = np.int64(np.ceil(total - 1e-6) if up else np.floor(total + 1e-6))
                awarded[b, a] = min(min(whole, admitted[b, a]), min(most, left))
            left -= awarded[b, a]
            round_one(want, awarded[b, a], caps, share)
            ordered[b] += share


@njit(cache=True)
def _price_nodes(worlds, converged, a, duals, count, caps, shift, nodal, priced):
    """What a kWh more at each site would save: sum of duals times coefficients, but for the ``caps`` rows after the
    first, which limit an aggregator and not a place. ``shift`` undoes what was taken off all quotations.
    """
    for b in range(worlds.shape[0]):
        if not worlds[b]:
            continue
        priced[b] = converged[b]
        for i in range(nodal.shape[1]):
            total = shift
            for r in range(count[b]):
                if r == 0 or r > caps[b]:
                    total += duals[b, r] * a[b, r, i]
            nodal[b, i] = np.int64(np.rint(total * PPM)) if converged[b] else 0


def _award_rows(awarded: Ints, member: Ints) -> tuple[Floats, Floats]:
    """One equality a winner: (B, A, N) membership and (B, A) kW."""
    inside = member[:, None, :] == np.arange(awarded.shape[1])[None, :, None]
    return inside.astype(np.float64), awarded / HOURS * 0.001


class _Request:
    """One request of the period while it is being promised."""

    def __init__(
        self, world: World, state: State, stage: Stage, quotes: Quotes, mechanisms: Mechanisms, plan: Plan, request: int
    ) -> None:
        self.world, self.state, self.stage, self.plan, self.request = world, state, stage, plan, request
        self.mechanisms = mechanisms
        self.limits: Limits = limits_of(world)
        self.active: Bools = stage.asked_wh[:, request] > 0
        self.way: Ints = np.ascontiguousarray(stage.direction[:, request])
        self.duration: Ints = np.ascontiguousarray(stage.duration[:, request])
        self.running = stage.live_w
        self.set_ppm: Ints = quotes.reactive_ppm
        self.first_row: Ints = state.day * world.periods_per_day + state.period
        if request == UPPER:
            self.running = with_orders(stage, plan)
        taken = taken_blocks(stage, request, plan.ordered_wh[:, GRID])
        self.blocks: Blocks = admit_blocks(stage, quotes.block_wh, quotes.block_price, request, plan.member, taken)
        self.offers = offers_of(state, stage, request, self.blocks, world.sites)
        within = np.take_along_axis(
            self.offers.price <= self.offers.reserve[:, None], np.maximum(plan.member, 0), axis=1
        )
        self.size_wh: Ints = np.where(within[:, :, None], self.blocks.size_wh, 0)
        self.price = delivered_price(stage, plan.member, self.blocks.price)
        self.rows: Rows = no_rows(len(self.active), world.aggregators, world.sites)
        grid = world.scenario.grid
        self.nodes: Nodes | None = None
        if grid.check == "messages":
            self.nodes = Nodes(world.feeder, grid.check_delay_ticks, state, REQUESTS * plan.passes.shape[2])
        self.ordered = np.zeros_like(plan.member)
        self.uncured: Bools = np.zeros_like(self.active)
        self.most_wh: Ints = (
            stage.asked_wh[:, UPPER] if request == UPPER else np.full(len(self.active), np.iinfo(np.int64).max)
        )

    def check(self, active: Bools, ordered: Ints, add: bool) -> Check:
        """Power flow of base, running orders and ``ordered`` over the event; rows grow where ``add``.

        A dispatch is checked with ``add``, by the nodes themselves where the scenario says so.
        """
        result = no_check(len(active))
        promised = Promise(
            self.stage.expected_w, self.running, self.world.load_w, self.world.load_var, self.state.appliance_w,
            self.set_ppm, self.first_row, self.way, self.duration, self.request == GRID, ordered,
        )  # fmt: skip
        if self.nodes is not None and add:
            turn = self.request * self.plan.passes.shape[2] + self.plan.loops[:, self.request]
            check_by_messages(self.nodes, self.limits, active, promised, turn, self.first_limit, self.rows, result)
        else:
            check_promise(self.limits, active, promised, add, self.first_limit, self.rows, result)
        return result

    def award(self) -> None:
        """The request's auction among the offers, then dispatch within each award."""
        plan, r = self.plan, self.request
        awarded = self.mechanisms.request.award(self.offers)
        plan.admitted_wh[:, r] = self.offers.wh
        least = np.minimum(self.stage.asked_wh[:, r], self.size_wh.sum(axis=(1, 2)))
        bounds = (least, self.most_wh) if r == GRID else (np.zeros_like(least), self.most_wh)
        open_rows(self.active, *bounds, plan.member, self.offers.wh, self.blocks.quoted_wh, self.rows)
        # A cap below what was asked takes precedence over the volume: the operator can only get what was offered.
        within = np.where(self.offers.price <= self.offers.reserve[:, None], self.offers.wh, 0).sum(axis=1)
        self.rows.lower[:, 0] = np.minimum(self.rows.lower[:, 0], within / HOURS * 0.001)
        self.first_limit = self.rows.used.copy()
        rows, volume = _award_rows(awarded, plan.member)
        winners = self.active & (awarded.sum(axis=1) > 0)
        count = np.full(len(winners), rows.shape[1])
        self._solve(winners, self.price, rows, volume, volume, count, np.zeros_like(count))
        self._round(winners, np.zeros_like(winners), awarded)
        plan.awarded_wh[:, r] = awarded

    def reopen(self, worlds: Bools) -> None:
        """One dispatch over all admitted blocks with the violated limits as rows."""
        rows, off = self.rows, 0.0
        if self.request == UPPER:  # deliver as much of the order as the limits allow, cheapest first
            off = 2.0 * self.world.scenario.market.max_price / PPM
        self._solve(worlds, self.price - off, rows.a, rows.lower, rows.upper, rows.used, self.first_limit - 1, off)
        awarded = self.plan.awarded_wh[:, self.request].copy()
        self._round(worlds, worlds, awarded)
        self.plan.awarded_wh[:, self.request] = awarded
        self.plan.reopened[:, self.request] |= worlds
        self.plan.loops[:, self.request] += worlds

    def note(self, worlds: Bools, check: Check) -> None:
        """Write down the dispatch and check just made, for the Dtx."""
        b = np.flatnonzero(worlds)
        place, touched = self.rows.place[b], self.rows.touched[b]
        first = np.argsort(~touched, axis=1, kind="stable")[:, :LIMIT_ROWS]  # those found broken, in their order
        extremes = (np.rint(each[b] * PPM) for each in (check.low_pu, check.high_pu, check.loading))
        made = (self.method[b], self.proven[b], self.ordered[b].sum(axis=1))
        columns = (*made, *extremes, *check.talk[b].T, touched.sum(axis=1))
        n = self.plan.loops[b, self.request]
        self.plan.passes[b, self.request, n] = np.stack(columns, axis=1)
        self.plan.apart_pu[b, self.request, n] = check.apart_pu[b]
        self.plan.pass_places[b, self.request, n] = np.take_along_axis(place, first, axis=1)

    def _solve(
        self,
        worlds: Bools,
        price: Floats,
        a: Floats,
        lower: Floats,
        upper: Floats,
        count: Ints,
        caps: Ints,
        off: float = 0.0,
    ) -> None:
        """Run the dispatch; columns of ``a`` beyond the sites stand for what stays uncured of a limit.

        ``caps`` (B,) rows after the first are caps of aggregators; ``off`` was taken off all prices.
        """
        sites, extra = self.world.sites, a.shape[2] - self.world.sites
        size_kw = np.zeros((len(price), sites + extra, price.shape[2]))
        size_kw[:, :sites] = self.size_wh / HOURS * 0.001
        size_kw[:, sites:, 0] = self.rows.uncured_kw[:, :extra]
        padded = np.full(size_kw.shape, UNCURED * self.world.scenario.market.max_price / PPM)
        padded[:, :sites] = price
        answer = self.mechanisms.dispatch.solve(padded, size_kw, a, lower, upper, count, worlds, DispatchSettings())
        self.x_kw = np.ascontiguousarray(answer.x_kw[:, :sites])
        self.uncured = (answer.x_kw[:, sites:] > UNCURED_KW).any(axis=1)
        plan, r = self.plan, self.request
        plan.iterations[:, r] += answer.iterations
        self.method, self.proven = answer.method, answer.converged
        _price_nodes(
            worlds, answer.converged, a, answer.duals, count, caps, off, plan.nodal_price[:, r], plan.priced[:, r]
        )

    def drop(self, worlds: Bools) -> None:
        """No award and no order where the last dispatch still adds to a violation, or leaves no operating point."""
        self.ordered[worlds] = 0
        self.plan.awarded_wh[worlds, self.request] = 0

    def _round(self, worlds: Bools, reopened: Bools, awarded: Ints) -> None:
        _integer_orders(
            worlds,
            reopened,
            self.request == GRID,
            self.x_kw,
            self.size_wh,
            self.plan.member,
            self.offers.wh,
            self.most_wh,
            awarded,
            self.ordered,
        )


def with_orders(stage: Stage, plan: Plan) -> Floats:
    """Running orders with those of this period's grid event and its cut on top, (B, HORIZON, N) W."""
    running = stage.live_w.copy()
    ahead = np.arange(running.shape[1])[None, :, None] < stage.duration[:, GRID, None, None]
    running += ahead * (stage.direction[:, GRID, None] * plan.ordered_wh[:, GRID] / HOURS)[:, None, :]
    running[:, 0] += plan.cut_wh / HOURS
    return running


def promise(world: World, state: State, stage: Stage, quotes: Quotes, mechanisms: Mechanisms) -> Plan:
    """Awards, orders and cuts of the period's requests, each checked by power flow over its whole event."""
    plan = _empty_plan(stage, world.sites, 1 + world.scenario.market.safety_loops)
    plan.member[:] = choose_aggregators(world, state, stage, quotes)
    for r in range(REQUESTS):
        if (stage.asked_wh[:, r] > 0).any():
            _promise_request(_Request(world, state, stage, quotes, mechanisms, plan, r))
    return plan


def _promise_request(request: _Request) -> None:
    plan, r, world = request.plan, request.request, request.world
    request.award()
    before = request.check(request.active, np.zeros_like(request.ordered), add=False)
    open_worlds = request.active
    now = request.check(request.active, request.ordered, add=True)
    request.note(request.active, now)
    final = no_check(len(now.violated))
    for kept, fresh in zip(final, now, strict=True):
        kept[:] = fresh
    for _ in range(world.scenario.market.safety_loops):
        open_worlds = open_worlds & now.violated
        if not open_worlds.any():
            break
        request.reopen(open_worlds)
        now = request.check(open_worlds, request.ordered, add=True)
        request.note(open_worlds, now)
        for kept, fresh in zip(final, now, strict=True):
            kept[open_worlds] = fresh[open_worlds]
        open_worlds = open_worlds & ~request.uncured  # all that could help is ordered: no loop will cure the rest
    if r == UPPER and final.violated.any():
        request.drop(final.violated)
        for kept, idle in zip(final[1:], before[1:], strict=True):
            kept[final.violated] = idle[final.violated]
    plan.ordered_wh[:, r] = request.ordered
    plan.award_price[:, r] = request.mechanisms.request.pay(request.offers, plan.awarded_wh[:, r])
    plan.safe[:, r] = ~final.violated
    if r == GRID and final.violated.any():
        plan.residual_voltage_puh[:] = np.where(final.violated, final.voltage_excess * HOURS, 0.0)
        plan.residual_overload_h[:] = np.where(final.violated, final.overload_excess * HOURS, 0.0)
        row, appliances_w = request.first_row % len(world.load_w), request.state.appliance_w[:, LIVED, 0]
        last_resort(
            request.limits, final.violated, request.stage.expected_w, request.running, world.load_var, request.set_ppm,
            row, request.way, request.ordered, world.pv_w[row], world.load_w[row] + appliances_w, plan.cut_wh,
        )  # fmt: skip
        request.running = request.running.copy()
        request.running[:, 0] += plan.cut_wh / HOURS
        cut = request.check(final.violated, request.ordered, add=False)
        for kept, fresh in zip(final[1:4], cut[1:4], strict=True):
            kept[final.violated] = fresh[final.violated]
    for name, value in (("before", before), ("after", final)):
        getattr(plan, f"{name}_low_pu")[:, r] = np.where(request.active, value.low_pu, 0.0)
        getattr(plan, f"{name}_high_pu")[:, r] = np.where(request.active, value.high_pu, 0.0)
        getattr(plan, f"{name}_loading")[:, r] = np.where(request.active, value.loading, 0.0)
