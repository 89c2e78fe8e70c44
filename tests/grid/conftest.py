"""Shared helpers: nominal injections and pandapower's own answer for the same net."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.grid.equipment import text
from envs.grid.feeder import Feeder, load_feeder
from envs.grid.newton import Mesh
from envs.grid.sources import build_net, find_source
from envs.grid.sweep import Flow

RURAL = "simbench:1-LV-rural1--2-sw"
SEMIURBAN = "simbench:1-LV-semiurb4--2-sw"
CASE33 = "pandapower:case33bw"
TINY = "case:tiny"
SIX_NODE = "case:six_node"


def injections(feeder: Feeder, load_p_kw: Any, load_q_kvar: Any, pv_p_kw: Any) -> tuple[np.ndarray, np.ndarray]:
    """Net (buses,) injections of drawn loads and injected PV."""
    p_kw, q_kvar = np.zeros(feeder.bus_count), np.zeros(feeder.bus_count)
    np.add.at(p_kw, feeder.loads.bus, -np.asarray(load_p_kw))
    np.add.at(q_kvar, feeder.loads.bus, -np.asarray(load_q_kvar))
    np.add.at(p_kw, feeder.generators.bus, np.asarray(pv_p_kw))
    return p_kw, q_kvar


def pandapower_net(name: str, load_p_kw: Any, load_q_kvar: Any, pv_p_kw: Any) -> Any:
    """The net with these powers, solved by Newton-Raphson; storages stand still."""
    import pandapower

    net = build_net(find_source(name))
    net.load["p_mw"], net.load["q_mvar"] = np.asarray(load_p_kw) / 1000, np.asarray(load_q_kvar) / 1000
    net.sgen["p_mw"], net.sgen["q_mvar"] = np.asarray(pv_p_kw) / 1000, 0.0
    if len(net.storage):
        net.storage["scaling"] = 0.0
    pandapower.runpp(net, trafo_model="t", tolerance_mva=1e-10, numba=False)
    return net


def loading_of_limit(net: Any, table: str, index: int) -> float:
    """pandapower's loading of a solved line or transformer, as a share of the most that the net allows it."""
    most_percent = net[table].get("max_loading_percent", {}).get(index, np.nan)
    return float(net[f"res_{table}"].loading_percent[index]) / (100.0 if np.isnan(most_percent) else most_percent)


def assert_agrees(grid: Feeder | Mesh, flow: Flow, net: Any, kw: float = 1e-6) -> None:
    """Voltages and loadings to 1e-7 pu of pandapower's answer, losses and the slack's power to ``kw``.

    A feeder's first branch is none: the root has no parent.
    """
    assert flow.converged
    for index in net.bus.index[net.bus.in_service]:
        assert flow.voltage_pu[grid.bus_of(index)] == pytest.approx(net.res_bus.vm_pu[index], abs=1e-7)
    loading = dict(zip(grid.branch_name.tolist(), flow.loading.tolist(), strict=True))
    compared, losses_mw = 0, 0.0
    for table in ("line", "trafo"):
        for index in net[table].index[net[table].in_service]:
            expected = loading_of_limit(net, table, index)
            found = loading[text(net[table].name[index], f"{table} {index}")]
            assert np.isnan(expected) or found == pytest.approx(expected, abs=1e-7)  # of no rating there is no share
            compared += 1
        losses_mw += float(net[f"res_{table}"].pl_mw.sum())
    assert compared == len(grid.branch_name) - isinstance(grid, Feeder)
    assert flow.losses_kw == pytest.approx(losses_mw * 1000, abs=kw)
    assert flow.slack_p_kw == pytest.approx(float(net.res_ext_grid.p_mw.sum()) * 1000, abs=kw)


@pytest.fixture(scope="session")
def rural() -> Feeder:
    return load_feeder(RURAL)


@pytest.fixture(scope="session")
def tiny() -> Feeder:
    return load_feeder(TINY)
