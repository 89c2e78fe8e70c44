"""Paper 003's trading experiment: four sellers, three buyers, 24 hours, against "surplus power online" (0.45, 0.67).

The paper says neither how its agents quote nor how they re-quote, and takes one unnamed day of each of two data sets.
So here SimBench's profiles are played over many days, PV of each day scaled to a ratio r of generation to load,
under several ways to quote. Sellers never accept less than 0.45, buyers never more than 0.67.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.grid.profiles import PERIODS_PER_DAY, load_profiles
from envs.market import mid_market, two_stage_double
from envs.types import PPM, Ints, Orders, Tariffs, Trades
from evaluation.reproductions._profiles_csv import read_days

NET = "simbench:1-LV-rural1--2-sw"
SELLERS, BUYERS, HOURS_A_DAY = 4, 3, 24
FEED_IN, RETAIL = 450_000, 670_000  # micro-currency/kWh
TARIFFS = Tariffs(FEED_IN, RETAIL, weighted=False)  # the paper's Pa is the plain mean
PUBLISHED = (16.7, -7.6)
RATIOS = (0.25, 0.5, 0.68, 1.0, 1.5)
EVERY = 7  # days of the year that are played: each EVERY-th
RULES = {
    "truthful quotes": "truthful",
    "zero intelligence, one stage": "stay",
    "zero intelligence, half way to Pa": "half",
    "zero intelligence, all the way to Pa": "full",
    "zero intelligence, drawn again": "redraw",
    "mid-market price": "mid",
}


@dataclass(frozen=True)
class Outcome:
    """Means over days, in per cent; the spread is the standard deviation over days."""

    sellers_gain: float
    sellers_spread: float
    buyers_cost: float  # change of cost, < 0 is a saving
    buyers_spread: float
    traded: float  # share of the generation that peers bought


def hourly_days(every: int = EVERY) -> tuple[np.ndarray, np.ndarray]:
    """PV (days, 24, 4) and load (days, 24, 3) in Wh of the feeder's first generators and loads that differ."""
    profiles = load_profiles(NET)
    days = profiles.periods // PERIODS_PER_DAY
    parts = []
    for power_w, count in ((profiles.pv_p_w, SELLERS), (profiles.load_p_w, BUYERS)):
        _, first = np.unique(power_w, axis=1, return_index=True)
        chosen = power_w[: days * PERIODS_PER_DAY, np.sort(first)[:count]]
        hours = chosen.reshape(days, HOURS_A_DAY, -1, chosen.shape[1]).mean(axis=2)  # W over an hour is Wh
        parts.append(hours[::every])
    sunny = parts[0].sum(axis=(1, 2)) > 0
    return parts[0][sunny], parts[1][sunny]


def quantities(pv_wh: np.ndarray, load_wh: np.ndarray, ratio: float) -> Ints:
    """(days·24, 7) signed Wh with each day's PV scaled so that generation / load = ``ratio``."""
    scale = ratio * load_wh.sum(axis=(1, 2)) / pv_wh.sum(axis=(1, 2))
    signed = np.concatenate([pv_wh * scale[:, None, None], -load_wh], axis=2)
    return np.asarray(np.rint(signed), np.int64).reshape(-1, SELLERS + BUYERS)


def _add(trades: Trades, shape: tuple[int, int]) -> tuple[Ints, np.ndarray]:
    """(sold or bought Wh, money in currency units) of each participant, (worlds, 7)."""
    done, money = np.zeros(shape, np.int64), np.zeros(shape)
    for w in range(shape[0]):
        k = slice(0, int(trades.count[w]))
        for who in (trades.seller[w, k], trades.buyer[w, k]):
            np.add.at(done[w], who, trades.wh[w, k])
            np.add.at(money[w], who, trades.wh[w, k] * trades.price[w, k] / 1000.0 / PPM)
    return done, money


