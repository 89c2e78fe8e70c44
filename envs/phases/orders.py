"""A dispatch in whole watt-hours: awards, each site's order, and what a kWh is worth where.

Rows and powers come and go in kW; what is promised is an integer number of Wh a period.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.dispatch.rounding import round_one
from envs.types import HOURS, PPM, Floats, Ints

RESOLVED = 1e6  # parts of a Wh in which claims to the last Wh are compared: equal ones tie, whatever rounding did


@njit(cache=True)
def integer_orders(active, reopened, up, x_kw, size_wh, member, admitted, most_wh, awarded, ordered):
    """Wh a period, aggregator by aggregator: an award exactly; reopened, its part as far as admitted, rounded ``up``
    where it must cure, else down, because a limit that leaves so much room has no watt-hour more.
    """
    worlds, sites = x_kw.shape
    caps, want, share = np.empty(sites, np.int64), np.empty(sites), np.empty(sites, np.int64)
    for b in range(worlds):
        if not active[b]:
            continue
        ordered[b] = 0
        left = most_wh[b]
        for a in range(awarded.shape[1]):
            total, most = 0.0, np.int64(0)
            for i in range(sites):
                inside = member[b, i] == a
                caps[i] = size_wh[b, i, 0] + size_wh[b, i, 1] if inside else 0
                want[i] = min(max(np.rint(x_kw[b, i] * 1000.0 * HOURS * RESOLVED) / RESOLVED, 0.0), caps[i])
                total += want[i]
                most += caps[i]
            if reopened[b]:
                whole = np.int64(np.ceil(total - 1e-6) if up else np.floor(total + 1e-6))
                awarded[b, a] = min(min(whole, admitted[b, a]), min(most, left))
            left -= awarded[b, a]
            round_one(want, awarded[b, a], caps, share)
            ordered[b] += share


@njit(cache=True)
def price_nodes(worlds, converged, a, duals, count, caps, shift, nodal, priced):
    """What a kWh more at each site would save: sum of duals times coefficients, but for the ``caps`` rows after the
    first, which limit an aggregator and not a place. ``shift`` undoes what was taken off all quotations.
    """
    for b in range(worlds.shape[0]):
        if not worlds[b]:
            continue
        priced[b] = converged[b]
        for i in range(nodal.shape[1]):
            total = shift
            for r in range(count[b]):
                if r == 0 or r > caps[b]:
                    total += duals[b, r] * a[b, r, i]
            nodal[b, i] = np.int64(np.rint(total * PPM)) if converged[b] else 0


def award_rows(awarded: Ints, member: Ints) -> tuple[Floats, Floats]:
    """One equality a winner: (B, A, N) membership and (B, A) kW."""
    inside = member[:, None, :] == np.arange(awarded.shape[1])[None, :, None]
    return inside.astype(np.float64), awarded / HOURS * 0.001
