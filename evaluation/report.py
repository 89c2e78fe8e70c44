"""The report: one HTML file that opens anywhere, without a network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from envs.types import CAUSES
from evaluation import words
from evaluation.checks import check_tables
from evaluation.comparison import Comparison, heading, meanings, tables_of
from evaluation.event_table import event_tables
from evaluation.figures import pictures
from evaluation.figures.style import time_of
from evaluation.measures import METRICS, Metric
from evaluation.measures.grid import completion_by_cause
from evaluation.misconduct import charges, consequences, honest_twin
from evaluation.paths import path_tables
from evaluation.provenance import origin
from evaluation.statistics import estimate
from evaluation.story import event_story
from evaluation.study import Part, Study, summary_metrics

TEMPLATES = Path(__file__).resolve().parent / "templates"
SUMMARY_GROUPS = {
    "events": "Events and demand response",
    "grid": "Grid",
    "trade": "Trade among peers",
    "resources": "Resources and what they cost their owners",
    "money": "Money at the end of the run",
    "credit": "Credit",
    "conduct": "Conduct",
    "chain": "Ledger",
}
CARDS = (
    ("Violated periods", "violated_periods_without", "violated_periods_with"),
    ("Demand response completed", None, "completion"),
    ("Prosumers' gain over tariffs, same metered energy", None, "prosumers_gain"),
    ("Traded among peers", None, "traded_share"),
)
MONEY_ROWS = (
    "sellers_gain",
    "buyers_saving",
    "users_shortfall_paid",
    "aggregators_shortfall_paid",
    "honest_mean_balance",
    "malicious_mean_balance",
    "sum_of_all_accounts",
)
UNITS = {metric.name: metric.unit for metric in METRICS}


@dataclass
class Row:
    """A line of a table of metrics."""

    label: str
    meaning: str
    unit: str
    cells: list[str]
    differences: list[tuple[str, bool]]  # text, whether the interval leaves out zero
    source: str


def _row(study: Study, metric: Any) -> Row:
    differences = [study.difference(metric.name, k) for k in range(1, len(study.parts))]
    return Row(
        words.label_of(metric.name),
        metric.meaning,
        metric.unit,
        [words.interval(part.estimate(metric.name), metric.unit) for part in study.parts],
        [(words.signed(d, metric.unit), words.clear(d)) for d in differences],
        "ledger" if metric.public is not None else "evaluator",
    )


def _day(part: Part) -> str:
    days = sorted({run.day for run in part.runs})
    year = 2016 if part.world.days == 366 else 2015  # leap or not; profiles name no year

    def name(day: int) -> str:
        if part.world.days not in (365, 366):
            return f"day {day}"
        when = date(year, 1, 1) + timedelta(days=day)
        return f"{when.day} {when:%B}"

    text = ", ".join(map(name, days[:3])) + (f" and {len(days) - 3} more" if len(days) > 3 else "")
    return f"{text} of the profile year"


def _facts(part: Part) -> list[tuple[str, str]]:
    """What was played, for the head of the report."""
    world, grid = part.world, part.scenario.grid
    cheats = ", ".join(f"{m.count} {name.replace('_', ' ')}" for name, m in part.scenario.malicious.items())
    periods = part.runs[0].book.periods
    storages = f"{world.storage_wh.sum() / 1000:.0f} kWh of storage on {(world.storage_wh > 0).sum()}"
    if world.has_plans:
        count = len(world.feeder.storages.e_max_kwh)
        storages += f"; {world.planned_storages} of the net's {count} storages follow their profiles"
    low, high = float(world.feeder.band_low_pu[1:].max()), float(world.feeder.band_high_pu[1:].min())
    return [
        ("Net", f"{grid.net} ({world.feeder.bus_count} buses)"),
        ("Day", f"{_day(part)}, {periods} periods of {24 * 60 // world.periods_per_day} minutes"),
        ("Sites", f"{world.sites} prosumers, {world.aggregators} aggregators, one operator"),
        (
            "Equipment",
            f"{world.pv_rated_w.sum() / 1000:.0f} kW of PV on {(world.pv_rated_w > 0).sum()} sites, {storages}",
        ),
        (
            "Planning limits",
            f"{grid.band_low_pu:g}–{grid.band_high_pu:g} pu, loading {100 * grid.loading_limit:g} % "
            f"(the net's own: {low:g}–{high:g} pu)",
        ),
        ("Upper level", f"{len(part.scenario.upper_orders)} flexibility orders in the scenario"),
        ("Cheating", cheats or "nobody"),
    ]


def _cards(study: Study) -> list[dict[str, Any]]:
    cards = []
    for label, before, name in CARDS:
        lines = []
        for part in study.parts:
            unit = UNITS[name]
            value = words.number(part.estimate(name).mean, unit)
            start = words.number(part.estimate(before).mean, unit) if before else None
            lines.append({"part": part.name, "value": value, "before": start, "unit": unit})
        cards.append({"label": label, "lines": lines})
    return cards


def _verdicts(study: Study) -> list[tuple[str, list[str]]]:
    found = {
        part.name: [words.grid_sentence(part), words.delivery_sentence(part), words.money_sentence(part)]
        for part in study.parts
    }
    for part, rows in charges(study):
        noticed = "; ".join(f"{c.behaviour}: {c.noticed} of {c.attempts}" for c in rows if c.attempts)
        found[part.name].append(
            f"Misconduct that the market noticed, all seeds together: {noticed or 'none was tried'}."
        )
    return list(found.items())


def _exists(study: Study, metric: Metric) -> bool:
    """Whether any part has such a number."""
    return any(value is not None for part in study.parts for value in part.values[metric.name])


def _summary(study: Study) -> list[tuple[str, list[Row]]]:
    chosen = [m for m in summary_metrics() if m.group != "resources" or _exists(study, m)]
    groups = [(title, [_row(study, m) for m in chosen if m.group == group]) for group, title in SUMMARY_GROUPS.items()]
    return [(title, rows) for title, rows in groups if rows]


def _conduct(study: Study) -> list[dict[str, Any]]:
    return [
        {
            "part": part.name,
            "twin": twin.name if (twin := honest_twin(study, part)) else None,
            "rows": [
                {
                    "charge": charge,
                    "credit": words.number(charge.credit, "%"),
                    "gain": words.number(charge.gain, "¤"),
                }
                for charge in rows
            ],
            "consequences": [
                (name, words.signed(change, "¤"), words.clear(change))
                for name, change in consequences(study, part).items()
            ],
        }
        for part, rows in charges(study)
    ]


def _comparison(comparison: Comparison, study: Study) -> dict[str, Any]:
    """A comparison's tables, scenario by scenario, and what their columns mean."""
    groups = comparison.groups(study)
    tables = [
        (name, [(title, [heading(m) for m in metrics], rows) for title, metrics, rows in tables_of(parts)])
        for name, parts in groups
    ]
    found = {text: meaning for _, parts in groups for text, meaning in meanings(parts)}
    return {"key": comparison.key, "values": comparison.values, "groups": tables, "meanings": found}


