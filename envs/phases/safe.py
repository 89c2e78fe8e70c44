"""Dispatch and check: awards become orders, orders are checked by power flow, violated limits become constraints.

First the winners' users share each award (paper 000 eq. 7). If the power flow of the result breaks a limit, awards
reopen: one dispatch over all admitted blocks with the limits as rows, the awards are its sums; the request's mechanism
says what they are paid. A sealed volume is what an aggregator competes for in the auction; once awards reopen, all that
the members of those who offered anything quoted is there, at the price offered. What is left broken is cut as a last
resort, for the coming period only.
"""

from __future__ import annotations

import numpy as np

from envs.dispatch.base import DispatchSettings
from envs.mechanisms import Mechanisms
from envs.phases.clear import Blocks, admit_blocks, called, choose_aggregators, delivered_price, offers_of, taken_blocks
from envs.phases.cut import last_resort
from envs.phases.network import Limits, limits_of
from envs.phases.orders import award_rows, integer_orders, price_nodes
from envs.phases.rows import LIMIT_ROWS, Check, Promise, Rows, check_promise, no_check, no_rows, open_rows
from envs.phases.talk import Nodes, check_by_messages
from envs.types import (
    BROKEN,
    FAILED,
    GRID,
    HOURS,
    LIVED,
    NOT_ITS_DOING,
    PASSED,
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
        verdict=np.full((worlds, REQUESTS), PASSED),
        iterations=ints(REQUESTS),
        nodal_price=ints(REQUESTS, sites),
        priced=np.zeros((worlds, REQUESTS), np.bool_),
        uncured=np.zeros((worlds, REQUESTS), np.bool_),
        before_low_pu=floats(REQUESTS),
        before_high_pu=floats(REQUESTS),
        before_loading=floats(REQUESTS),
        after_low_pu=floats(REQUESTS),
        after_high_pu=floats(REQUESTS),
        after_loading=floats(REQUESTS),
        residual_voltage_puh=floats(),
        residual_overload_h=floats(),
    )


