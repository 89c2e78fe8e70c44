"""What the weather will do, and what the sites and the operator believe about it.

A truth is drawn once for each period; forecasts of it are drawn anew each period, with an error that grows with the
root of the lead time. The operator's estimate is independent of what the sites say.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs import draws
from envs.draws import normal, stream
from envs.resources import load, photovoltaic
from envs.types import OUTLOOK, State
from envs.world import World


@njit(cache=True)
def _believe(value, expected, noise, lead, draw):
    """Forecast of ``value``: the error is a share of the expected value, so the night stays certain."""
    return max(value + expected * noise * np.sqrt(1.0 + lead) * draw, 0.0)


@njit(cache=True)
def _look(
    seed, episode, first, period, fresh, pv_w, load_w, rated_w, pv_noise, load_noise, site_noise, operator_noise,
    truth_pv, truth_load, site_pv, site_load, operator_net,
):  # fmt: skip
    horizon = truth_pv.shape[1]
    length = pv_w.shape[0]
    for b in range(truth_pv.shape[0]):
        for h in range(horizon):
            t = period + h
            row = (first[b] + t) % length
            if not fresh and h < horizon - 1:
                truth_pv[b, h] = truth_pv[b, h + 1]
                truth_load[b, h] = truth_load[b, h + 1]
            else:
                sun = stream(seed[b], episode[b], t, draws.PV_OUTPUT)
                use = stream(seed[b], episode[b], t, draws.LOAD_OUTPUT)
                for i in range(truth_pv.shape[2]):
                    truth_pv[b, h, i] = photovoltaic.output_w(pv_w[row, i], rated_w[i], pv_noise, normal(sun, i))
                    truth_load[b, h, i] = load.demand_w(load_w[row, i], load_noise, normal(use, i))
            site_sun = stream(seed[b], episode[b], period, draws.SITE_PV_FORECAST + h)
            site_use = stream(seed[b], episode[b], period, draws.SITE_LOAD_FORECAST + h)
            other = stream(seed[b], episode[b], period, draws.OPERATOR_FORECAST + h)
            for i in range(truth_pv.shape[2]):
                sun_w, use_w = truth_pv[b, h, i], truth_load[b, h, i]
                site_pv[b, h, i] = min(_believe(sun_w, pv_w[row, i], site_noise, h, normal(site_sun, i)), rated_w[i])
                site_load[b, h, i] = _believe(use_w, load_w[row, i], site_noise, h, normal(site_use, i))
                error = (pv_w[row, i] + load_w[row, i]) * operator_noise * np.sqrt(1.0 + h)
                operator_net[b, h, i] = sun_w - use_w + error * normal(other, i)


def look_ahead(world: World, state: State, fresh: bool) -> None:
    """Fill the state's truths and forecasts for ``state.period`` … + OUTLOOK - 1.

    ``fresh`` draws every truth (start of an episode); otherwise truths move up by one and the last is drawn. Either
    way the numbers are the same, since a truth is a function of its period.
    """
    assert state.truth_pv_w.shape[1] == OUTLOOK
    sites = world.scenario.sites
    _look(
        state.seed, state.episode, state.day * world.periods_per_day, state.period, fresh, world.pv_w, world.load_w,
        world.pv_rated_w, sites.pv_output_noise, sites.load_output_noise, sites.forecast_noise,
        sites.operator_forecast_noise, state.truth_pv_w, state.truth_load_w, state.site_pv_w, state.site_load_w,
        state.operator_net_w,
    )  # fmt: skip
