"""Two-stage two-way auction of paper 003, section 3.2.2.

Stage one: sells ascending, buys descending, head to head while Ps <= Pb at (Ps + Pb) / 2, volume the smaller of the
two. Then the mean price Pa of the trades is broadcast (volume-weighted by default, the paper's plain mean by setting);
who is left re-quotes toward Pa, never past the declared limit, and stage two runs likewise. What is left after
that goes to the grid. Equal prices: the lower site index first. Prices are rounded down to the micro-currency.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.pairing import mean_price, no_pairs, order_prices, rank, scratch
from envs.types import PPM, Orders, Tariffs, Trades


@njit(cache=True)
def _match(price, left, work, buyer, seller, wh, paid, count):
    """Head-to-head matching of one world; ``left`` (N,) is reduced in place; returns the new number of pairs."""
    sellers = rank(price, left, 1, work, work[0])
    buyers = rank(price, left, -1, work, work[1])
    s, b = 0, 0
    while s < sellers and b < buyers:
        i, j = work[0, s], work[1, b]
        if price[i] > price[j]:
            return count
        amount = min(left[i], -left[j])
        seller[count], buyer[count], wh[count] = i, j, amount
        paid[count] = (price[i] + price[j]) // 2
        left[i] -= amount
        left[j] += amount
        count += 1
        if left[i] == 0:
            s += 1
        if left[j] == 0:
            b += 1
    return count


@njit(cache=True)
def reference_price(price, left, wh, paid, count, feed_in, retail, weighted):
    """Pa of one world: mean of the trades, else the middle of best bid and ask, else of the tariffs."""
    if count > 0:
        return mean_price(wh, paid, count, weighted)
    ask, bid = np.int64(-1), np.int64(-1)
    for i in range(price.shape[0]):
        if left[i] > 0 and (ask < 0 or price[i] < ask):
            ask = price[i]
        if left[i] < 0 and price[i] > bid:
            bid = price[i]
    if ask >= 0 and bid >= 0:
        return (ask + bid) // 2
    return np.int64((feed_in + retail) // 2)


@njit(cache=True)
def _clear(opening, limit, quantity, requote, feed_in, retail, weighted):
    worlds, n = opening.shape
    buyer, seller, wh, paid, count = no_pairs(worlds, 2 * n)
    reference = np.zeros(worlds, np.int64)
    work, left, price = scratch(n), np.empty(n, np.int64), np.empty(n, np.int64)
    for w in range(worlds):
        left[:] = quantity[w]
        order_prices(opening[w], limit[w], left, price)
        first = _match(price, left, work, buyer[w], seller[w], wh[w], paid[w], 0)
        pa = reference_price(price, left, wh[w], paid[w], first, feed_in, retail, weighted)
        for i in range(n):
            if left[i] != 0:
                moved = price[i] + (pa - price[i]) * requote[w, i] // PPM
                price[i] = max(moved, limit[w, i]) if left[i] > 0 else min(moved, limit[w, i])
        count[w] = _match(price, left, work, buyer[w], seller[w], wh[w], paid[w], first)
        reference[w] = pa
    return buyer, seller, wh, paid, count, reference


def clear(orders: Orders, tariffs: Tariffs) -> Trades:
    """Clear a batch of books. Shapes and units as in Orders and Trades; at most 2·N pairs a world."""
    return Trades(
        *_clear(
            orders.opening,
            orders.limit,
            orders.quantity_wh,
            orders.requote_ppm,
            tariffs.feed_in,
            tariffs.retail,
            tariffs.weighted,
        )
    )
