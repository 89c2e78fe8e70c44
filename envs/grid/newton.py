"""Newton-Raphson by lightsim2grid: the second power flow, for nets with loops and to check the sweep against.

The net comes through pandapower's own per-unit tables, as for a `Feeder`, so switches, fused buses, half-open lines
and taps are honoured, which lightsim2grid's import of pandapower nets does not do. It also meets neither of that
import's traps: limit columns that are not numbers are never read, and the start is the idle net's voltages, which
already carry the transformers' phase shift (a flat start is 150 degrees off behind a Dyn5 transformer).

Only loads, static generators and storages inject, at constant power; one external grid holds its bus. Scenarios run
the sweep, loops included; this module is for studies. lightsim2grid and scipy are needed here only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envs.grid.branches import base_currents_ka, bus_shunts, live_branches
from envs.grid.cache import cached
from envs.grid.convert import ISOLATED, check_supported, per_unit
from envs.grid.equipment import equipment_arrays, text
from envs.grid.errors import GridError
from envs.grid.feeder import Generators, Loads, Storages, equipment_table
from envs.grid.sources import build_net, find_source
from envs.grid.sweep import COLLAPSE_PU2, Flow

MISMATCH_KVA = 1e-6  # power balance of every bus to a milliwatt
MAX_ITERATIONS = 30  # an ordinary case takes 3-5


@dataclass(frozen=True)
class Mesh:
    """A supplied net in per unit, loops allowed; closed switches without impedance have fused their buses."""

    name: str
    f_bus: np.ndarray  # (branches,) int64
    t_bus: np.ndarray  # (branches,) int64
    admittance: np.ndarray  # (branches, 4) complex pu: ff, ft, tf, tt
    rating_pu: np.ndarray  # (branches, 2) current that loads each end to 1, inf = unrated
    branch_name: np.ndarray  # (branches,) text
    shunt: np.ndarray  # (buses,) complex pu
    idle: np.ndarray  # (buses,) complex pu voltages without load, the start of every solution
    root: int
    base_kva: float
    bus_name: np.ndarray  # (buses,) text
    pandapower_bus: np.ndarray  # (net buses,) index in the pandapower net
    mesh_bus: np.ndarray  # (net buses,) bus of the mesh
    loads: Loads
    generators: Generators
    storages: Storages

    @property
    def bus_count(self) -> int:
        """Number of buses, the root included."""
        return len(self.shunt)

    @property
    def loops(self) -> int:
        """Independent loops: 0 for a radial net."""
        return len(self.f_bus) - self.bus_count + 1

    def bus_of(self, pandapower_bus: int) -> int:
        """The mesh's bus of a bus of the pandapower net. Raises GridError for one that is not supplied."""
        found = np.flatnonzero(self.pandapower_bus == pandapower_bus)
        if len(found) == 0:
            raise GridError(f"{self.name} has no supplied bus {pandapower_bus} in its pandapower net")
        return int(self.mesh_bus[found[0]])


def load_mesh(name: str, case_folders: Sequence[Path] = ()) -> Mesh:
    """Any net that `load_feeder` takes by name, and those with loops; from the cache where it is there.

    Raises GridError for an unknown name and for equipment other than constant-power injections and branches.
    """
    source = find_source(name, case_folders)
    arrays = cached(name, "mesh", source.content, lambda: mesh_arrays(build_net(source), name))
    for array in arrays.values():
        array.setflags(write=False)
    fields: dict[str, Any] = {
        key: array.item() if array.ndim == 0 else array for key, array in arrays.items() if "." not in key
    }
    return Mesh(
        name=name,
        loads=equipment_table(Loads, "loads", arrays),
        generators=equipment_table(Generators, "generators", arrays),
        storages=equipment_table(Storages, "storages", arrays),
        **fields,
    )


def mesh_arrays(net: Any, name: str) -> Mapping[str, np.ndarray]:
    """Every array of a `Mesh` by field name, equipment tables prefixed. Raises GridError, see `load_mesh`."""
    check_supported(net, name)
    ppc, lookups = per_unit(net, name)
    supplied = ppc["bus"][:, 1] != ISOLATED
    branches = live_branches(net, ppc, lookups["branch"], supplied, name)
    row_of = np.where(supplied, np.cumsum(supplied) - 1, -1)
    lookup, indices = np.asarray(lookups["bus"]), net.bus.index.to_numpy()
    mesh_bus = np.array([row_of[lookup[index]] if lookup[index] >= 0 else -1 for index in indices])
    kept = mesh_bus >= 0
    names = [f"open end {bus}" for bus in range(int(supplied.sum()))]
    for index, bus in zip(indices[kept][::-1].tolist(), mesh_bus[kept][::-1].tolist(), strict=True):
        names[bus] = text(net.bus.name[index], f"bus {index}")
    rows, base_mva = ppc["bus"][supplied].astype(float), float(ppc["baseMVA"])
    ends = np.stack([branches.f_bus, branches.t_bus], axis=1)
    angle = np.deg2rad(rows[:, 8])
    bus_map = dict(zip(indices[kept].tolist(), mesh_bus[kept].tolist(), strict=True))
    return {
        "f_bus": row_of[branches.f_bus],
        "t_bus": row_of[branches.t_bus],
        "admittance": branches.admittance.astype(complex),
        "rating_pu": branches.rating_ka / base_currents_ka(ppc)[ends],
        "branch_name": np.array(branches.name, dtype=str),
        "shunt": bus_shunts(ppc, branches)[supplied],
        "idle": rows[:, 7] * (np.cos(angle) + 1j * np.sin(angle)),
        "root": np.asarray(row_of[lookup[int(net.ext_grid.bus[net.ext_grid.in_service].iloc[0])]]),
        "base_kva": np.asarray(base_mva * 1000.0),
        "bus_name": np.array(names, dtype=str),
        "pandapower_bus": indices[kept].astype(np.int64),
        "mesh_bus": mesh_bus[kept].astype(np.int64),
        **equipment_arrays(net, bus_map),
    }


