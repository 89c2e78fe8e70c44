"""Loads, static generators and storages of a pandapower net as plain arrays, out-of-service ones left out."""

from __future__ import annotations

from typing import Any

import numpy as np

STORAGE_EFFICIENCY = 0.95  # where a net states none


def text(value: Any, default: str) -> str:
    """A name as text; pandapower leaves None or NaN where there is none."""
    return value if isinstance(value, str) and value else default


def kept_rows(table: Any, feeder_bus: dict[int, int]) -> np.ndarray:
    """(rows,) bool: elements in service at a bus that the feeder supplies."""
    supplied = np.array([int(bus) in feeder_bus for bus in table.bus], dtype=bool)
    return np.asarray(table.in_service, bool) & supplied


def equipment_arrays(net: Any, feeder_bus: dict[int, int]) -> dict[str, np.ndarray]:
    """The columns of `Loads`, `Generators` and `Storages`, prefixed by table; nominal powers include
    `scaling`."""
    arrays: dict[str, np.ndarray] = {}
    for prefix, name in (("loads", "load"), ("generators", "sgen"), ("storages", "storage")):
        table = net[name][kept_rows(net[name], feeder_bus)]
        names = [text(value, f"{name} {index}") for index, value in zip(table.index, table.name, strict=True)]
        arrays[f"{prefix}.name"] = np.array(names, dtype=str)
        arrays[f"{prefix}.bus"] = np.array([feeder_bus[int(bus)] for bus in table.bus], dtype=np.int64)
        profiles = table["profile"] if "profile" in table else [None] * len(table)
        arrays[f"{prefix}.profile"] = np.array([text(value, "") for value in profiles], dtype=str)
        if name == "storage":
            arrays.update({f"storages.{key}": value for key, value in _storage_ratings(table).items()})
            continue
        scaling = np.asarray(table.scaling, float)
        arrays[f"{prefix}.p_kw"] = np.asarray(table.p_mw, float) * scaling * 1000.0
        arrays[f"{prefix}.q_kvar"] = np.asarray(table.q_mvar, float) * scaling * 1000.0
    return arrays


def _storage_ratings(table: Any) -> dict[str, np.ndarray]:
    """Power from the largest stated figure: SimBench gives the charging side only, as a negative minimum."""
    power_mw = np.zeros(len(table))
    for column in ("p_mw", "min_p_mw", "max_p_mw", "sn_mva"):
        if column in table:
            power_mw = np.fmax(power_mw, np.abs(np.asarray(table[column], float)))
    efficiency = np.full(len(table), STORAGE_EFFICIENCY)
    if "efficiency_percent" in table:
        stated = np.asarray(table.efficiency_percent, float)
        # SimBench writes the fraction into the percent column
        stated = np.where(stated > 1.0, stated / 100.0, stated)
        efficiency = np.where(np.isfinite(stated), stated, efficiency)
    return {
        "p_max_kw": power_mw * 1000.0,
        "e_max_kwh": np.nan_to_num(np.asarray(table.max_e_mwh, float)) * 1000.0,
        "efficiency": efficiency,
    }
