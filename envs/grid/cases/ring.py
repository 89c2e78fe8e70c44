"""A village fed by a closed ring of thin cable with a tie across it: two loops, one of them through the busbar.

The transformer is ample and the cables are not, so a sunny noon lifts the far side of the ring above 1.05 pu, and power
reaches every house but one two ways. All numbers are chosen, none is measured.
"""

from __future__ import annotations

from typing import Any

# (name, from, to, length in km); the last two close the loops
CABLES = (
    ("north 1", "busbar", "north 1", 0.10),
    ("north 2", "north 1", "north 2", 0.12),
    ("north 3", "north 2", "north 3", 0.14),
    ("south 1", "busbar", "south 1", 0.16),
    ("south 2", "south 1", "south 2", 0.12),
    ("south 3", "south 2", "south 3", 0.10),
    ("spur", "north 3", "spur", 0.12),
    ("ring", "north 3", "south 3", 0.15),
    ("tie", "north 1", "south 2", 0.20),
)
LOADS_KW = {
    "north 1": 8.0, "north 2": 6.0, "north 3": 9.0, "south 1": 7.0, "south 2": 8.0, "south 3": 6.0, "spur": 5.0,
}  # fmt: skip
PV_KW = {"north 2": 14.0, "north 3": 26.0, "south 2": 12.0, "south 3": 22.0, "spur": 15.0}
STORAGE_KW_KWH = {"north 3": (8.0, 16.0), "south 3": (8.0, 16.0)}
POWER_FACTOR_TANGENT = 0.2  # kvar drawn per kW drawn


def build() -> Any:
    """The case as a pandapower net."""
    import pandapower as pp

    net = pp.create_empty_network(name="ring", sn_mva=0.1)
    upper = pp.create_bus(net, vn_kv=20.0, name="medium voltage")
    bus = {"busbar": pp.create_bus(net, vn_kv=0.4, name="busbar")}
    pp.create_ext_grid(net, upper, vm_pu=1.01)
    pp.create_transformer(net, upper, bus["busbar"], std_type="0.25 MVA 20/0.4 kV", name="village transformer")
    for name in LOADS_KW:
        bus[name] = pp.create_bus(net, vn_kv=0.4, name=name)
    for name, start, end, length_km in CABLES:
        pp.create_line(net, bus[start], bus[end], length_km, std_type="NAYY 4x50 SE", name=f"cable {name}")
    for name, p_kw in LOADS_KW.items():
        q_mvar = POWER_FACTOR_TANGENT * p_kw / 1000
        pp.create_load(net, bus[name], p_mw=p_kw / 1000, q_mvar=q_mvar, name=f"house {name}")
    for name, p_kw in PV_KW.items():
        pp.create_sgen(net, bus[name], p_mw=p_kw / 1000, type="PV", name=f"roof {name}")
    for name, (p_kw, e_kwh) in STORAGE_KW_KWH.items():
        pp.create_storage(net, bus[name], p_mw=0.0, max_e_mwh=e_kwh / 1000, sn_mva=p_kw / 1000, name=f"battery {name}")
    net.storage["efficiency_percent"] = 95.0
    return net
