"""Temperature-controlled load: a heat pump and the building that it warms.

First order: C dx/dt = COP·(P − P_hold) − L·x, with x the indoor temperature above the set one (K), P_hold the power
that keeps it there at the weather of the moment, L the heat loss per K and C the heat capacity. P_hold is a net's own
heat-pump profile, else L·(set − outdoor)/COP with the outdoor temperature of `outdoor_c`. Left alone, the thermostat
brings x back to 0 as fast as the pump can: heat that was put off comes back as a rebound, and nobody has to model it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from envs.appliance_settings import HeatPumpSettings
from envs.columns import Column
from envs.resources.base import Cost, Resource
from envs.types import DOWN, HOURS, UP, Floats

COLDEST_DAY, COLDEST_H = 15.0, 5.0

ACTIONS = (
    Column(
        "heat_shift",
        "heat pump, this period and in the schedule: -1 off, 0 as the thermostat wants, 1 full power",
        "1",
        -1.0,
        1.0,
    ),
)
OBSERVATIONS = (
    Column("heat_pump", "power that the thermostat wants, coming period (part of load)", "capacity", 0, 1),
    Column("heat_pump_power", "rated power of the heat pump", "capacity", 0, 1),
    Column("warmth", "indoor temperature above the set one", "comfort band", -10, 10),
)


class Houses(NamedTuple):
    """The heat pumps of N sites and their buildings, over T profile rows (one empty row where there are none)."""

    rated_w: Floats  # (N,) electric, 0 = no heat pump
    hold_w: Floats  # (T, N) electric power that holds the set temperature
    loss_w_per_k: Floats  # (N,)
    capacity_wh_per_k: Floats  # (N,)
    cop: float
    band_k: float


def outdoor_c(settings: HeatPumpSettings, rows: int, periods_per_day: int) -> Floats:
    """(rows,) outdoor temperature from 1 January on, a yearly and a daily cosine: nets have none."""
    t = np.arange(rows)
    year = np.cos(2.0 * np.pi * (t / periods_per_day - COLDEST_DAY) / 365.0)
    day = np.cos(2.0 * np.pi * (t % periods_per_day / periods_per_day - COLDEST_H / 24.0))
    outdoor: Floats = settings.outdoor_mean_c - settings.outdoor_year_k * year - settings.outdoor_day_k * day
    return outdoor


def houses_of(settings: HeatPumpSettings, rated_w: Floats, profile_w: Floats, periods_per_day: int) -> Houses:
    """The houses of a scenario; ``rated_w`` (N,), ``profile_w`` (T, N), NaN where the net has no profile."""
    loss = rated_w * settings.cop / settings.design_difference_k
    colder = np.maximum(settings.set_temperature_c - outdoor_c(settings, len(profile_w), periods_per_day), 0.0)
    modelled = np.minimum(colder[:, None] * loss / settings.cop, rated_w)
    # Whole watts: the cosines' last bits may differ from one machine to the next.
    hold_w = np.rint(np.where(np.isnan(profile_w), modelled, np.minimum(profile_w, rated_w)))
    return Houses(
        rated_w, hold_w if rated_w.any() else np.zeros((1, len(rated_w))), loss, loss * settings.time_constant_h,
        settings.cop, settings.comfort_band_k,
    )  # fmt: skip


@njit(cache=True)
def _to_reach_w(houses, i, hold_w, warmth_k, target_k):
    """Power that brings the building to ``target_k`` within the period."""
    heat = (target_k - warmth_k) * houses.capacity_wh_per_k[i] / HOURS + warmth_k * houses.loss_w_per_k[i]
    return hold_w + heat / houses.cop


@njit(cache=True)
def heating_w(houses, i, hold_w, warmth_k, shift):
    """Power at a set point: the thermostat's (shift 0), a share of it put off (< 0) or of the rest added (> 0).

    A thermostat switches off at the upper end of the comfort band whatever the set point.
    """
    rated = houses.rated_w[i]
    wanted = min(max(_to_reach_w(houses, i, hold_w, warmth_k, 0.0), 0.0), rated)
    if shift <= 0.0:
        return wanted * (1.0 + shift)
    most = max(_to_reach_w(houses, i, hold_w, warmth_k, houses.band_k), 0.0)
    return min(wanted + shift * (rated - wanted), most)


@njit(cache=True)
def advance_k(houses, i, hold_w, warmth_k, power_w):
    """Temperature above the set one after a period at ``power_w``."""
    heat_w = houses.cop * (power_w - hold_w) - warmth_k * houses.loss_w_per_k[i]
    return warmth_k + heat_w * HOURS / houses.capacity_wh_per_k[i]


@njit(cache=True)
def outside_kh(houses, warmth_k):
    """K·h of a period outside the comfort band."""
    return max(abs(warmth_k) - houses.band_k, 0.0) * HOURS


@njit(cache=True)
def stored_wh(houses, i, warmth_k):
    """Electricity that the heat above the set temperature stands for; < 0 has to be bought yet."""
    return warmth_k * houses.capacity_wh_per_k[i] / houses.cop


@njit(cache=True)
def range_w(houses, i, way, periods, row, warmth_k, shift):
    """Adjustable W for ``periods`` periods from profile row ``row``, around what the set point would draw.

    As much as leaves the building inside its comfort band at the end of the event. Losses are taken as those of the
    undisturbed building, which errs on the safe side.
    """
    if houses.rated_w[i] <= 0.0:
        return 0.0
    rows, least = houses.hold_w.shape[0], houses.rated_w[i]
    for h in range(periods):
        hold = houses.hold_w[(row + h) % rows, i]
        power = heating_w(houses, i, hold, warmth_k, shift)
        least = min(least, power if way > 0 else houses.rated_w[i] - power)
        warmth_k = advance_k(houses, i, hold, warmth_k, power)
    room_k = houses.band_k + warmth_k if way > 0 else houses.band_k - warmth_k
    reach = room_k * houses.capacity_wh_per_k[i] / (houses.cop * HOURS * periods)
    return max(min(least, reach), 0.0)


RESOURCE = Resource(
    state=("warmth_k",),
    actions=ACTIONS,
    observations=OBSERVATIONS,
    range_w={UP: range_w, DOWN: range_w},
    costs=(
        Cost(
            "outside_comfort_band", "K·h", lambda energy: energy.outside_mkh, "heat_pump.discomfort_price",
            "indoor temperature beyond the comfort band, of all buildings",
        ),
    ),
)  # fmt: skip
