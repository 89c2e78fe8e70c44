"""Household or farm load: a share of it can be put off at the price of discomfort."""

from __future__ import annotations

from numba import njit


@njit(cache=True)
def demand_w(expected_w, relative_noise, draw):
    """Demand as lived: the profile's value with the site's own noise, never negative."""
    return max(expected_w * (1.0 + relative_noise * draw), 0.0)


@njit(cache=True)
def range_up_w(expected_w, flexible_share, already_shed):
    """Adjustable range upward: the flexible share that is not put off already (``already_shed`` in [0, 1])."""
    return max(expected_w, 0.0) * flexible_share * (1.0 - already_shed)
