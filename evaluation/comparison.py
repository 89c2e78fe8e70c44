"""One setting (or who plays a role) with several values, everything else the same: what each changes, paired by seed.

Every scenario is played once a value, under its own name and the same seeds, so weather, demand, forecast errors and
draws are the same and a difference is due to the setting. The first value is the one to compare with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from envs.config import SettingsError, nest
from envs.settings import Scenario, load_scenario
from evaluation import words
from evaluation.command import policies_of
from evaluation.measures import METRICS
from evaluation.statistics import Estimate, paired_difference
from evaluation.study import Part, Study

SCHEMA = "gridpact/comparison/1"
CONDUCT = "Conduct"
PLAYERS = "policy"  # a key policy.ROLE compares who plays
TABLES = {
    "Welfare and efficiency": (
        "community_welfare", "trading_gain", "trading_efficiency", "matching_efficiency", "traded_share",
    ),
    "Prices, and income against surplus power online": (
        "mean_price", "price_volatility", "sellers_trade_gain", "buyers_trade_saving", "prosumers_gain",
    ),
    "Fairness and concentration": ("gain_jain_index", "gain_gini", "sellers_concentration", "buyers_concentration"),
    "Other sides and the grid": (
        "aggregators_balance", "operator_balance", "supplier_balance", "violated_periods_with", "completion",
    ),
    "Rewards": ("prosumer_reward", "aggregator_reward", "eno_reward"),
    CONDUCT: (
        "detection_rate", "false_alarm_rate", "false_energy_believed", "credit_honest", "credit_malicious",
        "honest_mean_balance", "malicious_mean_balance",
    ),
}  # fmt: skip
LEGEND = """\
Mean over the seeds {seeds} ± half width of the 95 % confidence interval (Student); ¤: a unit of currency, –: no number.
In brackets: the difference to {first}, paired by seed; **bold** where its interval leaves out zero.
† known to the evaluator only; everything else follows from the ledgers.
"""
_BY_NAME = {metric.name: metric for metric in METRICS}


@dataclass(frozen=True)
class Comparison:
    """A setting and its values as text; the parts of the study are scenario by scenario, value by value."""

    key: str
    values: tuple[str, ...]

    def name(self, scenario: Scenario, value: str) -> str:
        """What a variant is called in tables and files."""
        return f"{scenario.name} {self.key.rpartition('.')[2]}={value}"

    def players(self, policies: Mapping[str, str]) -> dict[str, str]:
        """Who plays, in one line a role: all whom the comparison names, or who was asked for."""
        head, _, role = self.key.partition(".")
        return {**policies, **({role: " | ".join(self.values)} if head == PLAYERS else {})}

    def groups(self, study: Study) -> list[tuple[str, list[Part]]]:
        """Each scenario's name and its parts, one a value."""
        many = len(self.values)
        starts = range(0, len(study.parts), many)
        return [(study.parts[k].scenario.name, study.parts[k : k + many]) for k in starts]


@dataclass(frozen=True)
class Cell:
    """A metric at one value: mean with its interval, and the paired difference to the first value."""

    metric: str
    own: Estimate
    change: Estimate | None  # None for the first value

    @property
    def text(self) -> str:
        """Mean ± half width."""
        return words.interval(self.own, _BY_NAME[self.metric].unit)

    @property
    def difference(self) -> str:
        """With its sign; empty for the first value and where one of the two has no number."""
        return (
            ""
            if self.change is None or self.change.mean is None
            else words.signed(self.change, _BY_NAME[self.metric].unit)
        )

    @property
    def clear(self) -> bool:
        """Whether the difference's interval leaves out zero."""
        return self.change is not None and words.clear(self.change)


