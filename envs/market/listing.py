"""Listing (one of the existing methods that paper 003 names): sellers post offers, buyers pick the cheapest.

A listing is firm: its price is the seller's quote, and that is what the buyer pays, in parts if it needs less. Buyers
choose in falling order of their own quote and take listings up to their limit, so a buyer's quote buys only its turn.
Equal prices: the lower site index first, among listings and in the queue. There is one round.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.pairing import mean_price, no_pairs, order_prices, rank, scratch
from envs.types import Orders, Tariffs, Trades


@njit(cache=True)
def _pick(price, limit, left, work, buyer, seller, wh, paid):
    """Sales of one world; ``left`` (N,) is reduced in place."""
    sellers = rank(price, left, 1, work, work[0])
    buyers = rank(price, left, -1, work, work[1])
    s, count = 0, 0
    for b in range(buyers):
        j = work[1, b]
        # Sold listings never come back, so the cheapest one left only moves on; a poorer buyer leaves it standing.
        while s < sellers and left[j] < 0 and price[work[0, s]] <= limit[j]:
            i = work[0, s]
            amount = min(left[i], -left[j])
            seller[count], buyer[count], wh[count], paid[count] = i, j, amount, price[i]
            left[i] -= amount
            left[j] += amount
            count += 1
            if left[i] == 0:
                s += 1
    return count


@njit(cache=True)
def _clear(opening, limit, quantity, feed_in, retail, weighted):
    worlds, n = opening.shape
    buyer, seller, wh, paid, count = no_pairs(worlds, n)
    reference = np.empty(worlds, np.int64)
    work, left, price = scratch(n), np.empty(n, np.int64), np.empty(n, np.int64)
    for w in range(worlds):
        left[:] = quantity[w]
        order_prices(opening[w], limit[w], left, price)
        count[w] = _pick(price, limit[w], left, work, buyer[w], seller[w], wh[w], paid[w])
        reference[w] = (feed_in + retail) // 2
        if count[w] > 0:
            reference[w] = mean_price(wh[w], paid[w], count[w], weighted)
    return buyer, seller, wh, paid, count, reference


def clear(orders: Orders, tariffs: Tariffs) -> Trades:
    """Clear a batch of books; the reference is the mean listing sold, the middle of the tariffs without a sale.

    Shapes and units as in Orders and Trades; at most N pairs a world.
    """
    tariff = (tariffs.feed_in, tariffs.retail, tariffs.weighted)
    return Trades(*_clear(orders.opening, orders.limit, orders.quantity_wh, *tariff))
