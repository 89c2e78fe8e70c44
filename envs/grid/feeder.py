"""A feeder as plain arrays, buses numbered from the root down.

Each bus but the root hangs from its parent by one branch, a two-port seen from both ends. With J the current
that leaves a branch into its child bus, and S > 0 an injection into the grid, paper 000 eq. 8-12 become

    V_c = a V_p - z J_c       J_p += y_eq V_p + k J_c       J_c = shunt_c V_c - conj(S_c / V_c) + children

with a = -Ycp/Ycc, z = 1/Ycc, y_eq = Ypp - Ypc Ycp/Ycc, k = -Ypc/Ycc. (As printed, the paper has the sign and
the conjugates wrong: injection would lower the voltage.) Lines, transformers, taps and line charging fit the
same form. In a weakly meshed net these are the branches of a spanning tree, and those that close loops follow them with
the same four numbers, see `envs.grid.loops`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from envs.grid.cache import cached
from envs.grid.errors import GridError
from envs.grid.loops import Loops, Tree, loops_of
from envs.grid.sources import build_net, find_source

__all__ = ["Feeder", "Generators", "GridError", "Loads", "Storages", "SweepArrays", "load_feeder"]


@dataclass(frozen=True)
class Loads:
    """Loads in the net's order: drawn power is positive here, as nameplates read."""

    name: np.ndarray  # (loads,) text
    bus: np.ndarray  # (loads,) feeder bus
    p_kw: np.ndarray  # (loads,) nominal drawn power
    q_kvar: np.ndarray  # (loads,)
    profile: np.ndarray  # (loads,) name of the profile, "" where the net gives none


@dataclass(frozen=True)
class Generators:
    """Photovoltaic and other static generators: injected power is positive."""

    name: np.ndarray  # (generators,) text
    bus: np.ndarray  # (generators,) feeder bus
    p_kw: np.ndarray  # (generators,) nominal injected power
    q_kvar: np.ndarray  # (generators,)
    profile: np.ndarray  # (generators,) name of the profile, "" where the net gives none


@dataclass(frozen=True)
class Storages:
    """Batteries; the efficiency is of one direction, as the net gives it."""

    name: np.ndarray  # (storages,) text
    bus: np.ndarray  # (storages,) feeder bus
    p_max_kw: np.ndarray  # (storages,) largest charge and discharge power
    e_max_kwh: np.ndarray  # (storages,)
    efficiency: np.ndarray  # (storages,) fraction
    profile: np.ndarray  # (storages,) name of the profile, "" where the net gives none


class SweepArrays(NamedTuple):
    """What the sweep's numba kernels read, see `envs.grid.sweep`."""

    parent: np.ndarray  # (buses,) int64
    a: np.ndarray  # (branches,) complex
    z: np.ndarray  # (branches,) complex
    y_eq: np.ndarray  # (branches,) complex
    k: np.ndarray  # (branches,) complex
    shunt: np.ndarray  # (buses,) complex
    rating_child_pu: np.ndarray  # (branches,)
    strain_parent: np.ndarray  # (branches,) squared loading by a squared current of 1 pu, 0 = unrated
    strain_child: np.ndarray  # (branches,)
    loop_upper: (
        np.ndarray
    )  # (loops,) int64, see `envs.grid.loops`; fields of their own, since kernels copy what they nest
    loop_lower: np.ndarray  # (loops,) int64
    loop_rise: np.ndarray  # (buses, loops) complex
    loop_solve: np.ndarray  # (loops, loops) complex
    slack_voltage_pu: complex
    base_kva: float


