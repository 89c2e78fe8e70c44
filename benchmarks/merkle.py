"""Checking one record of a block against checking all of them: time over the number of records (paper 000, Fig. 8b).

`python -m benchmarks.merkle [--out docs/figures]` prints the table and writes `record-verification.svg`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib

from ledger import merkle
from ledger.kinds import Kind
from ledger.records import Record

matplotlib.use("Agg")
import matplotlib.pyplot as plt

SIZES = tuple(1 << power for power in range(4, 15, 2))
READING_BODY = [1, 1_000, 2_000, 0]


def _raws(count: int) -> list[bytes]:
    sender = bytes(20)
    return [Record.create(bytes(16), Kind.READING, sender, i + 1, 9, 0, READING_BODY).raw for i in range(count)]


def _best_s(work: Callable[[], object], repeats: int, calls: int = 1) -> float:
    """Processor time of the shortest of `repeats` runs of `calls` calls, a call: what the work itself takes on a shared
    machine.
    """
    shortest_s = float("inf")
    for _ in range(repeats):
        start_s = time.process_time()
        for _ in range(calls):
            work()
        shortest_s = min(shortest_s, (time.process_time() - start_s) / calls)
    return shortest_s


def _check_one(raw: bytes, index: int, count: int, path: list[bytes], root: bytes) -> None:
    if not merkle.check_inclusion(merkle.leaf_hash(raw), index, count, path, root):
        raise RuntimeError("a sound path was refused")


def _check_all(raws: list[bytes], root: bytes) -> None:
    if merkle.root([merkle.leaf_hash(raw) for raw in raws]) != root:
        raise RuntimeError("a sound root was refused")


def measure(sizes: tuple[int, ...] = SIZES, repeats: int = 15) -> list[tuple[int, int, float, float]]:
    """Rows of records, hashes in the path, seconds to check one record by its path, seconds to check all."""
    rows = []
    for count in sizes:
        raws = _raws(count)
        leaves = [merkle.leaf_hash(raw) for raw in raws]
        root, index = merkle.root(leaves), count // 3
        path = merkle.inclusion_proof(leaves, index)

        one_s = _best_s(partial(_check_one, raws[index], index, count, path, root), repeats, 100)
        rows.append((count, len(path), one_s, _best_s(partial(_check_all, raws, root), repeats)))
    return rows


def draw(rows: list[tuple[int, int, float, float]], target: Path) -> None:
    """The two curves on logarithmic axes."""
    counts = [row[0] for row in rows]
    matplotlib.rcParams["svg.hashsalt"] = "gridpact"
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    axes.loglog(counts, [row[3] * 1e6 for row in rows], "o-", label="all records: n leaves, n − 1 nodes")
    axes.loglog(counts, [row[2] * 1e6 for row in rows], "s-", label="one record: log₂ n hashes")
    axes.set_xlabel("records in the block")
    axes.set_ylabel("time to check, µs")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(target, metadata={"Date": None})
    plt.close(figure)


def run() -> list[dict[str, str | float]]:
    """Rows of name, value, unit: time to check one record and all records over the size of the block."""
    rows: list[dict[str, str | float]] = []
    for count, hashes, one_s, every_s in measure():
        rows.append({"name": f"{count} records: one, {hashes} hashes in its path", "value": one_s * 1e6, "unit": "µs"})
        rows.append({"name": f"{count} records: all", "value": every_s * 1e6, "unit": "µs"})
    return rows


def main(argv: list[str] | None = None) -> int:
    """Measure, print the table, write the figure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.merkle", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/figures"), help="folder of the figure (docs/figures)")
    folder: Path = parser.parse_args(argv).out
    rows = measure()
    print("| records | hashes in the path | one record, µs | all records, µs |\n|---:|---:|---:|---:|")
    for count, hashes, one_s, every_s in rows:
        print(f"| {count:,} | {hashes} | {one_s * 1e6:.1f} | {every_s * 1e6:,.0f} |")
    folder.mkdir(parents=True, exist_ok=True)
    draw(rows, folder / "record-verification.svg")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
