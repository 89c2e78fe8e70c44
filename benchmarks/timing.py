"""How the benchmarks take time, and what a measured figure is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypedDict


class Row(TypedDict):
    """One measured figure."""

    name: str
    value: float
    unit: str


def best_us(call: Callable[[], Any], seconds: float = 0.3) -> float:
    """The shortest of the calls that fit into ``seconds``, after one unmeasured call (compilation, caches).

    Processor time of all threads: what a busy machine gives to others does not count.
    """
    call()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end or best == float("inf"):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best * 1e6


def timed(name: str, spent_us: float) -> Iterator[Row]:
    """A world's time and its rate."""
    yield Row(name=name, value=spent_us, unit="us/world")
    yield Row(name=f"{name}: rate", value=1e6 / spent_us, unit="solves/s")
