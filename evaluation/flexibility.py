"""`python -m evaluation.flexibility SCENARIO`: is the flexibility real? Each event beside its twin, by baseline method.

What was verified is measured against a baseline that somebody had to say beforehand; what changed is measured against
the same day, same seed, without the event (``evaluation.twins``). The two are shown side by side for the three ways of
fixing a baseline, with households that file what they expect and with households that file too much.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tqdm import tqdm

from envs.phases.trigger import BASELINES
from envs.settings import Scenario, load_scenario
from envs.types import CAUSES
from envs.world import World, build_world
from evaluation.command import study_command
from evaluation.figures.style import time_of
from evaluation.measures.base import currency, kwh, planning_excess
from evaluation.statistics import estimate
from evaluation.twins import Day, EventTwin, play_day
from evaluation.words import interval, number

HOUSEHOLDS = ("truthful", "overdeclaring")
COLUMNS = {
    "events": "events",
    "ordered": "kWh",
    "verified": "kWh",
    "changed": "kWh",
    "verified, not changed": "kWh",
    "changed, not verified": "kWh",
    "after the event": "kWh",
    "cut by force": "kWh",
    "paid": "¤",
    "paid a changed kWh": "¤/kWh",
}


def totals(day: Day) -> dict[str, float | None]:
    """The day's events summed, by the columns of the table."""
    events = day.events
    changed, paid = sum(e.changed_wh for e in events), sum(e.paid for e in events)
    return {
        "events": float(len(events)),
        "ordered": kwh(sum(e.page.ordered_wh for e in events)),
        "verified": kwh(sum(e.page.verified_wh for e in events)),
        "changed": kwh(changed),
        "verified, not changed": kwh(sum(e.unchanged_wh for e in events)),
        "changed, not verified": kwh(sum(e.unverified_wh for e in events)),
        "after the event": kwh(sum(e.after_wh for e in events)),
        "cut by force": kwh(sum(e.cut_wh for e in events)),
        "paid": currency(paid),
        "paid a changed kWh": currency(paid) / kwh(changed) if changed > 0 else None,
    }


def by_method(
    scenario: Scenario, policies: Mapping[str, str], seeds: Sequence[int], game: str = "staged"
) -> dict[str, list[Day]]:
    """Baseline method → the day of each seed with its twins."""
    played: dict[str, list[Day]] = {method: [] for method in BASELINES}
    days = [(method, seed) for method in BASELINES for seed in seeds]
    for method, seed in tqdm(days, desc=f"days with twins, {policies['prosumer']}", unit="day"):
        changed = load_scenario(scenario, {"market": {"baseline": method}})
        played[method].append(play_day(changed, policies, seed, game))
    return played


def violated_without(world: World, day: Day) -> int:
    """Periods of the day without any event that break a planning limit."""
    without = replace(day.book, twin_voltage_upu=day.without_upu, twin_loading_ppm=day.without_ppm)
    return planning_excess(world, without, True).periods


def method_rows(played: Mapping[str, Sequence[Day]], households: str) -> list[str]:
    """A line of the table a method."""
    lines = []
    for method, days in played.items():
        found = [totals(day) for day in days]
        cells = [interval(estimate([row[name] for row in found]), unit) for name, unit in COLUMNS.items()]
        lines.append(f"| {households} | `{method}` | " + " | ".join(cells) + " |")
    return lines


def event_rows(world: World, day: Day) -> list[str]:
    """A line of the table an event."""
    return [_event_row(world, twin) for twin in day.events]


def _event_row(world: World, twin: EventTwin) -> str:
    page = twin.page
    cells = [
        time_of(page.start, world.periods_per_day),
        CAUSES[page.cause],
        "more" if page.direction > 0 else "less",
        str(page.duration),
        *(
            number(kwh(wh), "kWh")
            for wh in (page.ordered_wh, page.verified_wh, twin.changed_wh, twin.after_wh, twin.cut_wh)
        ),
        number(currency(twin.paid), "¤"),
        number(currency(twin.passed_on), "¤"),
    ]
    return "| " + " | ".join(cells) + " |"


def _twins_differ(world: World, days: Sequence[Day]) -> list[str]:
    """The ledger's twin, period by period, beside the day without any event."""
    mean = {
        "stepwise": estimate([kwh(day.stepwise_wh) for day in days]),
        "together": estimate([kwh(day.together_wh) for day in days]),
        "before": estimate([float(planning_excess(world, day.book, True).periods) for day in days]),
        "without": estimate([float(violated_without(world, day)) for day in days]),
        "lived": estimate([float(planning_excess(world, day.book, False).periods) for day in days]),
    }
    text = {
        name: interval(found, "kWh" if name in ("stepwise", "together") else "periods") for name, found in mean.items()
    }
    return [
        f"While they ran, all orders together changed {text['together']} kWh a day against the day without any event,",
        f"and {text['stepwise']} kWh against the twin that the ledger records, which starts every period from the",
        f"batteries as earlier orders left them. Violated periods: {text['without']} in the day without any event,",
        f"{text['before']} in the ledger's twin, {text['lived']} as lived.",
    ]


def study(scenario: Scenario, policies: Mapping[str, str], seeds: Sequence[int], game: str = "staged") -> str:
    """The tables in Markdown."""
    world = build_world(scenario)
    named = policies["prosumer"]
    players = HOUSEHOLDS if named == HOUSEHOLDS[0] else (named,)
    tables = {name: by_method(scenario, {**policies, "prosumer": name}, seeds, game) for name in players}
    own = tables[named][scenario.market.baseline]
    head = ["households", "baseline", *(f"{name} ({unit})" if unit != name else name for name, unit in COLUMNS.items())]
    lines = [
        f"Scenario `{scenario.name}`, {len(seeds)} seeds from {seeds[0]}; sums over a day ± half width of the 95 %",
        "interval.",
        "",
        "| " + " | ".join(head) + " |",
        "| --- | --- |" + " ---: |" * len(COLUMNS),
        *(line for name, played in tables.items() for line in method_rows(played, name)),
        "",
        *_twins_differ(world, own),
        "",
        f"Every event of seed {seeds[0]} (`{scenario.market.baseline}`, {named}), in kWh and ¤:",
        "",
        "| time | cause | way | periods | ordered | verified | changed | after | cut | operator paid | users got |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *event_rows(world, own[0]),
    ]
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    """Command line; 0, or 2 where the command or a setting cannot be."""
    return study_command("python -m evaluation.flexibility", __doc__, study, 10, "days of each kind", words)


if __name__ == "__main__":
    sys.exit(main())
