"""What the resources of one site do together: what they draw, their range for a quotation, how they follow an order.

A resource is its own file; this one names all of them, since compiled code cannot look them up. An order is followed
with the cheapest first: the vehicle waits (or charges earlier), then the heat pump, the battery, a vehicle that may
feed in; last the load is put off or the output curtailed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from envs.resources import load, photovoltaic, storage, thermostatic, vehicle
from envs.resources.thermostatic import Houses
from envs.resources.vehicle import Fleet
from envs.types import LIVED, PPM, Bools, Floats, Ints, Quotes, State

RESOURCES = {
    "photovoltaic": photovoltaic.RESOURCE,
    "load": load.RESOURCE,
    "storage": storage.RESOURCE,
    "vehicle": vehicle.RESOURCE,
    "thermostatic": thermostatic.RESOURCE,
}


class Equipment(NamedTuple):
    """What N sites own, as kernels take it."""

    capacity_wh: Floats  # (N,) of batteries, 0 = none
    rated_w: Floats  # (N,) of batteries
    efficiency: Floats  # (N,) of batteries, one way
    follows: Bools  # (N,) whose battery follows a plan
    plan_w: Floats  # (T, N) that plan, > 0 discharges; one empty row where nobody follows one
    flexible: float  # share of a load that can be put off
    fleet: Fleet
    houses: Houses


class Flows(NamedTuple):
    """The powers of a site, W: net injection = output - use + battery - charging - heating.

    A vehicle that feeds in has ``charging`` < 0.
    """

    output: float
    use: float
    battery: float
    charging: float
    heating: float


class Stores(NamedTuple):
    """What the sites' resources hold at the moment."""

    charge_wh: Floats  # (B, N) of batteries
    twin_charge_wh: Floats  # (B, N) of batteries that follow a plan, had no order touched them
    need_wh: Floats  # (B, 2, N) what a plugged-in vehicle still needs, lived and twin; 0 when full or away
    leaves: Ints  # (B, N) period in which the vehicle leaves; past when it is away
    warmth_k: Floats  # (B, 2, N) indoor temperature above the set one, lived and twin


class SetPoints(NamedTuple):
    """What the sites' resources are told to do in a period, orders apart."""

    storage_w: Floats  # (B, N) within what the battery can do
    shed_ppm: Ints  # (B, N) share of the flexible load put off
    hold_ppm: Ints  # (B, N) share of the vehicle's charging power held back
    heat_ppm: Ints  # (B, N) heat pump: -1e6 off, 0 thermostat, 1e6 full power


def stores_of(state: State) -> Stores:
    """The state's arrays themselves, not copies: kernels advance them in place."""
    return Stores(state.charge_wh, state.twin_charge_wh, state.need_wh, state.leaves, state.warmth_k)


def set_points_of(quotes: Quotes) -> SetPoints:
    """What the sites said they would do; the storage's is filled in as the battery allows."""
    return SetPoints(quotes.storage_w, quotes.shed_ppm, quotes.hold_ppm, quotes.heat_ppm)


@njit(cache=True)
def has_appliance(equipment, i):
    """Whether the site has a vehicle or a heat pump."""
    return equipment.fleet.rated_w[i] > 0.0 or equipment.houses.rated_w[i] > 0.0


@njit(cache=True)
def hold_w(equipment, row, i):
    """Power that holds the site's building at its temperature in a profile row."""
    return equipment.houses.hold_w[row % equipment.houses.hold_w.shape[0], i]


@njit(cache=True)
def appliances_w(equipment, row, i, need_wh, warmth_k, set_points, b):
    """(charging, heating) of a site's vehicle and heat pump at its set points."""
    charging, heating = 0.0, 0.0
    if equipment.fleet.rated_w[i] > 0.0:
        charging = vehicle.charging_w(equipment.fleet, i, need_wh, set_points.hold_ppm[b, i] / PPM)
    if equipment.houses.rated_w[i] > 0.0:
        shift = set_points.heat_ppm[b, i] / PPM
        heating = thermostatic.heating_w(equipment.houses, i, hold_w(equipment, row, i), warmth_k, shift)
    return charging, heating


