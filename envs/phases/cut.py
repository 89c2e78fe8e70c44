"""The cut of last resort: what no admitted block can cure is taken from generation or load, unasked."""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.phases.collapse import worst_on_the_way
from envs.phases.network import new_desk, set_forecast, solve_sites
from envs.phases.violations import worst
from envs.types import HOURS, NO_EVENT

CUT_LOOPS = 20


@njit(cache=True)
def last_resort(
    limits, active, base, running, load_var, set_ppm, first_row, way, ordered_wh, expected_pv, expected_load, cut,
):  # fmt: skip
    """Curtail generation (or shed load) pro rata to what is left and helps, until the coming period is safe.

    ``base`` and ``running`` (B, HORIZON, N) W; ``ordered_wh`` (B, N) in the direction ``way`` (B,); ``expected_pv`` and
    ``expected_load`` (B, N) W are what can be cut; ``cut`` (B, N) Wh of the coming period is the answer.
    """
    sites = base.shape[2]
    desk, left = new_desk(limits), np.empty(sites)
    for b in range(base.shape[0]):
        if not active[b]:
            continue
        row = first_row[b] % load_var.shape[0]
        for _ in range(CUT_LOOPS):
            for i in range(sites):
                orders = running[b, 0, i] + way[b] * ordered_wh[b, i] / HOURS
                desk.p_w[i] = base[b, 0, i] + orders + cut[b, i] / HOURS
                claimed = abs(orders) + abs(cut[b, i]) / HOURS
                expected = expected_pv[b, i] if way[b] < 0 else expected_load[b, i]
                left[i] = max(expected - claimed, 0.0)
            set_forecast(desk, expected_load[b], load_var[row], set_ppm[b])
            solved = solve_sites(limits, desk)
            cause, relief, _, need = worst(limits, desk) if solved else worst_on_the_way(limits, desk)
            if cause == NO_EVENT or relief != way[b]:
                break
            strongest, help_w = 0.0, 0.0
            for i in range(sites):
                strongest = max(strongest, desk.effect[i])
                help_w += max(desk.effect[i], 0.0) * left[i]
            if help_w <= 0.0:
                break
            share = min(1.0, 1.02 * need * strongest / help_w)
            for i in range(sites):
                if desk.effect[i] > 0.0:
                    cut[b, i] += way[b] * np.int64(np.ceil(left[i] * share * HOURS))
