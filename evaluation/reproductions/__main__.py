"""`python -m evaluation.reproductions NAME [NAME …]`: print the tables of published experiments, played again."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))

HEAD = """# Markets checked against theory and published tables

Made by `python -m evaluation.reproductions --out docs/markets.md`; deterministic, about nine minutes
of one core. Paper 003's table for other data (layouts of UCI ElectricityLoadDiagrams and NREL's PV sets):
`python -m evaluation.reproductions.paper_003_auction --load FILE --pv FILE FILE FILE FILE`.

"""


def main(argv: list[str] | None = None) -> int:
    """Print the chosen reproductions as Markdown; 0, or 2 for a name that does not exist or a page that lacks some."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.reproductions", description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, help=f"which: {', '.join(NAMES)} (all)")
    parser.add_argument("--out", type=Path, help="write all of it to this file instead of the screen")
    args = parser.parse_args(argv)
    names: list[str] = args.names
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no reproduction {unknown[0]!r} (allowed: {', '.join(NAMES)})", file=sys.stderr)
        return 2
    if args.out is not None and set(names) != set(NAMES):
        print("--out writes the whole page: leave the names out, or leave --out out", file=sys.stderr)
        return 2
    text = "\n\n".join(importlib.import_module(f"evaluation.reproductions.{name}").run() for name in names)
    if args.out is None:
        print(text)
    else:
        args.out.write_text(HEAD + text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
