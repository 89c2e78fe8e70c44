"""The safety check of a promise, and how a violated limit becomes a row of the dispatch.

The check runs over every period of the event. With x the ordered change of each site in the request's direction, a
violated limit at place l with relief direction ρ and excess δ says: if the request goes the relieving way, Σ s_li x_i
must grow by δ, else it must shrink by δ. Each row that must grow gets a column of its own for what no block can
cure, at a price above all blocks: the dispatch is always feasible, and what is left over is the last resort's.

All places that a check finds broken become rows at once, `LIMIT_ROWS` in one event; where there are more, those that
together cure most come first, and what stays broken beyond them fails the check.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from envs.phases.collapse import limits_met, ray_of, to_undo
from envs.phases.network import new_desk, set_forecast, solve_sites
from envs.phases.places import any_broken, broken_places, made_worse, rank
from envs.phases.violations import TOLERANCE_PU, branch_watts, effects, violation
from envs.types import HOURS, LIVED, NO_EVENT, OVER_VOLTAGE, Bools, Floats, Ints

LIMIT_ROWS = 24
OVERSHOOT = 1.02  # the linear coefficients are those of no load; a little more saves a loop
WH_KW = 0.001 / HOURS  # of the most effective site, on top: orders are whole Wh, and rounding may take one away


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

    violated: Bools  # (B,) a limit is broken that the request should keep
    others: Bools  # (B,) a limit is broken, and that is not the request's doing
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
    violated, others = np.zeros((2, worlds), np.bool_)
    talk = np.zeros((worlds, 3), np.int64)
    return Check(violated, others, low, high, loading, volts, over, talk, apart)


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
        if rows.used[b] == first + LIMIT_ROWS:
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
    change = excess * OVERSHOOT + strongest * WH_KW
    least, most = now + change, max(now - change, 0.0)
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
        rows.lower[b, 0] = min(rows.lower[b, 0], 0.0)  # the limit comes before the volume that was asked


@njit(cache=True)
def _pushes(effect_per_w, helps, ordered_wh):
    """Whether the orders, by their linear effects, move a place against the direction that relieves it."""
    moved = 0.0
    for i in range(ordered_wh.shape[0]):
        moved += ordered_wh[i] * effect_per_w[i]
    return moved < 0.0 if helps else moved > 0.0


@njit(cache=True)
def expect(desk, promise, b, h, share=1.0):
    """Put on the desk what the sites of world ``b`` are expected to do in period ``h`` of the event; ``share`` 0 leaves
    the request's own orders out.
    """
    row = (promise.first_row[b] + h) % promise.load_var.shape[0]
    for i in range(desk.p_w.shape[0]):
        ordered_w = share * promise.way[b] * promise.ordered_wh[b, i] / HOURS
        desk.p_w[i] = promise.base[b, h, i] + promise.running[b, h, i] + ordered_w
    load_w = promise.load_w[row] + promise.appliance_w[b, LIVED, h]
    set_forecast(desk, load_w, promise.load_var[row], promise.set_ppm[b])


@njit(cache=True)
def _rows_on_the_way(limits, desk, promise, b, first, rows):
    """Rows for a period without a solution: so much of the way there must be undone that the limits met on it hold.

    There is no flow to compare with one without the orders: linear effects say on which rows these push.
    """
    way, ordered_wh, ray = promise.way[b], promise.ordered_wh[b], ray_of(desk)
    met = limits_met(limits, desk, ray)
    if met.cause != NO_EVENT:
        excess = to_undo(limits, desk, ray, met.bus, met.bus_fraction) + TOLERANCE_PU
        helps = (way < 0) == (met.cause == OVER_VOLTAGE)
        if promise.cures if helps else _pushes(desk.effect, helps, ordered_wh):
            _limit_row(limits, desk.effect, rows, b, first, met.bus, helps, excess, ordered_wh)
    if met.way != 0:
        excess = to_undo(limits, desk, ray, met.branch_place, met.branch_fraction)
        excess += TOLERANCE_PU * branch_watts(limits, -1 - met.branch_place)
        helps = way == met.way
        if promise.cures if helps else _pushes(desk.effect, helps, ordered_wh):
            _limit_row(limits, desk.effect, rows, b, first, met.branch_place, helps, excess, ordered_wh)


@njit(cache=True)
def _judge_places(limits, desk, idle, promise, b, h, add, first, rows, check):
    found, count = broken_places(limits, desk)
    slots = first + LIMIT_ROWS - rows.used[b]
    if count > slots:
        rank(limits, found, count, slots)
    ordered_wh = promise.ordered_wh[b]
    compared, comparable = ordered_wh.max() <= 0, True
    for k in range(count):
        place, helps = found.place[k], found.way[k] == promise.way[b]
        cures, worsens = promise.cures and helps, False
        if not (cures or compared):  # most broken places are those that the event is there for: no second flow
            expect(idle, promise, b, h, 0.0)
            compared, comparable = True, solve_sites(limits, idle)
        if not cures and ordered_wh.max() > 0:
            worsens = made_worse(limits, desk, idle, place, found.way[k]) if comparable else not helps
        if worsens or cures or (promise.cures and h == 0):
            check.violated[b] = True
        else:
            check.others[b] = True
        if add and (cures or (worsens and not helps)):
            effects(limits, desk, place)
            unit = 1.0 if place >= 0 else branch_watts(limits, -1 - place)
            excess = found.excess[k] + TOLERANCE_PU * unit
            _limit_row(limits, desk.effect, rows, b, first, place, helps, excess, ordered_wh)


@njit(cache=True)
def judge(limits, desk, idle, solved, promise, b, h, add, first, rows, check):
    """Hold what the desk shows of period ``h`` against the limits; with ``add``, violated ones join ``rows``.

    Every broken place counts by itself. A grid event must cure what its direction relieves, in all its periods; what
    needs the other direction fails its check in the coming period, where only the last resort is left to mend it. A
    place that the orders make worse fails any check: by the power flow of the same period without them, solved on the
    desk ``idle`` where a place asks for it. A period without a solution fails any check; where only the flow without
    the orders has none, places that need the other direction count as made worse. What else is broken is not the
    request's doing: an upper-level order need not mend what was broken without it, and later triggers see to an event's
    later periods. Rows are linear: what they cannot mend ends with the loops, in a dropped order or the last resort.
    """
    magnitude, loading = desk.magnitude, desk.loading
    check.low_pu[b] = min(check.low_pu[b], magnitude[1:].min())
    check.high_pu[b] = max(check.high_pu[b], magnitude.max())
    check.loading[b] = max(check.loading[b], loading.max())
    if h == 0:
        check.voltage_excess[b], check.overload_excess[b] = violation(limits, magnitude, loading)
    if not solved:
        check.violated[b] = True
        if add:
            _rows_on_the_way(limits, desk, promise, b, first, rows)
    elif any_broken(limits, desk):
        _judge_places(limits, desk, idle, promise, b, h, add, first, rows, check)


@njit(cache=True)
def check_promise(limits, active, promise, add, first_limit, rows, check):
    """Check what is promised over each event's periods by power flow; with ``add``, violated limits join ``rows``."""
    desk, idle = new_desk(limits), new_desk(limits)
    for b in range(active.shape[0]):
        if not active[b]:
            continue
        if add:
            rows.touched[b] = False
        check.low_pu[b] = np.inf
        for h in range(promise.duration[b]):
            expect(desk, promise, b, h)
            solved = solve_sites(limits, desk)
            judge(limits, desk, idle, solved, promise, b, h, add, first_limit[b], rows, check)
