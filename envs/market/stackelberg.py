"""Master-slave (Stackelberg) pricing (paper 002's second trading pattern): one leader names a price, users answer it.

The leader sells for all sellers together and names the one price that all trades have; it moves first and knows how
users answer. An order is read as a straight line: nothing at the limit, everything at the quote (a seller's quote is
at or above its limit, a buyer's at or below; where both are equal the order is all or nothing). So a user's best
response is that of a quadratic cost: q = (p - limit) / slope. The leader takes the price with the highest income over
the feed-in tariff, (p - feed-in) · min(supply, demand). While demand alone is short and no line ends, that is
p* = (feed-in + v̄) / 2, v̄ the buyers' limits weighted by 1/slope. Equal incomes: the lower price. The longer side
is cut pro rata, the odd Wh to the better quote, then the lower site index.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.pairing import fill, no_pairs, order_prices, rank, ration, scratch
from envs.types import Orders, Tariffs, Trades


@njit(cache=True)
def response(price, limit, quote, quantity):
    """Best response of one user in Wh, signed like its quantity, rounded toward zero."""
    beyond, span = price - limit, quote - limit
    if quantity < 0:
        beyond, span = -beyond, -span
    if beyond < 0 or quantity == 0:
        return np.int64(0)
    if beyond >= span:
        return quantity
    done = abs(quantity) * beyond // span
    return done if quantity > 0 else -done


@njit(cache=True)
def _income(price, limit, quote, quantity, floor):
    """Leader's income over the feed-in tariff, in micro-currency · Wh / kWh."""
    supply, demand = np.int64(0), np.int64(0)
    for i in range(limit.shape[0]):
        answer = response(price, limit[i], quote[i], quantity[i])
        supply += max(answer, 0)
        demand -= min(answer, 0)
    return (price - floor) * min(supply, demand)


@njit(cache=True)
def _line(low, high, limit, quote, quantity, side):
    """Intercept and slope of one side's total answer between two neighbouring kinks."""
    intercept, slope = 0.0, 0.0
    for i in range(limit.shape[0]):
        if quantity[i] * side <= 0:
            continue
        first, last = min(limit[i], quote[i]), max(limit[i], quote[i])
        if first <= low and high <= last and first < last:
            rate = quantity[i] / (quote[i] - limit[i])
            slope += side * rate
            intercept -= side * rate * limit[i]
        elif (side > 0 and last <= low) or (side < 0 and high <= first):
            intercept += side * quantity[i]
    return intercept, slope


@njit(cache=True)
def leader_price(limit, quote, quantity, floor):
    """(price, income) of one world's leader: exact at kinks, between them the vertex or where both sides meet."""
    kinks = np.sort(np.concatenate((limit[quantity != 0], quote[quantity != 0])))
    best, most = np.int64(0), np.int64(0)
    for k in range(kinks.shape[0]):
        low = kinks[k]
        high = kinks[min(k + 1, kinks.shape[0] - 1)]
        wanted = np.array([float(low), float(low), float(low)])
        if high > low:
            supply, up = _line(low, high, limit, quote, quantity, 1)
            demand, down = _line(low, high, limit, quote, quantity, -1)
            if down < 0.0:
                wanted[1] = (floor - demand / down) / 2.0
            if up > down:
                wanted[2] = (demand - supply) / (up - down)
        for target in wanted:
            # Whole micro-currency on both sides of a real optimum, inside the segment.
            if low <= target <= high:
                for price in (np.int64(np.floor(target)), np.int64(np.ceil(target))):
                    income = _income(price, limit, quote, quantity, floor)
                    if income > most or (income == most and most > 0 and price < best):
                        best, most = price, income
    return best, most


@njit(cache=True)
def _clear(opening, limit, quantity, feed_in, retail):
    worlds, n = opening.shape
    buyer, seller, wh, paid, count = no_pairs(worlds, n)
    reference = np.full(worlds, np.int64((feed_in + retail) // 2))
    work, give, quote = scratch(n), np.empty(n, np.int64), np.empty(n, np.int64)
    for w in range(worlds):
        order_prices(opening[w], limit[w], quantity[w], quote)
        price, income = leader_price(limit[w], quote, quantity[w], feed_in)
        if income <= 0:
            continue
        supply, demand = np.int64(0), np.int64(0)
        for i in range(n):
            give[i] = response(price, limit[w, i], quote[i], quantity[w, i])
            supply += max(give[i], 0)
            demand += max(-give[i], 0)
        sellers = rank(quote, give, 1, work, work[0])
        buyers = rank(quote, give, -1, work, work[1])
        total = min(supply, demand)
        ration(give, work[0, :sellers], 1, total)
        ration(give, work[1, :buyers], -1, total)
        count[w] = fill(give, sellers, buyers, price, work, buyer[w], seller[w], wh[w], paid[w], 0)
        reference[w] = price
    return buyer, seller, wh, paid, count, reference


def clear(orders: Orders, tariffs: Tariffs) -> Trades:
    """Clear a batch of books at the leader's price; the reference is that price, else the middle of the tariffs.

    Shapes and units as in Orders and Trades; at most N pairs a world. Cost grows with the square of N.
    """
    return Trades(*_clear(orders.opening, orders.limit, orders.quantity_wh, tariffs.feed_in, tariffs.retail))
