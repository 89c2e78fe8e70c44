"""`python -m benchmarks [NAME …]`: measure, print a table, write OUT/bench.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import dispatch, environment, grid, ledger, lottery, market, merkle

BENCHMARKS: dict[str, Callable[[], Sequence[Mapping[str, Any]]]] = {
    "dispatch": dispatch.run,
    "environment": environment.run,
    "grid": grid.run,
    "ledger": ledger.run,
    "lottery": lottery.run,
    "market": market.run,
    "merkle": merkle.run,
}


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main(argv: list[str] | None = None) -> int:
    """Run the chosen benchmarks; 0, or 2 for a name that does not exist."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", default=list(BENCHMARKS), help=f"which: {', '.join(BENCHMARKS)} (all)")
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of bench.json (results)")
    args = parser.parse_args(argv)
    unknown = [name for name in args.names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {unknown[0]!r} (allowed: {', '.join(BENCHMARKS)})", file=sys.stderr)
        return 2
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    report: dict[str, Any] = {"machine": machine}
    for name in args.names:
        rows = BENCHMARKS[name]()
        report[name] = rows
        width = max(len(row["name"]) for row in rows)
        print(f"\n{name}\n{'-' * len(name)}")
        for row in rows:
            print(f"{row['name']:<{width}}  {_number(row['value']):>10} {row['unit']}")
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "bench.json"
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
