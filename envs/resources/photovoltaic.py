"""Photovoltaic plant: output follows the sun and can only be turned down. It has no state.

It has no set point of its own: an order curtails it, and so does the operator's cut of last resort. What is curtailed
costs its owner nothing but the sale, which settlement counts already.
"""

from __future__ import annotations

from numba import njit

from envs.columns import Column
from envs.resources.base import Cost, Resource
from envs.types import DOWN

ACTIONS: tuple[Column, ...] = ()
OBSERVATIONS = (Column("pv", "own forecast of output, coming period", "capacity", 0, 1),)


@njit(cache=True)
def output_w(expected_w, rated_w, relative_noise, draw):
    """What the sun allows: the profile's value with the site's own noise, within [0, rated]. A dark hour stays dark."""
    return min(max(expected_w * (1.0 + relative_noise * draw), 0.0), rated_w)


@njit(cache=True)
def range_down_w(expected_w):
    """Adjustable range downward: all of the expected output can be curtailed."""
    return max(expected_w, 0.0)


RESOURCE = Resource(
    state=(),
    actions=ACTIONS,
    observations=OBSERVATIONS,
    range_w={DOWN: range_down_w},
    costs=(
        Cost(
            "curtailed", "kWh", lambda energy: energy.available_wh - energy.generated_wh, "market.feed_in",
            "output that an order or a cut of last resort took; its price is the sale that is lost", settled=True,
        ),
    ),
)  # fmt: skip
