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
from evaluation.reproductions import cliff_zip, gode_sunder

DAYS, SESSIONS, PATIENCE = 5, 10, 300
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
        bids = np.sort(self.limits[self.side == BUYER].ravel())[::-1]
        asks = np.sort(self.limits[self.side == SELLER].ravel())
        return int(np.maximum(bids - asks, 0).sum())


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
    standing: dict[int, tuple[int, int] | None] = {BUYER: None, SELLER: None}  # side → price, trader
    surplus, waited = 0, 0
    prices: list[int] = []
    while waited < PATIENCE:
        active = traded < per_trader
        if not all((active & (market.side == side)).any() for side in (BUYER, SELLER)):
            break
        limits = market.limits[np.arange(count), np.minimum(traded, per_trader - 1)]
        trader = int(rng.choice(np.flatnonzero(active)))
        side = int(market.side[trader])
        bid, ask = standing[BUYER], standing[SELLER]
        turn = Turn(
            trader, side, int(limits[trader]), bid[0] if bid else 0, ask[0] if ask else market.top + 1, limits, active
        )
        price, other, waited = traders.shout(turn), standing[-side], waited + 1
        if price is None:
            continue
        if other is not None and (other[0] - price) * side >= 0:
            traders.hear(turn, -side, other[0], True)
            surplus += int(side * (limits[other[1]] - limits[trader]))
            prices.append(other[0])
            traded[[trader, other[1]]] += 1
            standing, waited = {BUYER: None, SELLER: None}, 0
        else:
            standing[side] = price, trader
            traders.hear(turn, side, price, False)
    return 100.0 * surplus / market.best, prices


def play(kind: str, market: Market, sessions: int = SESSIONS, days: int = DAYS) -> np.ndarray:
    """(days,) mean efficiency in % over independent sessions."""
    found = np.empty((sessions, days))
    for s in range(sessions):
        rng = np.random.default_rng((1998, s))
        traders = population(kind, market, rng)
        for d in range(days):
            found[s, d] = day(market, traders, rng)[0]
    return np.asarray(found.mean(axis=0))


def run() -> str:
    """The table in Markdown."""
    lines = [
        "## Learning traders on one book",
        "",
        f"Efficiency in % on day 1 → day {DAYS}, mean of {SESSIONS} sessions on Gode and Sunder's and Cliff's markets;",
        f"a day ends after {PATIENCE} turns without a trade.",
        "",
        "| market | " + " | ".join(KINDS.values()) + " |",
        "| --- |" + " ---: |" * len(KINDS),
    ]
    for market in markets():
        cells = [play(kind, market) for kind in KINDS]
        lines.append(f"| {market.name} | " + " | ".join(f"{c[0]:.1f} → {c[-1]:.1f}" for c in cells) + " |")
    return "\n".join(lines)
