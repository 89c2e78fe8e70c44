"""`python -m envs [SCENARIO]`: the action and observation tables and the rewards of a scenario, as Markdown."""

from __future__ import annotations

import sys

from envs.columns import Column
from envs.config import SettingsError
from envs.energy_market_v0 import tables
from envs.resources.site import RESOURCES
from envs.settings import Scenario, load_scenario
from envs.types import DOWN, UP

SETTLED = " (in the payments already)"
ROLES = ("prosumer", "aggregator", "eno")
HEAD = """# Action and observation spaces

Made by `python -m envs {name}`; the same tables come from `energy_market_v0.tables("{name}")`. Every action is a
float32 box [-1, 1]; a column maps it linearly to its range, and what lies outside the box is clipped to it.
Observations are float32, normalised, clipped to ±10.
"""
REWARDS = """A reward is what the period was worth to an agent, in the step in which its energy flows. Transfers are
everything received less everything paid, as the ledger has them a block or two later: over all accounts they are zero.

| role | reward of a period | scale |
| --- | --- | ---: |
| prosumer | (transfers − own costs) / `reward.prosumer_scale` | {prosumer_scale:g} ¤ |
| aggregator | transfers / `reward.aggregator_scale` | {aggregator_scale:g} ¤ |
| eno | (transfers − penalty) / `reward.eno_scale` | {eno_scale:g} ¤ |

- Own costs: those of the table above that the payments do not have.
- Penalty, as lived: `reward.voltage_penalty` ({voltage_penalty:g} ¤) for each pu·h beyond the planning band, summed
  over buses; `reward.overload_penalty` ({overload_penalty:g} ¤) for each hour × loading beyond `grid.loading_limit`,
  summed over branches. What only a last resort averted counts `reward.averted_share` ({averted_share:g}) of that.
- The last period settles what outlives the episode, in the prosumers' rewards alone: Wh that put-off charging and
  heating still need, and that bring a battery back to its first charge, cost `market.retail` + `market.network_charge`;
  what a battery holds beyond its first charge is worth `market.feed_in`.

So rewards are of order 1 or less in every step but the last, where a battery of some kWh that was left empty costs
several times as much.
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


def _rewards(scenario: Scenario) -> str:
    """The reward of each role, with the scenario's scales."""
    return REWARDS.format(**scenario.reward.model_dump())


def markdown(name: str) -> str:
    """The whole page for a scenario."""
    scenario = load_scenario(name)
    found = tables(scenario)
    lines = [HEAD.format(name=name)]
    for role in ROLES:
        for kind, title in (("actions", "acts"), ("observations", "sees")):
            lines += [f"## {role} {title}", "", *_table(found[kind][role]), ""]
    lines += ["## What resources declare", "", *_resources(), "", "## Rewards", "", _rewards(scenario)]
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        print(markdown(sys.argv[1] if len(sys.argv) > 1 else "rural_day"))
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
