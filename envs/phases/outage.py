"""Protection: a net that has no operating point loses its far ends until it has one.

Where sites draw or feed in more than the wires can carry, the voltage collapses, and the relays at the buses act.
Voltage is worst far from the upper grid, so buses are disconnected from the far end inward, no more of them than it
takes; their sites neither draw nor feed in for the rest of the period. Which relay acts first is a matter of
milliseconds that a period of 15 minutes does not resolve: the order is by electrical distance.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit

from envs.phases.network import limits_of, new_desk, set_metered, solve_sites
from envs.types import Bools, Energy, Ints, Quotes, State
from envs.world import World


@lru_cache(maxsize=8)
def far_ends(world: World) -> Ints:
    """(buses,) place of each bus in the order in which buses are disconnected; the root comes last."""
    distance_pu = world.routes.distance_pu[0]
    order = np.lexsort((-np.arange(len(distance_pu)), -distance_pu))
    return np.argsort(order)


def net_of(energy: Energy) -> Ints:
    """(B, N) Wh injected."""
    return energy.generated_wh - energy.consumed_wh + energy.storage_wh


@njit(cache=True)
def _disconnect(
    limits, collapsed, net_wh, consumed_wh, load_var, set_ppm, first_row, place, off, dark,
):  # fmt: skip
    desk, buses = new_desk(limits), place.shape[0]
    for b in range(net_wh.shape[0]):
        if not collapsed[b]:
            continue
        row = load_var[first_row[b] % load_var.shape[0]]
        few, many = 0, buses - 1  # without the root's own sites there would be nothing left to solve
        while many - few > 1:
            middle = (few + many) // 2
            for i in range(off.shape[1]):
                off[b, i] = place[limits.site_bus[i]] < middle
            set_metered(desk, net_wh[b], consumed_wh[b], row, set_ppm[b], off[b])
            if solve_sites(limits, desk):
                many = middle
            else:
                few = middle
        for i in range(off.shape[1]):
            off[b, i] = place[limits.site_bus[i]] < many
        for bus in range(buses):
            dark[b, bus] = place[bus] < many


def disconnect(world: World, state: State, quotes: Quotes, energy: Energy) -> tuple[Bools, Bools]:
    """Sites (B, N) and buses (B, buses) that protection takes off the net, where ``energy`` has no operating point."""
    off = np.zeros(energy.natural_wh.shape, np.bool_)
    dark = np.zeros(energy.voltage_pu.shape, np.bool_)
    _disconnect(
        limits_of(world), ~energy.converged, net_of(energy), energy.consumed_wh, world.load_var, quotes.reactive_ppm,
        state.day * world.periods_per_day + state.period, far_ends(world), off, dark,
    )  # fmt: skip
    return off, dark
