"""A year of quarter-hour profiles for a feeder's loads and photovoltaic generators.

SimBench nets bring their own, by code or written to a file. A net without profiles borrows the shapes of
SimBench's `1-LV-rural1--2-sw`: its distinct profiles of households, farms and shops and its distinct PV profiles are
dealt out in turn, each scaled so that its peak equals the element's nominal power, reactive power following active
power at the nominal ratio. Charging points and heat pumps are not lent: alone they would be houses that use nothing
in June.

A storage profile of SimBench's low-voltage nets is a plant and its battery together, as they serve the load behind the
same meter: `Storage_PV5_H0-A` follows the plant `PV5` and the load `H0-A` and never draws. What it gives beyond the
plant's own profile is the battery's part, < 0 while it charges; its losses agree with the 95 % one way that the storage
table states, and it never runs empty below zero.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envs.grid.cache import cached
from envs.grid.errors import GridError
from envs.grid.feeder import load_feeder
from envs.grid.sources import build_net, find_source

PERIODS_PER_DAY = 96
BORROWED = "simbench:1-LV-rural1--2-sw"
CHARGING_AT_HOME, CHARGING_AT_WORK = "HLS", "APLS"  # how SimBench's profiles of appliances begin
CHARGING, HEAT_PUMPS = (CHARGING_AT_HOME, CHARGING_AT_WORK), ("Air_", "Soil_")
SUN = "PV"  # how those of PV plants begin
PLANT_IN_STORAGE = re.compile(r"Storage_(PV\d+)_")  # which plant a storage profile holds


@dataclass(frozen=True)
class Profiles:
    """Integer W and var by period, columns in the feeder's order of loads, generators and storages.

    Loads are positive when they draw, generators and storages when they inject. A storage without a profile that tells
    plant and battery apart has zeros.
    """

    load_p_w: np.ndarray  # (periods, loads) int64
    load_q_var: np.ndarray  # (periods, loads) int64
    pv_p_w: np.ndarray  # (periods, generators) int64
    storage_p_w: np.ndarray  # (periods, storages) int64, the battery's part of a storage profile
    storage_pv_w: np.ndarray  # (periods, storages) int64, the plant's
    start: np.datetime64  # beginning of the first period, local time of the profiles
    source: str  # the grid that the profiles were made for
    periods_per_day: int = PERIODS_PER_DAY

    @property
    def periods(self) -> int:
        """Number of periods: 35 136 in a leap year, 35 040 otherwise."""
        return len(self.load_p_w)

    @property
    def storage_planned(self) -> np.ndarray:
        """(storages,) bool: whose profile tells plant and battery apart."""
        return np.asarray(self.storage_pv_w.any(axis=0))


def load_profiles(name: str, case_folders: Sequence[Path] = ()) -> Profiles:
    """The profiles of a feeder, from the cache where they are there.

    Raises GridError as `load_feeder` does, for a net with profiles of another step than quarter-hours or not for all
    its elements, and for one without profiles that has plants which are no photovoltaics: nothing could be lent them.
    """
    source = find_source(name, case_folders)
    arrays = cached(name, "profiles", source.content, lambda: _own_arrays(build_net(source), name))
    if not arrays:
        return _borrowed_profiles(name, case_folders)
    return Profiles(
        arrays["load_p_w"].astype(np.int64),
        arrays["load_q_var"].astype(np.int64),
        arrays["pv_p_w"].astype(np.int64),
        arrays["storage_p_w"].astype(np.int64),
        arrays["storage_pv_w"].astype(np.int64),
        np.datetime64(arrays["start"].item(), "m"),
        name,
    )


def _own_arrays(net: Any, name: str) -> Mapping[str, np.ndarray]:
    """The profiles that a net brings in SimBench's form, by code or in a file; nothing where it brings none."""
    if not net.get("profiles"):
        _require_photovoltaics(net, name)
        return {}
    for table, kind in (("load", "load"), ("sgen", "renewables")):
        known = {column.removesuffix("_pload") for column in net.profiles[kind].columns} | set(
            net.profiles["powerplants"]
        )
        missing = sorted({str(each) for each in net[table].get("profile", [None] * len(net[table]))} - known)
        if missing:
            raise GridError(f"{name}: no profile {', '.join(missing)} for its {table} elements; bring all, or none")
    return _simbench_arrays(net, name)


def _require_photovoltaics(net: Any, name: str) -> None:
    types = net.sgen.type[net.sgen.in_service] if "type" in net.sgen else []
    others = sorted({str(each) for each in types if isinstance(each, str) and each and "pv" not in each.lower()})
    if others:
        raise GridError(
            f"{name} has sgen elements of type {', '.join(others)} and no profiles; allowed without profiles: PV"
        )


