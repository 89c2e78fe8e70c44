"""What the clearing rules share: ranking a book, matching head to head, rationing the long side.

Everything works on one world and allocates nothing that grows with the number of worlds. Ties: the lower site index.
"""

from __future__ import annotations

import numpy as np
from numba import njit

FEW = 64  # up to here insertion beats the radix passes
BITS = 11
BUCKETS = 1 << BITS


@njit(cache=True)
def scratch(n):
    """(5, n) int64 work space of `rank`: two rankings, keys, and the passes' copies."""
    return np.empty((5, n), np.int64)


@njit(cache=True)
def no_pairs(worlds, pairs):
    """Buyer, seller, Wh and price of shape (B, P), and the counts (B,), all zero: the fields of Trades."""
    shape = (worlds, pairs)
    buyer, seller = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    return buyer, seller, np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(worlds, np.int64)


@njit(cache=True)
def _insert(keys, ids, count):
    for i in range(1, count):
        key, one = keys[i], ids[i]
        j = i - 1
        while j >= 0 and keys[j] > key:
            keys[j + 1], ids[j + 1] = keys[j], ids[j]
            j -= 1
        keys[j + 1], ids[j + 1] = key, one


@njit(cache=True)
def _radix(keys, ids, count, spare_keys, spare_ids):
    lowest, highest = keys[0], keys[0]
    for i in range(count):
        lowest, highest = min(lowest, keys[i]), max(highest, keys[i])
    span = highest - lowest
    start = np.empty(BUCKETS, np.int64)
    shift = 0
    while shift < 64 and span >> shift > 0:
        start[:] = 0
        for i in range(count):
            start[((keys[i] - lowest) >> shift) & (BUCKETS - 1)] += 1
        before = np.int64(0)
        for bucket in range(BUCKETS):
            size = start[bucket]
            start[bucket] = before
            before += size
        for i in range(count):
            bucket = ((keys[i] - lowest) >> shift) & (BUCKETS - 1)
            spare_keys[start[bucket]], spare_ids[start[bucket]] = keys[i], ids[i]
            start[bucket] += 1
        keys[:count], ids[:count] = spare_keys[:count], spare_ids[:count]
        shift += BITS


@njit(cache=True)
def rank(price, left, side, work, out):
    """Orders of one side that are left, best first: sells (side 1) from the lowest price, buys (-1) from the highest.

    Writes site indices to ``out`` (N,) and returns how many. Stable: equal prices keep the order of the sites.
    """
    count = 0
    keys = work[2]
    for i in range(price.shape[0]):
        if left[i] * side > 0:
            keys[count], out[count] = price[i] * side, i
            count += 1
    if count <= FEW:
        _insert(keys, out, count)
    else:
        _radix(keys, out, count, work[3], work[4])
    return count


@njit(cache=True)
def order_prices(opening, limit, quantity, price):
    """Quotes of one world that never cross their own limit, written to ``price`` (N,)."""
    for i in range(price.shape[0]):
        price[i] = max(opening[i], limit[i]) if quantity[i] > 0 else min(opening[i], limit[i])


@njit(cache=True)
def cross(price, left, work, buyer, seller, wh):
    """Pair one world head to head while quotes cross; ``left`` (N,) is reduced in place.

    Returns the number of pairs and the interval of prices at which exactly these orders trade: from the dearer of last
    accepted sell and first refused buy to the cheaper of last accepted buy and first refused sell.
    """
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
def sells_compete(quantity):
    """Whether a book offers at least as much as it wants, so that its sells compete for its buys."""
    return quantity.sum() >= 0


@njit(cache=True)
def fill(give, sellers, buyers, price, work, buyer, seller, wh, paid, count):
    """Pair allotted volumes at one price: both rankings head to head, until one side has nothing left.

    ``give`` (N,) is signed like quantities and reduced in place; returns the new number of pairs.
    """
    s, b = 0, 0
    while s < sellers and b < buyers:
        i, j = work[0, s], work[1, b]
        amount = min(give[i], -give[j])
        if amount > 0:
            seller[count], buyer[count], wh[count], paid[count] = i, j, amount, price
            give[i] -= amount
            give[j] += amount
            count += 1
        if give[i] == 0:
            s += 1
        if give[j] == 0:
            b += 1
    return count


@njit(cache=True)
def ration(give, ranked, side, total):
    """Cut one side pro rata to ``total`` Wh: shares rounded down, what is left Wh by Wh in order of rank."""
    volume = np.int64(0)
    for i in ranked:
        volume += give[i] * side
    if volume <= total:
        return
    given = np.int64(0)
    for i in ranked:
        share = give[i] * side * total // volume
        given += share
        give[i] = share * side
    # Less than one Wh each is missing, and every share was rounded below its quantity, so nobody gets too much.
    for i in ranked[: total - given]:
        give[i] += side


@njit(cache=True)
def mean_price(wh, paid, count, weighted):
    """Mean price of the first ``count`` trades (at least one), rounded half up; weighted by volume or plain."""
    total = np.int64(0)
    weight = np.int64(0)
    for k in range(count):
        w = wh[k] if weighted else np.int64(1)
        total += w * paid[k]
        weight += w
    return (2 * total + weight) // (2 * weight)
