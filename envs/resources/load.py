"""Household or farm load: a share of it can be put off at the price of discomfort. It has no state.

What a cut of last resort switches off was not offered, so it costs the household more: the price of lost load.
"""

from __future__ import annotations

from numba import njit

from envs.columns import Column
from envs.resources.base import Cost, Resource
from envs.types import UP

ACTIONS = (Column("shed", "share of the flexible load put off this period", "1", 0.0, 1.0),)
OBSERVATIONS = (Column("load", "own forecast of demand, coming period", "capacity", 0, 1),)


@njit(cache=True)
def demand_w(expected_w, relative_noise, draw):
    """Demand as lived: the profile's value with the site's own noise, never negative."""
    return max(expected_w * (1.0 + relative_noise * draw), 0.0)


@njit(cache=True)
def range_up_w(expected_w, flexible_share, already_shed):
    """Adjustable range upward: the flexible share that is not put off already (``already_shed`` in [0, 1])."""
    return max(expected_w, 0.0) * flexible_share * (1.0 - already_shed)


RESOURCE = Resource(
    state=(),
    actions=ACTIONS,
    observations=OBSERVATIONS,
    range_w={UP: range_up_w},
    costs=(
        Cost(
            "put_off", "kWh", lambda energy: energy.shed_wh, "sites.discomfort_price",
            "flexible load put off, by own choice or by order",
        ),
        Cost(
            "switched_off", "kWh", lambda energy: energy.lost_wh, "sites.lost_load_price",
            "load switched off by force, flexible or not",
        ),
    ),
)  # fmt: skip