def _label(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return str(yaml.safe_dump(value, default_flow_style=True, width=1_000_000)).strip()
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def read_comparison(text: str) -> tuple[Comparison, list[Any]]:
    """``key=value,value,…`` with values in YAML: the comparison and the values.

    Raises:
        SettingsError: no key, fewer than two values, a value twice, or no YAML.
    """
    what = f"--compare {text!r}"
    key, equals, rest = text.partition("=")
    if not equals or not all(key.split(".")):
        raise SettingsError(f"{what}: write KEY=VALUE,VALUE, for example market.trading=two_stage_double,feed_in")
    try:
        values = yaml.safe_load(f"[{rest}]")
    except yaml.YAMLError:
        raise SettingsError(f"{what}: the values are not valid YAML") from None
    labels = [_label(value) for value in values]
    if len(values) < 2 or len(set(labels)) < len(labels):
        raise SettingsError(f"{what}: at least two different values are needed")
    return Comparison(key, tuple(labels)), values


def variants(
    scenarios: Sequence[Scenario], policies: Mapping[str, str], text: str
) -> tuple[Comparison, list[Scenario], list[dict[str, str]], list[str]]:
    """Every scenario at every value: the variants, who plays them and what they are called.

    A key ``policy.ROLE`` stands for who plays a role, any other one for a setting of the scenarios.

    Raises:
        SettingsError: as `read_comparison`, or a key or value that a scenario cannot have.
    """
    comparison, values = read_comparison(text)
    head, _, role = comparison.key.partition(".")
    found = []
    for scenario in scenarios:
        for value, label in zip(values, comparison.values, strict=True):
            name = comparison.name(scenario, label)
            if head == PLAYERS:
                found.append((scenario, {**policies, **policies_of([f"{role}={label}"], {})}, name))
            else:
                found.append((load_scenario(scenario, nest(comparison.key, value)), dict(policies), name))
    changed, players, names = zip(*found, strict=True)
    return comparison, list(changed), list(players), list(names)


def rows_of(parts: Sequence[Part], metrics: Sequence[str]) -> list[list[Cell]]:
    """One row a value, one cell a metric."""
    first = parts[0]
    return [
        [
            Cell(
                name,
                part.estimate(name),
                None if part is first else paired_difference(first.values[name], part.values[name]),
            )
            for name in metrics
        ]
        for part in parts
    ]


def tables_of(parts: Sequence[Part]) -> list[tuple[str, list[str], list[list[Cell]]]]:
    """(title, metrics, rows): the tables of a scenario, without metrics that have no number anywhere.

    Conduct is shown where somebody cheats.
    """
    found, cheats = [], any(part.scenario.malicious for part in parts)
    for title, names in TABLES.items():
        if title == CONDUCT and not cheats:
            continue
        shown = [name for name in names if any(part.estimate(name).mean is not None for part in parts)]
        if shown:
            found.append((title, shown, rows_of(parts, shown)))
    return found


def heading(metric: str) -> str:
    """A column's title: the metric and its unit, † where only the evaluator knows it."""
    unit, text = _BY_NAME[metric].unit, words.label_of(metric)
    return f"{text}{'' if unit == '1' else f' ({unit})'}{' †' if _BY_NAME[metric].public is None else ''}"


def meanings(parts: Sequence[Part]) -> list[tuple[str, str]]:
    """What each metric of the tables is."""
    shown = [name for _, names, _ in tables_of(parts) for name in names]
    return [(heading(name), _BY_NAME[name].meaning) for name in shown]


def _markdown(cell: Cell) -> str:
    if not cell.difference:
        return cell.text
    return f"{cell.text} ({f'**{cell.difference}**' if cell.clear else cell.difference})"


def markdown(comparison: Comparison, parts: Sequence[Part], titles: Sequence[str] = tuple(TABLES)) -> str:
    """The tables of one scenario: mean ± half width of the 95 % interval, and the paired difference in brackets."""
    lines = []
    for title, names, rows in tables_of(parts):
        if title not in titles:
            continue
        lines += ["", f"**{title}**", "", f"| {comparison.key} | " + " | ".join(map(heading, names)) + " |"]
        lines.append("| --- |" + " ---: |" * len(names))
        for value, cells in zip(comparison.values, rows, strict=True):
            lines.append(f"| {value} | " + " | ".join(_markdown(cell) for cell in cells) + " |")
    return "\n".join(lines[1:])


def write_comparison(comparison: Comparison, study: Study, out: Path) -> None:
    """``comparison.json``: a row a scenario, value and metric; ``comparison.md``: the tables."""
    rows = [
        {
            "scenario": name,
            "value": value,
            "metric": cell.metric,
            "unit": _BY_NAME[cell.metric].unit,
            "source": "evaluator" if _BY_NAME[cell.metric].public is None else "ledger",
            "mean": cell.own.mean,
            "half_width": cell.own.half_width,
            "difference": cell.change.mean if cell.change else None,
            "difference_half_width": cell.change.half_width if cell.change else None,
        }
        for name, parts in comparison.groups(study)
        for _, _, table in tables_of(parts)
        for value, cells in zip(comparison.values, table, strict=True)
        for cell in cells
    ]
    found = {"schema": SCHEMA, "key": comparison.key, "values": comparison.values, "seeds": study.seeds, "rows": rows}
    (out / "comparison.json").write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    head = LEGEND.format(seeds=", ".join(map(str, study.seeds)), first=comparison.values[0])
    pages = [f"## {name}\n\n{markdown(comparison, parts)}\n" for name, parts in comparison.groups(study)]
    (out / "comparison.md").write_text("\n".join([head, *pages]), encoding="utf-8")
