"""What of a solved power flow is outside the planning limits, and what sites can do about it."""

from __future__ import annotations

from numba import njit

from envs.grid.inverter import droop_slope
from envs.phases.network import Q_OF_U
from envs.types import NO_EVENT, OVER_VOLTAGE, OVERLOAD, UNDER_VOLTAGE

TOLERANCE_PU = 1e-6  # a limit counts as met to within a microvolt per unit
LEVER_ROUNDS = 200
LEVER_TOLERANCE = 1e-9


@njit(cache=True)
def branch_watts(limits, branch):
    """W at 1 pu that load a branch to 1."""
    return limits.feeder.rating_child_pu[branch] * limits.feeder.base_kva * 1000.0


@njit(cache=True)
def flow_share(limits, voltage, current, branch):
    """Active power into the branch's lower bus over its apparent power: +1 import, -1 export, unity power factor;
    of a loop's branch, into the end that the sites as a whole feed.
    """
    buses = voltage.shape[0]
    v, i = voltage[branch if branch < buses else limits.feeder.loop_lower[branch - buses]], current[branch]
    apparent = abs(v) * abs(i)
    if apparent < 1e-12:
        return 0.0
    return limits.sense[branch] * (v.real * i.real + v.imag * i.imag) / apparent


@njit(cache=True)
def strongest_at(limits, bus):
    """pu that a W of the most effective site moves a bus of the idle net."""
    strongest = 0.0
    for i in range(limits.site_bus.shape[0]):
        strongest = max(strongest, limits.volt_per_w[bus, i])
    return strongest


@njit(cache=True)
def worst_voltage(limits, magnitude, only=0):
    """(cause, bus, need in W at the most effective site) of the bus that needs most; NO_EVENT inside the band.

    Here and below, ``only`` 1 or -1 looks at what more or less injection relieves, 0 at all.
    """
    cause, place, need = NO_EVENT, 0, 0.0
    for bus in range(1, magnitude.shape[0]):
        excess = voltage_excess(limits, magnitude, bus)
        if excess > TOLERANCE_PU and only != (1 if magnitude[bus] > limits.high_pu else -1):
            strongest = strongest_at(limits, bus)
            if strongest > 0.0 and excess / strongest > need:
                need, place = excess / strongest, bus
                cause = OVER_VOLTAGE if magnitude[bus] > limits.high_pu else UNDER_VOLTAGE
    return cause, place, need


@njit(cache=True)
def voltage_excess(limits, magnitude, bus):
    """pu beyond the planning band, negative inside it."""
    return max(magnitude[bus] - limits.high_pu, limits.low_pu - magnitude[bus])


@njit(cache=True)
def branch_need(limits, voltage, current, loading, branch):
    """(direction that relieves, W) of an overloaded branch."""
    share = flow_share(limits, voltage, current, branch)
    watts = (loading[branch] - limits.loading) * branch_watts(limits, branch) / max(abs(share), 0.3)
    return (-1 if share < 0.0 else 1), watts


@njit(cache=True)
def worst_branch(limits, voltage, current, loading, only=0):
    """(direction that relieves, branch, need in W) of the branch that needs most; direction 0 when none is
    overloaded.
    """
    direction, place, need = 0, 0, 0.0
    for branch in range(1, loading.shape[0]):
        if loading[branch] - limits.loading > TOLERANCE_PU:
            way, watts = branch_need(limits, voltage, current, loading, branch)
            if watts > need and only != -way:
                need, place, direction = watts, branch, way
    return direction, place, need


@njit(cache=True)
def worst(limits, desk, only=0):
    """(cause, direction, place, need in W): place is a bus, or -1 - branch. The larger need decides.

    Leaves the sites' effects at the place in ``desk.effect``.
    """
    cause, bus, volt_need = worst_voltage(limits, desk.magnitude, only)
    direction, branch, load_need = worst_branch(limits, desk.voltage, desk.current, desk.loading, only)
    if cause != NO_EVENT and limits.reactive == Q_OF_U:
        strongest = effects(limits, desk, bus)
        volt_need = voltage_excess(limits, desk.magnitude, bus) / strongest
    if direction != 0 and load_need > volt_need:
        effects(limits, desk, -1 - branch)
        return OVERLOAD, direction, -1 - branch, load_need
    if cause == NO_EVENT:
        return NO_EVENT, 0, 0, 0.0
    effects(limits, desk, bus)
    return cause, -1 if cause == OVER_VOLTAGE else 1, bus, volt_need


@njit(cache=True)
def effects(limits, desk, place):
    """Fill desk.effect with what a W of each site does at a place (pu per W, or W per W); the strongest of them.

    Below 0 it is in a loop only: a site that feeds the other end of the branch.

    Inverters on the slope of their droop answer to the rise: with r, x the grid's sensitivities to active and reactive
    power and D the slopes at the solved voltages, effect = r_place - u R with u (1 + X D) = x_place D.
    """
    sites = limits.site_bus.shape[0]
    strongest = 0.0
    if place >= 0 and limits.reactive == Q_OF_U:
        _levers(limits, desk, place)
    for i in range(sites):
        if place < 0:
            desk.effect[i] = limits.sense[-1 - place] * limits.branch_share[-1 - place, i]
        else:
            desk.effect[i] = limits.volt_per_w[place, i]
            if limits.reactive == Q_OF_U:
                for j in range(sites):
                    desk.effect[i] -= desk.lever[j] * limits.volt_per_w[limits.site_bus[j], i]
        strongest = max(strongest, desk.effect[i])
    return strongest


@njit(cache=True)
def relative_effects(desk, out):
    """out (N,): effects on the scale of the most effective site; 0 for one that feeds a loop's branch from behind."""
    strongest = desk.effect.max()
    for i in range(out.shape[0]):
        out[i] = max(desk.effect[i], 0.0) / strongest if strongest > 0.0 else 0.0


@njit(cache=True)
def _levers(limits, desk, place):
    """desk.lever: u of `effects`, var that each inverter gives back per pu at the place; by Gauss-Seidel, which settles
    because X is the reactance that two sites' paths share.
    """
    sites = limits.site_bus.shape[0]
    desk.lever[:] = 0.0
    for _ in range(LEVER_ROUNDS):
        change, largest = 0.0, 0.0
        for j in range(sites):
            slope = limits.most_var[j] * droop_slope(limits.droop, desk.magnitude[limits.site_bus[j]])
            if slope == 0.0 or abs(desk.given_var[j]) >= desk.reach_var[j]:
                continue
            total = limits.volt_per_var[place, j]
            for k in range(sites):
                if k != j:
                    total -= desk.lever[k] * limits.volt_per_var[limits.site_bus[k], j]
            value = total * slope / (1.0 + slope * limits.volt_per_var[limits.site_bus[j], j])
            change, largest = max(change, abs(value - desk.lever[j])), max(largest, abs(value))
            desk.lever[j] = value
        if change <= LEVER_TOLERANCE * largest:
            return


@njit(cache=True)
def violation(limits, magnitude, loading):
    """(pu summed over buses, loading summed over branches) beyond the planning limits."""
    volts, over = 0.0, 0.0
    for bus in range(1, magnitude.shape[0]):
        volts += max(magnitude[bus] - limits.high_pu, limits.low_pu - magnitude[bus], 0.0)
    for branch in range(1, loading.shape[0]):
        over += max(loading[branch] - limits.loading, 0.0)
    return volts, over
