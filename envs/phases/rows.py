"""The safety check of a promise, and how a violated limit becomes a row of the dispatch.

The check runs over every period of the event. With x the ordered change of each site in the request's direction, a
violated limit at place l with relief direction ρ and excess δ says: if the request goes the relieving way, Σ s_li x_i
must grow by δ, else it must shrink by δ. Each row that must grow gets a column of its own for what no block can
cure, at a price above all blocks: the dispatch is always feasible, and what is left over is the last resort's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from envs.phases.collapse import limits_met, ray_of, to_undo
from envs.phases.network import new_desk, set_forecast, solve_sites
from envs.phases.violations import (
    TOLERANCE_PU,
    branch_watts,
    effects,
    violation,
    voltage_excess,
    worst_branch,
    worst_voltage,
)
from envs.types import HOURS, LIVED, NO_EVENT, OVER_VOLTAGE, Bools, Floats, Ints

LIMIT_ROWS = 12
OVERSHOOT = 1.02  # the linear coefficients are those of no load; a little more saves a loop


class Rows(NamedTuple):
    """Rows of the reopened dispatch in kW: total, caps of aggregators, then limits. R = 1 + A + LIMIT_ROWS."""

    a: Floats  # (B, R, N + LIMIT_ROWS) sites, then what stays uncured of each limit row
    lower: Floats  # (B, R)
    upper: Floats  # (B, R)
    place: Ints  # (B, R) of limit rows
    uncured_kw: Floats  # (B, LIMIT_ROWS) the most that can stay uncured of each limit row
    used: Ints  # (B,)
    touched: Bools  # (B, R) limit rows that the last check with ``add`` found broken


class Promise(NamedTuple):
    """What a request's orders come on top of, over the event: ``base + running + way · ordered`` is checked."""

    base: Floats  # (B, HORIZON, N) W expected without orders
    running: Floats  # (B, HORIZON, N) W of running orders
    load_w: Floats  # (T, N) profiles
    load_var: Floats  # (T, N)
    appliance_w: Floats  # (B, 2, OUTLOOK, N)
    set_ppm: Ints  # (B, N) reactive set points
    first_row: Ints  # (B,) of the profiles
    way: Ints  # (B,) the request's direction
    duration: Ints  # (B,) periods
    cures: bool  # a grid event
    ordered_wh: Ints  # (B, N) a period


class Check(NamedTuple):
    """Extremes of the forecast over the event's periods, what is violated in its first, and the talk it took."""

    violated: Bools  # (B,)
    low_pu: Floats  # (B,)
    high_pu: Floats  # (B,)
    loading: Floats  # (B,)
    voltage_excess: Floats  # (B,) pu summed over buses, first period
    overload_excess: Floats  # (B,) summed over branches, first period
    talk: Ints  # (B, 3) rounds, messages and ticks of the nodes' exchange, summed over the periods; 0 without one
    apart_pu: Floats  # (B,) largest distance between the exchange's voltages and the kernel's


def no_check(worlds: int) -> Check:
    """A check of B worlds to be filled."""
    low, high, loading, volts, over, apart = np.zeros((6, worlds))
    talk = np.zeros((worlds, 3), np.int64)
    return Check(np.zeros(worlds, np.bool_), low, high, loading, volts, over, talk, apart)


def no_rows(worlds: int, aggregators: int, sites: int) -> Rows:
    """Empty rows for B worlds."""
    rows = 1 + aggregators + LIMIT_ROWS
    return Rows(
        np.zeros((worlds, rows, sites + LIMIT_ROWS)),
        np.full((worlds, rows), -np.inf),
        np.full((worlds, rows), np.inf),
        np.zeros((worlds, rows), np.int64),
        np.zeros((worlds, LIMIT_ROWS)),
        np.zeros(worlds, np.int64),
        np.zeros((worlds, rows), np.bool_),
    )


@njit(cache=True)
def open_rows(active, least_wh, most_wh, member, admitted, quoted, rows):
    """Row 0: the total between two bounds; a row for each aggregator that offered less than its members quoted."""
    for b in range(active.shape[0]):
        if not active[b]:
            continue
        rows.a[b, 0, : member.shape[1]] = 1.0
        rows.lower[b, 0] = least_wh[b] / HOURS * 0.001
        rows.upper[b, 0] = most_wh[b] / HOURS * 0.001
        count = 1
        for a in range(admitted.shape[1]):
            if admitted[b, a] < quoted[b, a]:
                for i in range(member.shape[1]):
                    rows.a[b, count, i] = 1.0 if member[b, i] == a else 0.0
                rows.upper[b, count] = admitted[b, a] / HOURS * 0.001
                rows.lower[b, count] = -np.inf
                count += 1
        rows.used[b] = count


