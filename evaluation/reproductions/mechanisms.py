"""Every trading mechanism on the same books: efficiency against the optimum, who gains, how prices scatter.

Books of 30 sites with private limits between feed-in and retail. The optimum of a book is the linear programme of
trade at limits, which ranking solves. Truthful quotes are the limits; shaded ones are uniform between the limit and the
other side's tariff, and re-quote fractions are uniform.
"""

from __future__ import annotations

import numpy as np

from envs import plugins
from envs.types import PPM, Ints, Orders, Tariffs, Trades

BOOKS, SITES = 1_000, 30
TARIFFS = Tariffs(80_000, 300_000, True)


def books(shaded: bool, count: int = BOOKS, seed: int = 0) -> Orders:
    """Random orders, (count, SITES)."""
    rng = np.random.default_rng((30, seed))
    shape = (count, SITES)
    quantity = rng.integers(-4_000, 4_001, shape)
    limit = rng.integers(TARIFFS.feed_in, TARIFFS.retail + 1, shape)
    other = np.where(quantity > 0, TARIFFS.retail, TARIFFS.feed_in)
    shade = np.rint((other - limit) * rng.random(shape)).astype(np.int64)
    return Orders(limit + shade if shaded else limit.copy(), limit, quantity, rng.integers(0, PPM + 1, shape))


def optimum(limit: Ints, quantity_wh: Ints) -> float:
    """Largest surplus of one book, micro-currency · Wh / kWh: dearest buyers meet cheapest sellers while that gains."""
    sides = []
    for side in (1, -1):
        own = np.flatnonzero(quantity_wh * side > 0)
        own = own[np.argsort(limit[own] * side, kind="stable")]
        sides.append((np.cumsum(np.abs(quantity_wh[own])), limit[own]))
    (supply, asks), (demand, bids) = sides
    if not len(asks) or not len(bids):
        return 0.0
    ends = np.union1d(supply, demand)
    ends = ends[ends <= min(supply[-1], demand[-1])]
    gain = bids[np.searchsorted(demand, ends)] - asks[np.searchsorted(supply, ends)]
    return float((np.maximum(gain, 0) * np.diff(ends, prepend=0)).sum())


def measures(orders: Orders, trades: Trades) -> dict[str, float]:
    """Means over all books, in %; the scatter of prices in per cent of their mean."""
    best = done = sellers = 0.0
    scatter = []
    for w in range(len(orders.limit)):
        k = slice(0, int(trades.count[w]))
        wh, price = trades.wh[w, k].astype(float), trades.price[w, k]
        best += optimum(orders.limit[w], orders.quantity_wh[w])
        done += float((wh * (orders.limit[w][trades.buyer[w, k]] - orders.limit[w][trades.seller[w, k]])).sum())
        sellers += float((wh * (price - orders.limit[w][trades.seller[w, k]])).sum())
        if len(price):
            scatter.append(100.0 * float(price.std()) / float(price.mean()))
    peers = float(sum(trades.wh[w, : trades.count[w]].sum() for w in range(len(orders.limit))))
    offered = float(np.maximum(orders.quantity_wh, 0).sum())
    return {
        "efficiency": 100.0 * done / best,
        "sold to peers": 100.0 * peers / offered,
        "sellers' part of the gain": 100.0 * sellers / done if done else float("nan"),
        "scatter of prices": float(np.mean(scatter)) if scatter else float("nan"),
    }


def run() -> str:
    """The table in Markdown."""
    lines = [
        "## Trading mechanisms on the same books",
        "",
        f"{BOOKS:,} books of {SITES} sites, in %. Efficiency is the gain over the largest possible; *shaded* quotes "
        "ask for a random part of it. Scatter is the standard deviation of prices within a book over their mean.",
        "",
        "| mechanism | quotes | efficiency | sold to peers | sellers' part of the gain | scatter of prices |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for name in plugins.names("market", needs="clear"):
        for label in ("truthful", "shaded"):
            orders = books(label == "shaded")
            found = measures(orders, plugins.load("market", name, "clear").clear(orders, TARIFFS))
            cells = ["–" if np.isnan(value) else f"{value:.1f}" for value in found.values()]
            lines.append(f"| `{name}` | {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
