"""Means over seeds with 95 % confidence intervals, and paired differences between scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A mean and the half width of its confidence interval; None where there is no number (or only one value)."""

    mean: float | None
    half_width: float | None
    seeds: int  # values that exist


def estimate(values: Sequence[float | None]) -> Estimate:
    """Mean over the values that exist, with the Student interval mean ± t · s / √n."""
    found = np.array([value for value in values if value is not None], np.float64)
    count = len(found)
    if count == 0:
        return Estimate(None, None, 0)
    mean = float(found.mean())
    if count == 1:
        return Estimate(mean, None, 1)
    t = float(stdtrit(count - 1, 0.5 + CONFIDENCE / 2.0))
    return Estimate(mean, t * float(found.std(ddof=1)) / count**0.5, count)


def paired_difference(first: Sequence[float | None], second: Sequence[float | None]) -> Estimate:
    """``second - first`` seed by seed: with common random numbers most of the noise falls away.

    Raises:
        ValueError: the two have not the same number of seeds.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values: a paired difference needs the same seeds")
    pairs = zip(first, second, strict=True)
    return estimate([b - a if a is not None and b is not None else None for a, b in pairs])
