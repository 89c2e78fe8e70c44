"""Gode and Sunder (1993): allocative efficiency of markets 1-4 with zero-intelligence traders.

Six identical buyers and six identical sellers hold the schedule's units and trade them in order, the best first.
A random trader with units left shouts a uniform price in 1 … 200; who crosses the best standing quote trades at that
quote's price, and a trade cancels all quotes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.traders import BUYER, SELLER, zero_intelligence_shout

TRADERS, TOP, SHOUTS, SESSIONS = 6, 200, 2_000, 100
PUBLISHED = {1: (90.0, 99.9), 2: (90.0, 99.2), 3: (76.7, 99.0), 4: (48.8, 98.2)}
SCHEDULES = {
    1: ((102, 97, 92, 87, 82, 77), (34, 46, 58, 70, 82, 94)),
    2: ((117, 105, 93, 81, 69, 57), (49, 54, 59, 64, 69, 74)),
    3: ((133, 95, 90), (90, 95, 100)),
    4: ((180, 175, 170, 165, 160), (90, 142, 170, 190, 198)),
}


@dataclass(frozen=True)
class Quote:
    """A standing quote."""

    price: int
    trader: int


def best_surplus(values: tuple[int, ...], costs: tuple[int, ...]) -> int:
    """Largest surplus of one buyer and one seller of the schedule (all are alike)."""
    return sum(max(value - cost, 0) for value, cost in zip(values, costs, strict=True))


def efficiency_if_all_trade(market: int) -> float:
    """Per cent of the largest surplus when every unit changes hands: where unconstrained traders end up."""
    values, costs = SCHEDULES[market]
    return 100.0 * (sum(values) - sum(costs)) / best_surplus(values, costs)


def session(market: int, constrained: bool, shouts: int, rng: np.random.Generator) -> float:
    """Efficiency of one session in per cent."""
    values, costs = SCHEDULES[market]
    units = [0] * (2 * TRADERS)  # traded so far; the first six are buyers
    standing: dict[int, Quote | None] = {BUYER: None, SELLER: None}
    surplus = 0
    for _ in range(shouts):
        able = [t for t in range(2 * TRADERS) if units[t] < len(values)]
        if not able:
            break
        trader = able[int(rng.integers(len(able)))]
        side = BUYER if trader < TRADERS else SELLER
        limit = (values if side == BUYER else costs)[units[trader]]
        price = zero_intelligence_shout(rng, side, limit, constrained, TOP)
        other, own = standing[-side], standing[side]
        if other is not None and (other.price - price) * side >= 0:
            buyer, seller = (trader, other.trader) if side == BUYER else (other.trader, trader)
            surplus += values[units[buyer]] - costs[units[seller]]
            units[buyer] += 1
            units[seller] += 1
            standing = {BUYER: None, SELLER: None}
        elif own is None or (own.price - price) * side > 0:
            standing[side] = Quote(price, trader)
    return 100.0 * surplus / (TRADERS * best_surplus(values, costs))


def mean_efficiency(market: int, constrained: bool, shouts: int = SHOUTS, sessions: int = SESSIONS) -> float:
    """Mean over independent sessions."""
    return float(
        np.mean([session(market, constrained, shouts, np.random.default_rng((market, s))) for s in range(sessions)])
    )


def run() -> str:
    """The table in Markdown."""
    lines = [
        "## Zero-intelligence traders (Gode and Sunder 1993)",
        "",
        f"Efficiency in %, mean of {SESSIONS} sessions of at most {SHOUTS:,} shouts. *Exact*: all units trade.",
        "",
        "| market | ZI-U exact | ZI-U played | ZI-U published | ZI-C played | ZI-C at 500 shouts | ZI-C published |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for market, (loose, tight) in PUBLISHED.items():
        cells = [
            efficiency_if_all_trade(market), mean_efficiency(market, False), loose,
            mean_efficiency(market, True), mean_efficiency(market, True, 500), tight,
        ]  # fmt: skip
        lines.append(f"| {market} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |")
    return "\n".join(lines)
