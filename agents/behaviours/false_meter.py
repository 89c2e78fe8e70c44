"""False metering: claims more generation and less consumption than there was."""

from __future__ import annotations

import numpy as np

from envs.types import Bools, Claims


def meter(claims: Claims, who: Bools, intensity: float) -> None:
    """Generation is inflated by ``intensity``, consumption reported short by the same share."""
    more = np.rint(claims.generated_wh * (1.0 + intensity)).astype(np.int64)
    less = np.rint(claims.consumed_wh * max(0.0, 1.0 - intensity)).astype(np.int64)
    claims.generated_wh[:] = np.where(who, more, claims.generated_wh)
    claims.consumed_wh[:] = np.where(who, less, claims.consumed_wh)