@njit(cache=True)
def appliances_after(equipment, row, i, need_wh, warmth_k, charging, heating):
    """(need, warmth) after a period at these powers."""
    if equipment.fleet.rated_w[i] > 0.0:
        need_wh = vehicle.advance_wh(equipment.fleet, need_wh, charging)
    if equipment.houses.rated_w[i] > 0.0:
        hold = hold_w(equipment, row, i)
        warmth_k = thermostatic.advance_k(equipment.houses, i, hold, warmth_k, heating)
    return need_wh, warmth_k


@njit(cache=True)
def plug(equipment, seed, episode, row, t, i, need_wh, leaves):
    """(need, leaves) at the beginning of period t: who leaves has gone, who arrives is plugged in."""
    if equipment.fleet.rated_w[i] <= 0.0:
        return need_wh, leaves
    if t >= leaves:
        need_wh, leaves = 0.0, vehicle.AWAY
    arrived, stay = vehicle.arrives(equipment.fleet, seed, episode, row, t, i)
    if stay > 0:
        need_wh, leaves = arrived, t + stay
    return need_wh, leaves


@njit(cache=True)
def appliances_ahead(equipment, seed, episode, first, rows, t, b, i, need_wh, leaves, warmth_k, set_points, out):
    """Fill ``out`` (n,) with the demand of a site's appliances from period t on, plugged for t already; W.

    Set points stay as they are; vehicles that arrive meanwhile are announced. ``first`` is the episode's profile row.
    """
    for h in range(out.shape[0]):
        row = (first + t + h) % rows
        if h > 0:
            need_wh, leaves = plug(equipment, seed, episode, row, t + h, i, need_wh, leaves)
        charging, heating = appliances_w(equipment, row, i, need_wh, warmth_k, set_points, b)
        need_wh, warmth_k = appliances_after(equipment, row, i, need_wh, warmth_k, charging, heating)
        out[h] = charging + heating


@njit(cache=True)
def appliance_range_w(equipment, way, periods, row, t, b, i, need_wh, leaves, warmth_k, set_points):
    """W by which each can move the net injection in a direction for the whole event.

    (vehicle's charging, what the vehicle feeds in beyond that, heat pump).
    """
    car, fed, house = 0.0, 0.0, 0.0
    if equipment.fleet.rated_w[i] > 0.0:
        power = vehicle.charging_w(equipment.fleet, i, need_wh, set_points.hold_ppm[b, i] / PPM)
        car = vehicle.range_w(equipment.fleet, i, way, periods, need_wh, power, leaves - t)
        if way > 0:
            fed = vehicle.feed_range_w(equipment.fleet, i, periods, need_wh, power, leaves - t)
    if equipment.houses.rated_w[i] > 0.0:
        shift = set_points.heat_ppm[b, i] / PPM
        house = thermostatic.range_w(equipment.houses, i, way, periods, row, warmth_k, shift)
    return car, fed, house


@njit(cache=True)
def planned_w(equipment, row, i, charge_wh):
    """What the battery of a site that follows a plan does in a profile row, from this charge."""
    plan_w = equipment.plan_w[row % equipment.plan_w.shape[0], i]
    return storage.planned_w(plan_w, charge_wh, equipment.capacity_wh[i], equipment.rated_w[i], equipment.efficiency[i])


@njit(cache=True)
def plans_ahead(equipment, first_row, stores, out):
    """Fill ``out`` (B, 2, n, N): what batteries that follow a plan do from profile row ``first_row`` (B,) on; whole W.

    Lived and twin, from the charge that each has now.
    """
    for b in range(out.shape[0]):
        for i in range(out.shape[3]):
            if not equipment.follows[i]:
                continue
            for side in range(out.shape[1]):
                charge_wh = stores.charge_wh[b, i] if side == LIVED else stores.twin_charge_wh[b, i]
                for h in range(out.shape[2]):
                    power = planned_w(equipment, first_row[b] + h, i, charge_wh)
                    charge_wh = storage.advance_wh(charge_wh, equipment.capacity_wh[i], power, equipment.efficiency[i])
                    out[b, side, h, i] = np.rint(power)


