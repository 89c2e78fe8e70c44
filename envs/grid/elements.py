"""What a net states of its elements, tested by name before pandapower is asked, which would only not converge."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.grid.equipment import text
from envs.grid.errors import GridError

ANY, NOT_NEGATIVE, POSITIVE = "finite", "finite and >= 0", "finite and > 0"
RULES: dict[str, dict[str, str]] = {
    "bus": {"vn_kv": POSITIVE},
    "ext_grid": {"vm_pu": POSITIVE, "va_degree": ANY},
    "load": {"p_mw": ANY, "q_mvar": ANY, "scaling": ANY},
    "sgen": {"p_mw": ANY, "q_mvar": ANY, "scaling": ANY},
    "shunt": {"p_mw": ANY, "q_mvar": ANY},
    "line": {
        "length_km": POSITIVE,
        "r_ohm_per_km": NOT_NEGATIVE,
        "x_ohm_per_km": ANY,
        "c_nf_per_km": NOT_NEGATIVE,
        "g_us_per_km": NOT_NEGATIVE,
        "parallel": POSITIVE,
    },
    "trafo": {
        "sn_mva": POSITIVE,
        "vn_hv_kv": POSITIVE,
        "vn_lv_kv": POSITIVE,
        "vk_percent": POSITIVE,
        "vkr_percent": NOT_NEGATIVE,
        "pfe_kw": NOT_NEGATIVE,
        "i0_percent": NOT_NEGATIVE,
        "parallel": POSITIVE,
    },
    "impedance": {"rft_pu": NOT_NEGATIVE, "rtf_pu": NOT_NEGATIVE, "xft_pu": ANY, "xtf_pu": ANY},
}
SERIES = {  # pairs of which one has to differ from 0
    "line": (("r_ohm_per_km", "x_ohm_per_km"),),
    "impedance": (("rft_pu", "xft_pu"), ("rtf_pu", "xtf_pu")),
}


def check_elements(net: Any, name: str) -> None:
    """Raise GridError, by the element's name, for a figure in service that no element can have: one that is not
    finite, a negative resistance, a branch without impedance, bounds of the voltage that exclude each other.
    """
    for table, columns in RULES.items():
        elements = net[table][net[table].in_service]
        for column, rule in columns.items():
            if column in elements:
                _refuse_first(elements, table, column, rule, name)
    for table, pairs in SERIES.items():
        elements = net[table][net[table].in_service]
        for resistance, reactance in pairs:
            for index in elements.index[(elements[resistance] == 0) & (elements[reactance] == 0)]:
                raise GridError(
                    f"{name}: {_called(elements, table, index)} has {resistance} = {reactance} = 0; a branch has an "
                    "impedance: take a closed switch for one without"
                )
    trafo = net.trafo[net.trafo.in_service]
    for index in trafo.index[trafo.vkr_percent > trafo.vk_percent]:
        raise GridError(f"{name}: {_called(trafo, 'trafo', index)} has vkr_percent above its vk_percent")
    if "min_vm_pu" in net.bus and "max_vm_pu" in net.bus:
        bus = net.bus[net.bus.in_service]
        for index in bus.index[bus.min_vm_pu > bus.max_vm_pu]:
            raise GridError(
                f"{name}: {_called(bus, 'bus', index)} has min_vm_pu = {bus.min_vm_pu[index]:g} above max_vm_pu = "
                f"{bus.max_vm_pu[index]:g}"
            )


def _refuse_first(elements: Any, table: str, column: str, rule: str, name: str) -> None:
    values = np.asarray(elements[column], float)
    wrong = ~np.isfinite(values)
    if rule != ANY:
        wrong |= values < 0.0 if rule == NOT_NEGATIVE else values <= 0.0
    for row in np.flatnonzero(wrong)[:1].tolist():
        called = _called(elements, table, elements.index[row])
        raise GridError(f"{name}: {called} has {column} = {values[row]:g}; allowed: {rule}")


def _called(elements: Any, table: str, index: Any) -> str:
    """The table, the index, and the name where the net gives one."""
    position = int(np.flatnonzero(elements.index == index)[0])
    named = text(elements["name"].iloc[position], "")
    return f"{table} {index} ({named})" if named else f"{table} {index}"