def _completion(study: Study) -> list[tuple[str, list[str]]]:
    """Completion by cause (rows) and scenario."""
    found = [[completion_by_cause(run.book) for run in part.runs] for part in study.parts]
    return [
        (cause, [words.interval(estimate([run.get(cause) for run in runs]), "%") for runs in found])
        for cause in CAUSES
        if any(cause in run for runs in found for run in runs)
    ]


def _chains(study: Study) -> list[dict[str, Any]]:
    rows = []
    for part in study.parts:
        for run in part.runs:
            if run.chain is not None:
                rows.append(
                    {
                        "part": part.name,
                        "seed": run.seed,
                        "facts": run.chain,
                        "path": str(run.chain.path),
                        "megabytes": f"{run.chain.size_bytes / 1e6:.2f}",
                    }
                )
    return rows


def render_report(study: Study, comparison: Comparison | None = None, command: str | None = None) -> str:
    """The report as HTML text; with a section for the comparison and the command that the study was played for."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    public = sum(metric.public is not None for metric in METRICS)
    sound, chain_text = words.chain_sentence(study, public)
    drawn = {
        place: [picture._replace(svg=Markup(picture.svg)) for picture in found]
        for place, found in pictures(study).items()
    }
    first = study.parts[0]
    return environment.get_template("report.html").render(
        study=study,
        names=[part.name for part in study.parts],
        facts=_facts(first),
        others=[
            (p.name, [f for f, g in zip(_facts(p), _facts(first), strict=True) if f != g]) for p in study.parts[1:]
        ],
        cards=_cards(study),
        verdicts=_verdicts(study),
        comparison=comparison and _comparison(comparison, study),
        sound=sound,
        chain_text=chain_text,
        conduct=_conduct(study),
        summary=_summary(study),
        everything=[_row(study, metric) for metric in METRICS],
        completion=_completion(study),
        event_tables=event_tables(study),
        check_tables=check_tables(study),
        money=[_row(study, metric) for metric in METRICS if metric.name in MONEY_ROWS],
        pictures=drawn,
        paths=path_tables(study),
        story=event_story(study),
        chains=_chains(study),
        settings=[(p.name, yaml.safe_dump(p.scenario.model_dump(mode="json"), sort_keys=False)) for p in study.parts],
        origin=origin(command),
        public=public,
        total=len(METRICS),
        clock=lambda period: time_of(period, first.world.periods_per_day),
    )


def write_report(study: Study, out: Path, comparison: Comparison | None = None, command: str | None = None) -> Path:
    """Write ``report.html`` into ``out``; its path."""
    path = out / "report.html"
    path.write_text(render_report(study, comparison, command), encoding="utf-8")
    return path
