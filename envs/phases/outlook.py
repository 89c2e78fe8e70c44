"""What the weather will do, and what the sites and the operator believe about it.

A truth is drawn once for each period; forecasts of it are published anew each period, in whole watts, because all that
follows from a forecast is computed from what was published. The operator's estimate is independent of what the sites
say. How a forecast errs is a setting (``settings.ForecastError``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from envs import draws
from envs.draws import normal, stream
from envs.resources import load, photovoltaic, vehicle
from envs.resources import site as whole_site
from envs.resources.site import SetPoints
from envs.settings import ForecastError
from envs.types import LIVED, OUTLOOK, TWIN, Ints, State
from envs.world import World


class ErrorModel(NamedTuple):
    """`settings.ForecastError` as the kernels read it."""

    yesterday: bool
    noise: float
    bias: float
    growth: float
    correlation: float


def error_model(settings: ForecastError) -> ErrorModel:
    """The numbers of an error model."""
    yesterday = settings.kind == "persistence"
    return ErrorModel(yesterday, settings.noise, settings.bias, settings.growth, settings.correlation)


@njit(cache=True)
def _share(model, lead, fresh, lasting, agent):
    """Random part of the error, a share of the expected value: standard deviation ``noise`` in the coming period.

    Its variance grows by ``growth`` a period of lead; ``correlation`` of it belongs to the period that is forecast and
    stays from one forecast of it to the next, the rest is drawn anew.
    """
    draw = normal(fresh, agent)
    if model.correlation > 0.0:
        kept = normal(lasting, agent)
        draw = np.sqrt(1.0 - model.correlation) * draw + np.sqrt(model.correlation) * kept
    return model.noise * np.sqrt(1.0 + model.growth * lead) * draw


@njit(cache=True)
def _believe(value, expected, relative_error):
    """Forecast of ``value`` in whole W: the error is a share of the expected value, so the night stays certain."""
    return np.rint(max(value + expected * relative_error, 0.0))


@njit(cache=True)
def _lived(seed, episode, period, row, pv_w, load_w, rated_w, pv_noise, load_noise, pv, demand):
    """What the weather brings in a period, (N,) each; of the past as of the future a function of the period alone."""
    sun = stream(seed, episode, period, draws.PV_OUTPUT)
    use = stream(seed, episode, period, draws.LOAD_OUTPUT)
    for i in range(pv.shape[0]):
        pv[i] = photovoltaic.output_w(pv_w[row, i], rated_w[i], pv_noise, normal(sun, i))
        demand[i] = load.demand_w(load_w[row, i], load_noise, normal(use, i))


@njit(cache=True)
def _publish(
    site, operator, seed, episode, period, lead, pv_w, load_w, rated_w, truth_pv, truth_load, past_pv, past_load,
    site_pv, site_load, operator_net,
):  # fmt: skip
    """The forecasts of one period ahead, (N,) each; ``pv_w`` and ``load_w`` are what the profile expects."""
    site_sun = stream(seed, episode, period, draws.SITE_PV_FORECAST + lead)
    site_use = stream(seed, episode, period, draws.SITE_LOAD_FORECAST + lead)
    other = stream(seed, episode, period, draws.OPERATOR_FORECAST + lead)
    sun_kept = stream(seed, episode, period + lead, draws.SITE_PV_PERIOD)
    use_kept = stream(seed, episode, period + lead, draws.SITE_LOAD_PERIOD)
    other_kept = stream(seed, episode, period + lead, draws.OPERATOR_PERIOD)
    for i in range(truth_pv.shape[0]):
        sun_w, use_w = (past_pv[i], past_load[i]) if site.yesterday else (truth_pv[i], truth_load[i])
        believed = _believe(sun_w, pv_w[i], site.bias + _share(site, lead, site_sun, sun_kept, i))
        site_pv[i] = min(believed, np.floor(rated_w[i]))
        site_load[i] = _believe(use_w, load_w[i], site.bias + _share(site, lead, site_use, use_kept, i))
        net_w = past_pv[i] - past_load[i] if operator.yesterday else truth_pv[i] - truth_load[i]
        error_w = (pv_w[i] + load_w[i]) * _share(operator, lead, other, other_kept, i)
        operator_net[i] = np.rint(net_w + (pv_w[i] - load_w[i]) * operator.bias + error_w)


@njit(cache=True)
def _look(
    seed, episode, first, period, fresh, day, pv_w, load_w, rated_w, pv_noise, load_noise, site, operator,
    truth_pv, truth_load, site_pv, site_load, operator_net,
):  # fmt: skip
    horizon, sites = truth_pv.shape[1], truth_pv.shape[2]
    length = pv_w.shape[0]
    past_pv, past_load = np.empty(sites), np.empty(sites)
    for b in range(truth_pv.shape[0]):
        for h in range(horizon):
            t = period + h
            row = (first[b] + t) % length
            if not fresh and h < horizon - 1:
                truth_pv[b, h] = truth_pv[b, h + 1]
                truth_load[b, h] = truth_load[b, h + 1]
            else:
                _lived(
                    seed[b], episode[b], t, row, pv_w, load_w, rated_w, pv_noise, load_noise, truth_pv[b, h],
                    truth_load[b, h],
                )  # fmt: skip
            if site.yesterday or operator.yesterday:
                before = (row - day) % length
                _lived(
                    seed[b], episode[b], t - day, before, pv_w, load_w, rated_w, pv_noise, load_noise, past_pv,
                    past_load,
                )  # fmt: skip
            _publish(
                site, operator, seed[b], episode[b], period, h, pv_w[row], load_w[row], rated_w, truth_pv[b, h],
                truth_load[b, h], past_pv, past_load, site_pv[b, h], site_load[b, h], operator_net[b, h],
            )  # fmt: skip


@njit(cache=True)
def _live_a_day(equipment, seed, episode, first, rows, period, stores):
    """What is plugged in when an episode begins: the day before, with every vehicle left alone."""
    fleet = equipment.fleet
    for b in range(stores.leaves.shape[0]):
        for i in range(stores.leaves.shape[1]):
            need, leaves = 0.0, vehicle.AWAY
            for t in range(period - fleet.periods_per_day, period):
                row = (first[b] + t) % rows
                need, leaves = whole_site.plug(equipment, seed[b], episode[b], row, t, i, need, leaves)
                need = vehicle.advance_wh(fleet, need, vehicle.charging_w(fleet, i, need, 0.0))
            stores.need_wh[b, :, i] = need
            stores.leaves[b, i] = leaves


@njit(cache=True)
def _plug(equipment, seed, episode, first, rows, period, stores):
    """Vehicles that leave and arrive at the beginning of the period; with them lived and twin are one again."""
    for b in range(stores.leaves.shape[0]):
        row = (first[b] + period) % rows
        for i in range(stores.leaves.shape[1]):
            before = stores.leaves[b, i]
            need, leaves = whole_site.plug(
                equipment, seed[b], episode[b], row, period, i, stores.need_wh[b, LIVED, i], before
            )
            if leaves != before:
                stores.need_wh[b, :, i] = need
                stores.leaves[b, i] = leaves


@njit(cache=True)
def _look_at_appliances(equipment, seed, episode, first, rows, period, stores, set_points, out):
    for b in range(out.shape[0]):
        for i in range(out.shape[3]):
            if not whole_site.has_appliance(equipment, i):
                continue
            for side in range(out.shape[1]):
                whole_site.appliances_ahead(
                    equipment, seed[b], episode[b], first[b], rows, period, b, i, stores.need_wh[b, side, i],
                    stores.leaves[b, i], stores.warmth_k[b, side, i], set_points, out[b, side, :, i],
                )  # fmt: skip


def _appliances(world: World, state: State, fresh: bool) -> None:
    """Plug and unplug vehicles, then what vehicles and heat pumps draw if they go on as last set.

    The operator knows the registered appliances, so its estimate has what they would draw had no order touched them.
    """
    first, rows = state.day * world.periods_per_day, len(world.load_w)
    held = SetPoints(state.last_storage_w, state.hold_ppm, state.hold_ppm, state.heat_ppm)
    where = (world.equipment, state.seed, state.episode, first, rows, state.period, whole_site.stores_of(state))
    if fresh:
        _live_a_day(*where)
    _plug(*where)
    _look_at_appliances(*where, held, state.appliance_w)
    np.rint(state.appliance_w, out=state.appliance_w)
    state.operator_net_w -= state.appliance_w[:, TWIN]


def plan_batteries(world: World, state: State) -> None:
    """What batteries that follow a plan will do: it is the net's, so the operator's estimate has it as the sites do."""
    first_row = state.day * world.periods_per_day + state.period
    whole_site.plans_ahead(world.equipment, first_row, whole_site.stores_of(state), state.battery_w)
    state.operator_net_w += state.battery_w[:, TWIN]


def look_ahead(world: World, state: State, fresh: bool) -> None:
    """Fill the state's truths and forecasts for ``state.period`` … + OUTLOOK - 1; forecasts are whole W.

    ``fresh`` draws every truth (start of an episode); otherwise truths move up by one and the last is drawn. Either
    way the numbers are the same, since a truth is a function of its period.
    """
    assert state.truth_pv_w.shape[1] == OUTLOOK
    sites, forecasts = world.scenario.sites, world.scenario.forecasts
    _look(
        state.seed, state.episode, state.day * world.periods_per_day, state.period, fresh, world.periods_per_day,
        world.pv_w, world.load_w, world.pv_rated_w, sites.pv_output_noise, sites.load_output_noise,
        error_model(forecasts.site), error_model(forecasts.operator), state.truth_pv_w, state.truth_load_w,
        state.site_pv_w, state.site_load_w, state.operator_net_w,
    )  # fmt: skip
    if world.has_appliances:
        _appliances(world, state, fresh)
    if world.has_plans:
        plan_batteries(world, state)


def published_w(state: State) -> Ints:
    """(B, OUTLOOK, N) W: each site's own forecast of what it injects, its battery and its appliances aside."""
    return (state.site_pv_w - state.site_load_w).astype(np.int64)
