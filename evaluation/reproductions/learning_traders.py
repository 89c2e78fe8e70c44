"""GD (Gjerstad and Dickhaut 1998) and AA (Vytelingum 2008) beside ZI-C and ZIP, on the markets of the other tables.

All play one book: a random trader with units left may shout; a shout must better the standing quote of its side, and
trades at the standing quote of the other when it crosses it; a trade cancels both. A day ends after `PATIENCE` turns
in a row without a trade, and what was learned is kept for the next day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.aggressive_traders import AggressiveTraders
from agents.belief_traders import BeliefTraders
from agents.traders import BUYER, SELLER, Population, Turn, ZeroIntelligenceTraders, ZipOnBook
from envs.market.order_book import OrderBook
from evaluation.reproductions import cliff_zip, gode_sunder
from evaluation.statistics import estimate

DAYS, SESSIONS, PATIENCE = 5, 10, 300
LONG, MANY = 10, 50  # days and sessions on the symmetric market
KINDS = {"zi-c": "ZI-C", "zip": "ZIP", "gd": "GD", "aa": "AA"}


@dataclass(frozen=True)
class Market:
    """Who holds which units, in whole prices."""

    name: str
    side: np.ndarray  # (n,)
    limits: np.ndarray  # (n, units) in the order in which they are traded
    top: int  # highest price allowed

    @property
    def best(self) -> int:
        """Largest surplus: the dearest bids with the cheapest asks as long as there is a gain."""
        bids, asks = self._curves()
        return int(np.maximum(bids - asks, 0).sum())

    @property
    def equilibrium(self) -> float:
        """Competitive price: the middle between the last units that gain and the first that do not."""
        bids, asks = self._curves()
        last = int((bids > asks).sum())
        return (max(asks[last - 1], bids[last]) + min(bids[last - 1], asks[last])) / 2.0

    def _curves(self) -> tuple[np.ndarray, np.ndarray]:
        asks = np.sort(self.limits[self.side == SELLER].ravel())
        return np.sort(self.limits[self.side == BUYER].ravel())[::-1], asks


def markets() -> list[Market]:
    """Gode and Sunder's markets 1-4 and Cliff's symmetric market in cents."""
    made = []
    for number, schedule in gode_sunder.SCHEDULES.items():
        side = np.repeat([BUYER, SELLER], gode_sunder.TRADERS)
        made.append(Market(f"{number}", side, np.repeat(schedule, gode_sunder.TRADERS, axis=0), gode_sunder.TOP))
    cents = np.rint(100 * cliff_zip.LIMITS).astype(int)
    return [*made, Market("symmetric", np.repeat([BUYER, SELLER], len(cents)), np.tile(cents, 2)[:, None], 400)]


def population(kind: str, market: Market, rng: np.random.Generator) -> Population:
    """Fresh traders of a kind. Raises ValueError for one that does not exist."""
    if kind == "zi-c":
        return ZeroIntelligenceTraders(rng, market.top)
    if kind == "zip":
        return ZipOnBook(rng, market.side, market.limits[:, 0])
    if kind == "gd":
        return BeliefTraders(market.top)
    if kind == "aa":
        return AggressiveTraders(rng, market.side, market.top)
    raise ValueError(f"no traders {kind!r} (allowed: {', '.join(KINDS)})")


def day(market: Market, traders: Population, rng: np.random.Generator) -> tuple[float, list[int]]:
    """(efficiency in %, prices paid) of one day."""
    count, per_trader = market.limits.shape
    traded = np.zeros(count, int)
    book = OrderBook()
    surplus, waited = 0, 0
    prices: list[int] = []
    while waited < PATIENCE:
        active = traded < per_trader
        if not all((active & (market.side == side)).any() for side in (BUYER, SELLER)):
            break
        limits = market.limits[np.arange(count), np.minimum(traded, per_trader - 1)]
        trader = int(rng.choice(np.flatnonzero(active)))
        side, bid, ask = int(market.side[trader]), book.best(BUYER), book.best(SELLER)
        quotes = bid.price if bid else 0, ask.price if ask else market.top + 1
        turn = Turn(trader, side, int(limits[trader]), *quotes, limits, active)
        price, waited = traders.shout(turn), waited + 1
        if price is None:
            continue
        fills = book.submit(trader, side, price, 1)[1]
        for fill in fills:
            traders.hear(turn, -side, fill.price, True)
            surplus += int(limits[fill.buyer] - limits[fill.seller])
            prices.append(fill.price)
            traded[[fill.buyer, fill.seller]] += 1
            book.cancel_all()
            waited = 0
        if not fills:
            traders.hear(turn, side, price, False)
    return 100.0 * surplus / market.best, prices


def smiths_alpha(prices: list[int], equilibrium: float) -> float:
    """Scatter of prices around the competitive one, 100 · rms / P0; not a number without a trade."""
    return 100.0 * float(np.sqrt(np.mean((np.array(prices) - equilibrium) ** 2))) / equilibrium if prices else np.nan


def play(kind: str, market: Market, sessions: int = SESSIONS, days: int = DAYS) -> np.ndarray:
    """(sessions, days, 2) efficiency in % and Smith's α in % of independent sessions."""
    found = np.empty((sessions, days, 2))
    for s in range(sessions):
        rng = np.random.default_rng((1998, s))
        traders = population(kind, market, rng)
        for d in range(days):
            efficiency, prices = day(market, traders, rng)
            found[s, d] = efficiency, smiths_alpha(prices, market.equilibrium)
    return found


def _cell(values: np.ndarray) -> str:
    mean, half_width, _ = estimate([None if np.isnan(v) else float(v) for v in values])
    return f"{mean:.1f} ± {half_width:.1f}"


def run() -> str:
    """Both tables in Markdown."""
    lines = [
        "## Learning traders on one book",
        "",
        f"Efficiency in % on day 1 → day {DAYS}, mean of {SESSIONS} sessions on Gode and Sunder's and Cliff's markets",
        f"with its 95 % interval; a day ends after {PATIENCE} turns without a trade.",
        "",
        "| market | " + " | ".join(KINDS.values()) + " |",
        "| --- |" + " ---: |" * len(KINDS),
    ]
    for market in markets():
        found = [play(kind, market)[..., 0] for kind in KINDS]
        lines.append(f"| {market.name} | " + " | ".join(f"{_cell(f[:, 0])} → {_cell(f[:, -1])}" for f in found) + " |")
    return "\n".join([*lines, "", *_by_day(markets()[-1])])


def _by_day(market: Market) -> list[str]:
    published = {"efficiency": "{} → {}".format(*cliff_zip.PUBLISHED["efficiency"])}
    published["Smith's α"] = "{} → {}".format(*cliff_zip.PUBLISHED["alpha"])
    lines = [
        f"The symmetric market by day, mean of {MANY} sessions with its 95 % interval, in %; α is the scatter of",
        f"prices around the competitive price {market.equilibrium:.0f}. Published are days 1 and {LONG} of Cliff's",
        "ZIP, whose session has no book: a shout that nobody takes is gone.",
        "",
        "| traders | | " + " | ".join(f"day {d + 1}" for d in range(LONG)) + " | published |",
        "| --- | --- |" + " ---: |" * (LONG + 1),
    ]
    for kind, name in KINDS.items():
        found = play(kind, market, MANY, LONG)
        for k, measure in enumerate(published):
            cells = " | ".join(_cell(found[:, d, k]) for d in range(LONG))
            lines.append(f"| {name} | {measure} | {cells} | {published[measure] if kind == 'zip' else '–'} |")
    return lines