class _Request:
    """One request of the period while it is being promised."""

    def __init__(
        self, world: World, state: State, stage: Stage, quotes: Quotes, mechanisms: Mechanisms, plan: Plan, request: int
    ) -> None:
        self.world, self.state, self.stage, self.plan, self.request = world, state, stage, plan, request
        self.mechanisms = mechanisms
        self.limits: Limits = limits_of(world)
        self.active: Bools = called(stage, request)
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
        self.uncured: Bools = np.zeros(self.rows.uncured_kw.shape, np.bool_)  # by limit row, in the last dispatch
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
        self.admitted_wh: Ints = np.where(self.offers.wh > 0, self.blocks.quoted_wh, 0)  # once awards reopen
        least = np.minimum(self.stage.asked_wh[:, r], self.size_wh.sum(axis=(1, 2)))
        bounds = (least, self.most_wh) if r == GRID else (np.zeros_like(least), self.most_wh)
        open_rows(self.active, *bounds, plan.member, self.admitted_wh, self.blocks.quoted_wh, self.rows)
        # A cap below what was asked takes precedence over the volume: the operator can only get what was offered.
        within = np.where(self.offers.price <= self.offers.reserve[:, None], self.admitted_wh, 0).sum(axis=1)
        self.rows.lower[:, 0] = np.minimum(self.rows.lower[:, 0], within / HOURS * 0.001)
        self.first_limit = self.rows.used.copy()
        rows, volume = award_rows(awarded, plan.member)
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
        used = int(rows.used[worlds].max())  # what no world uses is left out: it would only be copied
        columns = self.world.sites + int((rows.used - self.first_limit)[worlds].max())
        a, lower, upper = rows.a[:, :used, :columns], rows.lower[:, :used], rows.upper[:, :used]
        self._solve(worlds, self.price - off, a, lower, upper, rows.used, self.first_limit - 1, off)
        awarded = self.plan.awarded_wh[:, self.request].copy()
        self._round(worlds, worlds, awarded)
        self.plan.awarded_wh[:, self.request] = awarded
        self.plan.admitted_wh[worlds, self.request] = self.admitted_wh[worlds]
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
        plan, r = self.plan, self.request
        self.uncured[worlds, :extra] = answer.x_kw[worlds, sites:] > UNCURED_KW
        plan.uncured[worlds, r] = self.uncured[worlds].any(axis=1)
        plan.iterations[:, r] += answer.iterations
        self.method, self.proven = answer.method, answer.converged
        price_nodes(
            worlds, answer.converged, a, answer.duals, count, caps, off, plan.nodal_price[:, r], plan.priced[:, r]
        )

    def curable(self) -> Bools:
        """(B,) whether the last check found a limit broken for which the last dispatch had not ordered all it could."""
        slot = np.arange(self.rows.a.shape[1]) - self.first_limit[:, None]
        inside = (slot >= 0) & (slot < self.uncured.shape[1])
        spent = np.take_along_axis(self.uncured, np.where(inside, slot, 0), axis=1)
        found: Bools = (self.rows.touched & inside & ~spent).any(axis=1)
        return found

    def drop(self, worlds: Bools) -> None:
        """No award and no order where the last dispatch still adds to a violation, or leaves no operating point."""
        self.ordered[worlds] = 0
        self.plan.awarded_wh[worlds, self.request] = 0

    def _round(self, worlds: Bools, reopened: Bools, awarded: Ints) -> None:
        integer_orders(
            worlds,
            reopened,
            self.request == GRID,
            self.x_kw,
            self.size_wh,
            self.plan.member,
            self.admitted_wh,
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
        if called(stage, r).any():
            _promise_request(_Request(world, state, stage, quotes, mechanisms, plan, r))
    return plan


def _promise_request(request: _Request) -> None:
    plan, r, world = request.plan, request.request, request.world
    request.award()
    before = request.check(request.active, np.zeros_like(request.ordered), add=False)
    open_worlds = request.active & (request.stage.asked_wh[:, r] > 0)
    now = request.check(request.active, request.ordered, add=True)
    request.note(request.active, now)
    final = no_check(len(now.violated))
    _take(final, now, request.active)
    for _ in range(world.scenario.market.safety_loops):
        open_worlds = open_worlds & now.violated & request.curable()
        if not open_worlds.any():
            break
        request.reopen(open_worlds)
        now = request.check(open_worlds, request.ordered, add=True)
        request.note(open_worlds, now)
        _take(final, now, open_worlds)
    plan.verdict[:, r] = np.where(final.violated, FAILED, np.where(final.others, NOT_ITS_DOING, PASSED))
    if r == UPPER and final.violated.any():
        request.drop(final.violated)
        _take(final, before, final.violated.copy())
    plan.ordered_wh[:, r] = request.ordered
    plan.award_price[:, r] = request.mechanisms.request.pay(request.offers, plan.awarded_wh[:, r])
    if r == GRID:
        _cut(request, final)
    for name, value in (("before", before), ("after", final)):
        getattr(plan, f"{name}_low_pu")[:, r] = np.where(request.active, value.low_pu, 0.0)
        getattr(plan, f"{name}_high_pu")[:, r] = np.where(request.active, value.high_pu, 0.0)
        getattr(plan, f"{name}_loading")[:, r] = np.where(request.active, value.loading, 0.0)


def _take(kept: Check, fresh: Check, worlds: Bools) -> None:
    """Let a later check stand for an earlier one in some worlds."""
    for old, new in zip(kept, fresh, strict=True):
        old[worlds] = new[worlds]


def _cut(request: _Request, final: Check) -> None:
    """The last resort where the check failed; ``final`` then holds the extremes with it."""
    plan, world, stage = request.plan, request.world, request.stage
    worlds = final.violated.copy()
    if world.scenario.grid.last_resort == "asked":
        worlds &= stage.asked_wh[:, GRID] > 0
    if not worlds.any():
        return
    plan.residual_voltage_puh[:] = np.where(worlds, final.voltage_excess * HOURS, 0.0)
    plan.residual_overload_h[:] = np.where(worlds, final.overload_excess * HOURS, 0.0)
    row, appliances_w = request.first_row % len(world.load_w), request.state.appliance_w[:, LIVED, 0]
    last_resort(
        request.limits, worlds, stage.expected_w, request.running, world.load_var, request.set_ppm, row, request.way,
        request.ordered, world.pv_w[row], world.load_w[row] + appliances_w, plan.cut_wh,
    )  # fmt: skip
    request.running = request.running.copy()
    request.running[:, 0] += plan.cut_wh / HOURS
    _take(final, request.check(worlds, request.ordered, add=False), worlds)
