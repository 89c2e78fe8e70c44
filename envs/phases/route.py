"""Route: whose flows the losses of a period come from.

A period's uses of the net are its trades, from seller to buyer, and what each site exchanges with the upper grid
beyond them; together they are exactly the accepted readings. Every use answers for its share of the losses.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.dispatch.rounding import round_one
from envs.grid.routing import carry, loss_share, losses_of
from envs.types import HOURS, Trades, Transport, Verdict
from envs.world import World


@njit(cache=True)
def _share(routes, site_bus, buyer, seller, wh, count, net_wh, trade_loss, exchange_loss):
    worlds, sites = net_wh.shape
    flow, left = np.empty(len(routes.child)), np.empty(sites)
    for b in range(worlds):
        n = count[b]
        flow[:] = 0.0
        left[:] = net_wh[b]
        for k in range(n):
            carry(routes, site_bus[seller[b, k]], site_bus[buyer[b, k]], wh[b, k], flow)
            left[seller[b, k]] -= wh[b, k]
            left[buyer[b, k]] += wh[b, k]
        for i in range(sites):
            carry(routes, site_bus[i], 0, left[i], flow)
        share, floor, trades = np.empty(n), np.empty(n, np.int64), 0.0
        for k in range(n):
            share[k] = loss_share(routes, site_bus[seller[b, k]], site_bus[buyer[b, k]], wh[b, k], flow, HOURS)
            trades += share[k]
            floor[k] = np.int64(np.floor(share[k]))
        whole = np.int64(np.rint(trades))
        round_one(share - floor, whole - floor.sum(), np.ones(n, np.int64), trade_loss[b, :n])
        trade_loss[b, :n] += floor
        exchange_loss[b] = np.int64(np.rint(losses_of(routes, flow, HOURS))) - whole


def share_losses(world: World, trades: Trades, verdict: Verdict) -> Transport:
    """Losses by use, whole Wh: of each trade by largest remainder (ties to the earlier one), of the exchange the rest.

    They add up to what the accepted readings lose in the branches' resistances at 1 pu. What is missing to the
    technical losses (reactive power, idle transformers, voltages off 1 pu, readings that are not true) is nobody's.
    """
    transport = Transport(np.zeros_like(trades.wh), np.zeros(len(trades.count), np.int64))
    _share(
        world.routes, world.site_bus, trades.buyer, trades.seller, trades.wh, trades.count, verdict.net_wh,
        transport.trade_loss_wh, transport.exchange_loss_wh,
    )  # fmt: skip
    return transport
