"""Settle: the money table. A payment is one transfer, Wh × price / 1000 rounded half to even; so the sum is zero.

Accounts: sites, aggregators, operator, supplier, upper level. A row is (flow, payer, payee, Wh, price, amount, event
slot); balances are nothing but the sum of rows.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.money import (
    ACTIVATION,
    AGGREGATOR_SHORTFALL,
    CHARGE,
    DEFICIT,
    LAST_RESORT,
    LOSSES,
    OUTAGE,
    SUBSIDY,
    SURPLUS,
    TRADE,
    UPPER_MISSING,
    UPPER_ORDER,
    USER_SHORTFALL,
)
from envs.types import PPM, Energy, Payments, State, Trades, Verdict
from envs.world import World

FLOW, PAYER, PAYEE, WH, PRICE, AMOUNT, SLOT = range(7)


@njit(cache=True)
def amount_of(wh, price):
    """Micro-currency for Wh at micro-currency per kWh, half to even; exact integers, wh and price not negative."""
    value = wh * price
    whole, rest = value // 1000, value % 1000
    if rest > 500 or (rest == 500 and whole % 2 == 1):
        whole += 1
    return whole


@njit(cache=True)
def _pay(rows, change, n, flow, payer, payee, wh, price, slot):
    """Append one transfer; nothing is written for nothing. Returns the new number of rows."""
    amount = amount_of(wh, price)
    if wh == 0:
        return n
    rows[n, 0], rows[n, 1], rows[n, 2], rows[n, 3] = flow, payer, payee, wh
    rows[n, 4], rows[n, 5], rows[n, 6] = price, amount, slot
    change[payer] -= amount
    change[payee] += amount
    return n + 1


@njit(cache=True)
def _pay_energy(rows, change, n, b, trades, net, feed_in, retail, charge, eno):
    """Firm trades with their paths' network charge, then what differs from them at the tariffs, imports charged too."""
    buyer, seller, wh, price, path_charge, count = trades
    contracted = np.zeros(net.shape[1], np.int64)
    for k in range(count[b]):
        contracted[seller[b, k]] += wh[b, k]
        contracted[buyer[b, k]] -= wh[b, k]
        n = _pay(rows, change, n, TRADE, buyer[b, k], seller[b, k], wh[b, k], price[b, k], -1)
        n = _pay(rows, change, n, CHARGE, buyer[b, k], eno, wh[b, k], path_charge[b, k], -1)
    for i in range(net.shape[1]):
        residual = net[b, i] - contracted[i]
        if residual > 0:
            n = _pay(rows, change, n, SURPLUS, eno + 1, i, residual, feed_in, -1)
        elif residual < 0:
            n = _pay(rows, change, n, DEFICIT, i, eno + 1, -residual, retail, -1)
            n = _pay(rows, change, n, CHARGE, i, eno, -residual, charge, -1)
    return n


@njit(cache=True)
def _pay_event(rows, change, n, b, e, events, verified, factor_ppm, sites, eno):
    """Activation and subsidy for what was verified, shortfall for what was not, the upper level's side last."""
    upper_wh, upper_price, paid, ordered, member, subsidy = events
    aggregators = paid.shape[2]
    done, due = np.zeros(aggregators, np.int64), np.zeros(aggregators, np.int64)
    total = np.int64(0)
    for i in range(sites):
        if ordered[b, e, i] == 0:
            continue
        a, good = member[b, e, i], verified[b, e, i]
        price = subsidy[b, e, i]
        due[a] += ordered[b, e, i]
        done[a] += good
        total += good
        n = _pay(rows, change, n, SUBSIDY, sites + a, i, good, price, e)
        penalty = price * factor_ppm // PPM
        n = _pay(rows, change, n, USER_SHORTFALL, i, sites + a, ordered[b, e, i] - good, penalty, e)
    for a in range(aggregators):
        n = _pay(rows, change, n, ACTIVATION, eno, sites + a, done[a], paid[b, e, a], e)
        penalty = paid[b, e, a] * factor_ppm // PPM
        n = _pay(rows, change, n, AGGREGATOR_SHORTFALL, sites + a, eno, due[a] - done[a], penalty, e)
    wanted = upper_wh[b, e]
    good = min(total, wanted)
    n = _pay(rows, change, n, UPPER_ORDER, eno + 2, eno, good, upper_price[b, e], e)
    return _pay(rows, change, n, UPPER_MISSING, eno, eno + 2, wanted - good, upper_price[b, e], e)


@njit(cache=True)
def _settle(
    trades,
    net,
    period,
    start,
    duration,
    events,
    verified,
    losses,
    cut,
    outage,
    tariffs,
    factor_ppm,
    eno,
    rows,
    count,
    change,
):
    feed_in, retail, charge = tariffs
    for b in range(net.shape[0]):
        n = _pay_energy(rows[b], change[b], 0, b, trades, net, feed_in, retail, charge, eno)
        for e in range(start.shape[1]):
            if start[b, e] >= 0 and start[b, e] <= period < start[b, e] + duration[b, e]:
                n = _pay_event(rows[b], change[b], n, b, e, events, verified, factor_ppm, net.shape[1], eno)
        if losses[b] >= 0:
            n = _pay(rows[b], change[b], n, LOSSES, eno, eno + 1, losses[b], retail, -1)
        else:  # accepted readings add up to less than what left the grid: the supplier got energy for nothing
            n = _pay(rows[b], change[b], n, LOSSES, eno + 1, eno, -losses[b], retail, -1)
        for i in range(net.shape[1]):
            n = _pay(rows[b], change[b], n, LAST_RESORT, eno, i, abs(cut[b, i]), feed_in, -1)
            n = _pay(rows[b], change[b], n, OUTAGE, eno, i, abs(outage[b, i]), feed_in, -1)
        count[b] = n


def settle(world: World, state: State, trades: Trades, energy: Energy, verdict: Verdict) -> Payments:
    """All transfers of the period, integers; the changes of all accounts of a world sum to zero."""
    market, events = world.scenario.market, state.events
    worlds, slots, sites = events.ordered_wh.shape
    longest = 2 * trades.wh.shape[1] + 4 * sites + slots * (2 * sites + 2 * world.aggregators + 2) + 1
    rows = np.empty((worlds, longest, 7), np.int64)
    pairs = (trades.buyer, trades.seller, trades.wh, trades.price, world.path_charges(trades), trades.count)
    payments = Payments(rows, np.zeros(worlds, np.int64), np.zeros((worlds, world.accounts), np.int64))
    _settle(
        pairs, verdict.net_wh, state.period, events.start, events.duration,
        (events.upper_wh, events.upper_price, events.paid, events.ordered_wh, events.member, events.subsidy),
        verdict.verified_wh, verdict.losses_wh, energy.cut_wh, energy.outage_wh,
        (market.feed_in, market.retail, market.network_charge),
        round(market.shortfall_factor * PPM), world.eno_account, payments.rows, payments.count, payments.change,
    )  # fmt: skip
    return payments
