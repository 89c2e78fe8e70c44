"""Reactive power of inverters: what they can give, and a droop that answers to the voltage inside the power flow.

An inverter of apparent power S that carries P gives at most sqrt(S^2 - P^2), and never more than sin(phi) S, with
cos(phi) the power factor that it must reach at its rating. The droop is the Q(U) characteristic of VDE-AR-N 4105: none
inside a dead band, then linear up to full supply (low voltage) or full absorption (high voltage).

Supply raises the voltage and the droop falls with it, so the fixed point is unique; but where many inverters hang on a
weak feeder the plain iteration overshoots and does not settle. Each round therefore takes the share 2 / (2 + g) of the
way, g a bound on the loop's gain, which contracts for every gain up to g.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from envs.grid.feeder import SweepArrays
from envs.grid.measure import magnitude
from envs.grid.single import TOLERANCE_PU, meshed_down, meshed_up, no_load

DROOP_ROUNDS = 2000  # the damped loop takes tens of rounds, at a gain of 100 about a thousand
GAIN_MARGIN = 1.25  # the gain is that of the idle grid; a loaded one is weaker


class Droop(NamedTuple):
    """The characteristic, in pu, and the share of the way that a round takes."""

    full_low_pu: float
    dead_low_pu: float
    dead_high_pu: float
    full_high_pu: float
    damping: float


@njit(cache=True)
def droop_share(droop: Droop, voltage_pu: float) -> float:
    """Share of the largest reactive power in [-1, 1], > 0 supplies (raises the voltage)."""
    if voltage_pu < droop.dead_low_pu:
        return min((droop.dead_low_pu - voltage_pu) / (droop.dead_low_pu - droop.full_low_pu), 1.0)
    if voltage_pu > droop.dead_high_pu:
        return max((droop.dead_high_pu - voltage_pu) / (droop.full_high_pu - droop.dead_high_pu), -1.0)
    return 0.0


@njit(cache=True)
def droop_slope(droop: Droop, voltage_pu: float) -> float:
    """Share per pu by which supply falls as the voltage rises: 0 in the dead band and at full share."""
    if droop.full_low_pu < voltage_pu < droop.dead_low_pu:
        return 1.0 / (droop.dead_low_pu - droop.full_low_pu)
    if droop.dead_high_pu < voltage_pu < droop.full_high_pu:
        return 1.0 / (droop.full_high_pu - droop.dead_high_pu)
    return 0.0


@njit(cache=True)
def capability_var(active_w: float, apparent_w: float, most_var: float) -> float:
    """The largest reactive power either way while ``active_w`` is carried; ``most_var`` is sin(phi) S."""
    left = apparent_w * apparent_w - active_w * active_w
    return min(np.sqrt(left), most_var) if left > 0.0 else 0.0


def damping(volt_per_var: np.ndarray, most_var: np.ndarray, narrowest_pu: float) -> float:
    """The share of the way that a round may take for the loop to settle.

    Args:
        volt_per_var: (sites, sites) pu at the first one's bus per var of the second one.
        most_var: (sites,) largest reactive power.
        narrowest_pu: the shorter of the droop's two slopes.
    """
    gain = float((np.abs(volt_per_var) * most_var).sum(axis=1).max(initial=0.0)) / narrowest_pu
    return 2.0 / (2.0 + GAIN_MARGIN * gain)


@njit(cache=True)
def _respond(
    droop: Droop,
    bus: np.ndarray,
    most_var: np.ndarray,
    reach_var: np.ndarray,
    voltage: np.ndarray,
    given_var: np.ndarray,
    q_kvar: np.ndarray,
) -> float:
    """Move every inverter toward its characteristic; the largest distance that was left, var."""
    gap = 0.0
    for i in range(bus.shape[0]):
        if most_var[i] == 0.0:
            continue
        wanted = droop_share(droop, magnitude(voltage[bus[i]])) * most_var[i]
        step = min(max(wanted, -reach_var[i]), reach_var[i]) - given_var[i]
        gap = max(gap, abs(step))
        given_var[i] += droop.damping * step
        q_kvar[bus[i]] += droop.damping * step * 0.001
    return gap


@njit(cache=True)
def sweep_with_droop(
    feeder: SweepArrays,
    droop: Droop,
    bus: np.ndarray,
    most_var: np.ndarray,
    reach_var: np.ndarray,
    given_var: np.ndarray,
    p_kw: np.ndarray,
    q_kvar: np.ndarray,
    voltage: np.ndarray,
    current: np.ndarray,
) -> int:
    """`sweep_one` from a flat start with inverters on their characteristic, in the same rounds.

    bus, most_var, reach_var (sites,): where each inverter is, its sin(phi) S and what it can give while it carries
    what it carries. p_kw, q_kvar (buses,) injections without them. Fills given_var (sites,) > 0 into the grid and adds
    it to q_kvar; the rest is as in `sweep_one`.
    """
    no_load(feeder, voltage)
    current[len(voltage) :] = 0.0
    given_var[:] = 0.0
    change, gap, rounds = np.inf, np.inf, 0
    tolerance_var = TOLERANCE_PU * feeder.base_kva * 1000.0
    while True:
        alive = meshed_up(feeder, p_kw, q_kvar, voltage, current)
        if alive and change <= TOLERANCE_PU * TOLERANCE_PU and gap <= tolerance_var:
            return rounds
        if not alive or rounds == DROOP_ROUNDS:
            voltage[:] = 0.0
            current[:] = 0.0
            given_var[:] = 0.0
            return -max(rounds, 1)
        change = meshed_down(feeder, voltage, current)
        gap = _respond(droop, bus, most_var, reach_var, voltage, given_var, q_kvar)
        rounds += 1
