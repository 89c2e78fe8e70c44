"""What reactive power of the inverters does: `python -m evaluation.reactive` prints the table of docs/grid.md.

Every day is played by the rules with each way of setting reactive power, over the same seeds, so weather and demand
are the same. "Without orders" is the twin of each lived period: the same inverters, no flexibility bought.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from agents.policy import make_policies
from envs import energy_market_v0
from envs.types import GRID, Floats, Trace
from envs.world import World
from evaluation.command import Parser, whole

SEEDS = 4
RULES = ("none", "q_of_u", "agent")
DAYS: dict[str, dict[str, Any]] = {
    "`rural_day`": {},
    "`1-LV-semiurb4--2-sw`, 20 kWp on 80 % of its loads": {
        "grid": {"net": "simbench:1-LV-semiurb4--2-sw"},
        "sites": {"added_pv_share": 0.8, "added_pv_kwp": 20.0},
    },
}


class Outcome(NamedTuple):
    """Means over the seeds of one day."""

    voltage: tuple[float, float]  # periods outside the planning band: without orders, as lived
    overload: tuple[float, float]  # periods with a branch above its limit: without orders, as lived
    events: float  # grid events
    ordered_kwh: float
    cut_kwh: float
    reactive_kvarh: float  # absorbed and supplied

    def row(self) -> str:
        """Cells of a Markdown table."""
        pairs = [f"{before:.1f}, {after:.1f}" for before, after in (self.voltage, self.overload)]
        amounts = (self.ordered_kwh, self.cut_kwh, self.reactive_kvarh)
        return " | ".join([*pairs, f"{self.events:.1f}", *(f"{amount:,.0f}" for amount in amounts)])


def outcome(overrides: Mapping[str, Any], reactive: str, seeds: int = SEEDS) -> Outcome:
    """Play `rural_day` with ``overrides`` and one way of setting reactive power; no ledger is kept."""
    settings = {**overrides, "grid": {**overrides.get("grid", {}), "reactive": reactive}, "ledger": {"mode": "off"}}
    vec = energy_market_v0.vector_env("rural_day", num_worlds=seeds, overrides=settings)
    policies = make_policies(vec.world.scenario)
    for policy in policies.values():
        policy.reset(0)
    seen, _ = vec.reset(seed=0)
    traces: list[Trace] = []
    for _ in range(vec.world.scenario.calendar.periods):
        seen = vec.step({role: policies[role].act(seen[role]) for role in policies})[0]
        assert vec.trace is not None
        traces.append(vec.trace)
    return _summed(vec.world, traces, seeds)


def _summed(world: World, traces: list[Trace], seeds: int) -> Outcome:
    grid = world.scenario.grid

    def outside(side: str) -> float:
        volts: Floats = np.stack([getattr(trace.energy, side) for trace in traces])[:, :, 1:]
        beyond = (volts > grid.band_high_pu + 1e-6) | (volts < grid.band_low_pu - 1e-6)
        return float(beyond.any(axis=2).sum()) / seeds

    def above(side: str) -> float:
        loading: Floats = np.stack([getattr(trace.energy, side) for trace in traces])
        return float((loading > grid.loading_limit + 1e-6).any(axis=2).sum()) / seeds

    plans, energies = [trace.plan for trace in traces], [trace.energy for trace in traces]
    ordered_wh = [trace.stage.duration[:, GRID, None] * trace.plan.ordered_wh[:, GRID] for trace in traces]
    return Outcome(
        (outside("twin_voltage_pu"), outside("voltage_pu")),
        (above("twin_loading"), above("loading")),
        sum(int((trace.stage.cause[:, GRID] > 0).sum()) for trace in traces) / seeds,
        sum(float(wh.sum()) for wh in ordered_wh) / seeds / 1000.0,
        sum(float(np.abs(plan.cut_wh).sum()) for plan in plans) / seeds / 1000.0,
        sum(float(np.abs(energy.reactive_varh).sum()) for energy in energies) / seeds / 1000.0,
    )


def table(seeds: int = SEEDS) -> str:
    """All days and rules as a Markdown table."""
    lines = [
        "| day | `grid.reactive` | periods outside the voltage band: without orders, lived | overloaded: without"
        " orders, lived | grid events | ordered, kWh | cut, kWh | reactive, kvarh |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for day, overrides in DAYS.items():
        lines += [f"| {day} | `{rule}` | {outcome(overrides, rule, seeds).row()} |" for rule in RULES]
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    """Command line; 0, or exit code 2 where the command cannot be."""
    made = Parser(prog="python -m evaluation.reactive", description=__doc__)
    made.add_argument(
        "--seeds", type=whole(1, 1000), default=SEEDS, metavar="N", help=f"days, played together (default {SEEDS})"
    )
    print(table(int(made.parse_args(words).seeds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
