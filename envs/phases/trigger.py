"""Open a period: does the forecast break a limit, does the upper level want something?

The forecast is the sites' filed schedules, clipped to the operator's own estimate, with running orders on top and the
rebound of earlier ones. A
grid event starts with the coming period and lasts as long as the forecast stays violated the same way. Where limits are
broken both ways, over-voltage here and under-voltage there, the larger need opens the event, unless the event of the
period before went that way: then it is the other's turn, while the running orders keep up the first.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.phases.collapse import worst_on_the_way
from envs.phases.network import Limits, limits_of, new_desk, set_forecast, solve_sites
from envs.phases.violations import relative_effects, worst
from envs.types import (
    GRID,
    HORIZON,
    LIVED,
    NO_EVENT,
    REQUESTS,
    TWIN,
    UPPER,
    UPPER_LEVEL,
    Floats,
    Ints,
    Stage,
    State,
)
from envs.world import World

BASELINES = ("declared", "estimated", "clipped")


@njit(cache=True)
def _baseline(schedule, estimate, activity, last_storage, fixed, fixed_w, rule, tolerance, out):
    for b in range(out.shape[0]):
        for h in range(out.shape[1]):
            for i in range(out.shape[2]):
                guess = estimate[b, h, i] + last_storage[b, i]
                slack = tolerance * (activity[b, h, i] + abs(last_storage[b, i]))
                value = schedule[b, h, i]
                if rule == 1:
                    value = guess
                elif rule == 2:
                    value = min(max(value, guess - slack), guess + slack)
                out[b, h, i] = fixed_w[b, h, i] if fixed[b, h, i] else np.rint(value)


def expected_injection(world: World, state: State) -> Floats:
    """(B, HORIZON, N) whole W: the baseline of the coming periods; fixed where an event has already been measured
    against it.
    """
    market = world.scenario.market
    out = np.empty_like(state.schedule_w)
    row = (state.day * world.periods_per_day + state.period)[:, None] + np.arange(HORIZON)
    row %= len(world.load_w)
    # (B, HORIZON, N) what the operator expects to flow at the site
    activity = world.pv_w[row] + world.load_w[row] + state.appliance_w[:, TWIN, :HORIZON]
    activity += abs(state.battery_w[:, TWIN, :HORIZON])
    _baseline(
        state.schedule_w, state.operator_net_w, activity, state.last_storage_w, state.baseline_fixed,
        state.baseline_w, BASELINES.index(market.baseline), market.baseline_tolerance, out,
    )  # fmt: skip
    return out


@njit(cache=True)
def _live(period, start, duration, direction, ordered, out):
    for b in range(out.shape[0]):
        for e in range(start.shape[1]):
            if start[b, e] < 0:
                continue
            for h in range(out.shape[1]):
                if start[b, e] <= period + h < start[b, e] + duration[b, e]:
                    for i in range(out.shape[2]):
                        out[b, h, i] += direction[b, e] * ordered[b, e, i] * 4.0


def live_orders(world: World, state: State) -> Floats:
    """(B, HORIZON, N) W: signed orders of running events."""
    events = state.events
    out = np.zeros((len(state.seed), HORIZON, world.sites))
    _live(state.period, events.start, events.duration, events.direction, events.ordered_wh, out)
    return out


@njit(cache=True)
def _trigger(
    limits, base, live, load_w, load_var, appliance_w, set_ppm, first_row, longest, turn, cause, direction, duration,
    need, effect, place, lowest, highest, heaviest,
):  # fmt: skip
    """``turn`` (B,) the direction that comes first where both are needed, 0: the one in greater need."""
    worlds, horizon, sites = base.shape
    desk = new_desk(limits)
    for b in range(worlds):
        for h in range(horizon):
            row = (first_row[b] + h) % load_var.shape[0]
            for i in range(sites):
                desk.p_w[i] = base[b, h, i] + live[b, h, i]
            set_forecast(desk, load_w[row] + appliance_w[b, LIVED, h], load_var[row], set_ppm[b])
            solved = solve_sites(limits, desk)
            if h == 0:
                lowest[b], highest[b] = desk.magnitude[1:].min(), desk.magnitude.max()
                heaviest[b] = desk.loading.max()
            only = turn[b] if h == 0 else direction[b, GRID]
            kind, way, where, watts = worst(limits, desk, only) if solved else worst_on_the_way(limits, desk)
            if h == 0 and kind == NO_EVENT and only != 0:
                kind, way, where, watts = worst(limits, desk, 0)
            if h == 0:
                if kind == NO_EVENT:
                    break
                cause[b, GRID], direction[b, GRID] = kind, way
            elif kind == NO_EVENT or way != direction[b, GRID] or h >= longest[b]:
                break
            duration[b, GRID] = h + 1
            if watts > need[b, GRID]:
                need[b, GRID], place[b, GRID] = watts, where
                relative_effects(desk, effect[b, GRID])


def _turn(state: State) -> Ints:
    """(B,) the way that the grid event of the period before did not go, 0 without one."""
    events, slot = state.events, (state.period - 1) % HORIZON
    return np.where(events.start[:, slot] == state.period - 1, -events.direction[:, slot], 0)


def silent_stage(world: World, baseline_w: Floats, live_w: Floats) -> Stage:
    """A stage without any request, in which nobody has spoken; ``baseline_w``, ``live_w`` (B, HORIZON, N)."""
    worlds, sites, aggregators = len(baseline_w), world.sites, world.aggregators

    def ints(*shape: int) -> np.ndarray:
        return np.zeros((worlds, *shape), np.int64)

    return Stage(
        cause=ints(REQUESTS),
        direction=ints(REQUESTS),
        duration=ints(REQUESTS),
        need_w=np.zeros((worlds, REQUESTS)),
        effect=np.ones((worlds, REQUESTS, sites)),
        place=ints(REQUESTS),
        upper_price=ints(REQUESTS),
        baseline_w=baseline_w,
        expected_w=baseline_w,
        live_w=live_w,
        forecast_low_pu=np.zeros(worlds),
        forecast_high_pu=np.zeros(worlds),
        forecast_loading=np.zeros(worlds),
        asked_wh=ints(REQUESTS),
        reserve=ints(REQUESTS),
        subsidy=ints(aggregators),
        offer_price=ints(aggregators),
        offer_wh=ints(REQUESTS, aggregators),
        threshold_ppm=ints(aggregators),
    )


def open_period(world: World, state: State, last_period: int) -> Stage:
    """The stage before anybody has spoken: causes, needs and the forecast of the coming period.

    Args:
        world: static side.
        state: B worlds.
        last_period: periods in the episode; no event outlasts it.
    """
    stage = silent_stage(world, expected_injection(world, state), live_orders(world, state))
    # A site that has an order makes up for its rebound, the others live through theirs.
    if world.has_appliances or world.has_plans:
        stage.expected_w = stage.baseline_w - np.where(stage.live_w != 0.0, 0.0, state.rebound_w[:, :HORIZON])
    longest = np.full(
        len(state.seed), min(world.scenario.market.max_event_periods, last_period - state.period), np.int64
    )
    limits: Limits = limits_of(world)
    _trigger(
        limits, stage.expected_w, stage.live_w, world.load_w, world.load_var, state.appliance_w, state.reactive_ppm,
        state.day * world.periods_per_day + state.period, longest, _turn(state), stage.cause, stage.direction,
        stage.duration, stage.need_w, stage.effect, stage.place, stage.forecast_low_pu, stage.forecast_high_pu,
        stage.forecast_loading,
    )  # fmt: skip
    for order in world.scenario.upper_orders:
        if order.start_period == state.period % world.periods_per_day:
            stage.cause[:, UPPER] = UPPER_LEVEL
            stage.direction[:, UPPER] = 1 if order.direction == "up" else -1
            stage.duration[:, UPPER] = min(order.periods, last_period - state.period)
            stage.need_w[:, UPPER] = round(order.power_kw * 1000.0)  # as the ledger holds it
            stage.upper_price[:, UPPER] = order.price
    return stage
