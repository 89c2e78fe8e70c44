"""A fresh batch of worlds: the state before the first period of an episode."""

from __future__ import annotations

import numpy as np

from envs import draws
from envs.phases.outlook import look_ahead
from envs.resources.vehicle import AWAY
from envs.types import (
    HORIZON,
    OUTLOOK,
    PPM,
    REQUESTS,
    SLOTS,
    TWIN,
    Announced,
    Bools,
    Events,
    Floats,
    Ints,
    State,
)
from envs.world import World


def zeros(*shape: int) -> Ints:
    """Integer zeros."""
    return np.zeros(shape, np.int64)


def days_of(world: World, seed: np.ndarray, episode: Ints) -> Ints:
    """(B,) first day of the episode: the configured one, or one drawn from the configured range."""
    calendar = world.scenario.calendar
    draw = np.empty((len(seed), 1))
    draws.uniforms(seed, episode, 0, draws.DAY, draw)
    span = calendar.last_day - calendar.first_day + 1
    return calendar.first_day + np.minimum((draw[:, 0] * span).astype(np.int64), span - 1)


def cast_of(world: World, seed: np.ndarray, episode: Ints) -> Ints:
    """(B, N) which behaviour each site plays, -1 honest: the malicious are drawn, in the order of the settings.

    Sites with a plant or a battery come first: one that has neither can hardly cheat.
    """
    draw = np.empty((len(seed), world.sites))
    draws.uniforms(seed, episode, 0, draws.CAST, draw)
    idle = (world.pv_rated_w == 0.0) & (world.storage_wh == 0.0)
    order = np.argsort(draw + idle, axis=1, kind="stable")
    cast = np.full((len(seed), world.sites), -1, np.int64)
    begin = 0
    for index, misconduct in enumerate(world.scenario.malicious.values()):
        np.put_along_axis(cast, order[:, begin : begin + misconduct.count], index, axis=1)
        begin += misconduct.count
    return cast


def no_announcements(world: World, worlds: int) -> Announced:
    """Before anything was said: no request, no subsidy, the middle of the tariffs."""
    market = world.scenario.market
    return Announced(
        cause=zeros(worlds, REQUESTS),
        direction=zeros(worlds, REQUESTS),
        duration=zeros(worlds, REQUESTS),
        asked_wh=zeros(worlds, REQUESTS),
        reserve=zeros(worlds, REQUESTS),
        subsidy=zeros(worlds, world.aggregators),
        price=np.full(worlds, (market.feed_in + market.retail) // 2, np.int64),
        traded_wh=zeros(worlds),
    )


def no_events(world: World, worlds: int) -> Events:
    """Empty slots."""
    return Events(
        start=zeros(worlds, SLOTS) - 1,
        duration=zeros(worlds, SLOTS),
        direction=zeros(worlds, SLOTS),
        cause=zeros(worlds, SLOTS),
        asked_wh=zeros(worlds, SLOTS),
        upper_wh=zeros(worlds, SLOTS),
        upper_price=zeros(worlds, SLOTS),
        paid=zeros(worlds, SLOTS, world.aggregators),
        ordered_wh=zeros(worlds, SLOTS, world.sites),
        member=zeros(worlds, SLOTS, world.sites),
        subsidy=zeros(worlds, SLOTS, world.sites),
    )


def follow_plans(world: World, state: State) -> None:
    """Batteries that follow a plan hold at the beginning of the episode's day what the plan has left in them."""
    if world.has_plans:
        planned_wh = world.planned_charge_wh[state.day % world.days]
        state.charge_wh = np.where(world.equipment.follows, planned_wh, state.charge_wh)
        state.twin_charge_wh = np.where(world.equipment.follows, planned_wh, 0.0)


def generate(world: World, seed: np.ndarray, episode: Ints, day: Ints | None = None) -> State:
    """The state of B worlds before their first period.

    Args:
        world: the scenario's static side.
        seed: (B,) uint64.
        episode: (B,) counts the resets of each world, so that episodes of one seed differ.
        day: (B,) first day in the profile year; by default by the scenario's calendar.
    """
    worlds, sites = len(seed), world.sites
    standing = world.scenario.standing

    def floats(*shape: int) -> Floats:
        return np.zeros((worlds, *shape))

    def bools(*shape: int) -> Bools:
        return np.zeros((worlds, *shape), np.bool_)

    state = State(
        seed=seed.astype(np.uint64),
        episode=episode.astype(np.int64),
        day=days_of(world, seed, episode) if day is None else np.asarray(day, np.int64),
        period=0,
        malicious=cast_of(world, seed, episode),
        charge_wh=np.tile(world.first_charge_wh, (worlds, 1)),
        twin_charge_wh=floats(sites),
        battery_w=floats(2, OUTLOOK, sites),
        need_wh=floats(2, sites),
        leaves=np.full((worlds, sites), AWAY, np.int64),
        warmth_k=floats(2, sites),
        appliance_w=floats(2, OUTLOOK, sites),
        hold_ppm=zeros(worlds, sites),
        heat_ppm=zeros(worlds, sites),
        truth_pv_w=floats(OUTLOOK, sites),
        truth_load_w=floats(OUTLOOK, sites),
        site_pv_w=floats(OUTLOOK, sites),
        site_load_w=floats(OUTLOOK, sites),
        operator_net_w=floats(OUTLOOK, sites),
        schedule_w=floats(HORIZON, sites),
        baseline_w=floats(HORIZON, sites),
        baseline_fixed=bools(HORIZON, sites),
        credit_ppm=np.full((worlds, sites + world.aggregators), round(standing.initial_credit * PPM), np.int64),
        score_ppm=zeros(worlds, sites),
        aggregator=np.full((worlds, sites), -1, np.int64),
        last_storage_w=floats(sites),
        reactive_ppm=zeros(worlds, sites),
        voltage_pu=np.full((worlds, world.feeder.bus_count), abs(world.feeder.slack_voltage_pu)),
        announced=no_announcements(world, worlds),
        events=no_events(world, worlds),
        balance=zeros(worlds, world.accounts),
    )
    follow_plans(world, state)
    look_ahead(world, state, fresh=True)
    # Before the first period nobody had a step in which to file: the schedule is the site's forecast without storage,
    # but for a battery whose plan is known.
    state.schedule_w[:] = state.site_pv_w[:, :HORIZON] - state.site_load_w[:, :HORIZON]
    state.schedule_w += (state.battery_w - state.appliance_w)[:, TWIN, :HORIZON]
    return state
