"""Whole watt-hours that add up exactly: largest remainder, ties by index (the caller orders sites by
address)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True)
def round_one(x: np.ndarray, total: int, caps: np.ndarray, whole: np.ndarray) -> bool:
    """Largest remainder of one row into whole (N,) int64, for use inside numba code; False if total is out of
    reach.

    Starts from the floors inside 0..caps. Missing units go to the largest fractions first, surplus units come
    off the smallest first; further rounds follow while x itself does not add up to the total.
    """
    count = len(x)
    room = 0
    fraction = np.empty(count)
    left = total
    for i in range(count):
        room += caps[i]
        whole[i] = min(max(np.int64(np.floor(x[i])), 0), caps[i])
        fraction[i] = x[i] - np.floor(x[i])
        left -= whole[i]
    if total < 0 or total > room:
        return False
    # a stable sort keeps equal fractions in index order
    order = np.argsort(-fraction if left > 0 else fraction, kind="mergesort")
    step = 1 if left > 0 else -1
    while left != 0:
        for i in order:
            if left != 0 and 0 <= whole[i] + step <= caps[i]:
                whole[i] += step
                left -= step
    return True


@njit(cache=True)
def _round_batch(x: np.ndarray, total: np.ndarray, caps: np.ndarray, whole: np.ndarray) -> int:
    for w in range(len(x)):
        if not round_one(x[w], total[w], caps[w], whole[w]):
            return w
    return -1


def largest_remainder(x: Any, total: Any, caps: Any) -> np.ndarray:
    """Integers 0 <= whole <= caps near x whose sum is exactly `total`.

    x (N,) or (worlds, N) float, total int or (worlds,), caps like x, integers. Raises ValueError when a total
    is negative or exceeds the caps, when shapes disagree or x is not finite.
    """
    values = np.ascontiguousarray(x, dtype=np.float64)
    limits, totals = np.ascontiguousarray(caps, dtype=np.int64), np.asarray(total, dtype=np.int64)
    if values.ndim not in (1, 2) or limits.shape != values.shape or totals.shape != values.shape[:-1]:
        raise ValueError(
            f"x {values.shape}, total {totals.shape}, caps {limits.shape}; needed: (N,), (), (N,) or batches"
        )
    if not np.isfinite(values).all() or (limits < 0).any():
        raise ValueError("x must be finite and caps at least 0")
    whole = np.empty_like(limits)
    rows = np.atleast_2d(values), np.atleast_1d(totals), np.atleast_2d(limits), np.atleast_2d(whole)
    failed = _round_batch(*rows)
    if failed >= 0:
        reach = int(rows[2][failed].sum())
        wrong = int(rows[1][failed])
        raise ValueError(f"total {wrong} is out of reach; allowed: 0..{reach} (sum of caps)")
    return whole
