"""A year of quarter-hour profiles for a feeder's loads and photovoltaic generators.

SimBench nets bring their own. A net without profiles (`pandapower:`, `case:`) borrows the shapes of
SimBench's `1-LV-rural1--2-sw`: its distinct load profiles and its distinct PV profiles are dealt out in turn,
each scaled so that its peak equals the element's nominal power, reactive power following active power at the
nominal ratio.
"""

from __future__ import annotations

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


@dataclass(frozen=True)
class Profiles:
    """Integer W and var by period, columns in the feeder's order of loads and generators.

    Loads are positive when they draw, generators when they inject.
    """

    load_p_w: np.ndarray  # (periods, loads) int64
    load_q_var: np.ndarray  # (periods, loads) int64
    pv_p_w: np.ndarray  # (periods, generators) int64
    start: np.datetime64  # beginning of the first period, local time of the profiles
    source: str  # the grid that the profiles were made for
    periods_per_day: int = PERIODS_PER_DAY

    @property
    def periods(self) -> int:
        """Number of periods: 35 136 in a leap year, 35 040 otherwise."""
        return len(self.load_p_w)


def load_profiles(name: str, case_folders: Sequence[Path] = ()) -> Profiles:
    """The profiles of a feeder, from the cache where they are there.

    Raises GridError as `load_feeder` does, and for a SimBench net without quarter-hour profiles.
    """
    source = find_source(name, case_folders)
    if source.kind != "simbench":
        return _borrowed_profiles(name, case_folders)
    arrays = cached(name, "profiles", b"", lambda: _simbench_arrays(build_net(source), name))
    return Profiles(
        arrays["load_p_w"].astype(np.int64),
        arrays["load_q_var"].astype(np.int64),
        arrays["pv_p_w"].astype(np.int64),
        np.datetime64(arrays["start"].item(), "m"),
        name,
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
    times = net.profiles["load"]["time"]
    arrays["start"] = np.asarray(_moment(str(times.iloc[0])))
    step = _moment(str(times.iloc[1])) - _moment(str(times.iloc[0]))
    if step != np.timedelta64(15, "m"):
        raise GridError(f"{name}: profiles have a step of {step}; allowed: 15 minutes")
    return arrays


def _moment(text: str) -> np.datetime64:
    """SimBench writes `31.12.2016 23:45`."""
    date, clock = text.split()
    day, month, year = date.split(".")
    return np.datetime64(f"{year}-{month}-{day}T{clock}", "m")


def _borrowed_profiles(name: str, case_folders: Sequence[Path]) -> Profiles:
    feeder, lender = load_feeder(name, case_folders), load_feeder(BORROWED)
    lent = load_profiles(BORROWED)
    load_shape = _dealt_shapes(lender.loads.profile, lent.load_p_w, len(feeder.loads.p_kw))
    pv_shape = _dealt_shapes(lender.generators.profile, lent.pv_p_w, len(feeder.generators.p_kw))
    return Profiles(
        np.rint(load_shape * feeder.loads.p_kw * 1000.0).astype(np.int64),
        np.rint(load_shape * feeder.loads.q_kvar * 1000.0).astype(np.int64),
        np.rint(pv_shape * feeder.generators.p_kw * 1000.0).astype(np.int64),
        lent.start,
        BORROWED,
    )


def _dealt_shapes(profile: np.ndarray, power_w: np.ndarray, count: int) -> np.ndarray:
    """(periods, count) shapes with peak 1: the distinct profiles in order of appearance, dealt out in
    turn."""
    first = sorted({str(name): column for column, name in reversed(list(enumerate(profile)))}.values())
    shapes = power_w[:, first] / power_w[:, first].max(axis=0)  # (periods, distinct profiles)
    return shapes[:, np.arange(count) % len(first)]
