"""What a storage owner could earn at most at given prices, had it known the whole day: a linear program.

It is an upper bound: no policy that trades at these prices does better from the same charge to the same charge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import diags_array, eye_array, hstack, vstack

from envs.types import HOURS, Floats


@dataclass(frozen=True)
class Battery:
    """A battery as the environment has it: one-way efficiency, wear per kWh charged or discharged at its terminals."""

    capacity_wh: float
    rated_w: float
    efficiency: float
    wear_price: float  # micro-currency per kWh


@dataclass(frozen=True)
class Bound:
    """The best schedule."""

    income: float  # micro-currency
    storage_wh: Floats  # (T,) > 0 discharges


def income_of(net_wh: Floats, storage_wh: Floats, buy: Floats, sell: Floats, wear_price: float) -> float:
    """Micro-currency of (T,) injection without battery and battery output; prices in micro-currency per kWh."""
    flow = net_wh + storage_wh
    money = np.maximum(flow, 0.0) * sell - np.maximum(-flow, 0.0) * buy - np.abs(storage_wh) * wear_price
    return float(money.sum()) / 1000.0


def charge_after(battery: Battery, start_wh: float, storage_wh: Floats) -> float:
    """Wh in the cells after (T,) output from ``start_wh``."""
    out = np.maximum(storage_wh, 0.0).sum() / battery.efficiency
    return float(start_wh - out + np.maximum(-storage_wh, 0.0).sum() * battery.efficiency)


def best_income(net_wh: Floats, battery: Battery, start_wh: float, end_wh: float, buy: Floats, sell: Floats) -> Bound:
    """The largest income over (T,) periods that starts at ``start_wh`` and ends with at least ``end_wh`` in the cells.

    ``net_wh`` is the site's injection without the battery; ``buy`` and ``sell`` are in micro-currency per kWh.

    Raises ValueError where buying is cheaper than selling in a period (the income has no bound) or no schedule
    reaches ``end_wh``.
    """
    if np.any(sell > buy):
        raise ValueError(f"period {int(np.argmax(sell > buy))}: sell > buy; a site could buy and sell without end")
    periods, most = len(net_wh), battery.rated_w * HOURS
    one, zero = eye_array(periods), diags_array(np.zeros(periods))
    # Columns: bought, sold, charged, discharged, cells after each period.
    balance = hstack([-one, one, one, -one, zero])
    step = diags_array([np.ones(periods), -np.ones(periods - 1)], offsets=[0, -1])
    cells = hstack([zero, zero, -battery.efficiency * one, one / battery.efficiency, step])
    first = np.zeros(periods)
    first[0] = start_wh
    wear = np.full(periods, battery.wear_price)
    last = np.zeros(periods)
    last[-1] = end_wh
    free, power = [(0.0, None)] * (2 * periods), [(0.0, most)] * (2 * periods)
    found = linprog(
        np.concatenate([buy, -sell, wear, wear, np.zeros(periods)]) / 1000.0,
        A_eq=vstack([balance, cells]).tocsc(),
        b_eq=np.concatenate([net_wh, first]),
        bounds=[*free, *power, *((low, battery.capacity_wh) for low in last.tolist())],
        method="highs",
    )
    if found.status != 0:
        raise ValueError(f"no schedule leads from {start_wh:.0f} Wh to {end_wh:.0f} Wh: {found.message}")
    _, _, charged, discharged, _ = found.x.reshape(5, periods)
    return Bound(-float(found.fun), discharged - charged)
