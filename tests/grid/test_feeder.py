"""Names, cache, equipment, profiles, and the nets that a feeder cannot hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandapower
import pytest

from envs.grid import cache
from envs.grid.feeder import Feeder, GridError, load_feeder
from envs.grid.profiles import load_profiles
from envs.grid.sources import build_net, find_source
from tests.grid.conftest import RURAL, SEMIURBAN, TINY

CASE = """
import pandapower as pp
def build():
    net = pp.create_empty_network()
    bus = [pp.create_bus(net, 0.4) for _ in range(3)]
    pp.create_ext_grid(net, bus[0])
    for a, b in ((0, 1), (1, 2)):
        pp.create_line(net, bus[a], bus[b], 0.1, std_type='NAYY 4x150 SE', name=f'{a}-{b}')
    pp.create_load(net, bus[2], 0.005)
    EXTRA
    return net
"""


def write_case(folder: Path, name: str, extra: str = "pass") -> str:
    (folder / f"{name}.py").write_text(CASE.replace("EXTRA", extra))
    return f"case:{name}"


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gridpact"


def test_rural_feeder_is_the_one_described(rural: Feeder) -> None:
    assert rural.bus_count == 15
    assert (len(rural.loads.bus), len(rural.generators.bus), len(rural.storages.bus)) == (28, 8, 5)
    assert load_profiles(RURAL).pv_p_w.sum(axis=1).max() / 1000 == pytest.approx(266, abs=1)
    assert rural.is_transformer.tolist() == [False, True] + [False] * 13
    assert rural.rating_child_pu[1] * rural.base_kva == pytest.approx(160, rel=0.01)
    assert rural.storages.p_max_kw[0] == pytest.approx(73.4, abs=0.1)
    assert rural.storages.e_max_kwh[0] == pytest.approx(146.7, abs=0.1)
    assert rural.storages.efficiency.tolist() == [0.95] * 5
    assert abs(rural.slack_voltage_pu) == 1.025
    assert (rural.band_low_pu[1:] == 0.9).all()
    assert (rural.band_high_pu[1:] == 1.1).all()


def test_arrays_are_consistent_and_read_only(rural: Feeder) -> None:
    assert (rural.parent[1:] < np.arange(1, rural.bus_count)).all()
    assert rural.parent[0] == -1
    assert len({tuple(point) for point in rural.position.tolist()}) > 5
    with pytest.raises(ValueError, match="read-only"):
        rural.z[1] = 0
    with pytest.raises(GridError, match="no supplied bus 99"):
        rural.bus_of(99)


def test_tiny_gets_a_tree_layout(tiny: Feeder) -> None:
    assert len({tuple(point) for point in tiny.position.tolist()}) == tiny.bus_count
    assert tiny.bus_name[tiny.generators.bus[0]] == "west 3"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("1-LV-rural1--2-sw", "no known kind"),
        ("simbench:1-LV-rural1--2-sx", "1-LV-rural1--2-sw"),
        ("pandapower:case33bv", "case33bw"),
        ("pandapower:case118", "gen elements"),
        ("pandapower:mv_oberrhein", "2 external grids"),
        ("case:tinny", r"did you mean tiny\? allowed: "),
        ("case:nope", "unknown case 'nope'; allowed: .*six_node, .*tiny"),
        ("case:../tiny", "unknown case"),
    ],
)
def test_names_and_nets_that_do_not_fit(name: str, message: str) -> None:
    with pytest.raises(GridError, match=message):
        load_feeder(name)


CONTROL = "from pandapower.control import ConstControl; ConstControl(net, 'load', 'p_mw', 0, in_service=True)"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("pp.create_gen(net, 2, 0.001, vm_pu=1.0)", "gen elements"),
        ("pp.create_ext_grid(net, 2)", "2 external grids"),
        ("net.load['const_z_p_percent'] = 50.0", "constant-power"),
        (CONTROL, r"controllers in service \(ConstControl\)"),
        ("net = 3", "pandapowerNet"),
    ],
)
def test_unsupported_cases_say_why(tmp_path: Path, own_cache: Path, extra: str, message: str) -> None:
    name = write_case(tmp_path, "broken", extra)
    with pytest.raises(GridError, match=message):
        load_feeder(name, [tmp_path])
    assert not own_cache.exists() or not list(own_cache.iterdir())


def test_a_controller_out_of_service_changes_nothing(tmp_path: Path, own_cache: Path) -> None:
    plain = load_feeder(write_case(tmp_path, "plain"), [tmp_path])
    idle = load_feeder(write_case(tmp_path, "idle", CONTROL.replace("=True", "=False")), [tmp_path])
    assert idle.z.tobytes() == plain.z.tobytes()


def test_a_case_without_build_is_refused(tmp_path: Path, own_cache: Path) -> None:
    (tmp_path / "empty.py").write_text("net = None\n")
    with pytest.raises(GridError, match=r"build\(\)"):
        load_feeder("case:empty", [tmp_path])


def test_closed_switches_fuse_buses_and_open_ones_cut(tmp_path: Path, own_cache: Path) -> None:
    fuse = "x = pp.create_bus(net, 0.4, max_vm_pu=1.03); pp.create_switch(net, bus[2], x, et='b')"
    feeder = load_feeder(write_case(tmp_path, "fused", fuse), [tmp_path])
    assert feeder.bus_count == 3
    assert feeder.bus_of(3) == feeder.bus_of(2)
    assert feeder.band_high_pu[feeder.bus_of(3)] == 1.03
    cut = "net.line.drop(1, inplace=True); pp.create_switch(net, bus[1], bus[2], et='b', closed=False)"
    feeder = load_feeder(write_case(tmp_path, "cut", cut), [tmp_path])
    assert feeder.bus_count == 2
    assert len(feeder.loads.bus) == 0


def test_cache_is_used_rebuilt_when_damaged_and_keyed_by_content(tmp_path: Path, own_cache: Path) -> None:
    name = write_case(tmp_path, "mine")
    first = load_feeder(name, [tmp_path])
    (stored,) = own_cache.glob("*.npz")
    again = load_feeder(name, [tmp_path])
    assert again.z.tobytes() == first.z.tobytes()
    stored.write_bytes(b"PK\x03\x04 not an archive")
    with pytest.warns(UserWarning, match="built again"):
        rebuilt = load_feeder(name, [tmp_path])
    assert rebuilt.z.tobytes() == first.z.tobytes()
    assert np.load(stored)["z"].tobytes() == first.z.tobytes()
    write_case(tmp_path, "mine", "net.line['length_km'] *= 2")
    assert load_feeder(name, [tmp_path]).z[1] == pytest.approx(2 * first.z[1], rel=1e-3)
    assert not list(own_cache.glob("*.partial"))


def test_a_cached_grid_needs_no_pandapower(tmp_path: Path) -> None:
    import subprocess
    import sys

    load_profiles(TINY)
    code = (
        "import sys; from envs.grid.profiles import load_profiles; from envs.grid.feeder import load_feeder;"
        f"load_feeder({TINY!r}); load_profiles({TINY!r});"
        "print('pandapower' in sys.modules, 'simbench' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
    assert cache.cache_folder().name == "gridpact"


def test_simbench_profiles_are_the_nets_own() -> None:
    profiles, feeder = load_profiles(RURAL), load_feeder(RURAL)
    assert profiles.load_p_w.shape == (35136, len(feeder.loads.bus))
    assert profiles.pv_p_w.shape == (35136, len(feeder.generators.bus))
    assert str(profiles.start) == "2016-01-01T00:00"
    midnight = profiles.pv_p_w.reshape(-1, 96, profiles.pv_p_w.shape[1])[:, 0]
    assert (midnight == 0).all()
    assert (profiles.pv_p_w.max(axis=0) <= feeder.generators.p_kw * 1000 + 1).all()
    assert load_profiles(SEMIURBAN).load_p_w.shape[1] == len(load_feeder(SEMIURBAN).loads.bus)


def test_borrowed_profiles_peak_at_nominal_power(tiny: Feeder) -> None:
    profiles = load_profiles(TINY)
    assert profiles.source == RURAL
    assert profiles.load_p_w.max(axis=0).tolist() == np.rint(tiny.loads.p_kw * 1000).tolist()
    assert profiles.pv_p_w.max(axis=0).tolist() == np.rint(tiny.generators.p_kw * 1000).tolist()
    assert profiles.load_q_var / 0.2 == pytest.approx(profiles.load_p_w, abs=3.1)
    assert not np.array_equal(profiles.load_p_w[:, 0] * 4, profiles.load_p_w[:, 1] * 5)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("pp.create_load(net, bus[1], -0.001)", "load 1 has -0.001 MW"),
        ("pp.create_sgen(net, bus[1], -0.001)", "sgen 0 has -0.001 MW"),
        ("pp.create_sgen(net, bus[1], 0.01, q_mvar=-0.004)", "sgen elements with q_mvar"),
        ("pp.create_storage(net, bus[1], 0.0, 0.01, q_mvar=0.001)", "storage elements with q_mvar"),
        ("net.line['max_loading_percent'] = [60.0, 0.0]", "line 1 has max_loading_percent 0.0; allowed: > 0"),
        ("net.line['max_loading_percent'] = -60.0", "line 0 has max_loading_percent -60.0"),
        ("del net.line['max_i_ka']", "no column max_i_ka"),
        ("pp.create_sgen(net, bus[1], 0.01, type='CHP')", "of type CHP and no profiles"),
        ("net.load['p_mw'] = float('nan')", "load 0 has p_mw = nan"),
        ("pp.create_sgen(net, bus[1], float('inf'))", "sgen 0 has p_mw = inf"),
        ("net.line.loc[1, 'r_ohm_per_km'] = -1.0", r"line 1 \(1-2\) has r_ohm_per_km = -1"),
        ("net.line.loc[0, 'length_km'] = 0.0", r"line 0 \(0-1\) has length_km = 0; allowed: finite and > 0"),
        ("net.line[['r_ohm_per_km', 'x_ohm_per_km']] = 0.0", r"line 0 \(0-1\) has r_ohm_per_km = x_ohm_per_km = 0"),
        ("net.bus['min_vm_pu'], net.bus['max_vm_pu'] = 1.05, 0.95", "bus 0 has min_vm_pu = 1.05 above"),
    ],
)
def test_what_no_site_can_be_is_refused_by_name(extra: str, message: str, tmp_path: Path, own_cache: Path) -> None:
    with pytest.raises(GridError, match=message):
        load_profiles(write_case(tmp_path, "odd", extra), [tmp_path])


def test_a_net_written_to_a_file_keeps_its_profiles(tmp_path: Path, own_cache: Path) -> None:
    net = build_net(find_source(RURAL))
    pandapower.to_json(net, str(tmp_path / "rural.json"))
    written, own = load_profiles("file:rural.json", [tmp_path]), load_profiles(RURAL)
    for name in ("load_p_w", "load_q_var", "pv_p_w", "storage_p_w", "storage_pv_w"):
        np.testing.assert_array_equal(getattr(written, name), getattr(own, name))
    net.load.loc[0, "profile"] = "H0-Z"
    pandapower.to_json(net, str(tmp_path / "odd.json"))
    with pytest.raises(GridError, match="no profile H0-Z for its load elements"):
        load_profiles("file:odd.json", [tmp_path])


def test_no_house_is_lent_a_charging_point_or_a_heat_pump() -> None:
    profiles = load_profiles("pandapower:case33bw")
    june = profiles.load_p_w[172 * 96 : 173 * 96]
    assert (june > 0).all()
