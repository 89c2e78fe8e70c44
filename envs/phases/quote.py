"""What each role says in its stage: decoded actions, made admissible.

Numbers become integers here: everything after this page is computed from what the ledger will hold.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.actions import (
    FLEX_DOWN,
    FLEX_SHARE,
    FLEX_STEP,
    FLEX_UP,
    LIMIT,
    OFFER_PRICE,
    OFFER_VOLUME,
    OPENING,
    PREFERS,
    QUANTITY,
    REQUOTE,
    RESERVE,
    SCHEDULE_SHIFT,
    SHED,
    STORAGE,
    STORAGE_PLAN,
    SUBSIDY,
    THRESHOLD,
    VOLUME,
    appliance_columns,
)
from envs.resources import site, storage
from envs.types import (
    BLOCKS,
    HORIZON,
    HOURS,
    LIVED,
    OUTLOOK,
    PPM,
    REQUESTS,
    TWIN,
    UPPER,
    Floats,
    Ints,
    Quotes,
    Stage,
    State,
)
from envs.world import World


def announce(stage: Stage, action: Floats) -> None:
    """Stage one, the operator: volume asked and reserve price. ``action`` (B, 1, 2) in physical units."""
    need_wh = np.rint(stage.need_w * HOURS * action[:, 0, VOLUME, None])
    # Of an upper-level order no more can be asked than was ordered.
    need_wh[:, UPPER] = np.minimum(need_wh[:, UPPER], np.rint(stage.need_w[:, UPPER] * HOURS))
    stage.asked_wh[:] = np.where(stage.cause > 0, need_wh, 0.0).astype(np.int64)
    stage.reserve[:] = np.rint(action[:, 0, RESERVE, None]).astype(np.int64)
    stage.closed = 1


def offer(stage: Stage, action: Floats) -> None:
    """Stage two, the aggregators: public subsidy and sealed offer. ``action`` (B, A, 4) in physical units."""
    stage.subsidy[:] = np.rint(action[:, :, SUBSIDY]).astype(np.int64)
    stage.offer_price[:] = np.rint(action[:, :, OFFER_PRICE]).astype(np.int64)
    stage.offer_wh[:] = np.rint(stage.asked_wh[:, :, None] * action[:, None, :, OFFER_VOLUME]).astype(np.int64)
    stage.threshold_ppm[:] = np.rint(action[:, :, THRESHOLD] * PPM).astype(np.int64)
    stage.closed = 2


@njit(cache=True)
def _of_appliances(equipment, way, periods, b, i, period, first, set_points, stores):
    """W by which vehicle and heat pump can move the injection for the event."""
    car, fed, house = site.appliance_range_w(
        equipment, way, periods, first + period, period, b, i, stores.need_wh[b, LIVED, i], stores.leaves[b, i],
        stores.warmth_k[b, LIVED, i], set_points,
    )  # fmt: skip
    return car + fed + house


@njit(cache=True)
def _rebound(rebound, way, periods, b, i):
    """W of an order in that direction that only make up for the rebound of earlier ones, the most of all periods."""
    against = 0.0
    for h in range(periods):
        against = max(against, rebound[b, h, i] * way)
    return against


@njit(cache=True)
def _schedule(site_pv, site_load, b, i, charge, capacity_wh, rated_w, efficiency, plan_w, shift_w, demand_w, out):
    """File the own forecast with the storage plan, as long as the battery can follow it.

    ``demand_w`` (OUTLOOK,) is what the appliances, and a battery that follows a plan, would draw had no order touched
    them.
    """
    for h in range(out.shape[1]):
        power = storage.planned_w(plan_w, charge, capacity_wh, rated_w, efficiency)
        charge = storage.advance_wh(charge, capacity_wh, power, efficiency)
        out[b, h, i] = site_pv[b, h + 1, i] - site_load[b, h + 1, i] + power + shift_w - demand_w[h + 1]


@njit(cache=True)
def _with_orders(own_w, baseline_w, live_w):
    """Surplus (> 0) or need as a site expects it: what it would do by itself, or what its running orders demand."""
    if live_w < 0.0:
        return min(own_w, baseline_w + live_w)
    if live_w > 0.0:
        return max(own_w, baseline_w + live_w)
    return own_w


@njit(cache=True)
def _offer_blocks(a, way, free_w, b, r, i, block_wh, block_price):
    """Two blocks of one half each of what a site offers, the second dearer."""
    total = np.int64(np.floor(free_w * a[FLEX_SHARE] * HOURS))
    block_wh[b, r, i, 0] = total // 2
    block_wh[b, r, i, 1] = total - total // 2
    first_price = a[FLEX_DOWN] if way < 0 else a[FLEX_UP]
    block_price[b, r, i, 0] = np.int64(np.rint(first_price))
    block_price[b, r, i, 1] = np.int64(np.rint(first_price + a[FLEX_STEP]))


@njit(cache=True)
def _quote(
    action, direction, duration, baseline, live, rebound, seed, episode, first, rows, period, site_pv, site_load,
    equipment, stores, battery_w, capacity_w, set_points, quantity, block_wh, block_price, schedule,
):  # fmt: skip
    demand = np.zeros(OUTLOOK)
    # Handing all equipment to a function counts references of every array: only for sites that need it.
    charger_w, pump_w = equipment.fleet.rated_w, equipment.houses.rated_w
    capacities_wh, ratings_w, efficiencies = equipment.capacity_wh, equipment.rated_w, equipment.efficiency
    charges_wh, powers_w, shed_ppm = stores.charge_wh, set_points.storage_w, set_points.shed_ppm
    flexible, follows = equipment.flexible, equipment.follows
    for b in range(quantity.shape[0]):
        for i in range(quantity.shape[1]):
            a = action[b, i]
            charge, capacity_wh, rated_w, efficiency = charges_wh[b, i], capacities_wh[i], ratings_w[i], efficiencies[i]
            power = storage.planned_w(a[STORAGE] * rated_w, charge, capacity_wh, rated_w, efficiency)
            if follows[i]:
                power = site.planned_w(equipment, first[b] + period, i, charge)
            powers_w[b, i] = power
            appliances, charging, heating = charger_w[i] > 0.0 or pump_w[i] > 0.0, 0.0, 0.0
            if appliances:
                need_wh, warmth_k = stores.need_wh[b, LIVED, i], stores.warmth_k[b, LIVED, i]
                charging, heating = site.appliances_w(equipment, first[b] + period, i, need_wh, warmth_k, set_points, b)
            own = site_pv[b, 0, i] - site_load[b, 0, i] * (1.0 - flexible * a[SHED]) + power
            expected = _with_orders(own - (charging + heating), baseline[b, 0, i], live[b, 0, i])
            quantity[b, i] = np.int64(np.rint(expected * HOURS * a[QUANTITY]))
            for r in range(REQUESTS):
                way = direction[b, r]
                if way == 0:
                    continue
                periods = duration[b, r]
                battery = storage.range_w(way, periods, charge, capacity_wh, rated_w, efficiency, power)
                if follows[i]:
                    battery = site.battery_range_w(equipment, way, periods, first[b] + period, i, charge, power)
                shed = shed_ppm[b, i] / PPM
                reach, claimed = site.range_w(way, periods, b, i, live, site_pv, site_load, flexible, shed, battery)
                if appliances and reach >= 0.0:
                    reach += _of_appliances(equipment, way, periods, b, i, period, first[b], set_points, stores)
                if appliances or follows[i]:
                    reach -= _rebound(rebound, way, periods, b, i)
                _offer_blocks(a, way, max(reach - claimed, 0.0), b, r, i, block_wh, block_price)
            after = storage.advance_wh(charge, capacity_wh, power, efficiency)
            demand[:] = 0.0
            if appliances:
                site.appliances_ahead(
                    equipment, seed[b], episode[b], first[b], rows, period, b, i, stores.need_wh[b, TWIN, i],
                    stores.leaves[b, i], stores.warmth_k[b, TWIN, i], set_points, demand,
                )  # fmt: skip
            plan_w, shift_w = a[STORAGE_PLAN] * rated_w, a[SCHEDULE_SHIFT] * capacity_w[i]
            if follows[i]:
                plan_w, capacity_wh = 0.0, 0.0
                demand -= battery_w[b, TWIN, :, i]
            _schedule(
                site_pv, site_load, b, i, after, capacity_wh, rated_w, efficiency, plan_w, shift_w, demand, schedule
            )


def _appliance_set_points(world: World, action: Floats) -> tuple[Ints, Ints]:
    """(B, N) ppm each: vehicle's charging held back, heat pump's shift; 0, left alone, where agents cannot set them."""
    values = (action[:, :, k] if k >= 0 else np.zeros(action.shape[:2]) for k in appliance_columns(world.scenario))
    hold, heat = (np.rint(value * PPM).astype(np.int64) for value in values)
    return hold, heat


def _reactive_ppm(world: World, action: Floats) -> Ints:
    """(B, N) set points of the inverters: the last column of the action, where agents have it."""
    if world.scenario.grid.reactive != "agent":
        return np.zeros(action.shape[:2], np.int64)
    return np.rint(action[:, :, -1] * PPM).astype(np.int64)


@njit(cache=True)
def _tidy(block_wh, block_price):
    """Blocks with volume first; an empty one has the price of the block before it, as if it had not been quoted."""
    worlds, requests, sites, blocks = block_wh.shape
    for b in range(worlds):
        for r in range(requests):
            for i in range(sites):
                used = 0
                for m in range(blocks):
                    if block_wh[b, r, i, m] > 0:
                        block_wh[b, r, i, used] = block_wh[b, r, i, m]
                        block_price[b, r, i, used] = block_price[b, r, i, m]
                        used += 1
                for m in range(used, blocks):
                    block_wh[b, r, i, m] = 0
                    block_price[b, r, i, m] = block_price[b, r, i, m - 1] if m > 0 else 0


def file(quotes: Quotes) -> None:
    """Bring what was said, lies included, to what the ledger holds of it; all that follows is computed from that."""
    quotes.schedule_w[:] = np.rint(quotes.schedule_w)
    quotes.preference = np.rint(quotes.preference * PPM) / PPM
    _tidy(quotes.block_wh, quotes.block_price)


def quote(world: World, state: State, stage: Stage, action: Floats) -> Quotes:
    """Stage three, the prosumers: limit order, flexibility blocks, set points, schedule, choice of aggregator.

    Args:
        world: static side.
        state: B worlds.
        stage: the completed stages of operator and aggregators.
        action: (B, N, K) in physical units, columns as in ``actions.prosumer_columns``.
    """
    worlds, sites = action.shape[:2]
    hold_ppm, heat_ppm = _appliance_set_points(world, action)
    quotes = Quotes(
        opening_price=np.rint(action[:, :, OPENING]).astype(np.int64),
        limit_price=np.rint(action[:, :, LIMIT]).astype(np.int64),
        quantity_wh=np.zeros((worlds, sites), np.int64),
        requote_ppm=np.rint(action[:, :, REQUOTE] * PPM).astype(np.int64),
        block_wh=np.zeros((worlds, REQUESTS, sites, BLOCKS), np.int64),
        block_price=np.zeros((worlds, REQUESTS, sites, BLOCKS), np.int64),
        storage_w=np.zeros((worlds, sites)),
        shed_ppm=np.rint(action[:, :, SHED] * PPM).astype(np.int64),
        reactive_ppm=_reactive_ppm(world, action),
        preference=np.ascontiguousarray(action[:, :, PREFERS : PREFERS + world.aggregators]),
        schedule_w=np.zeros((worlds, HORIZON, sites)),
        hold_ppm=hold_ppm,
        heat_ppm=heat_ppm,
    )
    _quote(
        action, stage.direction, stage.duration, stage.baseline_w, stage.live_w, state.rebound_w, state.seed,
        state.episode, state.day * world.periods_per_day, len(world.load_w), state.period, state.site_pv_w,
        state.site_load_w, world.equipment, site.stores_of(state), state.battery_w, world.capacity_w,
        site.set_points_of(quotes), quotes.quantity_wh, quotes.block_wh, quotes.block_price, quotes.schedule_w,
    )  # fmt: skip
    return quotes
