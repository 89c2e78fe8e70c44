"""Where there is no power flow to linearise: the limits that are met on the way there.

On the ray from the idle net to what the sites do there is a largest fraction that still has a solution. Of the limits
broken there each was met at a fraction of its own: that is a point of the safe region's edge, and the plane through it
says how much of the rest of the way has to be undone.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import njit

from envs.phases.network import solve_sites
from envs.phases.violations import TOLERANCE_PU, effects, voltage_excess, worst_branch, worst_voltage
from envs.types import NO_EVENT, OVER_VOLTAGE, OVERLOAD, Floats

STEPS = 14  # halvings of a fraction
TRANSFORMER = -2  # the place where nothing else is broken: the first branch carries what all sites do


class Ray(NamedTuple):
    """What the sites would do, (N,) each: the end of the ray."""

    p_w: Floats
    load_var: Floats
    inverter_w: Floats


class Met(NamedTuple):
    """Limits broken at the last solution of the ray, and the fractions at which they were met; way 0: none."""

    cause: int  # of the worst bus
    bus: int
    bus_fraction: float
    way: int  # that relieves the worst branch
    branch_place: int  # -1 - branch
    branch_fraction: float


@njit(cache=True)
def ray_of(desk):
    """The ray to what is on the desk."""
    return Ray(desk.p_w.copy(), desk.load_var.copy(), desk.inverter_w.copy())


@njit(cache=True)
def _solve_at(limits, desk, ray, fraction):
    for i in range(desk.p_w.shape[0]):
        desk.p_w[i] = fraction * ray.p_w[i]
        desk.load_var[i] = fraction * ray.load_var[i]
        desk.inverter_w[i] = fraction * ray.inverter_w[i]
    return solve_sites(limits, desk)


@njit(cache=True)
def _keeps(limits, desk, place):
    if place >= 0:
        return voltage_excess(limits, desk.magnitude, place) <= TOLERANCE_PU
    return desk.loading[-1 - place] - limits.loading <= TOLERANCE_PU


@njit(cache=True)
def _met_at(limits, desk, ray, place, most):
    """Largest fraction, up to ``most``, at which a place keeps its limit; 0 where the idle net breaks it."""
    low, high = 0.0, most
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if _solve_at(limits, desk, ray, middle) and _keeps(limits, desk, place):
            low = middle
        else:
            high = middle
    return low


@njit(cache=True)
def limits_met(limits, desk, ray):
    """The limits broken on the way to a point without a solution. Where none is, the transformer at the last one."""
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        if _solve_at(limits, desk, ray, middle):
            low = middle
        else:
            high = middle
    _solve_at(limits, desk, ray, low)
    cause, bus, _ = worst_voltage(limits, desk.magnitude)
    way, branch, _ = worst_branch(limits, desk.voltage, desk.current, desk.loading)
    if cause == NO_EVENT and way == 0:
        return Met(cause, bus, low, -1 if ray.p_w.sum() > 0.0 else 1, TRANSFORMER, low)
    bus_fraction = _met_at(limits, desk, ray, bus, low) if cause != NO_EVENT else low
    branch_fraction = _met_at(limits, desk, ray, -1 - branch, low) if way != 0 else low
    return Met(cause, bus, bus_fraction, way, -1 - branch, branch_fraction)


@njit(cache=True)
def to_undo(limits, desk, ray, place, fraction):
    """What the ray does at a place beyond a fraction of it, by the linearised net there: pu, or W.

    Leaves the sites' effects at the place in desk.effect.
    """
    _solve_at(limits, desk, ray, fraction)
    effects(limits, desk, place)
    total = 0.0
    for i in range(desk.effect.shape[0]):
        total += desk.effect[i] * ray.p_w[i]
    return (1.0 - fraction) * abs(total)


@njit(cache=True)
def worst_on_the_way(limits, desk):
    """As `violations.worst`, of a desk whose power flow has no solution."""
    ray = ray_of(desk)
    met = limits_met(limits, desk, ray)
    volt_need, load_need = 0.0, 0.0
    if met.way != 0:
        undo_w = to_undo(limits, desk, ray, met.branch_place, met.branch_fraction)
        load_need = undo_w / max(desk.effect.max(), 1e-12)
    if met.cause != NO_EVENT:
        undo_pu = to_undo(limits, desk, ray, met.bus, met.bus_fraction)
        volt_need = undo_pu / max(desk.effect.max(), 1e-12)
    if met.way != 0 and load_need >= volt_need:
        to_undo(limits, desk, ray, met.branch_place, met.branch_fraction)
        return OVERLOAD, met.way, met.branch_place, load_need
    return met.cause, -1 if met.cause == OVER_VOLTAGE else 1, met.bus, volt_need
