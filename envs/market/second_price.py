"""Second-price sealed auction (Vickrey), for comparison with the first price: winners deal at the best price refused.

A request awards like the first-price auction (``envs.tender``), but all winners are paid one price per effective kWh:
that of the cheapest offer with something left over, the (k+1)-th price where k units are bought. Nothing left over: the
reserve price. Where each bidder has one unit its own price decides only whether it wins, so telling the cost is
dominant; a large bidder that is cut at the margin sets its own price, as with any uniform price. When the safety
check reopens the awards, whoever was taken out of turn is paid as offered: nobody gets less than it asked, and
nobody more than the reserve price.

Among peers the longer side of the book competes, as in the first-price auction, at one price: the end of the interval
of clearing prices that is best for it, set by the first refused order of its own side or the last accepted one of the
other. So it is the longer side whose best quote is the truth, one unit a trader. Equal quotes: the lower site index.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.pairing import cross, no_pairs, order_prices, scratch, sells_compete
from envs.tender import admissible, cheaper, lowest_first
from envs.types import Ints, Offers, Orders, Tariffs, Trades


def award(offers: Offers) -> Ints:
    """Awarded Wh a period, (B, A): sums to min(asked, admissible) in every world."""
    return lowest_first(offers)


@njit(cache=True)
def _pay(price, wh, effect, reserve, awarded, out):
    for w in range(price.shape[0]):
        refused = -1
        for a in range(price.shape[1]):
            spare = wh[w, a] > awarded[w, a] and admissible(price[w], wh[w], effect[w], reserve[w], a)
            if spare and (refused < 0 or cheaper(price[w], effect[w], a, refused)):
                refused = a
        for a in range(price.shape[1]):
            if awarded[w, a] > 0:
                bound = reserve[w]
                if refused >= 0:
                    bound = min(bound, price[w, refused] * effect[w, a] // effect[w, refused])
                out[w, a] = max(out[w, a], bound)
    return out


def pay(offers: Offers, awarded_wh: Ints) -> Ints:
    """Price per verified kWh, (B, A): the best refused one, not below the own; who wins nothing keeps its own."""
    result: Ints = _pay(
        offers.price, offers.wh, offers.effect_ppm, offers.reserve, awarded_wh, np.array(offers.price, np.int64)
    )
    return result


@njit(cache=True)
def _clear(opening, limit, quantity, feed_in, retail):
    worlds, n = opening.shape
    buyer, seller, wh, paid, count = no_pairs(worlds, n)
    reference = np.full(worlds, np.int64((feed_in + retail) // 2))
    work, left, price = scratch(n), np.empty(n, np.int64), np.empty(n, np.int64)
    for w in range(worlds):
        left[:] = quantity[w]
        order_prices(opening[w], limit[w], left, price)
        selling = sells_compete(left)
        count[w], low, high = cross(price, left, work, buyer[w], seller[w], wh[w])
        if count[w] > 0:
            reference[w] = high if selling else low
        paid[w, : count[w]] = reference[w]
    return buyer, seller, wh, paid, count, reference


def clear(orders: Orders, tariffs: Tariffs) -> Trades:
    """Clear a batch of books at one price each; the reference is that price, the middle of the tariffs without trade.

    Shapes and units as in Orders and Trades; at most N pairs a world.
    """
    return Trades(*_clear(orders.opening, orders.limit, orders.quantity_wh, tariffs.feed_in, tariffs.retail))