@dataclass(frozen=True)
class Feeder:
    """A radial or weakly meshed grid. Bus 0 is the root, `parent[c] < c`, every subtree is a contiguous range of buses.

    Arrays by branch: entry b < buses is the branch that joins bus b to its parent (entry 0 is void: a = 1, the rest
    0, ratings infinite); entry buses + m closes loop m. In a radial net branches and buses are as many. A rating is the
    branch's limit, the net's max_loading_percent of what its nameplate says: a loading of 1 is at the limit.
    """

    name: str
    parent: np.ndarray  # (buses,) int64, -1 at the root
    a: np.ndarray  # (branches,) complex
    z: np.ndarray  # (branches,) complex, pu
    y_eq: np.ndarray  # (branches,) complex, pu
    k: np.ndarray  # (branches,) complex
    shunt: np.ndarray  # (buses,) complex, pu
    slack_voltage_pu: complex
    base_kva: float
    rating_parent_pu: np.ndarray  # (branches,) current at which the parent end is loaded to 1, inf = unrated
    rating_child_pu: np.ndarray  # (branches,)
    is_transformer: np.ndarray  # (branches,) bool
    branch_name: np.ndarray  # (branches,) text
    loop_upper: np.ndarray  # (loops,) int64 bus at the parent end of each branch that closes a loop
    loop_lower: np.ndarray  # (loops,) int64 bus at its child end
    bus_name: np.ndarray  # (buses,) text
    nominal_kv: np.ndarray  # (buses,)
    band_low_pu: np.ndarray  # (buses,) the net's own band
    band_high_pu: np.ndarray  # (buses,)
    position: np.ndarray  # (buses, 2) for drawing: the net's coordinates, else a tree layout
    pandapower_bus: np.ndarray  # (net buses,) index in the pandapower net
    feeder_bus: np.ndarray  # (net buses,) bus of the feeder: buses joined by closed switches share one
    loads: Loads
    generators: Generators
    storages: Storages

    @property
    def bus_count(self) -> int:
        """Number of buses, the root included."""
        return len(self.parent)

    @property
    def branch_count(self) -> int:
        """Length of the arrays by branch: the buses, then the branches that close loops."""
        return len(self.z)

    @property
    def ends(self) -> np.ndarray:
        """(branches, 2) int64: the buses at the parent end and at the child end of each branch; (-1, 0) at the root."""
        tree = np.stack([self.parent, np.arange(self.bus_count)], axis=1)
        return np.concatenate([tree, np.stack([self.loop_upper, self.loop_lower], axis=1)])

    @cached_property
    def loops(self) -> Loops:
        """The loops' responses. Raises GridError for loops without impedance."""
        buses = self.bus_count
        tree = Tree(self.parent, self.a[:buses], self.z[:buses], self.k[:buses])
        found = loops_of(tree, self.loop_upper, self.loop_lower, self.a[buses:], self.z[buses:], self.k[buses:])
        if found is None:
            raise GridError(f"{self.name} has loops without impedance; their currents are not determined")
        return found

    @cached_property
    def sweep_arrays(self) -> SweepArrays:
        """The arrays that the numba kernels take, as one named tuple."""
        return SweepArrays(
            self.parent,
            self.a,
            self.z,
            self.y_eq,
            self.k,
            self.shunt,
            self.rating_child_pu,
            1.0 / self.rating_parent_pu**2,
            1.0 / self.rating_child_pu**2,
            self.loops.upper,
            self.loops.lower,
            self.loops.rise,
            self.loops.solve,
            self.slack_voltage_pu,
            self.base_kva,
        )

    def bus_of(self, pandapower_bus: int) -> int:
        """The feeder's bus of a bus of the pandapower net. Raises GridError for one that is not supplied."""
        found = np.flatnonzero(self.pandapower_bus == pandapower_bus)
        if len(found) == 0:
            raise GridError(f"{self.name} has no supplied bus {pandapower_bus} in its pandapower net")
        return int(self.feeder_bus[found[0]])


def load_feeder(name: str, case_folders: Sequence[Path] = ()) -> Feeder:
    """The feeder `simbench:<code>`, `pandapower:<function>`, `case:<file>` or `file:<net.json>`, from the cache where
    it is there.

    `case_folders` are searched for cases before our own `envs/grid/cases`. Raises GridError for an unknown
    name (with the closest known ones) and for a net that is not one feeder of constant-power equipment.
    """
    source = find_source(name, case_folders)

    def build() -> Mapping[str, np.ndarray]:
        from envs.grid.convert import feeder_arrays

        return feeder_arrays(build_net(source), name)

    return _feeder(name, cached(name, "feeder", source.content, build))


def _feeder(name: str, arrays: Mapping[str, np.ndarray]) -> Feeder:
    values: dict[str, Any] = {"name": name}
    for field in fields(Feeder):
        if field.name in arrays:
            array = arrays[field.name]
            array.setflags(write=False)
            values[field.name] = array.item() if array.ndim == 0 else array
    return Feeder(
        loads=equipment_table(Loads, "loads", arrays),
        generators=equipment_table(Generators, "generators", arrays),
        storages=equipment_table(Storages, "storages", arrays),
        **values,
    )


def equipment_table(kind: type[Any], prefix: str, arrays: Mapping[str, np.ndarray]) -> Any:
    """`Loads`, `Generators` or `Storages` from the arrays of a cache entry, made read-only."""
    columns = {field.name: arrays[f"{prefix}.{field.name}"] for field in fields(kind)}
    for column in columns.values():
        column.setflags(write=False)
    return kind(**columns)
