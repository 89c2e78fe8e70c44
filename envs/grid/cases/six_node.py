"""The six-node case of paper 000, section 4: a weak low-voltage feeder whose last node feeds in too much.

From the paper: six nodes; 1, 2, 5 and 6 have generators and loads, 3 and 4 only loads; node 1 meets the grid; when
nobody regulates, the output of node 6 causes an over-voltage there. The paper prints its topology, impedances and
curves as pictures only, so these are ours:

    grid - 1 -- 2 -- 3 -- 5 -- 6      0.4 kV, cable NAYY 4x150 SE (0.208 + 0.080j ohm/km, 270 A)
                     |
                     4

with 0.25, 0.25, 0.20 (to node 4), 0.30 and 0.35 km; the grid holds node 1 at 1.00 pu. Loads and plants are in the
tables below; a day's curves are the shapes that a net without profiles borrows, scaled to these peaks. The nodes' own
limits are the paper-like band of 0.95 to 1.05 pu.
"""

from __future__ import annotations

from typing import Any

LINES = ((1, 2, 0.25), (2, 3, 0.25), (3, 4, 0.20), (3, 5, 0.30), (5, 6, 0.35))  # from, to, km
LOADS_KW = {1: 15.0, 2: 12.0, 3: 14.0, 4: 8.0, 5: 8.0, 6: 6.0}
PLANTS_KW = {1: 15.0, 2: 15.0, 5: 12.0, 6: 38.0}
POWER_FACTOR_TANGENT = 0.2  # kvar drawn per kW drawn
BAND_PU = (0.95, 1.05)


def build() -> Any:
    """The case as a pandapower net."""
    import pandapower as pp

    net = pp.create_empty_network(name="six_node", sn_mva=0.1)
    low_pu, high_pu = BAND_PU
    bus = {
        node: pp.create_bus(net, vn_kv=0.4, name=f"node {node}", min_vm_pu=low_pu, max_vm_pu=high_pu)
        for node in LOADS_KW
    }
    pp.create_ext_grid(net, bus[1], vm_pu=1.0)
    for start, end, length_km in LINES:
        name = f"line {start}-{end}"
        pp.create_line(net, bus[start], bus[end], length_km, std_type="NAYY 4x150 SE", name=name)
    for node, p_kw in LOADS_KW.items():
        q_mvar = POWER_FACTOR_TANGENT * p_kw / 1000
        pp.create_load(net, bus[node], p_mw=p_kw / 1000, q_mvar=q_mvar, name=f"node {node}")
    for node, p_kw in PLANTS_KW.items():
        pp.create_sgen(net, bus[node], p_mw=p_kw / 1000, type="PV", name=f"plant {node}")
    return net