def _simbench_arrays(net: Any, name: str) -> Mapping[str, np.ndarray]:
    """int32 on disk: half the bytes, and no element of a distribution grid reaches 2 GW."""
    import simbench

    from envs.grid.convert import feeder_arrays
    from envs.grid.equipment import kept_rows

    feeder = feeder_arrays(net, name)
    bus_map = dict(zip(feeder["pandapower_bus"].tolist(), feeder["feeder_bus"].tolist(), strict=True))
    values = simbench.get_absolute_values(net, profiles_instead_of_study_cases=True)
    arrays: dict[str, np.ndarray] = {}
    for key, table, column in (
        ("load_p_w", "load", "p_mw"),
        ("load_q_var", "load", "q_mvar"),
        ("pv_p_w", "sgen", "p_mw"),
    ):
        kept = net[table][kept_rows(net[table], bus_map)]
        profile_mw = values[(table, column)][kept.index].to_numpy(float)  # (periods, kept elements)
        arrays[key] = np.rint(profile_mw * np.asarray(kept.scaling, float) * 1e6).astype(np.int32)
    storages = net.storage[kept_rows(net.storage, bus_map)]
    arrays["storage_p_w"], arrays["storage_pv_w"] = _storage_parts(net, storages, len(arrays["load_p_w"]))
    times = net.profiles["load"]["time"]
    arrays["start"] = np.asarray(_moment(str(times.iloc[0])))
    step = _moment(str(times.iloc[1])) - _moment(str(times.iloc[0]))
    if step != np.timedelta64(15, "m"):
        raise GridError(f"{name}: profiles have a step of {step}; allowed: 15 minutes")
    return arrays


def _storage_parts(net: Any, storages: Any, periods: int) -> tuple[np.ndarray, np.ndarray]:
    """(periods, storages) int32 W of each battery and of each plant in the storage profiles."""
    battery_w, plant_w = (np.zeros((periods, len(storages)), np.int32) for _ in range(2))
    names = storages["profile"] if "profile" in storages else [None] * len(storages)
    rated_w = np.abs(np.asarray(storages.p_mw, float) * np.asarray(storages.scaling, float)) * 1e6
    for k, name in enumerate(names):
        found = PLANT_IN_STORAGE.match(name) if isinstance(name, str) else None
        if found is None or found[1] not in net.profiles["renewables"] or name not in net.profiles["storage"]:
            continue
        plant = net.profiles["renewables"][found[1]].to_numpy(float)
        both = net.profiles["storage"][name].to_numpy(float)
        plant_w[:, k] = np.rint(plant * rated_w[k])
        battery_w[:, k] = np.rint((both - plant) * rated_w[k])
    return battery_w, plant_w


def _moment(text: str) -> np.datetime64:
    """SimBench writes `31.12.2016 23:45`."""
    date, clock = text.split()
    day, month, year = date.split(".")
    return np.datetime64(f"{year}-{month}-{day}T{clock}", "m")


def _borrowed_profiles(name: str, case_folders: Sequence[Path]) -> Profiles:
    feeder, lender = load_feeder(name, case_folders), load_feeder(BORROWED)
    lent = load_profiles(BORROWED)
    whole = ~np.char.startswith(lender.loads.profile[:, None], [*CHARGING, *HEAT_PUMPS]).any(axis=1)  # (loads,) bool
    load_shape = _dealt_shapes(lender.loads.profile[whole], lent.load_p_w[:, whole], len(feeder.loads.p_kw))
    pv_shape = _dealt_shapes(lender.generators.profile, lent.pv_p_w, len(feeder.generators.p_kw))
    nothing = np.zeros((lent.periods, len(feeder.storages.e_max_kwh)), np.int64)
    return Profiles(
        np.rint(load_shape * feeder.loads.p_kw * 1000.0).astype(np.int64),
        np.rint(load_shape * feeder.loads.q_kvar * 1000.0).astype(np.int64),
        np.rint(pv_shape * feeder.generators.p_kw * 1000.0).astype(np.int64),
        nothing,
        nothing,
        lent.start,
        BORROWED,
    )


def _dealt_shapes(profile: np.ndarray, power_w: np.ndarray, count: int) -> np.ndarray:
    """(periods, count) shapes with peak 1: the distinct profiles in order of appearance, dealt out in
    turn."""
    first = sorted({str(name): column for column, name in reversed(list(enumerate(profile)))}.values())
    shapes = power_w[:, first] / power_w[:, first].max(axis=0)  # (periods, distinct profiles)
    return shapes[:, np.arange(count) % len(first)]
