"""Hourly days from CSV files in the layouts of the two data sets that paper 003 takes.

UCI ElectricityLoadDiagrams: one file, semicolons, decimal commas, a time stamp and then kW of each client every quarter
of an hour. NREL's solar power data: one file a plant, commas, columns `LocalTime` and `Power(MW)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

HOURS_A_DAY = 24


def _whole_days(table: pd.DataFrame, path: Path) -> np.ndarray:
    """(days, 24, columns) hourly means of the days of which every hour is there."""
    hours = table.resample("1h").mean()
    days = [day.to_numpy(float) for _, day in hours.groupby(hours.index.date)]
    whole = [day for day in days if len(day) == HOURS_A_DAY and np.isfinite(day).all()]
    if not whole:
        raise ValueError(f"{path}: no day with all {HOURS_A_DAY} hours")
    return np.stack(whole)


def read_load(path: Path, buyers: int) -> np.ndarray:
    """(days, 24, buyers) Wh of the first clients that draw something every day.

    Raises ValueError for a file with fewer such clients, or no whole day.
    """
    table = pd.read_csv(path, sep=";", decimal=",", index_col=0, parse_dates=True)
    if not isinstance(table.index, pd.DatetimeIndex):
        raise ValueError(f"{path}: the first column is not a time stamp")
    hours = _whole_days(table, path) * 1000.0
    active = np.flatnonzero((hours.sum(axis=1) > 0).all(axis=0))
    if len(active) < buyers:
        raise ValueError(f"{path}: {len(active)} clients draw something every day; {buyers} are needed")
    return np.asarray(hours[:, :, active[:buyers]])


def read_pv(paths: Sequence[Path]) -> np.ndarray:
    """(days, 24, plants) Wh. Raises ValueError for a file without the two columns, or no whole day."""
    plants = []
    for path in paths:
        table = pd.read_csv(path)
        missing = {"LocalTime", "Power(MW)"} - set(table.columns)
        if missing:
            raise ValueError(f"{path}: no column {sorted(missing)[0]!r} (found: {', '.join(table.columns)})")
        table.index = pd.to_datetime(table["LocalTime"], format="mixed")
        plants.append(_whole_days(table[["Power(MW)"]], path) * 1e6)
    days = min(len(plant) for plant in plants)
    return np.concatenate([plant[:days] for plant in plants], axis=2)


def read_days(load: Path, pv: Sequence[Path], sellers: int, buyers: int) -> tuple[np.ndarray, np.ndarray]:
    """PV (days, 24, sellers) and load (days, 24, buyers) in Wh, the n-th whole day of each beside the other's.

    Raises ValueError where the number of PV files is not that of the sellers, and as the two readers.
    """
    if len(pv) != sellers:
        raise ValueError(f"{len(pv)} PV files: {sellers} are needed, one a seller")
    pv_wh, load_wh = read_pv(pv), read_load(load, buyers)
    days = min(len(pv_wh), len(load_wh))
    sunny = pv_wh[:days].sum(axis=(1, 2)) > 0
    return pv_wh[:days][sunny], load_wh[:days][sunny]
