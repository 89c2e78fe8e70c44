"""First-price sealed auction (paper 002): who wins deals at its own price. For requests, and for peers both ways.

A request is a procurement: the operator buys, the lowest offers per effective kWh win up to the reserve price, and each
winner is paid what it asked (ranking and ties: ``envs.tender``).

Among peers the longer side of the book competes by sealed quotes for the shorter. More is offered than wanted:
a procurement, the cheapest sells win and each is paid its own quote. More is wanted than offered: a sale, the
dearest buys win and each pays its own quote. The shorter side's quotes are reserve prices. Both sides alike: the sells
compete. One round, so re-quotes play no part. Partial fills fall on the last accepted order of the longer side. Equal
quotes: the lower site index first.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.pairing import cross, mean_price, no_pairs, order_prices, scratch, sells_compete
from envs.tender import lowest_first
from envs.types import Ints, Offers, Orders, Tariffs, Trades


def award(offers: Offers) -> Ints:
    """Awarded Wh a period, (B, A): sums to min(asked, admissible) in every world."""
    return lowest_first(offers)


def pay(offers: Offers, awarded_wh: Ints) -> Ints:
    """Price per verified kWh, (B, A): as offered, also where the safety check has changed the awards."""
    return offers.price


@njit(cache=True)
def _clear(opening, limit, quantity, feed_in, retail, weighted):
    worlds, n = opening.shape
    buyer, seller, wh, paid, count = no_pairs(worlds, n)
    reference = np.full(worlds, np.int64((feed_in + retail) // 2))
    work, left, price = scratch(n), np.empty(n, np.int64), np.empty(n, np.int64)
    for w in range(worlds):
        left[:] = quantity[w]
        order_prices(opening[w], limit[w], left, price)
        compete = seller[w] if sells_compete(left) else buyer[w]
        count[w], _, _ = cross(price, left, work, buyer[w], seller[w], wh[w])
        for k in range(count[w]):
            paid[w, k] = price[compete[k]]
        if count[w] > 0:
            reference[w] = mean_price(wh[w], paid[w], count[w], weighted)
    return buyer, seller, wh, paid, count, reference


def clear(orders: Orders, tariffs: Tariffs) -> Trades:
    """Clear a batch of books; the reference is the mean price paid, the middle of the tariffs without trade.

    Shapes and units as in Orders and Trades; at most N pairs a world.
    """
    tariff = (tariffs.feed_in, tariffs.retail, tariffs.weighted)
    return Trades(*_clear(orders.opening, orders.limit, orders.quantity_wh, *tariff))
