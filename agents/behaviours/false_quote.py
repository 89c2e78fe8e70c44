"""False quotation: offers more flexibility than the site can deliver, at half the price, to win the award."""

from __future__ import annotations

import numpy as np

from envs.types import Bools, Quotes


def quote(quotes: Quotes, who: Bools, intensity: float) -> None:
    """Blocks grow by ``intensity`` (1 doubles them) and their prices fall by half."""
    mask = who[:, None, :, None]
    quotes.block_wh[:] = np.where(mask, np.rint(quotes.block_wh * (1.0 + intensity)).astype(np.int64), quotes.block_wh)
    quotes.block_price[:] = np.where(mask, quotes.block_price // 2, quotes.block_price)
