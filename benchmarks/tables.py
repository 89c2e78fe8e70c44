"""`python -m benchmarks.tables [OUT/bench.json]`: the tables of docs/grid.md, from one run of `make bench`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FLOWS = {  # column: row of the benchmark `grid`
    "kernel, one world": "sweep kernel, one world",
    "batch of 64": "PowerFlow, batch of 64",
    "batch of 1024": "PowerFlow, batch of 1024",
    "power-grid-model, 1": "power-grid-model, batch of 1",
    "64": "power-grid-model, batch of 64",
    "1024": "power-grid-model, batch of 1024",
    "lightsim2grid, 1": "lightsim2grid ac_pf",
    "runpp, 1": "pandapower.runpp",
}
DISPATCH = {  # column: row of the benchmark `dispatch`
    "ours": ("envs.dispatch.admm", "milp"),
    "by its rounds": ("admm by its rounds",),
    "merit_order": ("envs.dispatch.merit_order",),
    "HiGHS, model kept": ("HiGHS, model kept",),
    "HiGHS, model passed anew": ("HiGHS, model passed anew", "HiGHS, mixed-integer model built"),
    "HiGHS, through scipy": ("scipy linprog (HiGHS)",),
}


def number(value: float | None) -> str:
    """Two digits, three from 100 on; a dash where nothing was measured."""
    if value is None:
        return "-"
    digits = 3 if value >= 100 else 2
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def _table(head: Sequence[str], lines: Mapping[str, Sequence[float | None]]) -> str:
    rows = [head, ["---"] * len(head), *([name, *map(number, values)] for name, values in lines.items())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _values(rows: Sequence[Mapping[str, Any]], unit: str) -> dict[str, float]:
    return {row["name"].removesuffix(": rate"): row["value"] for row in rows if row["unit"] == unit}


def flow_table(rows: Sequence[Mapping[str, Any]], unit: str) -> str:
    """A line a net, of the benchmark `grid`."""
    found = _values(rows, unit)
    first = FLOWS["kernel, one world"]
    nets = [name.removeprefix(f"{first}, ") for name in found if name.startswith(first)]
    lines = {net: [found.get(f"{column}, {net}") for column in FLOWS.values()] for net in nets}
    return _table(["net", *FLOWS], lines)


def dispatch_table(rows: Sequence[Mapping[str, Any]], unit: str) -> str:
    """A line a kind of problem, of the benchmark `dispatch`."""
    found = _values(rows, unit)
    kinds = [name.removeprefix(f"{ours}, ") for name in found for ours in DISPATCH["ours"] if name.startswith(ours)]
    lines = {
        kind: [next((found[f"{name}, {kind}"] for name in names if f"{name}, {kind}" in found), None) for names in
               DISPATCH.values()]
        for kind in kinds
    }  # fmt: skip
    return _table(["problem", *DISPATCH], lines)


def main(argv: Sequence[str]) -> int:
    """Print the tables, times before rates; 2 where the file is not there or lacks a benchmark."""
    path = Path(argv[0] if argv else "results/bench.json")
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        grid, dispatch = report["grid"], report["dispatch"]
    except (OSError, KeyError) as failure:
        print(f"{path}: {failure!r}; needed: what `make bench` writes", file=sys.stderr)
        return 2
    for unit in ("us/world", "solves/s"):
        print(f"{unit}\n\n{flow_table(grid, unit)}\n\n{dispatch_table(dispatch, unit)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
