"""Newton's method agrees with pandapower and the sweep, loops and switches included; nets from JSON files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from envs.config import SettingsError
from envs.grid.cache import cache_folder
from envs.grid.feeder import GridError, load_feeder
from envs.grid.messages import exchange
from envs.grid.newton import Mesh, NewtonFlow, load_mesh
from envs.grid.profiles import load_profiles
from envs.grid.sources import build_net, find_source
from envs.grid.sweep import PowerFlow
from envs.world import build_world
from tests.grid.conftest import CASE33, RURAL, SEMIURBAN, TINY, assert_agrees, injections

SHIPPED = [TINY, "case:six_node", RURAL, SEMIURBAN, CASE33, "pandapower:create_kerber_dorfnetz"]

RING = """
import pandapower as pp
import pandapower.networks as networks
def build():
    net = networks.case33bw()
    net.line["in_service"] = True  # the five tie lines close five loops
    net.line["name"] = [f"line {index}" for index in net.line.index]
    pp.create_switch(net, 7, 32, et="l", closed=False)   # one of them stays open at one end
    twin = pp.create_bus(net, 12.66, name="twin")
    pp.create_switch(net, 17, twin, et="b", closed=True)
    pp.create_load(net, twin, 0.05, 0.02)
    pp.create_sgen(net, 24, 0.3)
    return net
"""


def nominal(mesh: Any) -> tuple[np.ndarray, np.ndarray]:
    return injections(mesh, mesh.loads.p_kw, mesh.loads.q_kvar, mesh.generators.p_kw)


def solved_by_pandapower(net: Any) -> Any:
    import pandapower

    if len(net.storage):
        net.storage["scaling"] = 0.0
    net.sgen["q_mvar"] = 0.0
    pandapower.runpp(net, trafo_model="t", tolerance_mva=1e-10, numba=False)
    return net


def assert_agrees_with_pandapower(mesh: Mesh, net: Any) -> None:
    assert_agrees(mesh, NewtonFlow(mesh).solve(*nominal(mesh)), net, kw=1e-4)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_cases_agree_with_pandapower_and_with_the_sweep(name: str) -> None:
    mesh, feeder = load_mesh(name), load_feeder(name)
    assert mesh.loops == 0
    assert_agrees_with_pandapower(mesh, solved_by_pandapower(build_net(find_source(name))))
    flow, swept = NewtonFlow(mesh).solve(*nominal(mesh)), PowerFlow(feeder).solve(*nominal(feeder))
    for index in mesh.pandapower_bus:
        newton_pu, sweep_pu = flow.voltage_pu[mesh.bus_of(index)], swept.voltage_pu[feeder.bus_of(index)]
        assert newton_pu == pytest.approx(sweep_pu, abs=1e-8)


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    load_profiles(RURAL)  # into the shared cache: the lender of profiles need not be read again
    (tmp_path / "cache" / "gridpact").mkdir(parents=True)
    for file in cache_folder().glob("simbench_1_LV_rural1_2_sw-*.npz"):
        shutil.copy(file, tmp_path / "cache" / "gridpact")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "ring.py").write_text(RING)
    return tmp_path


def test_a_meshed_net_with_switches_agrees_with_pandapower(ring: Path) -> None:
    mesh = load_mesh("case:ring", [ring])
    assert mesh.loops == 4
    assert mesh.bus_count == 33 + 1  # the open end of one line; the twin is fused with bus 17
    assert mesh.bus_of(33) == mesh.bus_of(17)
    assert_agrees_with_pandapower(mesh, solved_by_pandapower(build_net(find_source("case:ring", [ring]))))


def test_a_scenario_plays_on_a_meshed_net(ring: Path) -> None:
    (ring / "cases").mkdir()
    (ring / "cases" / "ring.py").write_text(RING)
    world = build_world("tiny", {"grid": {"net": "case:ring"}, "plugins": [str(ring)]})
    assert world.feeder.branch_count - world.feeder.bus_count == 4


def test_a_power_that_no_certificate_states_is_refused_by_its_site(ring: Path) -> None:
    (ring / "cases").mkdir()
    (ring / "cases" / "ring.py").write_text(RING.replace("24, 0.3", "24, 1e6, name='sun'"))
    with pytest.raises(SettingsError, match=r"grid\.net.* could exchange .* W \(allowed: 0 to 10000000000 W\)"):
        build_world("tiny", {"grid": {"net": "case:ring"}, "plugins": [str(ring)]})


def test_a_batch_is_its_worlds_and_collapse_leaks_nothing() -> None:
    mesh = load_mesh(RURAL)
    p_kw, q_kvar = (values * np.linspace(0.2, 1.0, 5)[:, None] for values in nominal(mesh))
    p_kw[3] = -3000.0
    batch = NewtonFlow(mesh).solve(p_kw, q_kvar)
    assert batch.converged.tolist() == [True, True, True, False, True]
    assert not batch.voltage_pu[3].any()
    assert not batch.loading[3].any()
    assert all(np.isfinite(field).all() for field in batch)
    for world in range(5):
        alone = NewtonFlow(mesh).solve(p_kw[world], q_kvar[world])
        assert alone.voltage_pu.tobytes() == batch.voltage_pu[world].tobytes()


def test_bad_input_is_refused() -> None:
    flow = NewtonFlow(load_mesh(TINY))
    with pytest.raises(ValueError, match=r"shapes \(3,\)"):
        flow.solve(np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match="finite"):
        flow.solve(np.full(8, np.inf), np.zeros(8))


def test_a_net_from_a_json_file_is_the_net_that_was_written(ring: Path) -> None:
    import pandapower

    pandapower.to_json(build_net(find_source(TINY)), str(ring / "street.json"))
    name = f"file:{ring / 'street.json'}"
    feeder, original = load_feeder(name), load_feeder(TINY)
    assert feeder.z.tobytes() == original.z.tobytes()
    assert feeder.loads.p_kw.tolist() == original.loads.p_kw.tolist()
    assert load_feeder("file:street.json", [ring]).parent.tolist() == original.parent.tolist()
    world = build_world("tiny", {"grid": {"net": name}})
    assert world.site_names == build_world("tiny").site_names


@pytest.mark.parametrize("content", ["{", "[1, 2]", '{"_module": "os", "_class": "nothing"}'])
def test_a_file_that_is_no_net_is_refused(ring: Path, content: str) -> None:
    (ring / "bad.json").write_text(content)
    with pytest.raises(GridError, match=r"bad\.json"):
        load_feeder(f"file:{ring / 'bad.json'}")
    with pytest.raises(GridError, match="does not exist"):
        load_feeder("file:nowhere.json")


JOINED = """
import pandapower as pp
def build():
    net = pp.create_empty_network()
    bus = [pp.create_bus(net, 20.0) for _ in range(5)]
    pp.create_ext_grid(net, bus[0])
    for a, b in ((0, 1), (1, 2), (2, 3), (0, 4)):
        pp.create_line(net, bus[a], bus[b], 10.0, std_type="NA2XS2Y 1x240 RM/25 12/20 kV", name=f"{a}-{b}")
    net.line["g_us_per_km"] = 2.0
    pp.create_switch(net, 1, 2, "b", closed=True)
    pp.create_switch(net, 4, 0, "b", closed=True)  # joined at the upper grid's bus
    pp.create_load(net, bus[3], 1.0, 0.3)
    return net
