"""The sweep and pandapower's Newton-Raphson agree on voltages, loadings, losses and the slack's power."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from envs.grid.feeder import load_feeder
from envs.grid.newton import NewtonFlow, load_mesh
from envs.grid.profiles import load_profiles
from envs.grid.sweep import PowerFlow
from tests.grid.conftest import CASE33, RURAL, SEMIURBAN, SIX_NODE, TINY, assert_agrees, injections, pandapower_net

URBAN = "simbench:1-MV-urban--0-sw"
PERIODS = (12 * 4, 96 * 170 + 52, 96 * 340 + 72)  # a winter noon, a summer noon, a December evening


@pytest.mark.parametrize("name", [RURAL, SEMIURBAN, TINY, SIX_NODE])
def test_profile_periods(name: str) -> None:
    feeder, profiles = load_feeder(name), load_profiles(name)
    for period in PERIODS:
        columns = (profiles.load_p_w, profiles.load_q_var, profiles.pv_p_w)
        powers = tuple(column[period] / 1000 for column in columns)
        assert sum(part.sum() for part in powers) > 0
        flow = PowerFlow(feeder).solve(*injections(feeder, *powers))
        assert_agrees(feeder, flow, pandapower_net(name, *powers))


@pytest.mark.parametrize("name", [CASE33, SIX_NODE, "pandapower:create_kerber_dorfnetz"])
def test_nominal_powers(name: str) -> None:
    feeder = load_feeder(name)
    powers = (feeder.loads.p_kw, feeder.loads.q_kvar, feeder.generators.p_kw)
    flow = PowerFlow(feeder).solve(*injections(feeder, *powers))
    assert_agrees(feeder, flow, pandapower_net(name, *powers))


def test_a_simbench_net_of_half_loaded_transformers() -> None:
    feeder = load_feeder(URBAN)
    powers = (feeder.loads.p_kw, feeder.loads.q_kvar, feeder.generators.p_kw)
    flow = PowerFlow(feeder).solve(*injections(feeder, *powers))
    net = pandapower_net(URBAN, *powers)
    assert net.trafo.max_loading_percent.tolist() == [50.0, 50.0]
    assert_agrees(feeder, flow, net, kw=1e-3)
    loading = dict(zip(feeder.branch_name.tolist(), flow.loading.tolist(), strict=True))
    found = [loading[name] for name in net.trafo.name]
    assert found == pytest.approx((net.res_trafo.loading_percent / 50.0).tolist(), abs=1e-7)
    assert max(found) > 0.3


def test_loading_is_of_what_the_net_allows_a_line(tmp_path) -> None:
    import pandapower

    net = pandapower.create_empty_network()
    buses = [pandapower.create_bus(net, 0.4) for _ in range(3)]
    pandapower.create_ext_grid(net, buses[0])
    for one, other in pairwise(buses):
        pandapower.create_line(net, one, other, 0.1, std_type="NAYY 4x150 SE")
    pandapower.create_load(net, buses[2], 0.12)
    net.line["max_loading_percent"] = [60.0, np.nan]
    pandapower.to_json(net, str(tmp_path / "street.json"))
    feeder, mesh = load_feeder("file:street.json", [tmp_path]), load_mesh("file:street.json", [tmp_path])
    pandapower.runpp(net, tolerance_mva=1e-10, numba=False)
    assert 60.0 < net.res_line.loading_percent.max() < 100.0
    expected = net.res_line.loading_percent.to_numpy() / [60.0, 100.0]
    swept = PowerFlow(feeder).solve(*injections(feeder, feeder.loads.p_kw, feeder.loads.q_kvar, []))
    newton = NewtonFlow(mesh).solve(*injections(mesh, mesh.loads.p_kw, mesh.loads.q_kvar, []))
    assert swept.loading[1:] == pytest.approx(expected, abs=1e-7)
    assert newton.loading == pytest.approx(expected, abs=1e-7)


def test_baran_wu_published_figures() -> None:
    feeder = load_feeder(CASE33)
    flow = PowerFlow(feeder).solve(*injections(feeder, feeder.loads.p_kw, feeder.loads.q_kvar, []))
    assert flow.losses_kw == pytest.approx(202.68, abs=0.01)
    assert flow.voltage_pu.min() == pytest.approx(0.9131, abs=1e-4)
    assert feeder.bus_of(17) == int(np.argmin(flow.voltage_pu))


def test_half_open_line_keeps_its_charging(tmp_path) -> None:
    (tmp_path / "stub.py").write_text(
        "import pandapower as pp\n"
        "def build():\n"
        "    net = pp.create_empty_network()\n"
        "    a, b, c = (pp.create_bus(net, 20.0) for _ in range(3))\n"
        "    pp.create_ext_grid(net, a)\n"
        "    pp.create_line(net, a, b, 30.0, std_type='NA2XS2Y 1x240 RM/25 12/20 kV', name='live')\n"
        "    pp.create_line(net, b, c, 30.0, std_type='NA2XS2Y 1x240 RM/25 12/20 kV', name='stub')\n"
        "    pp.create_switch(net, c, 1, et='l', closed=False)\n"
        "    pp.create_load(net, b, 2.0, 0.5)\n"
        "    return net\n"
    )
    import pandapower

    from envs.grid.sources import build_net, find_source

    feeder = load_feeder("case:stub", [tmp_path])
    net = build_net(find_source("case:stub", [tmp_path]))
    pandapower.runpp(net, trafo_model="t", tolerance_mva=1e-10, numba=False)
    flow = PowerFlow(feeder).solve(*injections(feeder, feeder.loads.p_kw, feeder.loads.q_kvar, []))
    assert feeder.bus_count == 3
    assert flow.voltage_pu[feeder.bus_of(1)] == pytest.approx(net.res_bus.vm_pu[1], abs=1e-7)
    assert flow.losses_kw == pytest.approx(net.res_line.pl_mw.sum() * 1000, abs=1e-5)
