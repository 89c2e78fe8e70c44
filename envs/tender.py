"""What the request mechanisms share: sealed offers to the operator, ranked by price over effectiveness.

For a grid event offers rank by price / effectiveness, so that a cheap offer far from the violated place does not
beat a slightly dearer one beside it. Offers above the reserve price are refused. Ties go to the better
reputation; where that is equal too, pro rata by largest remainder, then by address (the aggregator's index).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.types import Ints, Offers


@njit(cache=True)
def admissible(price, wh, effect, reserve, a):
    """Whether offer ``a`` of one world may win: something to offer, of some effect, not above the reserve price."""
    return wh[a] > 0 and price[a] <= reserve and effect[a] > 0


@njit(cache=True)
def cheaper(price, effect, i, j):
    """Whether offer i costs less than offer j per effective kWh, by cross-multiplication."""
    return price[i] * effect[j] < price[j] * effect[i]


@njit(cache=True)
def _before(price, effect, credit, i, j):
    """Whether offer i ranks strictly before offer j."""
    return cheaper(price, effect, i, j) or (not cheaper(price, effect, j, i) and credit[i] > credit[j])


@njit(cache=True)
def _share(wh, group, total, out):
    """Integer pro-rata of ``total`` over offers of equal rank: largest remainder, then lower index."""
    volume = np.int64(0)
    for a in group:
        volume += wh[a]
    if total >= volume:
        for a in group:
            out[a] = wh[a]
        return
    given = np.int64(0)
    for a in group:
        out[a] = total * wh[a] // volume
        given += out[a]
    taken = np.zeros(group.shape[0], np.bool_)
    for _ in range(total - given):
        best = -1
        for g in range(group.shape[0]):
            if not taken[g] and (best < 0 or total * wh[group[g]] % volume > total * wh[group[best]] % volume):
                best = g
        taken[best] = True
        out[group[best]] += 1


@njit(cache=True)
def _award(price, wh, effect, credit, reserve, asked, out):
    worlds, n = price.shape
    for w in range(worlds):
        done = np.zeros(n, np.bool_)
        left = asked[w]
        for a in range(n):
            done[a] = not admissible(price[w], wh[w], effect[w], reserve[w], a)
        while left > 0:
            best = -1
            for a in range(n):
                if not done[a] and (best < 0 or _before(price[w], effect[w], credit[w], a, best)):
                    best = a
            if best < 0:
                break
            size = 0
            group = np.zeros(n, np.int64)
            for a in range(n):
                if not done[a] and not _before(price[w], effect[w], credit[w], best, a):
                    group[size] = a
                    size += 1
                    done[a] = True
            _share(wh[w], group[:size], left, out[w])
            for g in range(size):
                left -= out[w, group[g]]
    return out


def lowest_first(offers: Offers) -> Ints:
    """Awarded Wh a period, (B, A): sums to min(asked, admissible) in every world."""
    out = np.zeros(offers.price.shape, np.int64)
    result: Ints = _award(
        offers.price, offers.wh, offers.effect_ppm, offers.credit_ppm, offers.reserve, offers.asked_wh, out
    )
    return result
