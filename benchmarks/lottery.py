"""What Proof of Energy's two tie rules do, on real SHA-256 draws: no-block rate and the largest node's wins.

`python -m benchmarks.lottery [--draws N]` prints the table.
P(no block) = prod (1 - p_i)^gamma with p_i = 6 s_i / gamma.
"""

from __future__ import annotations

import argparse
import math
from hashlib import sha256

from ledger import consensus

CASES: tuple[tuple[str, list[int], int], ...] = (
    ("6, 100: weights 1..n", list(range(1, 7)), 100),
    ("30, 20: weights 1..n", list(range(1, 31)), 20),
    ("30, 20: one has 50 %", [29] + [1] * 29, 20),
    ("150, 4: one has 50 %", [149] + [1] * 149, 4),
)


def measure(rule: str, weights: list[int], gamma: int, draws: int) -> tuple[float, float]:
    """Shares of draws without a winner in the first round, and won by the largest node."""
    names = [sha256(bytes([i])).digest()[:20] for i in range(len(weights))]
    largest, draw = names[weights.index(max(weights))], consensus.rule(rule).draw
    if draw is None:
        raise ValueError(f"{rule} draws no lots")
    missed = won = 0
    for number in range(draws):
        found = draw(sha256(b"lottery %d" % number).digest(), 1, 0, names, weights, gamma, ())
        missed += found.round > 0
        won += found.producer == largest
    return missed / draws, won / draws


def run(draws: int = 2_000) -> list[dict[str, str | float]]:
    """Rows of name, value, unit: measured no-block rate and the largest node's wins under both tie rules."""
    rows: list[dict[str, str | float]] = []
    for name, weights, gamma in CASES:
        label = f"n, γ = {name}"
        missed, lowest = measure("poe", weights, gamma, draws)
        _, first = measure("first_success", weights, gamma, draws)
        found = {"top share": max(weights) / sum(weights), "lowest ratio wins": lowest, "first success wins": first}
        found = {"no block": missed} | found
        rows += [{"name": f"{label}: {what}", "value": value, "unit": ""} for what, value in found.items()]
    return rows


def main(argv: list[str] | None = None) -> int:
    """Print the table, with one standard deviation."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lottery", description=__doc__)
    parser.add_argument("--draws", type=int, default=10_000, help="draws a case (10 000)")
    draws: int = parser.parse_args(argv).draws
    print("| n, γ | P(no block), exact | measured | top share | lowest ratio wins | first success wins | ± |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, weights, gamma in CASES:
        total = sum(weights)
        exact = math.prod((1 - 6 * weight / total / gamma) ** gamma for weight in weights)
        missed, lowest = measure("poe", weights, gamma, draws)
        _, first = measure("first_success", weights, gamma, draws)
        share = max(weights) / total
        band = math.sqrt(lowest * (1 - lowest) / draws)
        print(f"| {name} | {exact:.6f} | {missed:.4f} | {share:.5f} | {lowest:.4f} | {first:.4f} | {band:.4f} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
