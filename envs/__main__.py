"""`python -m envs [SCENARIO]`: the action and observation tables of a scenario, as Markdown."""

from __future__ import annotations

import sys

from envs.columns import Column
from envs.config import SettingsError
from envs.energy_market_v0 import tables
from envs.resources.site import RESOURCES
from envs.types import DOWN, UP

SETTLED = " (in the payments already)"
ROLES = ("prosumer", "aggregator", "eno")
HEAD = """# Action and observation spaces

Made by `python -m envs {name}`; the same tables come from `energy_market_v0.tables("{name}")`. Every action is a
float32 box [-1, 1]; a column maps it linearly to its range. Observations are float32, normalised, clipped to ±10.
"""


def _number(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e5 else f"{value:,.0f}"


def _table(columns: list[Column]) -> list[str]:
    lines = ["| index | name | meaning | unit | range |", "| ---: | --- | --- | --- | --- |"]
    for index, c in enumerate(columns):
        lines.append(f"| {index} | `{c.name}` | {c.meaning} | {c.unit} | {_number(c.low)} … {_number(c.high)} |")
    return lines


def _resources() -> list[str]:
    """What each resource declares."""
    lines = ["| resource | state | set points | range | cost |", "| --- | --- | --- | --- | --- |"]
    for name, resource in RESOURCES.items():
        ways = [text for way, text in ((UP, "more injection"), (DOWN, "less injection")) if way in resource.range_w]
        costs = [f"{c.unit} `{c.name}` × `{c.price}`{SETTLED if c.settled else ''}" for c in resource.costs]
        cells = (resource.state, [column.name for column in resource.actions])
        state, actions = (", ".join(f"`{each}`" for each in cell) or "–" for cell in cells)
        lines.append(f"| `{name}` | {state} | {actions} | {', '.join(ways)} | {'; '.join(costs)} |")
    return lines


def markdown(name: str) -> str:
    """The whole page for a scenario."""
    found = tables(name)
    lines = [HEAD.format(name=name)]
    for role in ROLES:
        for kind, title in (("actions", "acts"), ("observations", "sees")):
            lines += [f"## {role} {title}", "", *_table(found[kind][role]), ""]
    lines += ["## What resources declare", "", *_resources(), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        print(markdown(sys.argv[1] if len(sys.argv) > 1 else "rural_day"))
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
