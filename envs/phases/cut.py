"""The cut of last resort: what no order cures is taken from generation and load, unasked."""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.phases.collapse import worst_on_the_way
from envs.phases.network import new_desk, set_forecast, solve_sites
from envs.phases.places import any_broken, broken_places
from envs.phases.violations import effects
from envs.types import HOURS

CUT_LOOPS = 20
OVERSHOOT = 1.02
WAYS = (-1, 1)  # generation is curtailed, load is shed


@njit(cache=True)
def _relieve(desk, w, relief, left, share, pull):
    """Raise the sites' shares as far as a place asks, pro rata to what is left and helps.

    ``relief`` is the sum of effects times W that it needs, ``desk.effect`` the effects; of several places the one that
    asks most of a site decides.
    """
    strongest, help_w = desk.effect.max(), 0.0
    for i in range(left.shape[1]):
        help_w += max(desk.effect[i], 0.0) * left[w, i]
    if help_w <= 0.0:
        return
    needed = min(1.0, OVERSHOOT * relief / help_w)
    for i in range(left.shape[1]):
        if desk.effect[i] > 0.0 and left[w, i] > 0.0:
            share[w, i] = max(share[w, i], needed)
            pull[w, i] = max(pull[w, i], desk.effect[i] / strongest)


@njit(cache=True)
def _share_out(limits, desk, solved, left, share, pull):
    """For each way and site the share of what is ``left`` (2, N) W of it that relieves the broken places.

    ``pull`` (2, N) is how much a site does for the places that ask it, the most effective site = 1.
    """
    share[:], pull[:] = 0.0, 0.0
    if not solved:
        _, way, _, need_w = worst_on_the_way(limits, desk)
        _relieve(desk, 0 if way < 0 else 1, need_w * desk.effect.max(), left, share, pull)
    elif any_broken(limits, desk):
        found, count = broken_places(limits, desk)
        for k in range(count):
            strongest = effects(limits, desk, found.place[k])
            relief = found.excess[k] if found.place[k] >= 0 else found.excess[k] * strongest
            _relieve(desk, 0 if found.way[k] < 0 else 1, relief, left, share, pull)


@njit(cache=True)
def last_resort(
    limits, active, base, running, load_var, set_ppm, first_row, way, ordered_wh, expected_pv, expected_load, cut,
):  # fmt: skip
    """Curtail generation and shed load, wherever a place asks for it, until the coming period is safe.

    Both directions are looked after, whatever the event's ``way`` (B,); a site is cut in one of them only, that in
    which it does more. ``base`` and ``running`` (B, HORIZON, N) W; ``ordered_wh`` (B, N) in the event's direction;
    ``expected_pv`` and ``expected_load`` (B, N) W are what can be cut; ``cut`` (B, N) Wh of the coming period is the
    answer.
    """
    sites = base.shape[2]
    desk = new_desk(limits)
    left, share, pull = np.empty((2, sites)), np.empty((2, sites)), np.empty((2, sites))
    for b in range(base.shape[0]):
        if not active[b]:
            continue
        row = first_row[b] % load_var.shape[0]
        for _ in range(CUT_LOOPS):
            for i in range(sites):
                orders = running[b, 0, i] + way[b] * ordered_wh[b, i] / HOURS
                desk.p_w[i] = base[b, 0, i] + orders + cut[b, i] / HOURS
                claimed = abs(orders) + abs(cut[b, i]) / HOURS
                left[0, i] = max(expected_pv[b, i] - claimed, 0.0) if cut[b, i] <= 0 else 0.0
                left[1, i] = max(expected_load[b, i] - claimed, 0.0) if cut[b, i] >= 0 else 0.0
            set_forecast(desk, expected_load[b], load_var[row], set_ppm[b])
            _share_out(limits, desk, solve_sites(limits, desk), left, share, pull)
            if share.max() <= 0.0:
                break
            for i in range(sites):
                w = 0 if pull[0, i] > pull[1, i] or (pull[0, i] == pull[1, i] and way[b] < 0) else 1
                cut[b, i] += WAYS[w] * np.int64(np.ceil(left[w, i] * share[w, i] * HOURS))
