"""Cliff (1997): zero-intelligence-plus traders in the symmetric market, efficiency and Smith's α by day.

Eleven buyers and eleven sellers, limits 0.75 to 3.25 in steps of 0.25, one unit each a day, so the equilibrium price is
2.00. A random trader with its unit left shouts its price; if somebody of the other side would take it, a random one
of them does, at that price. A day ends after `FAILURES` shouts in a row that nobody takes, or when a side has no units.
The report leaves that patience open; the table shows what it does: on day 1 traders still have far to come down.
"""

from __future__ import annotations

import numpy as np

from agents.traders import BUYER, SELLER, ZipTraders

DAYS, SESSIONS, EQUILIBRIUM = 10, 100, 2.0
FAILURES, IMPATIENT = 300, 100
LIMITS = np.arange(0.75, 3.26, 0.25)
PUBLISHED = {"efficiency": (95.9, 100.0), "alpha": (17.2, 1.2)}  # day 1, day 10


def day(traders: ZipTraders, rng: np.random.Generator, patience: int = FAILURES) -> tuple[float, float]:
    """(efficiency in %, Smith's α in %: spread of the prices around equilibrium, 100 · rms / P0) of one day."""
    active = np.ones(len(traders.side), bool)
    prices, surplus, failures = [], 0.0, 0
    while failures < patience and all((active & (traders.side == side)).any() for side in (BUYER, SELLER)):
        shouter = int(rng.choice(np.flatnonzero(active)))
        side, price = int(traders.side[shouter]), float(traders.price[shouter])
        takers = np.flatnonzero(active & (traders.side == -side) & ((traders.price - price) * side >= 0))
        heard = active.copy()
        if len(takers):
            taker = int(rng.choice(takers))
            surplus += side * float(traders.limit[taker] - traders.limit[shouter])
            prices.append(price)
            active[[shouter, taker]] = False
        failures = 0 if len(takers) else failures + 1
        traders.hear(side, price, bool(len(takers)), heard)
    best = float(np.maximum(LIMITS[::-1] - LIMITS, 0.0).sum())
    spread = float(np.sqrt(np.mean((np.array(prices) - EQUILIBRIUM) ** 2))) if prices else float("nan")
    return 100.0 * surplus / best, 100.0 * spread / EQUILIBRIUM


def play(sessions: int = SESSIONS, patience: int = FAILURES) -> tuple[np.ndarray, np.ndarray]:
    """(DAYS,) mean efficiency and α over sessions."""
    side = np.repeat([BUYER, SELLER], len(LIMITS))
    results = np.empty((sessions, DAYS, 2))
    for s in range(sessions):
        rng = np.random.default_rng((1997, s))
        traders = ZipTraders(rng, side, np.tile(LIMITS, 2))
        for d in range(DAYS):
            results[s, d] = day(traders, rng, patience)
    mean = np.nanmean(results, axis=0)
    return mean[:, 0], mean[:, 1]


def run() -> str:
    """The table in Markdown."""
    lines = [
        "## ZIP traders (Cliff 1997), symmetric market",
        "",
        f"Mean of {SESSIONS} sessions, in %. Published values are those of days 1 and {DAYS}. A day ends after",
        "so many shouts in a row that nobody takes: the report does not say how many.",
        "",
        "| | shouts | " + " | ".join(f"day {d + 1}" for d in range(DAYS)) + " | published |",
        "| --- |" + " ---: |" * (DAYS + 2),
    ]
    gaps = []
    for patience in (FAILURES, IMPATIENT):
        efficiency, alpha = play(patience=patience)
        for label, values, key in (("efficiency", efficiency, "efficiency"), ("Smith's α", alpha, "alpha")):
            first, last = PUBLISHED[key]
            cells = " | ".join(f"{v:.1f}" for v in values)
            lines.append(f"| {label} | {patience} | {cells} | {first} → {last} |")
        gaps.append(f"{float(efficiency[0]) - PUBLISHED['efficiency'][0]:+.1f} points with {patience} shouts")
    return "\n".join([*lines, "", f"Efficiency on day 1 less the published one: {', '.join(gaps)}."])
