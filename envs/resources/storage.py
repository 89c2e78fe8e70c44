"""Battery: power limits, energy limits, one-way efficiency, a degradation price per kWh cycled.

Power > 0 discharges into the grid. Discharging P for h hours takes P·h/efficiency out of the cells, charging P puts
P·h·efficiency in.
"""

from __future__ import annotations

from numba import njit

from envs.columns import Column
from envs.types import HOURS

ACTIONS = (
    Column("storage", "storage set point, > 0 discharges, of the rated power", "1", -1.0, 1.0),
    Column("storage_plan", "storage power in the schedule filed for the next periods", "1", -1.0, 1.0),
)
OBSERVATIONS = (
    Column("charge", "state of charge", "1", 0, 1),
    Column("storage_power", "rated storage power", "capacity", 0, 1),
    Column("storage_energy", "storage energy", "8 h at capacity", 0, 10),
)


@njit(cache=True)
def limits_w(charge_wh, capacity_wh, rated_w, efficiency, periods):
    """Lowest and highest power that can be held for ``periods`` periods from this state of charge."""
    if capacity_wh <= 0.0:
        return 0.0, 0.0
    hours = HOURS * periods
    highest = min(rated_w, charge_wh * efficiency / hours)
    lowest = -min(rated_w, (capacity_wh - charge_wh) / (efficiency * hours))
    return min(lowest, 0.0), max(highest, 0.0)


@njit(cache=True)
def advance_wh(charge_wh, capacity_wh, power_w, efficiency):
    """State of charge after one period at ``power_w``; clipped, since limits are met to rounding only."""
    cells_w = power_w / efficiency if power_w > 0.0 else power_w * efficiency
    return min(max(charge_wh - cells_w * HOURS, 0.0), capacity_wh)


def cost(cycled_wh, degradation_price):
    """Wear of what was charged and discharged, in thousandths of micro-currency."""
    return cycled_wh * degradation_price
