"""A village street for tests: 50 kVA transformer, seven low-voltage buses on two weak branches, PV at the far
ends.

The trunk is short, the two branches are thin cable, so a sunny noon lifts the far ends above 1.05 pu while
the evening peak leaves the transformer moderately loaded. All numbers are chosen, none is measured.
"""

from __future__ import annotations

from typing import Any

# (name, parent, length in km) of the low-voltage buses below the busbar
STREET = (
    ("west 1", "busbar", 0.15),
    ("west 2", "west 1", 0.12),
    ("west 3", "west 2", 0.15),
    ("east 1", "busbar", 0.10),
    ("east 2", "east 1", 0.10),
    ("east 3", "east 2", 0.15),
)
LOADS_KW = {"west 1": 5.0, "west 2": 4.0, "west 3": 6.0, "east 1": 5.0, "east 2": 3.0, "east 3": 7.0}
PV_KW = {"west 3": 18.0, "east 2": 10.0, "east 3": 16.0}
STORAGE_KW_KWH = {"west 3": (5.0, 10.0), "east 3": (4.0, 8.0)}
POWER_FACTOR_TANGENT = 0.2  # kvar drawn per kW drawn


def build() -> Any:
    """The case as a pandapower net."""
    import pandapower as pp

    net = pp.create_empty_network(name="tiny", sn_mva=0.1)
    upper = pp.create_bus(net, vn_kv=20.0, name="medium voltage")
    bus = {"busbar": pp.create_bus(net, vn_kv=0.4, name="busbar")}
    pp.create_ext_grid(net, upper, vm_pu=1.02)
    pp.create_transformer_from_parameters(
        net,
        upper,
        bus["busbar"],
        sn_mva=0.05,
        vn_hv_kv=20.0,
        vn_lv_kv=0.4,
        vkr_percent=2.1,
        vk_percent=4.0,
        pfe_kw=0.11,
        i0_percent=0.25,
        shift_degree=150.0,
        name="village transformer",
    )
    for name, parent, length_km in STREET:
        bus[name] = pp.create_bus(net, vn_kv=0.4, name=name)
        pp.create_line(net, bus[parent], bus[name], length_km, std_type="NAYY 4x50 SE", name=f"line {name}")
    for name, p_kw in LOADS_KW.items():
        q_mvar = POWER_FACTOR_TANGENT * p_kw / 1000
        pp.create_load(net, bus[name], p_mw=p_kw / 1000, q_mvar=q_mvar, name=f"house {name}")
    for name, p_kw in PV_KW.items():
        pp.create_sgen(net, bus[name], p_mw=p_kw / 1000, type="PV", name=f"roof {name}")
    for name, (p_kw, e_kwh) in STORAGE_KW_KWH.items():
        pp.create_storage(net, bus[name], p_mw=0.0, max_e_mwh=e_kwh / 1000, sn_mva=p_kw / 1000, name=f"battery {name}")
    net.storage["efficiency_percent"] = 95.0
    return net
