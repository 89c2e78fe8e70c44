"""Shared helpers: nominal injections and pandapower's own answer for the same net."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.grid.feeder import Feeder, load_feeder
from envs.grid.sources import build_net, find_source

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


@pytest.fixture(scope="session")
def rural() -> Feeder:
    return load_feeder(RURAL)


@pytest.fixture(scope="session")
def tiny() -> Feeder:
    return load_feeder(TINY)
