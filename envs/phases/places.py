"""Every limit that a solved power flow breaks: where, by how much, and which way relieves it.

Buses and branches are judged one by one, so that a net with an over-voltage on one feeder and an under-voltage on the
next has both, each with the direction of injection that it needs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from envs.phases.violations import TOLERANCE_PU, branch_need, strongest_at, voltage_excess
from envs.types import Floats, Ints


class Places(NamedTuple):
    """Broken limits in the order of the net's tables, or of need once ranked; P = buses + branches."""

    place: Ints  # (P,) bus (>= 0) or -1 - branch
    way: Ints  # (P,) direction of injection that relieves it
    excess: Floats  # (P,) beyond the limit: pu of a bus, W of a branch
    need_w: Floats  # (P,) W at the most effective site; 0 where no site has any effect


@njit(cache=True)
def any_broken(limits, desk):
    """Whether a bus or a branch is outside its limits: most checks end here."""
    for bus in range(1, desk.magnitude.shape[0]):
        if voltage_excess(limits, desk.magnitude, bus) > TOLERANCE_PU:
            return True
    return desk.loading[1:].max() - limits.loading > TOLERANCE_PU


@njit(cache=True)
def broken_places(limits, desk):
    """(Places, how many) of a solved desk."""
    most = desk.magnitude.shape[0] + desk.loading.shape[0]
    found = Places(np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most), np.empty(most))
    count = 0
    for bus in range(1, desk.magnitude.shape[0]):
        excess = voltage_excess(limits, desk.magnitude, bus)
        if excess > TOLERANCE_PU:
            strongest = strongest_at(limits, bus)
            found.place[count], found.excess[count] = bus, excess
            found.way[count] = -1 if desk.magnitude[bus] > limits.high_pu else 1
            found.need_w[count] = excess / strongest if strongest > 0.0 else 0.0
            count += 1
    for branch in range(1, desk.loading.shape[0]):
        if desk.loading[branch] - limits.loading > TOLERANCE_PU:
            way, watts = branch_need(limits, desk.voltage, desk.current, desk.loading, branch)
            found.place[count], found.way[count] = -1 - branch, way
            found.excess[count] = found.need_w[count] = watts
            count += 1
    return found, count


@njit(cache=True)
def _beyond(limits, desk, place, way):
    """How far a solved place is beyond the limit that injection of a direction relieves: pu of a bus, of the rating of
    a branch; 0 within it.
    """
    if place >= 0:
        return max(desk.magnitude[place] - limits.high_pu if way < 0 else limits.low_pu - desk.magnitude[place], 0.0)
    branch = -1 - place
    over = desk.loading[branch] - limits.loading
    if over <= 0.0 or branch_need(limits, desk.voltage, desk.current, desk.loading, branch)[0] != way:
        return 0.0
    return over


@njit(cache=True)
def made_worse(limits, desk, idle, place, way):
    """Whether a limit is broken further than on the desk ``idle``, the same period without the orders; both solved.

    An over-voltage and an under-voltage of a bus are two limits, and so are the two directions of a branch.
    """
    return _beyond(limits, desk, place, way) > _beyond(limits, idle, place, way) + TOLERANCE_PU


@njit(cache=True)
def _effect(limits, place, i):
    """What a W of a site does at a place of an idle net, pu or W."""
    if place >= 0:
        return limits.volt_per_w[place, i]
    return limits.sense[-1 - place] * limits.branch_share[-1 - place, i]


@njit(cache=True)
def rank(limits, found, count, first):
    """Bring to the front the ``first`` places that together cure most: the one in greatest need, then the one that
    needs most beyond what curing those before it will do for it, and so on.

    Buses of one feeder are cured together, those of another are not: so the places chosen stand for all feeders. What
    curing a place does elsewhere is reckoned with the smallest change of injections that cures it.
    """
    sites = limits.site_bus.shape[0]
    rest = found.need_w[:count].copy()
    for k in range(min(first, count)):
        best = k
        for j in range(k + 1, count):
            if rest[j] > rest[best]:
                best = j
        for row in (found.place, found.way):
            row[k], row[best] = row[best], row[k]
        for values in (found.excess, found.need_w, rest):
            values[k], values[best] = values[best], values[k]
        square = 0.0
        for i in range(sites):
            square += _effect(limits, found.place[k], i) ** 2
        if rest[k] <= 0.0 or square <= 0.0:
            continue
        share = rest[k] / found.need_w[k] * found.excess[k] / square
        for j in range(k + 1, count):
            if found.way[j] == found.way[k] and found.excess[j] > 0.0:
                done = 0.0
                for i in range(sites):
                    done += _effect(limits, found.place[k], i) * _effect(limits, found.place[j], i)
                rest[j] -= done * share / found.excess[j] * found.need_w[j]
