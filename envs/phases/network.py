"""The grid as the phases see it: sites on buses, their inverters, a solved power flow."""

from __future__ import annotations

from functools import lru_cache
from math import acos, sin
from typing import NamedTuple

import numpy as np
from numba import njit

from envs.grid.feeder import SweepArrays
from envs.grid.inverter import Droop, capability_var, damping, sweep_with_droop
from envs.grid.measure import loading_one, magnitude
from envs.grid.single import sweep_one
from envs.types import HOURS, PPM, Floats, Ints
from envs.world import World

NONE, Q_OF_U, AGENT = range(3)  # who sets the inverters' reactive power
RULES = ("none", "q_of_u", "agent")


class Limits(NamedTuple):
    """What the check measures against, and how sites act on it; see World for the shapes."""

    feeder: SweepArrays
    site_bus: Ints
    volt_per_w: Floats  # (buses, N)
    volt_per_var: Floats  # (buses, N)
    branch_share: Floats  # (branches, N)
    sense: Floats  # (branches,) +1 where the sites as a whole feed the branch's lower end, -1 its upper end
    capacity_w: Ints  # (N,)
    low_pu: float
    high_pu: float
    loading: float
    reactive: int  # NONE, Q_OF_U or AGENT
    inverter_va: Floats  # (N,)
    most_var: Floats  # (N,) sin(phi) of the rating
    droop: Droop


class Desk(NamedTuple):
    """Room for one power flow: what the sites do, filled by the caller, and what the grid answers."""

    p_w: Floats  # (N,) injection
    load_var: Floats  # (N,) drawn by the load
    inverter_w: Floats  # (N,) active power that the inverter carries
    set_ppm: Ints  # (N,) reactive set point, read where agents set it
    reach_var: Floats  # (N,) answer: what the inverter can give beside what it carries
    given_var: Floats  # (N,) answer: reactive power of the inverter, > 0 into the grid
    effect: Floats  # (N,) answer of `effects` and `worst`: what a W of each site does at a place
    lever: Floats  # (N,) scratch of `effects`
    p_kw: Floats  # (buses,)
    q_kvar: Floats  # (buses,)
    voltage: np.ndarray  # (buses,) complex
    current: np.ndarray  # (branches,) complex
    magnitude: Floats  # (buses,)
    loading: Floats  # (branches,)


@lru_cache(maxsize=8)
def limits_of(world: World) -> Limits:
    """The planning limits of a scenario on its grid; made once, several steps of a period ask for them."""
    grid, inverter = world.scenario.grid, world.scenario.grid.inverter
    most_var = world.inverter_va * sin(acos(inverter.power_factor))
    edges = (inverter.full_low_pu, inverter.dead_low_pu, inverter.dead_high_pu, inverter.full_high_pu)
    narrowest_pu = min(edges[1] - edges[0], edges[3] - edges[2])
    return Limits(
        world.feeder.sweep_arrays,
        world.site_bus,
        world.volt_per_w,
        world.volt_per_var,
        world.branch_share,
        np.where(world.branch_share.sum(axis=1) < 0.0, -1.0, 1.0),
        world.capacity_w,
        grid.band_low_pu,
        grid.band_high_pu,
        grid.loading_limit,
        RULES.index(grid.reactive),
        world.inverter_va,
        most_var,
        Droop(*edges, damping(world.volt_per_var[world.site_bus], most_var, narrowest_pu)),
    )


@njit(cache=True)
def new_desk(limits):
    """An empty desk for the grid and the sites of ``limits``."""
    buses, branches, sites = limits.feeder.parent.shape[0], limits.feeder.z.shape[0], limits.site_bus.shape[0]
    return Desk(
        np.empty(sites), np.empty(sites), np.empty(sites), np.zeros(sites, np.int64),
        np.zeros(sites), np.zeros(sites), np.empty(sites), np.empty(sites),
        np.empty(buses), np.empty(buses), np.empty(buses, np.complex128), np.empty(branches, np.complex128),
        np.empty(buses), np.empty(branches),
    )  # fmt: skip


@njit(cache=True)
def set_forecast(desk, load_w, load_var, set_ppm):
    """The rest of a desk whose p_w is a forecast: demand (N,) as expected, so inverters carry what is left of p_w."""
    for i in range(desk.p_w.shape[0]):
        desk.load_var[i] = load_var[i]
        desk.inverter_w[i] = desk.p_w[i] + load_w[i]
        desk.set_ppm[i] = set_ppm[i]


@njit(cache=True)
def set_metered(desk, injected_wh, consumed_wh, load_var, set_ppm, off):
    """A desk of energies (N,) each; a site that is ``off`` the net gives and draws nothing, its inverter included."""
    for i in range(desk.p_w.shape[0]):
        desk.p_w[i] = 0.0 if off[i] else injected_wh[i] / HOURS
        desk.load_var[i] = 0.0 if off[i] else load_var[i]
        desk.inverter_w[i] = np.inf if off[i] else (injected_wh[i] + consumed_wh[i]) / HOURS  # what is beyond its reach
        desk.set_ppm[i] = 0 if off[i] else set_ppm[i]


@njit(cache=True)
def inject(limits, desk):
    """What the sites put on each bus; of inverters what agents set, those on a droop answer to the voltage later."""
    desk.p_kw[:] = 0.0
    desk.q_kvar[:] = 0.0
    for i in range(desk.p_w.shape[0]):
        bus = limits.site_bus[i]
        desk.p_kw[bus] += desk.p_w[i] * 0.001
        desk.q_kvar[bus] -= desk.load_var[i] * 0.001
        if limits.reactive != NONE:
            desk.reach_var[i] = capability_var(desk.inverter_w[i], limits.inverter_va[i], limits.most_var[i])
            desk.given_var[i] = desk.reach_var[i] * desk.set_ppm[i] / PPM if limits.reactive == AGENT else 0.0
            desk.q_kvar[bus] += desk.given_var[i] * 0.001


@njit(cache=True)
def measure(limits, desk):
    """Magnitudes and loadings of the voltages and currents on the desk."""
    for bus in range(desk.magnitude.shape[0]):
        desk.magnitude[bus] = magnitude(desk.voltage[bus])
    loading_one(limits.feeder, desk.voltage, desk.current, desk.loading)


@njit(cache=True)
def solve_sites(limits, desk):
    """Power flow of what the sites do, inverters included; False where there is no solution."""
    inject(limits, desk)
    if limits.reactive == Q_OF_U:
        rounds = sweep_with_droop(
            limits.feeder, limits.droop, limits.site_bus, limits.most_var, desk.reach_var, desk.given_var, desk.p_kw,
            desk.q_kvar, desk.voltage, desk.current,
        )  # fmt: skip
    else:
        rounds = sweep_one(limits.feeder, desk.p_kw, desk.q_kvar, desk.voltage, desk.current, True)
    if rounds < 0:
        desk.given_var[:] = 0.0
    measure(limits, desk)
    return rounds > 0
