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


class Check(NamedTuple):
    """Extremes of the forecast over the event's periods, and what is violated in its first."""

    violated: Bools  # (B,)
    low_pu: Floats  # (B,)
    high_pu: Floats  # (B,)
    loading: Floats  # (B,)
    voltage_excess: Floats  # (B,) pu summed over buses, first period
    overload_excess: Floats  # (B,) summed over branches, first period


def no_check(worlds: int) -> Check:
    """A check of B worlds to be filled."""
    low, high, loading, volts, over = np.zeros((5, worlds))
    return Check(np.zeros(worlds, np.bool_), low, high, loading, volts, over)


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
def check_promise(
    limits, active, base, running, load_w, load_var, appliance_w, set_ppm, first_row, way, duration, cures, ordered_wh,
    add, first_limit, rows,
    violated, lowest, highest, heaviest, volt_excess, over_excess,
):  # fmt: skip
    """Check ``base + running + way · ordered`` over each event's periods; with ``add``, violated limits join ``rows``.

    A violation counts when the request ``cures`` (a grid event) and goes the relieving way, or when its orders make it
    worse: an upper-level order need not mend what was broken without it, a later trigger will.
    """
    desk = new_desk(limits)
    for b in range(base.shape[0]):
        violated[b] = False
        if not active[b]:
            continue
        if add:
            rows.touched[b] = False
        lowest[b], highest[b], heaviest[b] = np.inf, 0.0, 0.0
        for h in range(duration[b]):
            row = (first_row[b] + h) % load_var.shape[0]
            for i in range(base.shape[2]):
                desk.p_w[i] = base[b, h, i] + running[b, h, i] + way[b] * ordered_wh[b, i] / HOURS
            set_forecast(desk, load_w[row] + appliance_w[b, LIVED, h], load_var[row], set_ppm[b])
            solved = solve_sites(limits, desk)
            magnitude, loading = desk.magnitude, desk.loading
            lowest[b] = min(lowest[b], magnitude[1:].min())
            highest[b], heaviest[b] = max(highest[b], magnitude.max()), max(heaviest[b], loading.max())
            if h == 0:
                volt_excess[b], over_excess[b] = violation(limits, magnitude, loading)
            violated[b] |= not solved
            if not solved:
                continue
            cause, bus, _ = worst_voltage(limits, magnitude)
            over = cause == OVER_VOLTAGE
            helps = (way[b] < 0) == over
            if cause != NO_EVENT:
                effects(limits, desk, bus)
                if _counts(desk.effect, helps, cures, ordered_wh[b]):
                    violated[b] = True
                    excess = voltage_excess(limits, magnitude, bus) + TOLERANCE_PU
                    if add:
                        _limit_row(limits, desk.effect, rows, b, first_limit[b], bus, helps, excess, ordered_wh[b])
            relief, branch, watts = worst_branch(limits, desk.voltage, desk.current, loading)
            if relief != 0:
                effects(limits, desk, -1 - branch)
                helps = way[b] == relief
                if _counts(desk.effect, helps, cures, ordered_wh[b]):
                    violated[b] = True
                    excess = watts + TOLERANCE_PU * branch_watts(limits, branch)
                    if add:
                        _limit_row(
                            limits, desk.effect, rows, b, first_limit[b], -1 - branch, helps, excess, ordered_wh[b]
                        )
