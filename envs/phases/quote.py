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
)
from envs.resources import load, photovoltaic, storage
from envs.types import BLOCKS, HORIZON, HOURS, PPM, REQUESTS, UPPER, Floats, Ints, Quotes, Stage, State
from envs.world import World


def announce(world: World, stage: Stage, action: Floats) -> None:
    """Stage one, the operator: volume asked and reserve price. ``action`` (B, 1, 2) in physical units."""
    need_wh = np.rint(stage.need_w * HOURS * action[:, 0, VOLUME, None])
    # Of an upper-level order no more can be asked than was ordered.
    need_wh[:, UPPER] = np.minimum(need_wh[:, UPPER], np.rint(stage.need_w[:, UPPER] * HOURS))
    stage.asked_wh[:] = np.where(stage.cause > 0, need_wh, 0.0).astype(np.int64)
    stage.reserve[:] = np.rint(action[:, 0, RESERVE, None]).astype(np.int64)
    stage.closed = 1


def offer(world: World, stage: Stage, action: Floats) -> None:
    """Stage two, the aggregators: public subsidy and sealed offer. ``action`` (B, A, 4) in physical units."""
    stage.subsidy[:] = np.rint(action[:, :, SUBSIDY]).astype(np.int64)
    stage.offer_price[:] = np.rint(action[:, :, OFFER_PRICE]).astype(np.int64)
    stage.offer_wh[:] = np.rint(stage.asked_wh[:, :, None] * action[:, None, :, OFFER_VOLUME]).astype(np.int64)
    stage.threshold_ppm[:] = np.rint(action[:, :, THRESHOLD] * PPM).astype(np.int64)
    stage.closed = 2


@njit(cache=True)
def _adjustable(
    way, periods, b, i, live, site_pv, site_load, set_w, shed, charge, capacity_wh, rated_w, efficiency, flexible
):
    """Adjustable W of a site in a direction for the whole event, beyond what running orders already claim."""
    claimed = 0.0
    ahead = site_pv[b, 0, i] if way < 0 else load.range_up_w(site_load[b, 0, i], flexible, shed)
    for h in range(periods):
        if live[b, h, i] * way < 0.0:
            return 0.0  # a running order the other way: one site cannot serve both
        claimed = max(claimed, live[b, h, i] * way)
        expected = site_pv[b, h, i] if way < 0 else load.range_up_w(site_load[b, h, i], flexible, shed)
        ahead = min(ahead, expected)
    lowest, highest = storage.limits_w(charge, capacity_wh, rated_w, efficiency, periods)
    if way < 0:
        reach = photovoltaic.range_down_w(ahead) + max(set_w - lowest, 0.0)
    else:
        reach = ahead + max(highest - set_w, 0.0)
    return max(reach - claimed, 0.0)


@njit(cache=True)
def _schedule(site_pv, site_load, b, i, charge, capacity_wh, rated_w, efficiency, plan_w, shift_w, out):
    """File the own forecast with the storage plan, as long as the battery can follow it."""
    for h in range(out.shape[1]):
        lowest, highest = storage.limits_w(charge, capacity_wh, rated_w, efficiency, 1)
        power = min(max(plan_w, lowest), highest)
        charge = storage.advance_wh(charge, capacity_wh, power, efficiency)
        out[b, h, i] = site_pv[b, h + 1, i] - site_load[b, h + 1, i] + power + shift_w


@njit(cache=True)
def _quote(
    action, direction, duration, baseline, live, site_pv, site_load, charge, capacity_wh, rated_w, efficiency,
    capacity_w,
    flexible, set_w, quantity, block_wh, block_price, schedule,
):  # fmt: skip
    for b in range(set_w.shape[0]):
        for i in range(set_w.shape[1]):
            a = action[b, i]
            lowest, highest = storage.limits_w(charge[b, i], capacity_wh[i], rated_w[i], efficiency[i], 1)
            power = min(max(a[STORAGE] * rated_w[i], lowest), highest)
            set_w[b, i] = power
            shed = a[SHED]
            # Surplus or need as the site expects it, running orders included.
            expected = site_pv[b, 0, i] - site_load[b, 0, i] * (1.0 - flexible * shed) + power
            if live[b, 0, i] < 0.0:
                expected = min(expected, baseline[b, 0, i] + live[b, 0, i])
            elif live[b, 0, i] > 0.0:
                expected = max(expected, baseline[b, 0, i] + live[b, 0, i])
            quantity[b, i] = np.int64(np.rint(expected * HOURS * a[QUANTITY]))
            for r in range(REQUESTS):
                way = direction[b, r]
                if way == 0:
                    continue
                reach = _adjustable(
                    way, duration[b, r], b, i, live, site_pv, site_load, power, shed, charge[b, i], capacity_wh[i],
                    rated_w[i], efficiency[i], flexible,
                )  # fmt: skip
                total = np.int64(np.floor(reach * a[FLEX_SHARE] * HOURS))
                block_wh[b, r, i, 0] = total // 2
                block_wh[b, r, i, 1] = total - total // 2
                first = a[FLEX_DOWN] if way < 0 else a[FLEX_UP]
                block_price[b, r, i, 0] = np.int64(np.rint(first))
                block_price[b, r, i, 1] = np.int64(np.rint(first + a[FLEX_STEP]))
            after = storage.advance_wh(charge[b, i], capacity_wh[i], power, efficiency[i])
            _schedule(
                site_pv, site_load, b, i, after, capacity_wh[i], rated_w[i], efficiency[i],
                a[STORAGE_PLAN] * rated_w[i], a[SCHEDULE_SHIFT] * capacity_w[i], schedule,
            )  # fmt: skip


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
        preference=action[:, :, PREFERS : PREFERS + world.aggregators],
        schedule_w=np.zeros((worlds, HORIZON, sites)),
    )
    _quote(
        action, stage.direction, stage.duration, stage.baseline_w, stage.live_w, state.site_pv_w, state.site_load_w,
        state.charge_wh, world.storage_wh, world.storage_w, world.efficiency, world.capacity_w,
        world.scenario.sites.flexible_load_share, quotes.storage_w, quotes.quantity_wh, quotes.block_wh,
        quotes.block_price, quotes.schedule_w,
    )  # fmt: skip
    return quotes
