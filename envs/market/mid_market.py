"""Mid-market price: peers trade at the middle of feed-in and retail, whatever they quote.

Who takes part is decided by the limit alone; the opening price only breaks ties. The longer side is cut pro rata:
shares are rounded down, what is left goes Wh by Wh to the better quote (then the lower site index), and what a site
does not trade goes to the grid.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.pairing import fill, no_pairs, order_prices, rank, ration, scratch
from envs.types import Orders, Tariffs, Trades


@njit(cache=True)
def _clear(opening, limit, quantity, middle):
    worlds, n = opening.shape
    buyer, seller, wh, paid, count = no_pairs(worlds, n)
    work, give, price = scratch(n), np.empty(n, np.int64), np.empty(n, np.int64)
    for w in range(worlds):
        supply, demand = np.int64(0), np.int64(0)
        for i in range(n):
            wants = quantity[w, i]
            refuses = limit[w, i] > middle if wants > 0 else limit[w, i] < middle
            give[i] = 0 if refuses else wants
            supply += max(give[i], 0)
            demand += max(-give[i], 0)
        order_prices(opening[w], limit[w], give, price)
        sellers = rank(price, give, 1, work, work[0])
        buyers = rank(price, give, -1, work, work[1])
        total = min(supply, demand)
        ration(give, work[0, :sellers], 1, total)
        ration(give, work[1, :buyers], -1, total)
        count[w] = fill(give, sellers, buyers, middle, work, buyer[w], seller[w], wh[w], paid[w], 0)
    return buyer, seller, wh, paid, count, np.full(worlds, middle)


def clear(orders: Orders, tariffs: Tariffs) -> Trades:
    """Clear a batch of books; the reference price is the middle of the tariffs, rounded down.

    Shapes and units as in Orders and Trades; at most N pairs a world.
    """
    middle = (tariffs.feed_in + tariffs.retail) // 2
    return Trades(*_clear(orders.opening, orders.limit, orders.quantity_wh, middle))
