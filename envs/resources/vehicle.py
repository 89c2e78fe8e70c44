"""Electric vehicle at its charger: it comes, wants an energy, and leaves; away it is not metered.

Left alone it charges at full power from its arrival until it is full. Charging can be held back or, where it is held
back already, brought forward, as long as the need is met at departure; what is missing then costs the driver. Where the
settings give it a discharging power, an order may have it feed into the grid once all charging waits: as far as a share
of its power brings everything back in time, since neighbours charge then too, and the least charge stays in. A vehicle
that needs nothing is full. What it feeds in is metered as storage and wears the battery on the way out and back in.
Arrivals and needs are a net's own charging profiles or draws, one stay a day; the driver announces them a horizon
ahead.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from envs import draws
from envs.appliance_settings import VehicleSettings
from envs.columns import Column
from envs.draws import normal, stream, uniform
from envs.resources.base import Cost, Resource
from envs.types import DOWN, HOURS, UP, Floats, Ints

WORK_ENDS_H = 17.0  # when a car at work leaves: the profiles know arrivals only
CHARGING_W = 50.0  # a profile's smaller values are stand-by
AWAY = -(2**40)

ACTIONS = (
    Column("charge_hold", "share of the vehicle's charging power held back this period and in the schedule", "1", 0, 1),
)
OBSERVATIONS = (
    Column("vehicle", "charging power of the vehicle left alone, coming period (part of load)", "capacity", 0, 1),
    Column("vehicle_need", "energy that the plugged-in vehicle still needs", "8 h at capacity", 0, 10),
    Column("vehicle_stay", "time until the vehicle leaves, 0 away", "day", 0, 10),
)
FEED_OBSERVATIONS = (
    Column("vehicle_feed", "power that the vehicle can feed in for a period, if ordered", "capacity", 0, 1),
)


class Fleet(NamedTuple):
    """The vehicles of N sites; K of them follow profiles of T periods."""

    rated_w: Floats  # (N,) of the charger, 0 = no vehicle
    column: Ints  # (N,) of the profile, -1 drawn
    plug_wh: Floats  # (T, K) need in the battery of a vehicle that arrives in the period
    plug_periods: Ints  # (T, K) how long it stays
    efficiency: float
    need_wh: float
    need_spread: float
    battery_wh: float
    driven_share: float
    arrival: float  # period of the day
    arrival_spread: float
    departure: float  # period of the next day
    departure_spread: float
    periods_per_day: int
    discharge_w: Floats  # (N,) into the grid, 0 never
    most_need_wh: float  # what may be missing in the battery at most for it to be discharged
    return_share: float  # of the rated power, with which what was fed in has to come back in time


def fleet_of(
    settings: VehicleSettings, rated_w: Floats, column: Ints, plugs: tuple[Floats, Ints], periods_per_day: int
) -> Fleet:
    """The fleet of a scenario; ``rated_w``, ``column`` (N,), ``plugs`` two (T, K) tables as `plugs_of` makes them."""
    hour = periods_per_day / 24.0
    return Fleet(
        rated_w, column, plugs[0] * settings.efficiency, plugs[1], settings.efficiency, settings.need_kwh * 1000.0,
        settings.need_spread, settings.battery_kwh * 1000.0, settings.driven_share, settings.arrival_h * hour,
        settings.arrival_spread_h * hour, settings.departure_h * hour, settings.departure_spread_h * hour,
        periods_per_day, np.minimum(rated_w, settings.discharge_kw * 1000.0),
        settings.battery_kwh * 1000.0 * (1.0 - settings.least_charge), settings.return_share,
    )  # fmt: skip


def plugs_of(power_w: Floats, leaves_h: float, periods_per_day: int) -> tuple[Floats, Ints]:
    """(T,) Wh metered for each stay, at its first period, and (T,) periods of the stay, of a charging profile.

    A stay begins when the profile begins to charge. It ends at the next ``leaves_h`` of the day at which the profile's
    charging is over, or when the next one begins.
    """
    on = power_w > CHARGING_W
    first = np.flatnonzero(on & ~np.concatenate([[False], on[:-1]]))
    behind = np.flatnonzero(on & ~np.concatenate([on[1:], [False]])) + 1
    leaves = round(leaves_h * periods_per_day / 24.0)
    energy_wh, periods = np.zeros(len(power_w)), np.zeros(len(power_w), np.int64)
    for k, (start, end) in enumerate(zip(first, behind, strict=True)):
        until = end + (leaves - end) % periods_per_day
        following = first[k + 1] if k + 1 < len(first) else len(power_w)
        energy_wh[start] = power_w[start:end].sum() * HOURS
        periods[start] = min(until, following) - start
    return energy_wh, periods


@njit(cache=True)
def arrives(fleet, seed, episode, row, t, i):
    """(need in Wh, periods of the stay) of the vehicle that arrives at site i in period t of the episode; (0, 0) none.

    ``row`` is the profile's row of the period. Draws belong to the day of arrival, so they may precede the episode.
    """
    k = fleet.column[i]
    if k >= 0:
        return fleet.plug_wh[row, k], fleet.plug_periods[row, k]
    per_day = fleet.periods_per_day
    day = t // per_day
    late = fleet.arrival_spread * normal(stream(seed, episode, day + 1, draws.VEHICLE_ARRIVAL), i)
    arrival = np.int64(np.rint(min(max(fleet.arrival + late, per_day / 2), per_day - 1.0)))
    if t - day * per_day != arrival:
        return 0.0, 0
    if uniform(stream(seed, episode, day + 1, draws.VEHICLE_DRIVEN), i) >= fleet.driven_share:
        return 0.0, 0
    late = fleet.departure_spread * normal(stream(seed, episode, day + 1, draws.VEHICLE_DEPARTURE), i)
    departure = np.int64(np.rint(min(max(fleet.departure + late, 1.0), per_day / 2 - 1.0)))
    stay = per_day + departure - arrival
    share = 1.0 + fleet.need_spread * normal(stream(seed, episode, day + 1, draws.VEHICLE_NEED), i)
    need = fleet.need_wh * max(share, 0.1)
    return min(need, fleet.battery_wh, fleet.rated_w[i] * fleet.efficiency * HOURS * stay), stay


@njit(cache=True)
def charging_w(fleet, i, need_wh, held):
    """Power drawn with the share ``held`` of the rated power held back, 0 away or full."""
    return min(fleet.rated_w[i] * (1.0 - held), need_wh / (fleet.efficiency * HOURS))


@njit(cache=True)
def advance_wh(fleet, need_wh, power_w):
    """What is still needed after a period at ``power_w``, < 0 feeds into the grid."""
    if power_w < 0.0:
        return need_wh - power_w / fleet.efficiency * HOURS
    return max(need_wh - power_w * fleet.efficiency * HOURS, 0.0)


@njit(cache=True)
def missing_wh(need_wh, leaves, period):
    """What a vehicle that leaves at the end of the period goes without."""
    return need_wh if leaves == period + 1 else 0.0


@njit(cache=True)
def range_w(fleet, i, way, periods, need_wh, power_w, left):
    """Adjustable W for ``periods`` periods around charging at ``power_w``, ``left`` periods before it leaves.

    Upward (``way`` > 0) charging is held back as far as full power afterwards still meets the need; downward it is
    brought forward as far as the battery takes it. A stay shorter than the event offers nothing.
    """
    if need_wh <= 0.0 or periods > left:
        return 0.0
    plug_w = need_wh / (fleet.efficiency * HOURS)  # the need as power over one period
    planned = min(plug_w, power_w * periods)
    if way > 0:
        last = min(max(plug_w - power_w * (periods - 1), 0.0), power_w)
        spare = (fleet.rated_w[i] * (left - periods) + planned - plug_w) / periods
        return max(min(last, spare), 0.0)
    return max(min(fleet.rated_w[i] - power_w, (plug_w - planned) / periods), 0.0)


@njit(cache=True)
def feed_range_w(fleet, i, periods, need_wh, power_w, left):
    """W that the vehicle can feed in for ``periods`` periods beside all charging at ``power_w``, which waits then.

    What it takes out, at most 1/efficiency of what it gives, must leave the least charge in the battery, and the share
    of full power in what is left of the stay must bring it and all that waited back in.
    """
    if fleet.discharge_w[i] <= 0.0 or periods > left:
        return 0.0
    loss = fleet.efficiency * fleet.efficiency
    plug_w = need_wh / (fleet.efficiency * HOURS)
    planned = min(plug_w, power_w * periods)
    last = min(max(plug_w - power_w * (periods - 1), 0.0), power_w)
    spare = (fleet.return_share * fleet.rated_w[i] * (left - periods) + planned - plug_w) / periods
    stored = (fleet.most_need_wh - need_wh) * fleet.efficiency / (HOURS * periods)
    return max(min(fleet.discharge_w[i], (spare - last) * loss, stored), 0.0)


def wear_cost(fed_wh, degradation_price):
    """Wear of what was fed into the grid and is charged again, in thousandths of micro-currency."""
    return 2 * fed_wh * degradation_price


RESOURCE = Resource(
    state=("need_wh", "leaves"),
    actions=ACTIONS,
    observations=OBSERVATIONS,
    range_w={UP: range_w, DOWN: range_w},
    costs=(
        Cost(
            "missing_at_departure", "kWh", lambda energy: energy.missing_wh, "vehicle.missing_price",
            "energy that drivers miss when they leave",
        ),
        Cost(
            "fed_in", "kWh", lambda energy: energy.fed_wh, "sites.degradation_price",
            "energy that vehicles fed into the grid; it wears their batteries on the way out and back in", of=wear_cost,
        ),
    ),
)  # fmt: skip