class NewtonFlow:
    """Power flow of one mesh; the same `Flow` as the sweep's, its loadings by branch instead of by bus."""

    def __init__(self, mesh: Mesh) -> None:
        try:
            from lightsim2grid.algorithm import NRSing_KLU
            from scipy.sparse import csc_matrix
        except ModuleNotFoundError as missing:
            raise GridError(f"Newton's power flow needs {missing.name}: pip install 'gridpact[dev]'") from missing
        self.mesh = mesh
        self._solver = NRSing_KLU()
        f, t, y, buses = mesh.f_bus, mesh.t_bus, mesh.admittance, np.arange(mesh.bus_count)
        entries = np.concatenate([y[:, 0], y[:, 1], y[:, 2], y[:, 3], mesh.shunt])
        rows, columns = np.concatenate([f, f, t, t, buses]), np.concatenate([f, t, f, t, buses])
        self._admittance = csc_matrix((entries, (rows, columns)), shape=(mesh.bus_count, mesh.bus_count))
        self._slack = np.array([mesh.root], np.int32)
        self._free = np.delete(buses, mesh.root).astype(np.int32)

    def solve(self, p_kw: Any, q_kvar: Any) -> Flow:
        """Voltages (…, buses), loadings (…, branches), slack power and losses for injections > 0 into the grid.

        Args:
            p_kw: (worlds, buses) or (buses,) active injections.
            q_kvar: the same shape.

        Raises:
            ValueError: a wrong shape or an injection that is not finite.
        """
        p, q = (np.asarray(values, dtype=float) for values in (p_kw, q_kvar))
        if p.shape != q.shape or p.ndim not in (1, 2) or p.shape[-1] != self.mesh.bus_count:
            raise ValueError(
                f"p_kw and q_kvar have shapes {p.shape} and {q.shape}; both must be ({self.mesh.bus_count},) or "
                f"(worlds, {self.mesh.bus_count}) for {self.mesh.name}"
            )
        if not (np.isfinite(p).all() and np.isfinite(q).all()):
            raise ValueError("an injection is not finite; injections are finite kW and kvar")
        worlds = len(np.atleast_2d(p))
        flow = Flow(
            np.zeros((worlds, self.mesh.bus_count)),
            np.zeros((worlds, len(self.mesh.f_bus))),
            np.zeros(worlds),
            np.zeros(worlds),
            np.zeros(worlds, np.int64),
            np.zeros(worlds, np.bool_),
        )
        for world, (p_world_kw, q_world_kvar) in enumerate(zip(np.atleast_2d(p), np.atleast_2d(q), strict=True)):
            voltage, flow.rounds[world] = self._voltages((p_world_kw + 1j * q_world_kvar) / self.mesh.base_kva)
            if voltage is not None:
                self._measure(voltage, p_world_kw, flow, world)
        return Flow(*(field[0] for field in flow)) if p.ndim == 1 else flow

    def _voltages(self, injection_pu: np.ndarray) -> tuple[np.ndarray | None, int]:
        """(buses,) complex, or None where there is no solution, and Newton's iterations."""
        tolerance_pu = MISMATCH_KVA / self.mesh.base_kva
        weights, none = np.zeros(self.mesh.bus_count), np.empty(0, np.int32)
        weights[self.mesh.root] = 1.0
        self._solver.reset()
        solved = self._solver.compute_pf(
            self._admittance, self.mesh.idle.copy(), injection_pu, self._slack, weights, none, self._free,
            MAX_ITERATIONS, tolerance_pu,
        )  # fmt: skip
        voltage, iterations = np.array(self._solver.get_V()), int(self._solver.get_nb_iter())
        # Newton may also settle on the lower, unstable branch of the solution
        sound = solved and bool((np.abs(voltage) ** 2 > COLLAPSE_PU2).all())
        return (voltage if sound else None), iterations

    def _measure(self, voltage: np.ndarray, p_kw: np.ndarray, flow: Flow, world: int) -> None:
        """Magnitudes, loadings, slack power and losses of one solved world."""
        mesh = self.mesh
        ends = np.stack([voltage[mesh.f_bus], voltage[mesh.t_bus]], axis=1)
        current = np.stack(
            [
                mesh.admittance[:, 0] * ends[:, 0] + mesh.admittance[:, 1] * ends[:, 1],
                mesh.admittance[:, 2] * ends[:, 0] + mesh.admittance[:, 3] * ends[:, 1],
            ],
            axis=1,
        )
        leaving = current[mesh.f_bus == mesh.root, 0].sum() + current[mesh.t_bus == mesh.root, 1].sum()
        leaving += mesh.shunt[mesh.root] * voltage[mesh.root]
        fed_kw = float((voltage[mesh.root] * leaving.conjugate()).real) * mesh.base_kva
        flow.voltage_pu[world] = np.abs(voltage)
        flow.loading[world] = (np.abs(current) / mesh.rating_pu).max(axis=1)
        # what is injected at the root itself does not come from the upper grid
        flow.slack_p_kw[world] = fed_kw - p_kw[mesh.root]
        flow.losses_kw[world] = flow.slack_p_kw[world] + p_kw.sum()
        flow.converged[world] = True
