"""The grid as the phases see it: sites on buses, a solved sweep, and the worst violation with what would cure it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from envs.grid.feeder import SweepArrays
from envs.grid.sweep import loading_one, sweep_one
from envs.types import NO_EVENT, OVER_VOLTAGE, OVERLOAD, UNDER_VOLTAGE, Floats, Ints
from envs.world import World

TOLERANCE_PU = 1e-6  # a limit counts as met to within a microvolt per unit


class Limits(NamedTuple):
    """What the check measures against, and how sites act on it; see World for the shapes."""

    feeder: SweepArrays
    site_bus: Ints
    volt_per_w: Floats  # (buses, N)
    below: np.ndarray  # (buses, N) bool
    low_pu: float
    high_pu: float
    loading: float


def limits_of(world: World) -> Limits:
    """The planning limits of a scenario on its grid."""
    grid = world.scenario.grid
    return Limits(
        world.feeder.sweep_arrays,
        world.site_bus,
        world.volt_per_w,
        world.below,
        grid.band_low_pu,
        grid.band_high_pu,
        grid.loading_limit,
    )


@njit(cache=True)
def solve_sites(limits, p_w, q_var, voltage, current, p_kw, q_kvar, magnitude, loading):
    """Power flow of site injections (N,); fills magnitude and loading (buses,); False where there is no solution."""
    p_kw[:] = 0.0
    q_kvar[:] = 0.0
    for i in range(p_w.shape[0]):
        bus = limits.site_bus[i]
        p_kw[bus] += p_w[i] * 0.001
        q_kvar[bus] += q_var[i] * 0.001
    rounds = sweep_one(limits.feeder, p_kw, q_kvar, voltage, current, True)
    for bus in range(magnitude.shape[0]):
        magnitude[bus] = abs(voltage[bus])
    loading_one(limits.feeder, voltage, current, loading)
    return rounds > 0


@njit(cache=True)
def branch_watts(limits, branch):
    """W at 1 pu that load a branch to 1."""
    return limits.feeder.rating_child_pu[branch] * limits.feeder.base_kva * 1000.0


@njit(cache=True)
def flow_share(voltage, current, branch):
    """Active power into the branch's lower bus over its apparent power: +1 import, -1 export, unity power factor."""
    v, i = voltage[branch], current[branch]
    apparent = abs(v) * abs(i)
    if apparent < 1e-12:
        return 0.0
    return (v.real * i.real + v.imag * i.imag) / apparent


@njit(cache=True)
def worst_voltage(limits, magnitude):
    """(cause, bus, need in W at the most effective site) of the bus that needs most; NO_EVENT inside the band."""
    cause, place, need = NO_EVENT, 0, 0.0
    for bus in range(1, magnitude.shape[0]):
        excess = max(magnitude[bus] - limits.high_pu, limits.low_pu - magnitude[bus])
        if excess > TOLERANCE_PU:
            strongest = 0.0
            for i in range(limits.site_bus.shape[0]):
                strongest = max(strongest, limits.volt_per_w[bus, i])
            if strongest > 0.0 and excess / strongest > need:
                need, place = excess / strongest, bus
                cause = OVER_VOLTAGE if magnitude[bus] > limits.high_pu else UNDER_VOLTAGE
    return cause, place, need


@njit(cache=True)
def worst_branch(limits, voltage, current, loading):
    """(direction that relieves, branch, need in W) of the branch that needs most; direction 0 when none is
    overloaded.
    """
    direction, place, need = 0, 0, 0.0
    for branch in range(1, loading.shape[0]):
        excess = loading[branch] - limits.loading
        if excess > TOLERANCE_PU:
            share = flow_share(voltage, current, branch)
            watts = excess * branch_watts(limits, branch) / max(abs(share), 0.3)
            if watts > need:
                need, place = watts, branch
                direction = -1 if share < 0.0 else 1
    return direction, place, need


@njit(cache=True)
def worst(limits, voltage, current, magnitude, loading):
    """(cause, direction, place, need in W): place is a bus, or -1 - branch. The larger need decides."""
    cause, bus, volt_need = worst_voltage(limits, magnitude)
    direction, branch, load_need = worst_branch(limits, voltage, current, loading)
    if direction != 0 and load_need > volt_need:
        return OVERLOAD, direction, -1 - branch, load_need
    if cause == NO_EVENT:
        return NO_EVENT, 0, 0, 0.0
    return cause, -1 if cause == OVER_VOLTAGE else 1, bus, volt_need


@njit(cache=True)
def effect_at(limits, place, i):
    """Effect of site i at a violated place, on that place's own scale (pu per W, or W per W)."""
    if place >= 0:
        return limits.volt_per_w[place, i]
    return 1.0 if limits.below[-1 - place, i] else 0.0


@njit(cache=True)
def violation(limits, magnitude, loading):
    """(pu summed over buses, loading summed over branches) beyond the planning limits."""
    volts, over = 0.0, 0.0
    for bus in range(1, magnitude.shape[0]):
        volts += max(magnitude[bus] - limits.high_pu, limits.low_pu - magnitude[bus], 0.0)
        over += max(loading[bus] - limits.loading, 0.0)
    return volts, over
