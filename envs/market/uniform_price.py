"""Competitive-equilibrium price (paper 002's first trading pattern): one price for all, where supply meets demand.

Quotes are ranked, sells ascending and buys descending, and accepted while they cross. Every price between the
dearer of last accepted sell and first refused buy, and the cheaper of last accepted buy and first refused sell, clears
the book; the price is the middle of that interval (k = ½), rounded down. Orders clear once, so re-quotes play no
part. Partial fills fall on the last accepted order of the long side. Equal prices: the lower site index first.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.pairing import cross, no_pairs, order_prices, scratch
from envs.types import Orders, Tariffs, Trades


@njit(cache=True)
def _clear(opening, limit, quantity, feed_in, retail):
    worlds, n = opening.shape
    buyer, seller, wh, paid, count = no_pairs(worlds, n)
    reference = np.empty(worlds, np.int64)
    work, left, price = scratch(n), np.empty(n, np.int64), np.empty(n, np.int64)
    for w in range(worlds):
        left[:] = quantity[w]
        order_prices(opening[w], limit[w], left, price)
        count[w], low, high = cross(price, left, work, buyer[w], seller[w], wh[w])
        reference[w] = (low + high) // 2 if count[w] > 0 else (feed_in + retail) // 2
        paid[w, : count[w]] = reference[w]
    return buyer, seller, wh, paid, count, reference


def clear(orders: Orders, tariffs: Tariffs) -> Trades:
    """Clear a batch of books at one price each; the reference is that price, the middle of the tariffs without trade.

    Shapes and units as in Orders and Trades; at most N pairs a world.
    """
    return Trades(*_clear(orders.opening, orders.limit, orders.quantity_wh, tariffs.feed_in, tariffs.retail))
