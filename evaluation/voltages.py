"""`python -m evaluation.voltages SCENARIO`: the extremes of every bus's voltage, without the market's orders and with.

All seeds are one batch. *Without* is the ledger's twin: each period as it would have been had no order been carried
out.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np

from agents.policy import make_policies
from envs.core import Core
from envs.settings import Scenario
from envs.types import Floats
from envs.world import build_world
from evaluation.command import study_command
from evaluation.measures.base import VOLT_FLOOR
from evaluation.playing import periods


def study(scenario: Scenario, policies: Mapping[str, str], seeds: Sequence[int], game: str = "staged") -> str:
    """The table in Markdown."""
    world = build_world(scenario, {"ledger": {"mode": "off"}})
    core = Core(world)
    core.reset(np.array(seeds, np.uint64))
    energies = [trace.energy for trace in periods(core, make_policies(world.scenario, policies), game)]
    both = [
        np.stack([getattr(energy, name) for energy in energies], axis=1) for name in ("twin_voltage_pu", "voltage_pu")
    ]  # (seeds, periods, buses) each
    feeder = world.feeder
    lines = [
        f"Scenario `{scenario.name}`, {len(seeds)} seeds from {seeds[0]}; pu, lowest–highest; each bus's own band.",
        "",
        "| bus | band | without orders | as lived |",
        "| --- | --- | ---: | ---: |",
    ]
    for bus in range(feeder.bus_count):
        cells = [f"{values[..., bus].min():.4f}–{values[..., bus].max():.4f}" for values in both]
        band = f"{feeder.band_low_pu[bus]:g}–{feeder.band_high_pu[bus]:g}" if bus else "–"
        lines.append(f"| {feeder.bus_name[bus]} | {band} | {' | '.join(cells)} |")
    outside = [_outside(values, feeder.band_low_pu, feeder.band_high_pu) for values in both]
    return "\n".join([
        *lines,
        "",
        f"Periods a day with a bus outside its band: {outside[0]:.1f} without orders, {outside[1]:.1f} as lived.",
    ])  # fmt: skip


def _outside(voltage_pu: Floats, low_pu: Floats, high_pu: Floats) -> float:
    """Mean over the seeds of the periods in which a bus but the root is outside."""
    out = (voltage_pu < low_pu - VOLT_FLOOR) | (voltage_pu > high_pu + VOLT_FLOOR)
    return float(out[..., 1:].any(axis=2).sum(axis=1).mean())


def main(words: Sequence[str] | None = None) -> int:
    """Command line; 0, or 2 where the command or a setting cannot be."""
    return study_command("python -m evaluation.voltages", __doc__, study, 16, "days, played together", words)


if __name__ == "__main__":
    sys.exit(main())