def play(quantity_wh: Ints, rule: str, seed: int = 0) -> Outcome:
    """Clear every hour under a rule of RULES and compare with the tariffs alone."""
    rng = np.random.default_rng((3, seed))
    shape = quantity_wh.shape
    limit = np.where(quantity_wh > 0, FEED_IN, RETAIL)
    opening = limit if rule in ("truthful", "mid") else rng.integers(FEED_IN, RETAIL + 1, shape)
    way = np.full(shape, {"half": PPM // 2, "full": PPM}.get(rule, 0), np.int64)
    clear = mid_market.clear if rule == "mid" else two_stage_double.clear
    done, money = _add(clear(Orders(opening, limit, quantity_wh, way), TARIFFS), shape)
    if rule == "redraw":
        left = np.where(quantity_wh > 0, quantity_wh - done, quantity_wh + done)
        again = Orders(rng.integers(FEED_IN, RETAIL + 1, shape), limit, left, way)
        more, paid = _add(two_stage_double.clear(again, TARIFFS), shape)
        done, money = done + more, money + paid
    total = money + (np.abs(quantity_wh) - done) * limit / 1000.0 / PPM
    alone = np.abs(quantity_wh) * limit / 1000.0 / PPM
    by_day = [x.reshape(-1, HOURS_A_DAY, shape[1]).sum(axis=1) for x in (total, alone)]
    sold, made = (x[:, :SELLERS].sum(axis=1) for x in by_day)
    cost, bill = (x[:, SELLERS:].sum(axis=1) for x in by_day)
    gain, change = 100.0 * (sold / made - 1.0), 100.0 * (cost / bill - 1.0)
    share = 100.0 * done[:, :SELLERS].sum() / max(quantity_wh[:, :SELLERS].sum(), 1)
    return Outcome(float(gain.mean()), float(gain.std()), float(change.mean()), float(change.std()), float(share))


def verdict(outcomes: dict[str, Outcome]) -> str:
    """In words, from the outcomes at one ratio: does any way to quote come within one spread of both numbers?"""
    near = [
        name
        for name, o in outcomes.items()
        if abs(o.sellers_gain - PUBLISHED[0]) <= o.sellers_spread
        and abs(o.buyers_cost - PUBLISHED[1]) <= o.buyers_spread
    ]
    low = min(o.sellers_gain for o in outcomes.values())
    high = max(o.sellers_gain for o in outcomes.values())
    if near:
        return (
            f"Plausible but not identified: sellers gain {low:.1f} to {high:.1f} % depending on how they quote, which "
            f"the paper does not say; its numbers are within a day's spread of: {'; '.join(near)}."
        )
    return (
        f"Not met at this ratio: sellers gain {low:.1f} to {high:.1f} %, and no way to quote comes within a day's "
        "spread of both numbers."
    )


def run() -> str:
    """The tables in Markdown, on SimBench's profiles."""
    return tables(*hourly_days(), f"SimBench `{NET.split(':')[1]}`")


def tables(pv_wh: np.ndarray, load_wh: np.ndarray, source: str) -> str:
    """The tables of PV (days, 24, 4) and load (days, 24, 3) in Wh."""
    lines = [
        "## Paper 003: four sellers, three buyers, against surplus power online",
        "",
        f"{source}, {len(pv_wh)} days, mean ± standard deviation over days, in %. Published: "
        f"sellers +{PUBLISHED[0]}, buyers −{-PUBLISHED[1]}. The network is not looked at, as in the paper.",
        "",
        "| r | quotes | sellers' income | buyers' cost | generation sold to peers |",
        "| ---: | --- | ---: | ---: | ---: |",
    ]
    verdicts, met, shares = [], [], []
    for ratio in RATIOS:
        signed = quantities(pv_wh, load_wh, ratio)
        outcomes = {name: play(signed, rule) for name, rule in RULES.items()}
        for name, o in outcomes.items():
            lines.append(
                f"| {ratio:g} | {name} | {o.sellers_gain:+.1f} ± {o.sellers_spread:.1f} | "
                f"{o.buyers_cost:+.1f} ± {o.buyers_spread:.1f} | {o.traded:.0f} |"
            )
        words = verdict(outcomes)
        verdicts.append(f"- r = {ratio:g}: {words}")
        shares.append(f"{outcomes['truthful quotes'].traded:.0f} % at r = {ratio:g}")
        if words.startswith("Plausible"):
            met.append(f"{ratio:g}")
    return "\n".join([*lines, "", *verdicts, "", *overall(met, shares)])


def overall(met: list[str], shares: list[str]) -> list[str]:
    """The verdict over all ratios: those at which the numbers are ``met``, and the share sold by truthful quotes."""
    sellers, buyers = 50.0 * (RETAIL / FEED_IN - 1.0), 50.0 * (1.0 - FEED_IN / RETAIL)
    sold, bought = 100.0 * PUBLISHED[0] / sellers, -100.0 * PUBLISHED[1] / buyers
    found = f"plausible at r = {', '.join(met)} and not identified" if met else "not met at any ratio played"
    return [
        f"**Overall: {found}.** Where trades have the middle of the tariffs as price, sellers gain {sellers:.1f} % "
        f"times the share of generation sold to peers, buyers save {buyers:.1f} % times the share of demand "
        f"bought from them. So the published numbers say {sold:.0f} % sold and {bought:.0f} % bought, which is r = "
        f"{bought / sold:.2f}; truthful quotes sell {', '.join(shares)} on these data. "
        f"How generation and load overlap hour by hour matters as much as r: at one r, "
        f"data of which 88 % are sold gain {0.88 * sellers:.1f} %, and those "
        f"of which 56 % are, {0.56 * sellers:.1f} %. The paper's day is not named, so its overlap is not known.",
        "",
        "*Half way to Pa* repeats *one stage* exactly: quotes left over after stage one do not cross, so no bid is "
        "above an ask; moved by the same fraction of the way to the same price, each gap shrinks by that fraction and "
        "stays a gap. Only all the way to Pa closes it.",
    ]


def main(argv: list[str] | None = None) -> int:
    """`python -m evaluation.reproductions.paper_003_auction --load FILE --pv FILE FILE FILE FILE`."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.reproductions.paper_003_auction", description=__doc__)
    parser.add_argument("--load", type=Path, required=True, help="CSV in the layout of UCI ElectricityLoadDiagrams")
    parser.add_argument("--pv", type=Path, nargs=SELLERS, required=True, help="CSVs in the layout of NREL's PV data")
    args = parser.parse_args(argv)
    try:
        pv_wh, load_wh = read_days(args.load, args.pv, SELLERS, BUYERS)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(tables(pv_wh, load_wh, f"`{args.load.name}`, {', '.join(f'`{path.name}`' for path in args.pv)}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