"""


@pytest.mark.parametrize("extra", ["", "pp.create_line(net, 0, 3, 12.0, std_type='NA2XS2Y 1x240 RM/25 12/20 kV')"])
def test_a_line_whose_ends_a_switch_joins_still_charges(extra: str, ring: Path) -> None:
    (ring / "joined.py").write_text(JOINED.replace("    return", f"    {extra}\n    return"))
    net = solved_by_pandapower(build_net(find_source("case:joined", [ring])))
    feeder, mesh = load_feeder("case:joined", [ring]), load_mesh("case:joined", [ring])
    assert "1-2" not in mesh.branch_name
    flows = [(feeder, PowerFlow(feeder).solve(*nominal(feeder))), (mesh, NewtonFlow(mesh).solve(*nominal(mesh)))]
    for grid, flow in flows:
        found = [flow.voltage_pu[grid.bus_of(index)] for index in net.bus.index]
        np.testing.assert_allclose(found, net.res_bus.vm_pu, rtol=0.0, atol=1e-7)
        loading = dict(zip(grid.branch_name.tolist(), flow.loading.tolist(), strict=True))
        for line in ("0-1", "2-3"):
            row = net.line.index[net.line.name == line][0]
            assert loading[line] == pytest.approx(net.res_line.loading_percent[row] / 100, abs=1e-7)
        assert flow.slack_p_kw == pytest.approx(float(net.res_ext_grid.p_mw.sum()) * 1000, abs=1e-4)
        assert flow.losses_kw == pytest.approx(float(net.res_line.pl_mw.sum()) * 1000, abs=1e-4)
    if not extra:
        told = exchange(feeder, *nominal(feeder))
        np.testing.assert_allclose(told.voltage_pu, flows[0][1].voltage_pu, rtol=0.0, atol=1e-12)


def test_a_joined_branch_that_overloads_itself_is_refused(ring: Path) -> None:
    (ring / "joined.py").write_text(JOINED.replace("    return", "    net.line['max_i_ka'] = 1e-4\n    return"))
    with pytest.raises(GridError, match="closed switches join the two ends of 1-2"):
        load_feeder("case:joined", [ring])


@pytest.mark.parametrize("load", [load_feeder, load_mesh])
def test_a_net_without_a_branch_is_refused(load: Any, ring: Path) -> None:
    (ring / "joined.py").write_text(JOINED.replace("    return", "    net.line['in_service'] = False\n    return"))
    with pytest.raises(GridError, match="no branch in service"):
        load("case:joined", [ring])
