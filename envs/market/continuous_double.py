"""Continuous double auction (papers 002 and 003 name it): an order book with price-time priority.

Orders arrive one after another; who crosses the best resting order trades with it at once, at the resting order's
price; the rest of an order rests. When all have arrived the mean price Pa is known, and who is left replaces its
order by one that moved toward Pa by its re-quote fraction, never past its limit: a changed order loses its place in
time, an unchanged one keeps it. Arrival is by a hash of quote, limit and quantity, so that it does not depend on the
site's number; equal orders arrive in the order of the sites.
"""

from __future__ import annotations

import heapq

import numpy as np
from numba import njit

from envs.pairing import mean_price, no_pairs, order_prices
from envs.types import PPM, Orders, Tariffs, Trades

MIX, ONE, TWO = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@njit(cache=True)
def arrival_key(quote, limit, quantity):
    """63 bits that order arrivals: splitmix64 over the order's three numbers."""
    state = np.uint64(0)
    for word in (quote, limit, quantity):
        state = (state ^ np.uint64(word)) + MIX
        state = (state ^ (state >> np.uint64(30))) * ONE
        state = (state ^ (state >> np.uint64(27))) * TWO
        state = state ^ (state >> np.uint64(31))
    return np.int64(state >> np.uint64(1))


@njit(cache=True)
def _arrive(i, time, price, left, stamp, asks, bids, buyer, seller, wh, paid, count):
    """Order i enters the book at ``time``; entries whose stamp is old were replaced and are dropped when met."""
    sells = left[i] > 0
    other = bids if sells else asks
    while left[i] != 0 and len(other) > 0:
        _, at, j = other[0]
        if left[j] == 0 or stamp[j] != at:
            heapq.heappop(other)
            continue
        if (sells and price[j] < price[i]) or (not sells and price[j] > price[i]):
            break
        amount = min(abs(left[i]), abs(left[j]))
        seller[count], buyer[count] = (i, j) if sells else (j, i)
        wh[count], paid[count] = amount, price[j]
        left[i] -= amount if sells else -amount
        left[j] += amount if sells else -amount
        count += 1
    if left[i] != 0:
        stamp[i] = time
        heapq.heappush(asks if sells else bids, (price[i] if sells else -price[i], time, i))
    return count


@njit(cache=True)
def _session(price, limit, requote, left, feed_in, retail, weighted, buyer, seller, wh, paid):
    """One world: arrivals, Pa, replacements; returns (pairs, Pa)."""
    n = price.shape[0]
    key = np.empty(n, np.int64)
    for i in range(n):
        key[i] = arrival_key(price[i], limit[i], left[i])
    turn = np.argsort(key, kind="mergesort")
    stamp = np.full(n, np.int64(-1))
    none = np.int64(0)
    asks = [(none, none, none) for _ in range(0)]
    bids = [(none, none, none) for _ in range(0)]
    count, time = 0, np.int64(0)
    for i in turn:
        count = _arrive(i, time, price, left, stamp, asks, bids, buyer, seller, wh, paid, count)
        time += 1
    pa = mean_price(wh, paid, count, weighted) if count > 0 else np.int64((feed_in + retail) // 2)
    for i in turn:
        moved = price[i] + (pa - price[i]) * requote[i] // PPM
        moved = max(moved, limit[i]) if left[i] > 0 else min(moved, limit[i])
        if left[i] != 0 and moved != price[i]:
            price[i] = moved
            count = _arrive(i, time, price, left, stamp, asks, bids, buyer, seller, wh, paid, count)
            time += 1
    return count, pa


@njit(cache=True)
def _clear(opening, limit, quantity, requote, feed_in, retail, weighted):
    worlds, n = opening.shape
    buyer, seller, wh, paid, count = no_pairs(worlds, 2 * n)
    reference = np.empty(worlds, np.int64)
    left, price = np.empty(n, np.int64), np.empty(n, np.int64)
    for w in range(worlds):
        left[:] = quantity[w]
        order_prices(opening[w], limit[w], left, price)
        count[w], reference[w] = _session(
            price, limit[w], requote[w], left, feed_in, retail, weighted, buyer[w], seller[w], wh[w], paid[w]
        )
    return buyer, seller, wh, paid, count, reference


def clear(orders: Orders, tariffs: Tariffs) -> Trades:
    """Run a batch of books; the reference is Pa, the mean price of the first arrivals' trades, else of the tariffs.

    Shapes and units as in Orders and Trades; at most N pairs a world.
    """
    tariff = (tariffs.feed_in, tariffs.retail, tariffs.weighted)
    return Trades(*_clear(orders.opening, orders.limit, orders.quantity_wh, orders.requote_ppm, *tariff))
