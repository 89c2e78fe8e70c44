"""From a pandapower net to the arrays of a `Feeder`.

One power flow of the unloaded net makes pandapower build its internal per-unit branch table, so switches,
fused buses, half-open lines, taps and charging are pandapower's own; only the tree and its loops are built here.
"""

from __future__ import annotations

import copy
import heapq
import json
import math
from typing import Any

import numpy as np

from envs.grid.branches import Branches, base_currents_ka, bus_shunts, live_branches, loading_share
from envs.grid.elements import check_elements
from envs.grid.equipment import equipment_arrays, text
from envs.grid.errors import GridError

# tables that change voltages or powers in a way that constant-power injections cannot show
UNSUPPORTED = (
    "gen",
    "trafo3w",
    "ward",
    "xward",
    "dcline",
    "motor",
    "asymmetric_load",
    "asymmetric_sgen",
    "svc",
    "tcsc",
    "ssc",
    "vsc",
    "b2b_vsc",
)
ISOLATED = 4  # bus type of a bus without supply in the per-unit bus table


def feeder_arrays(net: Any, name: str) -> dict[str, np.ndarray]:
    """Every array of a `Feeder` by field name, equipment tables prefixed. Raises GridError, see
    `load_feeder`."""
    check_supported(net, name)
    ppc, lookups = per_unit(net, name)
    lookup = np.asarray(lookups["bus"])
    supplied = ppc["bus"][:, 1] != ISOLATED
    branches = live_branches(net, ppc, lookups["branch"], supplied, name)
    root = int(lookup[int(net.ext_grid.bus[net.ext_grid.in_service].iloc[0])])
    order, parent, branch_of = _tree(branches, supplied, root, name)
    row_of = np.full(len(ppc["bus"]), -1)
    row_of[order] = np.arange(len(order))
    arrays = _branch_arrays(branches, row_of, branch_of, ppc)
    indices = net.bus.index.to_numpy()
    feeder_bus = np.array([row_of[lookup[index]] if lookup[index] >= 0 else -1 for index in indices])
    kept = feeder_bus >= 0
    arrays["pandapower_bus"] = indices[kept].astype(np.int64)
    arrays["feeder_bus"] = feeder_bus[kept].astype(np.int64)
    arrays.update(_bus_arrays(net, ppc, order, parent, indices[kept], feeder_bus[kept]))
    arrays["shunt"] = bus_shunts(ppc, branches)[order]
    bus_map = dict(zip(indices[kept].tolist(), feeder_bus[kept].tolist(), strict=True))
    arrays.update(equipment_arrays(net, bus_map))
    arrays["parent"] = parent
    grid = net.ext_grid[net.ext_grid.in_service].iloc[0]
    angle = math.radians(float(grid.va_degree))
    arrays["slack_voltage_pu"] = np.asarray(float(grid.vm_pu) * complex(math.cos(angle), math.sin(angle)))
    arrays["base_kva"] = np.asarray(float(ppc["baseMVA"]) * 1000.0)
    return arrays


def check_supported(net: Any, name: str) -> None:
    """Raise GridError for what constant-power injections behind one external grid cannot show."""
    in_service = int(net.ext_grid.in_service.sum())
    if in_service != 1:
        raise GridError(f"{name} has {in_service} external grids in service; a feeder has exactly one")
    for table in UNSUPPORTED:
        if table in net and len(net[table]) and bool(net[table].in_service.any()):
            raise GridError(
                f"{name} has {table} elements in service; allowed: line, trafo (two windings), impedance, "
                "switch, shunt, load, sgen, storage"
            )
    if "controller" in net and bool(net.controller.in_service.any()):
        kinds = sorted({type(made).__name__ for made in net.controller.object[net.controller.in_service]})
        raise GridError(
            f"{name} has controllers in service ({', '.join(kinds)}), which change the net from period to period; "
            "a feeder stays as it is: take them out of service"
        )
    check_elements(net, name)
    _check_powers(net, name)
    for column in net.load.columns:
        if column.startswith("const_") and bool((net.load[column] != 0).any()):
            raise GridError(f"{name} has loads with {column} other than 0; allowed: constant-power loads")