@njit(cache=True)
def _limit_row(limits, effect_per_w, rows, b, first, place, relieves, excess, ordered_wh):
    """Add or tighten the row of a violated place, in its own unit (pu or W) per kW.

    Within one check the period of the event that needs most decides.
    """
    if relieves and effect_per_w.max() <= 0.0:
        return  # nobody can relieve it: what is left is the last resort's
    found = -1
    for r in range(first, rows.used[b]):
        if rows.place[b, r] == place and (rows.lower[b, r] > -np.inf) == relieves:
            found = r
    if found < 0:
        if rows.used[b] == rows.a.shape[1]:
            return
        found = rows.used[b]
        rows.used[b] += 1
        rows.place[b, found] = place
        rows.lower[b, found], rows.upper[b, found] = -np.inf, np.inf
    now, strongest, against = 0.0, 0.0, 0.0
    for i in range(ordered_wh.shape[0]):
        effect = effect_per_w[i] * 1000.0
        now += effect * ordered_wh[i] / HOURS * 0.001
        strongest = max(strongest, effect)
        against += max(-effect, 0.0) * limits.capacity_w[i] * 0.001
    least, most = now + excess * OVERSHOOT, max(now - excess * OVERSHOOT, 0.0)
    if rows.touched[b, found] and (least <= rows.lower[b, found] if relieves else most >= rows.upper[b, found]):
        return
    rows.touched[b, found] = True
    for i in range(ordered_wh.shape[0]):
        rows.a[b, found, i] = effect_per_w[i] * 1000.0
    if relieves:
        rows.lower[b, found] = least
        rows.a[b, found, ordered_wh.shape[0] + found - first] = strongest
        rows.uncured_kw[b, found - first] = max((rows.lower[b, found] + against) / strongest, 0.0)
    else:
        rows.upper[b, found] = most


@njit(cache=True)
def _counts(effect_per_w, helps, cures, ordered_wh):
    """Whether a violation is this request's business: it should cure it, or its orders add to it."""
    if helps:
        return cures
    added = 0.0
    for i in range(ordered_wh.shape[0]):
        added += ordered_wh[i] * effect_per_w[i]
    return added > 0.0


@njit(cache=True)
def expect(desk, promise, b, h):
    """Put on the desk what the sites of world ``b`` are expected to do in period ``h`` of the event."""
    row = (promise.first_row[b] + h) % promise.load_var.shape[0]
    for i in range(desk.p_w.shape[0]):
        ordered_w = promise.way[b] * promise.ordered_wh[b, i] / HOURS
        desk.p_w[i] = promise.base[b, h, i] + promise.running[b, h, i] + ordered_w
    load_w = promise.load_w[row] + promise.appliance_w[b, LIVED, h]
    set_forecast(desk, load_w, promise.load_var[row], promise.set_ppm[b])


@njit(cache=True)
def _rows_on_the_way(limits, desk, promise, b, first, rows):
    """Rows for a period without a solution: so much of the way there must be undone that the limits met on it hold."""
    way, ordered_wh, ray = promise.way[b], promise.ordered_wh[b], ray_of(desk)
    met = limits_met(limits, desk, ray)
    if met.cause != NO_EVENT:
        excess = to_undo(limits, desk, ray, met.bus, met.bus_fraction) + TOLERANCE_PU
        helps = (way < 0) == (met.cause == OVER_VOLTAGE)
        if _counts(desk.effect, helps, promise.cures, ordered_wh):
            _limit_row(limits, desk.effect, rows, b, first, met.bus, helps, excess, ordered_wh)
    if met.way != 0:
        excess = to_undo(limits, desk, ray, met.branch_place, met.branch_fraction)
        excess += TOLERANCE_PU * branch_watts(limits, -1 - met.branch_place)
        if _counts(desk.effect, way == met.way, promise.cures, ordered_wh):
            _limit_row(limits, desk.effect, rows, b, first, met.branch_place, way == met.way, excess, ordered_wh)


@njit(cache=True)
def judge(limits, desk, solved, promise, b, h, add, first, rows, check):
    """Hold what the desk shows of period ``h`` against the limits; with ``add``, violated ones join ``rows``.

    A violation counts when the request cures (a grid event) and goes the relieving way, or when its orders make it
    worse: an upper-level order need not mend what was broken without it, a later trigger will.
    """
    magnitude, loading = desk.magnitude, desk.loading
    check.low_pu[b] = min(check.low_pu[b], magnitude[1:].min())
    check.high_pu[b] = max(check.high_pu[b], magnitude.max())
    check.loading[b] = max(check.loading[b], loading.max())
    if h == 0:
        check.voltage_excess[b], check.overload_excess[b] = violation(limits, magnitude, loading)
    check.violated[b] |= not solved
    if not solved:
        if add:
            _rows_on_the_way(limits, desk, promise, b, first, rows)
        return
    way, ordered_wh = promise.way[b], promise.ordered_wh[b]
    cause, bus, _ = worst_voltage(limits, magnitude)
    if cause != NO_EVENT:
        helps = (way < 0) == (cause == OVER_VOLTAGE)
        effects(limits, desk, bus)
        if _counts(desk.effect, helps, promise.cures, ordered_wh):
            check.violated[b] = True
            if add:
                excess = voltage_excess(limits, magnitude, bus) + TOLERANCE_PU
                _limit_row(limits, desk.effect, rows, b, first, bus, helps, excess, ordered_wh)
    relief, branch, watts = worst_branch(limits, desk.voltage, desk.current, loading)
    if relief != 0:
        effects(limits, desk, -1 - branch)
        if _counts(desk.effect, way == relief, promise.cures, ordered_wh):
            check.violated[b] = True
            if add:
                excess = watts + TOLERANCE_PU * branch_watts(limits, branch)
                _limit_row(limits, desk.effect, rows, b, first, -1 - branch, way == relief, excess, ordered_wh)


@njit(cache=True)
def check_promise(limits, active, promise, add, first_limit, rows, check):
    """Check what is promised over each event's periods by power flow; with ``add``, violated limits join ``rows``."""
    desk = new_desk(limits)
    for b in range(active.shape[0]):
        if not active[b]:
            continue
        if add:
            rows.touched[b] = False
        check.low_pu[b] = np.inf
        for h in range(promise.duration[b]):
            expect(desk, promise, b, h)
            solved = solve_sites(limits, desk)
            judge(limits, desk, solved, promise, b, h, add, first_limit[b], rows, check)
