"""Pictures of the market: prices and volumes, and who earned what."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from evaluation.figures.style import INK, SERIES, SOFT, WITH, WITHOUT, Picture, clock, draw, panel_size, panels
from evaluation.study import Study

SIDES = ("net_sellers", "net_buyers", "aggregators", "operator", "supplier", "upper_level")


def prices_picture(study: Study) -> Picture:
    """Mean price of the trades and volume by period, with the tariffs outside the market."""

    def paint(figure: Figure) -> None:
        for axis, part in zip(panels(figure, [p.name for p in study.parts]), study.parts, strict=True):
            book, market = part.runs[0].book, part.scenario.market
            x, price = np.arange(book.periods), book.reference / 1e6
            volume = axis.twinx()
            volume.bar(x, book.traded_wh / 1000.0, 0.9, color=SOFT, alpha=0.35, align="edge")
            volume.set_ylabel("traded among peers (kWh)")
            volume.grid(visible=False)
            volume.spines["right"].set_visible(True)
            axis.set_zorder(volume.get_zorder() + 1)
            axis.patch.set_visible(False)
            axis.plot(
                x + 0.5,
                np.where(price > 0, price, np.nan),
                color=WITH,
                marker="o",
                markersize=2.6,
                linewidth=1.0,
                label="mean price",
            )
            for value, name in ((market.retail, "retail"), (market.feed_in, "feed-in")):
                axis.axhline(value / 1e6, color=WITHOUT, linewidth=1.0, linestyle="--")
                axis.annotate(
                    f"{name} {value / 1e6:g}",
                    (0.005, value / 1e6),
                    xycoords=("axes fraction", "data"),
                    fontsize=8,
                    color=WITHOUT,
                    va="bottom",
                )
            axis.set_ylim(0, market.retail / 1e6 * 1.15)
            axis.set_ylabel("price (¤/kWh)")
            clock(axis, book.periods, part.world.periods_per_day)

    title = "Prices and volumes among peers"
    caption = (
        f"Volume-weighted mean price (dots) and energy (bars) of each 15-minute period, seed {study.seeds[0]}. "
        "Dashed: the tariffs outside the market; between them neither side of a trade is worse off."
    )
    return Picture(title, caption, draw(paint, *panel_size(len(study.parts)), title))


def money_picture(study: Study) -> Picture:
    """Money of each side at the end, with intervals over seeds."""

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        width = 0.8 / len(study.parts)
        for k, part in enumerate(study.parts):
            found = [part.estimate(f"{side}_balance") for side in SIDES]
            x = np.arange(len(SIDES)) + (k - (len(study.parts) - 1) / 2.0) * width
            axis.bar(
                x,
                [e.mean or 0.0 for e in found],
                width * 0.92,
                yerr=[e.half_width or 0.0 for e in found],
                color=SERIES[k % len(SERIES)],
                ecolor=INK,
                capsize=2.5,
                label=part.name,
            )
        axis.axhline(0.0, color=INK, linewidth=0.8)
        axis.set_xticks(range(len(SIDES)), [side.replace("_", " ") for side in SIDES])
        axis.grid(axis="x", visible=False)
        axis.set_ylabel("money at the end (¤)")
        axis.legend(loc="upper right")

    title = "Money by side"
    caption = (
        "Balance of each side at the end of the run, mean over seeds; whiskers: 95 % confidence interval. Net "
        "sellers and net buyers are the prosumers, by what they injected over the run. The bars of a scenario sum "
        "to zero."
    )
    return Picture(title, caption, draw(paint, 10.0, 3.3, title))