@njit(cache=True)
def advance_twins(equipment, row, stores):
    """Charge of the twins after the period of profile row ``row`` (B,): they followed their plan."""
    for b in range(stores.twin_charge_wh.shape[0]):
        for i in range(stores.twin_charge_wh.shape[1]):
            if equipment.follows[i]:
                power = planned_w(equipment, row[b], i, stores.twin_charge_wh[b, i])
                stores.twin_charge_wh[b, i] = storage.advance_wh(
                    stores.twin_charge_wh[b, i], equipment.capacity_wh[i], power, equipment.efficiency[i]
                )


@njit(cache=True)
def battery_range_w(equipment, way, periods, row, i, charge_wh, set_w):
    """Adjustable W of a site's battery for the whole event, around its plan or around its set point."""
    capacity_wh, rated_w, efficiency = equipment.capacity_wh[i], equipment.rated_w[i], equipment.efficiency[i]
    if equipment.follows[i]:
        return storage.range_beside_plan_w(
            way, equipment.plan_w, row, periods, i, charge_wh, capacity_wh, rated_w, efficiency
        )
    return storage.range_w(way, periods, charge_wh, capacity_wh, rated_w, efficiency, set_w)


@njit(cache=True)
def range_w(way, periods, b, i, live, site_pv, site_load, flexible, shed, battery_w):
    """Adjustable W of a site without its appliances for the whole event, and what running orders claim of it.

    ``battery_w`` is the battery's part. (-1, 0) where a running order goes the other way: one site cannot serve both.
    """
    claimed = 0.0
    ahead = site_pv[b, 0, i] if way < 0 else load.range_up_w(site_load[b, 0, i], flexible, shed)
    for h in range(periods):
        if live[b, h, i] * way < 0.0:
            return -1.0, 0.0
        claimed = max(claimed, live[b, h, i] * way)
        expected = site_pv[b, h, i] if way < 0 else load.range_up_w(site_load[b, h, i], flexible, shed)
        ahead = min(ahead, expected)
    if way < 0:
        return photovoltaic.range_down_w(ahead) + battery_w, claimed
    return ahead + battery_w, claimed


@njit(cache=True)
def raise_injection(change, car, fed, house, highest, reach, flows):
    """(flows, load put off) after more injection: W at most from charging, heat pump, battery, what the vehicle feeds
    in, load.
    """
    output, use, battery, charging, heating = flows
    waited = min(change, min(car, charging))
    charging -= waited
    change -= waited
    waited = min(change, min(house, heating))
    heating -= waited
    change -= waited
    moved = min(change, max(highest - battery, 0.0))
    battery += moved
    change -= moved
    feeds = min(change, fed)
    put_off = min(min(reach, use), change - feeds)
    return Flows(output, use - put_off, battery, charging - feeds, heating), put_off


@njit(cache=True)
def lower_injection(change, car, house, lowest, flows):
    """Flows after less injection, what can be stored first: what is stored is not lost."""
    output, use, battery, charging, heating = flows
    earlier = min(change, car)
    charging += earlier
    change -= earlier
    earlier = min(change, house)
    heating += earlier
    change -= earlier
    moved = min(change, max(battery - lowest, 0.0))
    return Flows(output - min(output, change - moved), use, battery - moved, charging, heating)


@njit(cache=True)
def cut_by_force(cut, flows):
    """(flows, W cut, W of it load) when the operator curtails output (``cut`` < 0) or switches demand off.

    The household comes last.
    """
    output, use, battery, charging, heating = flows
    if cut < 0.0:
        curtailed = min(output, -cut)
        return Flows(output - curtailed, use, battery, charging, heating), -curtailed, 0.0
    car = min(cut, charging)
    house = min(cut - car, heating)
    rest = min(use, cut - car - house)
    return Flows(output, use - rest, battery, charging - car, heating - house), car + house + rest, rest


@njit(cache=True)
def owed_wh(equipment, i, need_wh, leaves, period, warmth_k):
    """Electricity still to be bought after the period for a vehicle that stays and a building off its temperature."""
    owed = 0.0
    if equipment.fleet.rated_w[i] > 0.0 and leaves > period + 1:
        owed += need_wh / equipment.fleet.efficiency
    if equipment.houses.rated_w[i] > 0.0:
        owed -= thermostatic.stored_wh(equipment.houses, i, warmth_k)
    return owed
