"""Routing: the path of a trade over the feeder, its electrical distance, and what it adds to the losses.

Paper 003 has the delegates send each trade along a path and prints no algorithm. Here it is the path of least
electrical distance, the sum of the |Z| of its branches, per unit, so that lines and transformers of all voltage levels
add up. In a tree there is only one: up from the seller to the first bus that both sides hang from, down to the buyer.
In a net with loops it is a contract's path: the current divides, the trade does not.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from envs.grid.feeder import Feeder


class Routes(NamedTuple):
    """Paths between all buses. Branches are numbered as in `Feeder`; entry 0 is void."""

    hop: np.ndarray  # (buses, buses) int64: the bus after i on the path from i to j, j itself at its end
    branch: np.ndarray  # (buses, buses) int64: the branch from i to that bus, 0 where i = j
    distance_pu: np.ndarray  # (buses, buses) sum of |Z| along the path
    resistance_pu: np.ndarray  # (branches,)
    child: np.ndarray  # (branches,) int64 bus at the lower end
    base_kva: float


@njit(cache=True)
def _walk_tree(parent: np.ndarray, hop: np.ndarray, branch: np.ndarray) -> None:
    """The only paths of a radial net."""
    buses = len(parent)
    for goal in range(buses):
        for bus in range(buses):
            hop[bus, goal], branch[bus, goal] = parent[bus], bus
        bus = goal
        while bus > 0:  # whoever the goal hangs from reaches it downward
            hop[parent[bus], goal], branch[parent[bus], goal] = bus, bus
            bus = parent[bus]
        hop[goal, goal], branch[goal, goal] = goal, 0


@njit(cache=True)
def _shortest(ends: np.ndarray, impedance: np.ndarray, hop: np.ndarray, branch: np.ndarray) -> None:
    """Dijkstra's paths to every goal; of equal ones that over the earlier branch. ends (branches, 2) buses."""
    buses, branches = len(hop), len(ends)
    for goal in range(buses):
        distance, open_bus = np.full(buses, np.inf), np.ones(buses, np.bool_)
        distance[goal], hop[goal, goal], branch[goal, goal] = 0.0, goal, 0
        for _ in range(buses):
            bus = int(np.argmin(np.where(open_bus, distance, np.inf)))
            open_bus[bus] = False
            for b in range(1, branches):
                for side in range(2):
                    other = ends[b, 1 - side]
                    if ends[b, side] == bus and open_bus[other] and distance[bus] + impedance[b] < distance[other]:
                        distance[other] = distance[bus] + impedance[b]
                        hop[other, goal], branch[other, goal] = bus, b


@njit(cache=True)
def _distances(impedance: np.ndarray, hop: np.ndarray, branch: np.ndarray, distance: np.ndarray) -> None:
    """Sums along the paths, walked from the lower to the higher bus number, so that both ways are one number."""
    buses = len(hop)
    for start in range(buses):
        for goal in range(start, buses):
            bus, total = start, 0.0
            while bus != goal:
                total += impedance[branch[bus, goal]]
                bus = hop[bus, goal]
            distance[start, goal] = distance[goal, start] = total


def routes_of(feeder: Feeder) -> Routes:
    """All paths of a feeder; made once a world."""
    buses, ends = feeder.bus_count, np.ascontiguousarray(feeder.ends)
    hop, branch = np.zeros((buses, buses), np.int64), np.zeros((buses, buses), np.int64)
    impedance, distance = np.abs(feeder.z), np.empty((buses, buses))
    impedance[0] = 0.0
    if feeder.branch_count == buses:
        _walk_tree(feeder.parent, hop, branch)
    else:
        _shortest(ends, impedance, hop, branch)
    _distances(impedance, hop, branch, distance)
    resistance = np.ascontiguousarray(feeder.z.real)
    resistance[0] = 0.0
    return Routes(hop, branch, distance, resistance, np.ascontiguousarray(ends[:, 1]), feeder.base_kva)


def reference_distance_pu(routes: Routes, site_bus: np.ndarray) -> float:
    """Mean electrical distance between a site and the upper grid: the path that the flat charge stands for."""
    return float(np.mean(routes.distance_pu[0, site_bus]))


def charges_by_distance(routes: Routes, reference_pu: float, flat_charge: int) -> np.ndarray:
    """(buses, buses) int64: a price per kWh for each path, by its distance; at the reference it is the flat charge.

    A longer path pays the flat charge too: a neighbour is never dearer than the grid, so a trade inside the tariffs
    leaves nobody worse off.
    """
    share = np.minimum(routes.distance_pu / reference_pu, 1.0) if reference_pu > 0.0 else routes.distance_pu * 0.0
    return np.rint(share * flat_charge).astype(np.int64)


def path_of(routes: Routes, start: int, goal: int) -> list[int]:
    """The buses from one to the other, both included; a single one where they share it."""
    buses = [start]
    while buses[-1] != goal:
        buses.append(int(routes.hop[buses[-1], goal]))
    return buses


@njit(cache=True)
def carry(routes: Routes, start: int, goal: int, wh: float, flow_wh: np.ndarray) -> None:
    """Add an energy to the flows (branches,) along its path; a branch counts what enters it at its lower end."""
    bus = start
    while bus != goal:
        branch = routes.branch[bus, goal]
        flow_wh[branch] += wh if routes.child[branch] == bus else -wh
        bus = routes.hop[bus, goal]


@njit(cache=True)
def losses_of(routes: Routes, flow_wh: np.ndarray, hours: float) -> float:
    """Wh lost in the branches by flows (branches,) held over so many hours, at 1 pu and unity power factor."""
    total = 0.0
    for branch in range(1, len(flow_wh)):
        total += routes.resistance_pu[branch] * flow_wh[branch] * flow_wh[branch]
    return total / (routes.base_kva * 1000.0 * hours)


@njit(cache=True)
def loss_share(routes: Routes, start: int, goal: int, wh: float, flow_wh: np.ndarray, hours: float) -> float:
    """What one use of the net answers for: sum over its path of R f w, f the whole flow in the use's direction.

    Losses are quadratic in the flows, so these shares, half the marginal losses, add up to all of them (the Aumann-
    Shapley rule). Against the prevailing flow a share is negative: such a trade relieves the branch.
    """
    total = 0.0
    bus = start
    while bus != goal:
        branch = routes.branch[bus, goal]
        flow = flow_wh[branch] if routes.child[branch] == bus else -flow_wh[branch]
        total += routes.resistance_pu[branch] * flow * wh
        bus = routes.hop[bus, goal]
    return total / (routes.base_kva * 1000.0 * hours)
