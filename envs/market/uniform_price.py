"""Competitive-equilibrium price (paper 002's first trading pattern): one price for all, where supply meets demand.

Quotes are ranked, sells ascending and buys descending, and accepted while they cross. Every price between the
dearer of last accepted sell and first refused buy, and the cheaper of last accepted buy and first refused sell, clears
the book; the price is the middle of that interval (k = ½), rounded down. Orders clear once, so re-quotes play no
part. Partial fills fall on the last accepted order of the long side. Equal prices: the lower site index first.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.pairing import no_pairs, order_prices, rank, scratch
from envs.types import Orders, Tariffs, Trades


@njit(cache=True)
def _cross(price, left, work, buyer, seller, wh):
    """Pairs of one world and the interval of clearing prices; ``left`` (N,) is reduced in place."""
    sellers = rank(price, left, 1, work, work[0])
    buyers = rank(price, left, -1, work, work[1])
    s, b, count = 0, 0, 0
    low, high = np.int64(0), np.int64(0)
    while s < sellers and b < buyers:
        i, j = work[0, s], work[1, b]
        if price[i] > price[j]:
            break
        amount = min(left[i], -left[j])
        seller[count], buyer[count], wh[count] = i, j, amount
        low, high = price[i], price[j]
        left[i] -= amount
        left[j] += amount
        count += 1
        if left[i] == 0:
            s += 1
        if left[j] == 0:
            b += 1
    # The heads of what is left are the first refused orders, or the rest of a partly filled one.
    if count > 0 and b < buyers:
        low = max(low, price[work[1, b]])
    if count > 0 and s < sellers:
        high = min(high, price[work[0, s]])
    return count, low, high


@njit(cache=True)
def _clear(opening, limit, quantity, feed_in, retail):
    worlds, n = opening.shape
    buyer, seller, wh, paid, count = no_pairs(worlds, n)
    reference = np.empty(worlds, np.int64)
    work, left, price = scratch(n), np.empty(n, np.int64), np.empty(n, np.int64)
    for w in range(worlds):
        left[:] = quantity[w]
        order_prices(opening[w], limit[w], left, price)
        count[w], low, high = _cross(price, left, work, buyer[w], seller[w], wh[w])
        reference[w] = (low + high) // 2 if count[w] > 0 else (feed_in + retail) // 2
        paid[w, : count[w]] = reference[w]
    return buyer, seller, wh, paid, count, reference


def clear(orders: Orders, tariffs: Tariffs) -> Trades:
    """Clear a batch of books at one price each; the reference is that price, the middle of the tariffs without trade.

    Shapes and units as in Orders and Trades; at most N pairs a world.
    """
    return Trades(*_clear(orders.opening, orders.limit, orders.quantity_wh, tariffs.feed_in, tariffs.retail))
