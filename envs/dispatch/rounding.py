"""Whole watt-hours that add up exactly: largest remainder, ties by index (the caller orders sites by
address)."""

from __future__ import annotations

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
