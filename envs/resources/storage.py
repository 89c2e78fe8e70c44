"""Battery: power limits, energy limits, one-way efficiency, a degradation price per kWh cycled.

A battery goes where its set point sends it, or follows a plan: the profile that the net has for it, as far as its
charge allows. One that follows takes no set point; an order deviates from the plan, and what that leaves undone or has
done early comes back as a rebound.

Power > 0 discharges into the grid. Discharging P for h hours takes P·h/efficiency out of the cells, charging P puts
P·h·efficiency in.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.columns import Column
from envs.resources.base import Cost, Resource
from envs.types import DOWN, HOURS, UP

ACTIONS = (
    Column("storage", "storage set point, > 0 discharges, of the rated power", "1", -1.0, 1.0),
    Column("storage_plan", "storage power in the schedule filed for the next periods", "1", -1.0, 1.0),
)
OBSERVATIONS = (
    Column("charge", "state of charge", "1", 0, 1),
    Column("storage_power", "rated storage power", "capacity", 0, 1),
    Column("storage_energy", "storage energy", "8 h at capacity", 0, 10),
)


PLAN_OBSERVATIONS = (
    Column("storage_follows", "1: the battery follows the net's profile and takes no set point", "1", 0, 1),
    Column("storage_planned", "what such a battery does in the coming period, > 0 discharges", "capacity", -1, 1),
)


@njit(cache=True)
def limits_w(charge_wh, capacity_wh, rated_w, efficiency, periods):
    """Lowest and highest power that can be held for ``periods`` periods from this state of charge."""
    if capacity_wh <= 0.0:
        return 0.0, 0.0
    hours = HOURS * periods
    highest = min(rated_w, charge_wh * efficiency / hours)
    lowest = -min(rated_w, (capacity_wh - charge_wh) / (efficiency * hours))
    return min(lowest, 0.0), max(highest, 0.0)


@njit(cache=True)
def advance_wh(charge_wh, capacity_wh, power_w, efficiency):
    """State of charge after one period at ``power_w``; clipped, since limits are met to rounding only."""
    cells_w = power_w / efficiency if power_w > 0.0 else power_w * efficiency
    return min(max(charge_wh - cells_w * HOURS, 0.0), capacity_wh)


def refill_wh(charge_wh, start_wh, efficiency):
    """Wh to be bought, whole ones, so that the cells hold ``start_wh`` again; < 0: what they hold beyond it would give.

    Arrays of one shape.
    """
    missing_wh = start_wh - charge_wh
    refill = np.where(missing_wh > 0.0, missing_wh / efficiency, missing_wh * efficiency)
    return np.rint(refill).astype(np.int64)


@njit(cache=True)
def planned_w(plan_w, charge_wh, capacity_wh, rated_w, efficiency):
    """What a battery that follows a plan does in a period: the plan as far as power and charge allow."""
    lowest, highest = limits_w(charge_wh, capacity_wh, rated_w, efficiency, 1)
    return min(max(plan_w, lowest), highest)


@njit(cache=True)
def charges_wh(plan_w, capacity_wh, rated_w, efficiency, days, per_day):
    """(days, N) charge at the beginning of each day, of batteries that follow ``plan_w`` (T or 1, N) from empty on."""
    out, charge = np.zeros((days, capacity_wh.shape[0])), np.zeros(capacity_wh.shape[0])
    rows = plan_w.shape[0]
    for t in range(days * per_day):
        for i in range(capacity_wh.shape[0]):
            if t % per_day == 0:
                out[t // per_day, i] = charge[i]
            power = planned_w(plan_w[t % rows, i], charge[i], capacity_wh[i], rated_w[i], efficiency[i])
            charge[i] = advance_wh(charge[i], capacity_wh[i], power, efficiency[i])
    return out


@njit(cache=True)
def range_w(way, periods, charge_wh, capacity_wh, rated_w, efficiency, power_w):
    """Adjustable W around a constant power that can be held for ``periods`` periods."""
    lowest, highest = limits_w(charge_wh, capacity_wh, rated_w, efficiency, periods)
    return max(highest - power_w, 0.0) if way > 0 else max(power_w - lowest, 0.0)


@njit(cache=True)
def range_beside_plan_w(way, plan_w, row, periods, i, charge_wh, capacity_wh, rated_w, efficiency):
    """Adjustable W around the plan that site ``i`` follows from profile row ``row`` on.

    After each period what was moved so far must fit beside the charge that the plan leaves. A W moved takes or spares
    at most 1/efficiency of itself in the cells, whether the plan charges or discharges just then.
    """
    reach = 2.0 * rated_w
    for h in range(periods):
        power = planned_w(plan_w[(row + h) % plan_w.shape[0], i], charge_wh, capacity_wh, rated_w, efficiency)
        charge_wh = advance_wh(charge_wh, capacity_wh, power, efficiency)
        room_wh = charge_wh if way > 0 else capacity_wh - charge_wh
        reach = min(reach, rated_w - way * power, room_wh * efficiency / (HOURS * (h + 1)))
    return max(reach, 0.0)


RESOURCE = Resource(
    state=("charge_wh",),
    actions=ACTIONS,
    observations=OBSERVATIONS,
    range_w={UP: range_w, DOWN: range_w},
    costs=(
        Cost(
            "cycled", "kWh", lambda energy: energy.cycled_wh, "sites.degradation_price",
            "energy that batteries took in and gave, which wears them",
        ),
    ),
)  # fmt: skip
