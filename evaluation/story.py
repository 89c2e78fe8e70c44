"""One event told from its four linked records, with the blocks that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.dispatch.base import METHODS
from envs.money import FLOWS
from envs.types import CAUSES, GRID, NOT_ITS_DOING, PPM, VERDICTS
from evaluation.daybook import AGGREGATOR, AMOUNT, EVENT, FLOW, ORDER_WH, SITE, SUBSIDY_PRICE, VERIFIED, WHO, EventPage
from evaluation.figures.style import time_of
from evaluation.runs import RunResult
from evaluation.study import Part, Study
from evaluation.words import outside
from ledger.show import event_view
from ledger.store import Store

SHORT = 12  # hexadecimal digits of a hash that are shown
MOST_SITES = 12
FLOOR = 2e-6  # of a limit: the ledger rounds to millionths


@dataclass
class Step:
    """A record of the event."""

    kind: str
    name: str
    block: int
    position: int
    id: str
    previous: str
    says: list[str]


@dataclass
class Story:
    """An event and its records."""

    part: str
    seed: int
    event: int
    title: str
    steps: list[Step]
    sites: list[list[str]]  # site, aggregator, ordered Wh a period, verified Wh, share, subsidy
    hidden_sites: int


def _chosen(study: Study) -> tuple[Part, RunResult, EventPage] | None:
    """The grid event (else any event) with the most energy ordered, in the last scenario that keeps a ledger."""
    for part in reversed(study.parts):
        run = part.runs[0]
        done = [page for page in run.book.events if page.ordered_wh > 0]
        if run.chain is None or not run.chain.sound or not done:
            continue
        return part, run, max(done, key=lambda page: (page.request == GRID, page.ordered_wh, -page.event))
    return None


def _place(part: Part, place: int) -> str:
    """A bus (>= 0) or branch (-1 - branch) by its name."""
    feeder = part.world.feeder
    if place >= 0:
        return f"bus {feeder.bus_name[place]}"
    branch = -1 - place
    return f"{'transformer' if feeder.is_transformer[branch] else 'line'} {feeder.branch_name[branch]}"


def _trigger(part: Part, page: EventPage) -> list[str]:
    if page.request != GRID:
        where = f"The upper level pays {page.upper_price / 1e6:g} ¤/kWh."
    else:
        where = f"Place: {_place(part, page.place)}."
    way = "more" if page.direction > 0 else "less"
    return [
        f"Cause: {CAUSES[page.cause]}. {where}",
        f"Asked: {page.asked_wh / 1000:.2f} kWh {way} injection in each of {page.duration} periods, at most "
        f"{page.reserve / 1e6:g} ¤/kWh.",
    ]


def _found(part: Part, extremes: Sequence[int], digits: int, floor: float = FLOOR) -> tuple[str, str]:
    """Extremes of the voltage and highest loading, from millionths; more digits where a limit's own would show."""
    grid, (low, high, loading) = part.scenario.grid, extremes
    ends = [outside(v / PPM, grid.band_low_pu, grid.band_high_pu, digits, floor) for v in (low, high)]
    loaded = outside(100.0 * loading / PPM, 0.0, 100.0 * grid.loading_limit, digits - 3, 100.0 * floor)
    return "–".join(ends), loaded


def passes(part: Part, page: EventPage) -> list[str]:
    """Each loop of the safety check: how it was dispatched, what the check found, what became a row of the next."""
    lines, grid = [], part.scenario.grid
    for n, (method, proven, wh, low, high, loading, *_) in enumerate(page.passes.tolist()):
        broken = page.broken[page.broken[:, 0] == n, 1].tolist()
        cost = "" if METHODS[method] == "none" else ", least cost proven" if proven else ", least cost not proven"
        kept = low >= (grid.band_low_pu - FLOOR) * PPM and high <= (grid.band_high_pu + FLOOR) * PPM
        kept &= loading <= (grid.loading_limit + FLOOR) * PPM
        if broken:
            found = "broken: " + ", ".join(_place(part, place) for place in broken)
        elif kept:
            found = "no limit broken"
        elif page.verdict == NOT_ITS_DOING:
            found = "limits broken that these orders neither broke nor can mend"
        else:
            found = "limits broken that no order can mend"
        volts, loaded = _found(part, (low, high, loading), 4, 0.0 if broken else FLOOR)
        seen = f"{volts} pu, loading {loaded} %" if low > 0 else "no solution"
        lines.append(
            f"Dispatch {n + 1} by {METHODS[method]}{cost}: {wh / 1000:.2f} kWh a period; check: {seen}, {found}."
        )
    return lines


