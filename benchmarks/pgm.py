"""A net of ours as a power-grid-model, to be timed beside the sweep on the same injections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import power_grid_model as pgm

from envs.grid.newton import Mesh

RATED_V = 1000.0  # of every node: the mesh is in per unit, so any one voltage will do
STIFF_VA = 1e20  # short-circuit power of the source: the external grid holds its voltage


def batch_solver(mesh: Mesh, p_kw: np.ndarray, q_kvar: np.ndarray) -> Callable[[], np.ndarray]:
    """A call that solves injections (worlds, buses) > 0 into the grid and returns voltages (worlds, buses) in pu.

    One thread, Newton-Raphson, tolerance 1e-8 as the library's default.
    """
    model = pgm.PowerGridModel(_input(mesh))
    update = pgm.initialize_array("update", "sym_load", p_kw.shape)
    update["id"] = _first_load(mesh) + np.arange(mesh.bus_count)
    update["p_specified"], update["q_specified"] = -1000.0 * p_kw, -1000.0 * q_kvar

    def solve() -> np.ndarray:
        answer = model.calculate_power_flow(
            update_data={"sym_load": update}, output_component_types=["node"], threading=-1
        )
        return np.asarray(answer["node"]["u_pu"])

    return solve


def _first_load(mesh: Mesh) -> int:
    """Numbers are one range: nodes, branches, loads, the source."""
    return mesh.bus_count + len(mesh.f_bus)


def _input(mesh: Mesh) -> dict[str, Any]:
    if mesh.shunt.any():
        raise ValueError(f"{mesh.name} has shunts, which this translation leaves out")
    buses = np.arange(mesh.bus_count)
    node = pgm.initialize_array("input", "node", mesh.bus_count)
    node["id"], node["u_rated"] = buses, RATED_V
    load = pgm.initialize_array("input", "sym_load", mesh.bus_count)
    load["id"], load["node"], load["status"] = _first_load(mesh) + buses, buses, 1
    load["type"], load["p_specified"], load["q_specified"] = pgm.LoadGenType.const_power, 0.0, 0.0
    source = pgm.initialize_array("input", "source", 1)
    source["id"], source["node"], source["status"] = _first_load(mesh) + mesh.bus_count, mesh.root, 1
    source["u_ref"], source["sk"] = abs(mesh.idle[mesh.root]), STIFF_VA
    return {"node": node, "generic_branch": _branches(mesh), "sym_load": load, "source": source}


def _branches(mesh: Mesh) -> np.ndarray:
    """Two-ports as a series impedance behind an ideal ratio at the from end, half of the shunt at each end."""
    ff, ft, tf, tt = mesh.admittance.T
    ratio = np.sqrt(np.abs(tt / ff)) * np.exp(0.5j * np.angle(ft / tf))
    # the angle is known up to half a turn: a series resistance is positive
    ratio = np.where((-tf * ratio).real < 0.0, -ratio, ratio)
    series_pu = -tf * ratio
    shunt_pu = 2.0 * (tt - series_pu)
    base_ohm = RATED_V**2 / (mesh.base_kva * 1000.0)
    branch = pgm.initialize_array("input", "generic_branch", len(ff))
    branch["id"] = mesh.bus_count + np.arange(len(ff))
    branch["from_node"], branch["to_node"] = mesh.f_bus, mesh.t_bus
    branch["from_status"], branch["to_status"] = 1, 1
    branch["r1"], branch["x1"] = (1.0 / series_pu).real * base_ohm, (1.0 / series_pu).imag * base_ohm
    branch["g1"], branch["b1"] = shunt_pu.real / base_ohm, shunt_pu.imag / base_ohm
    branch["k"], branch["theta"] = np.abs(ratio), np.angle(ratio)
    return branch
