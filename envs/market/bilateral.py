"""Bilateral negotiation (one of the existing methods that paper 003 names): pairs talk and give way, or part.

Buyers, the highest quote first, call on the sellers that have something left, the cheapest quote first. The two start
from their quotes; in each of `ROUNDS` rounds both move from what they last said toward what the other last said, by
their own re-quote fraction and never past their limit. When the two offers meet they trade at the middle, rounded
down, the smaller of the two volumes; a buyer who still needs energy calls on the next. A talk that ends without
a deal changes nobody's quote for the next one. Equal quotes: the lower site index first.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.pairing import mean_price, no_pairs, order_prices, rank, scratch
from envs.types import PPM, Orders, Tariffs, Trades

ROUNDS = 8


@njit(cache=True)
def negotiate(ask, bid, lowest, highest, yields_ask, yields_bid):
    """Price that one pair agrees on, -1 if it does not; ``lowest`` and ``highest`` are the two limits."""
    if lowest > highest:
        return np.int64(-1)
    for talk in range(ROUNDS + 1):
        if ask <= bid:
            return (ask + bid) // 2
        if talk < ROUNDS:
            gap = ask - bid
            ask = max(ask - gap * yields_ask // PPM, lowest)
            bid = min(bid + gap * yields_bid // PPM, highest)
    return np.int64(-1)


@njit(cache=True)
def _talks(price, limit, requote, left, work, buyer, seller, wh, paid):
    """Deals of one world; ``left`` (N,) is reduced in place."""
    sellers = rank(price, left, 1, work, work[0])
    buyers = rank(price, left, -1, work, work[1])
    count = 0
    for b in range(buyers):
        j = work[1, b]
        for s in range(sellers):
            i = work[0, s]
            if left[j] == 0:
                break
            if left[i] == 0:
                continue
            agreed = negotiate(price[i], price[j], limit[i], limit[j], requote[i], requote[j])
            if agreed >= 0:
                amount = min(left[i], -left[j])
                seller[count], buyer[count], wh[count], paid[count] = i, j, amount, agreed
                left[i] -= amount
                left[j] += amount
                count += 1
    return count


@njit(cache=True)
def _clear(opening, limit, quantity, requote, feed_in, retail, weighted):
    worlds, n = opening.shape
    buyer, seller, wh, paid, count = no_pairs(worlds, n)
    reference = np.empty(worlds, np.int64)
    work, left, price = scratch(n), np.empty(n, np.int64), np.empty(n, np.int64)
    for w in range(worlds):
        left[:] = quantity[w]
        order_prices(opening[w], limit[w], left, price)
        count[w] = _talks(price, limit[w], requote[w], left, work, buyer[w], seller[w], wh[w], paid[w])
        reference[w] = (feed_in + retail) // 2
        if count[w] > 0:
            reference[w] = mean_price(wh[w], paid[w], count[w], weighted)
    return buyer, seller, wh, paid, count, reference


def clear(orders: Orders, tariffs: Tariffs) -> Trades:
    """Clear a batch of books; the reference is the mean price agreed, the middle of the tariffs without a deal.

    Shapes and units as in Orders and Trades; at most N pairs a world.
    """
    tariff = (tariffs.feed_in, tariffs.retail, tariffs.weighted)
    return Trades(*_clear(orders.opening, orders.limit, orders.quantity_wh, orders.requote_ppm, *tariff))