def _dispatch(part: Part, page: EventPage) -> list[str]:
    awards = "; ".join(
        f"aggregator {a}: {won / 1000:.2f} kWh at {price / 1e6:.3f} ¤/kWh" for a, _, won, price in page.awards if won
    )
    (volts, loaded), (after_volts, after_loaded) = (_found(part, found, 3) for found in (page.before, page.after))
    check = VERDICTS[page.verdict]
    if page.cuts:
        check += f", {sum(abs(wh) for _, wh in page.cuts) / 1000:.2f} kWh cut as a last resort"
    return [
        f"Awards: {awards or 'none'}.",
        *passes(part, page),
        f"Orders to {len(page.orders)} sites: {page.orders[:, ORDER_WH].sum() / 1000:.2f} kWh a period.",
        f"Forecast without → with the orders: voltage {volts} → {after_volts} pu, highest loading {loaded} → "
        f"{after_loaded} %.",
        f"Safety check {check}; awards {'reopened' if page.reopened else 'not reopened'} ({page.loops} loops).",
    ]


def _accounts(run: RunResult, page: EventPage) -> list[str]:
    rows = run.book.payments[run.book.payments[:, EVENT] == page.event]
    return [
        f"{FLOWS[flow]}: {rows[rows[:, FLOW] == flow, AMOUNT].sum() / 1e6:.3f} ¤ in {(rows[:, FLOW] == flow).sum()} "
        "transfers"
        for flow in np.unique(rows[:, FLOW]).tolist()
    ]


def _sites(part: Part, page: EventPage) -> list[list[str]]:
    table = []
    for row in page.orders.tolist():
        mine = page.verified[page.verified[:, WHO] == row[SITE]]
        ordered = row[ORDER_WH] * len(mine)
        done = int(mine[:, VERIFIED].sum())
        table.append(
            [
                f"prosumer {row[SITE]} ({part.world.site_names[row[SITE]]})",
                f"aggregator {row[AGGREGATOR]}",
                f"{ordered / 1000:.2f}",
                f"{done / 1000:.2f}",
                f"{100 * done / ordered:.0f}" if ordered else "–",
                f"{row[SUBSIDY_PRICE] / 1e6:.3f}",
            ]
        )
    return table


def event_story(study: Study) -> Story | None:
    """The event that the report tells; None where no ledger holds one."""
    chosen = _chosen(study)
    if chosen is None:
        return None
    part, run, page = chosen
    assert run.chain is not None
    with Store.open(run.chain.path) as store:
        records: list[dict[str, Any]] = [r for r in event_view(store, page.event)["records"] if r["kind"] != "REFUSAL"]
    verified = [
        f"Verified {page.verified_wh / 1000:.2f} of {page.ordered_wh / 1000:.2f} kWh, over {page.duration} periods."
    ]
    says = {
        "TTX": ("Trigger", _trigger(part, page)),
        "DTX": ("Dispatch", _dispatch(part, page)),
        "VTX": ("Verification", verified),
        "ATX": ("Accounting", _accounts(run, page)),
    }
    steps = [
        Step(
            record["kind"].capitalize(),
            says[record["kind"]][0],
            record["block"],
            record["position"],
            record["id"][:SHORT],
            str(record["fields"]["previous"])[:SHORT],
            says[record["kind"]][1],
        )
        for record in records
        if record["kind"] in says
    ]
    title = f"{CAUSES[page.cause]} at {time_of(page.start, part.world.periods_per_day)}"
    sites = sorted(_sites(part, page), key=lambda row: -float(row[2]))
    return Story(part.name, run.seed, page.event, title, steps, sites[:MOST_SITES], max(0, len(sites) - MOST_SITES))