def _check_powers(net: Any, name: str) -> None:
    """What a site can't be: a load that feeds in, a plant that draws, a plant or storage with reactive power of its
    own, which here is the inverter's; and limits that leave a branch nothing or are not there to be read.
    """
    for table, what in (("load", "a load draws"), ("sgen", "a static generator feeds in")):
        elements = net[table][net[table].in_service]
        wrong = elements.index[elements.p_mw * elements.scaling < 0].tolist()
        if wrong:
            raise GridError(f"{name}: {table} {wrong[0]} has {elements.p_mw[wrong[0]]} MW; allowed: >= 0, {what}")
    for table in ("sgen", "storage"):
        if bool((net[table].q_mvar[net[table].in_service] != 0).any()):
            raise GridError(
                f"{name} has {table} elements with q_mvar other than 0; allowed: 0, since the setting grid.reactive "
                "says what inverters give"
            )
    for table in ("line", "trafo"):
        share = loading_share(net[table])
        wrong = net[table].index[net[table].in_service & ~(share > 0.0)].tolist()
        if wrong:
            stated = net[table].max_loading_percent[wrong[0]]
            raise GridError(
                f"{name}: {table} {wrong[0]} has max_loading_percent {stated}; allowed: > 0, or NaN for 100"
            )
    if len(net.line) and "max_i_ka" not in net.line:
        raise GridError(
            f"{name}: its line table has no column max_i_ka; lines need ratings, or NaN where there is none"
        )


def per_unit(net: Any, name: str) -> tuple[Any, dict[str, Any]]:
    """pandapower's per-unit tables of the unloaded net, and the maps from its own tables to their rows."""
    import pandapower

    unloaded = copy.deepcopy(net)
    for table in ("load", "sgen", "storage"):
        unloaded[table]["scaling"] = 0.0
    try:
        pandapower.runpp(unloaded, trafo_model="t", calculate_voltage_angles=True, numba=False)
    except Exception as failure:  # pandapower raises bare and library-specific classes alike
        raise GridError(f"pandapower cannot solve {name} without load: {failure}") from failure
    return unloaded._ppc, unloaded._pd2ppc_lookups


