"""Non-delivery: takes the award and does not act on it."""

from __future__ import annotations

import numpy as np

from envs.types import Bools, Floats


def deliver(fraction: Floats, who: Bools, intensity: float) -> None:
    """``intensity`` 1 delivers nothing, 0.5 half of the ordered change."""
    fraction[:] = np.where(who, fraction * max(0.0, 1.0 - intensity), fraction)
