"""Gode and Sunder (1993): allocative efficiency of markets 1-4 with zero-intelligence traders.

Six identical buyers and six identical sellers hold the schedule's units and trade them in order, the best first.
A random trader with units left shouts a uniform price in 1 … 200; who crosses the best standing quote trades at that
quote's price, and a trade cancels all quotes.
"""

from __future__ import annotations

import numpy as np

from agents.traders import BUYER, SELLER, zero_intelligence_shout
from envs.market.order_book import OrderBook
from evaluation.statistics import Estimate, estimate

TRADERS, TOP, SHOUTS, SESSIONS = 6, 200, 2_000, 100
FEWER = (250, 500, 1_000)
PUBLISHED = {1: (90.0, 99.9), 2: (90.0, 99.2), 3: (76.7, 99.0), 4: (48.8, 98.2)}
SCHEDULES = {
    1: ((102, 97, 92, 87, 82, 77), (34, 46, 58, 70, 82, 94)),
    2: ((117, 105, 93, 81, 69, 57), (49, 54, 59, 64, 69, 74)),
    3: ((133, 95, 90), (90, 95, 100)),
    4: ((180, 175, 170, 165, 160), (90, 142, 170, 190, 198)),
}


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
    book, surplus = OrderBook(), 0
    for _ in range(shouts):
        able = [t for t in range(2 * TRADERS) if units[t] < len(values)]
        if not able:
            break
        trader = able[int(rng.integers(len(able)))]
        side = BUYER if trader < TRADERS else SELLER
        limit = (values if side == BUYER else costs)[units[trader]]
        price = zero_intelligence_shout(rng, side, limit, constrained, TOP)
        for fill in book.submit(trader, side, price, 1)[1]:
            surplus += values[units[fill.buyer]] - costs[units[fill.seller]]
            units[fill.buyer] += 1
            units[fill.seller] += 1
            book.cancel_all()
    return 100.0 * surplus / (TRADERS * best_surplus(values, costs))


def efficiency(market: int, constrained: bool, shouts: int = SHOUTS, sessions: int = SESSIONS) -> Estimate:
    """Mean over independent sessions in per cent, with its 95 % interval."""
    return estimate([session(market, constrained, shouts, np.random.default_rng((market, s))) for s in range(sessions)])


def run() -> str:
    """The tables in Markdown."""
    lines = [
        "## Zero-intelligence traders (Gode and Sunder 1993)",
        "",
        f"Efficiency in %, mean of {SESSIONS} sessions of at most {SHOUTS:,} shouts. *Exact*: all units trade.",
        "",
        "| market | ZI-U exact | ZI-U played | ZI-U published |",
        "| ---: | ---: | ---: | ---: |",
    ]
    for market, (loose, _) in PUBLISHED.items():
        played = efficiency(market, False).mean
        lines.append(f"| {market} | {efficiency_if_all_trade(market):.1f} | {played:.1f} | {loose:.1f} |")
    return "\n".join([*lines, "", *_constrained()])


def _constrained() -> list[str]:
    """ZI-C by the number of shouts, and which published number each reaches."""
    counts = (*FEWER, SHOUTS)
    found = {(m, count): efficiency(m, True, count) for m in PUBLISHED for count in counts}
    lines = [
        "ZI-C by the number of shouts a session has, which the paper's seconds of trading leave open, with the 95 %",
        "interval; bold where it holds the published number.",
        "",
        "| market | " + " | ".join(f"{count:,} shouts" for count in counts) + " | published |",
        "| ---: |" + " ---: |" * (len(counts) + 1),
    ]
    fits = dict.fromkeys(counts, 0)
    for market, (_, tight) in PUBLISHED.items():
        cells = []
        for count in counts:
            mean, half_width, _ = found[market, count]
            assert mean is not None
            assert half_width is not None
            inside = abs(mean - tight) <= half_width
            fits[count] += inside
            text = f"{mean:.2f} ± {half_width:.2f}"
            cells.append(f"**{text}**" if inside else text)
        lines.append(f"| {market} | " + " | ".join(cells) + f" | {tight:.1f} |")
    most = max(fits.values())
    verdict = "One number of shouts fits all four." if most == len(PUBLISHED) else "No single number of shouts fits "
    rest = "" if most == len(PUBLISHED) else f"all four markets: the best of these holds {most} of {len(PUBLISHED)}."
    return [*lines, "", verdict + rest]