def _tree(branches: Branches, supplied: np.ndarray, root: int, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Buses in depth-first order, each one's parent as a position in that order, and its branch (-1 at the
    root).

    Where there are loops the tree is that of the shortest electrical paths from the root.
    """
    neighbours: dict[int, list[tuple[int, int]]] = {}
    for row, (f_bus, t_bus) in enumerate(zip(branches.f_bus.tolist(), branches.t_bus.tolist(), strict=True)):
        neighbours.setdefault(f_bus, []).append((t_bus, row))
        neighbours.setdefault(t_bus, []).append((f_bus, row))
    below = _shortest_paths(neighbours, 1.0 / np.abs(branches.admittance[:, 1]), root)
    position: dict[int, int] = {}
    parents: list[int] = []
    used: list[int] = []
    stack = [(root, -1, -1)]
    while stack:
        bus, parent, branch = stack.pop()
        position[bus] = len(parents)
        parents.append(parent)
        used.append(branch)
        stack.extend((other, position[bus], row) for other, row in sorted(below.get(bus, []), reverse=True))
    if len(position) != int(supplied.sum()):
        missed = int(supplied.sum()) - len(position)
        raise GridError(f"{name}: {missed} supplied buses are not reached from the external grid by branches")
    return np.array(list(position)), np.array(parents, dtype=np.int64), np.array(used)


def _shortest_paths(
    neighbours: dict[int, list[tuple[int, int]]], impedance_pu: np.ndarray, root: int
) -> dict[int, list[tuple[int, int]]]:
    """(bus, branch) hanging from each bus in the tree of shortest paths; equal ones by bus and branch number."""
    below: dict[int, list[tuple[int, int]]] = {}
    reached: set[int] = set()
    waiting = [(0.0, root, -1, -1)]
    while waiting:
        distance_pu, bus, parent, branch = heapq.heappop(waiting)
        if bus in reached:
            continue
        reached.add(bus)
        if branch >= 0:
            below.setdefault(parent, []).append((bus, branch))
        for other, row in neighbours.get(bus, []):
            if other not in reached:
                heapq.heappush(waiting, (distance_pu + float(impedance_pu[row]), other, bus, row))
    return below


def _branch_arrays(branches: Branches, row_of: np.ndarray, branch_of: np.ndarray, ppc: Any) -> dict[str, np.ndarray]:
    """The two-port of each bus's branch, turned so that the parent end comes first, then those that close loops, turned
    so that the bus with the lower number does.
    """
    rest = np.setdiff1d(np.arange(len(branches.f_bus)), branch_of)
    used = np.concatenate([branch_of, rest])
    count = len(used)
    a, k = np.ones(count, complex), np.zeros(count, complex)
    z, y_eq = np.zeros(count, complex), np.zeros(count, complex)
    rating_pu = np.full((count, 2), np.inf)
    base_ka = base_currents_ka(ppc)
    loop_ends = np.zeros((len(rest), 2), np.int64)
    for entry in range(1, count):
        row = used[entry]
        ends = [int(branches.f_bus[row]), int(branches.t_bus[row])]
        ff, ft, tf, tt = (complex(value) for value in branches.admittance[row])
        rating = [float(branches.rating_ka[row, end]) / float(base_ka[ends[end]]) for end in (0, 1)]
        if row_of[ends[0]] > row_of[ends[1]]:  # a parent comes before its children
            ff, ft, tf, tt = tt, tf, ft, ff
            rating.reverse()
            ends.reverse()
        a[entry], z[entry] = -tf / tt, 1.0 / tt
        y_eq[entry], k[entry] = ff - ft * tf / tt, -ft / tt
        rating_pu[entry] = rating
        if entry >= len(branch_of):
            loop_ends[entry - len(branch_of)] = row_of[ends]
    return {
        "a": a,
        "z": z,
        "y_eq": y_eq,
        "k": k,
        "branch_name": np.array([""] + [branches.name[row] for row in used[1:]], dtype=str),
        "is_transformer": np.array([False] + [bool(branches.is_transformer[row]) for row in used[1:]]),
        "rating_parent_pu": np.ascontiguousarray(rating_pu[:, 0]),
        "rating_child_pu": np.ascontiguousarray(rating_pu[:, 1]),
        "loop_upper": np.ascontiguousarray(loop_ends[:, 0]),
        "loop_lower": np.ascontiguousarray(loop_ends[:, 1]),
    }


def _bus_arrays(
    net: Any, ppc: Any, order: np.ndarray, parent: np.ndarray, indices: np.ndarray, feeder_bus: np.ndarray
) -> dict[str, np.ndarray]:
    count = len(order)
    names = [""] * count
    low_pu, high_pu = np.full(count, -np.inf), np.full(count, np.inf)
    points: list[tuple[float, float] | None] = [None] * count
    for index, bus in zip(indices.tolist(), feeder_bus.tolist(), strict=True):
        row = net.bus.loc[index]
        names[bus] = names[bus] or text(row["name"], f"bus {index}")
        # buses joined by a switch share one voltage, so the tighter band holds
        low_pu[bus] = max(low_pu[bus], _number(row.get("min_vm_pu"), 0.9))
        high_pu[bus] = min(high_pu[bus], _number(row.get("max_vm_pu"), 1.1))
        points[bus] = points[bus] or _point(row.get("geo"))
    # what has no name yet is an auxiliary bus of pandapower, the open end of a line
    names = [name or f"open end {bus}" for bus, name in enumerate(names)]
    rows = ppc["bus"][order].astype(float)
    return {
        "bus_name": np.array(names, dtype=str),
        "nominal_kv": rows[:, 9],
        "band_low_pu": np.where(np.isfinite(low_pu), low_pu, 0.9),
        "band_high_pu": np.where(np.isfinite(high_pu), high_pu, 1.1),
        "position": _positions(points, parent),
    }


def _positions(points: list[tuple[float, float] | None], parent: np.ndarray) -> np.ndarray:
    """The net's coordinates when every bus has one, else depth to the right and leaves spread evenly."""
    known = [point for point in points if point is not None]
    if len(known) == len(points) and len(set(known)) > 1:
        return np.array(known, dtype=float)
    count = len(parent)
    layout = np.zeros((count, 2))
    children: list[list[int]] = [[] for _ in range(count)]
    for bus in range(1, count):
        layout[bus, 0] = layout[parent[bus], 0] + 1.0
        children[parent[bus]].append(bus)
    leaves = 0
    for bus in range(count - 1, -1, -1):
        if children[bus]:
            layout[bus, 1] = sum(float(layout[child, 1]) for child in children[bus]) / len(children[bus])
        else:
            layout[bus, 1], leaves = float(leaves), leaves + 1
    return layout


def _point(geo: Any) -> tuple[float, float] | None:
    if not isinstance(geo, str) or not geo:
        return None
    x, y = json.loads(geo)["coordinates"][:2]
    return float(x), float(y)


def _number(value: Any, default: float) -> float:
    return default if value is None or math.isnan(float(value)) else float(value)
