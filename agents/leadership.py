"""Master and slaves (paper 002's second trading pattern): who names a price first, and who answers it.

What a user could adjust costs it a·q²/2 + b·q, q from 0 to 1 of its range: the first kWh costs b and the last b + a.
"""

from __future__ import annotations

import numpy as np

from agents.policy import View

Floats = np.ndarray


def cost_slope(view: View) -> float:
    """a of a household whose two blocks are the start and the middle of this line: twice the step between them."""
    return 2.0 * view.scenario.sites.degradation_price


def answer(price: Floats, start: Floats | float, slope: float) -> Floats:
    """A user's best response to a price: q = (price - b) / a, within its range."""
    return np.asarray(np.clip((price - start) / slope, 0.0, 1.0))


def lead(value: Floats, start: Floats | float, slope: float = np.inf) -> Floats:
    """The leader's best price for what is worth ``value`` to it: (V + b̄) / 2, b̄ the users' mean start.

    Nobody has more to give above b + a, so it names no more than that. Below b̄ nobody answers, nor is it wanted.
    """
    return np.asarray(np.minimum((value + start) / 2.0, start + slope))
