"""The branches of a net as two-ports, from pandapower's per-unit tables."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from envs.grid.equipment import text
from envs.grid.errors import GridError

BRANCH_TABLES = ("line", "trafo", "switch", "impedance")
SQRT3 = math.sqrt(3.0)


class Branches(NamedTuple):
    """Supplied branches in the per-unit numbering."""

    f_bus: np.ndarray  # (branches,)
    t_bus: np.ndarray  # (branches,)
    admittance: np.ndarray  # (branches, 4) complex: ff, ft, tf, tt
    rating_ka: np.ndarray  # (branches, 2) at the from and the to end
    is_transformer: np.ndarray  # (branches,) bool
    name: list[str]
    joined: np.ndarray  # (buses,) complex: what branches whose two ends closed switches have joined add to its shunt


def live_branches(net: Any, ppc: Any, ranges: dict[str, tuple[int, int]], supplied: np.ndarray, name: str) -> Branches:
    """The branches in service between supplied buses, as two-ports.

    One whose ends closed switches have joined is no branch of a feeder; its charging belongs to the bus. Raises
    GridError for an unknown kind, for a net without branches, and for a joined one that overloads itself.
    """
    from pandapower.pypower.makeYbus import branch_vectors

    table = ppc["branch"]
    f_bus, t_bus = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    rating_ka = np.full((len(table), 2), np.inf)
    is_transformer = np.zeros(len(table), dtype=bool)
    names = [f"branch {row}" for row in range(len(table))]
    for kind, (start, stop) in ranges.items():
        if kind not in BRANCH_TABLES:
            raise GridError(f"branches of kind {kind} are not supported; allowed: {', '.join(BRANCH_TABLES)}")
        is_transformer[start:stop] = kind == "trafo"
        if kind in ("line", "trafo"):
            rating_ka[start:stop] = _line_rating_ka(net) if kind == "line" else _transformer_rating_ka(net)
            names[start:stop] = [
                text(value, f"{kind} {index}") for index, value in zip(net[kind].index, net[kind].name, strict=True)
            ]
    live = (table[:, 10].real == 1) & supplied[f_bus] & supplied[t_bus]
    tt, ff, ft, tf = branch_vectors(table[live].astype(float), int(live.sum()))
    admittance = np.zeros((len(table), 4), complex)
    admittance[live] = np.stack([ff, ft, tf, tt], axis=1)
    kept = live & (f_bus != t_bus)
    if not kept.any():
        raise GridError(f"{name} has no branch in service behind its external grid; a feeder has at least one")
    joined = np.zeros(len(supplied), complex)
    for row in np.flatnonzero(live & (f_bus == t_bus)).tolist():
        _refuse_overloaded(admittance[row], base_currents_ka(ppc)[f_bus[row]], rating_ka[row], names[row], name)
        joined[f_bus[row]] += admittance[row].sum()
    named = [names[row] for row in np.flatnonzero(kept)]
    return Branches(f_bus[kept], t_bus[kept], admittance[kept], rating_ka[kept], is_transformer[kept], named, joined)


def _refuse_overloaded(admittance: np.ndarray, base_ka: float, rating_ka: np.ndarray, branch: str, name: str) -> None:
    """GridError for a branch that overloads itself where both its ends have one voltage: no order could help it."""
    ff, ft, tf, tt = admittance
    carried_ka = np.abs([ff + ft, tf + tt]) * base_ka
    if bool((carried_ka > rating_ka).any()):
        raise GridError(
            f"{name}: closed switches join the two ends of {branch}, which by itself carries {carried_ka.max():.4g} kA "
            "at 1 pu, more than its rating; open a switch or take the branch out of service"
        )


def bus_shunts(ppc: Any, branches: Branches) -> np.ndarray:
    """(buses,) complex pu in the per-unit numbering: the net's shunts, and branches whose ends are one bus."""
    rows = ppc["bus"].astype(float)
    return (rows[:, 4] + 1j * rows[:, 5]) / float(ppc["baseMVA"]) + branches.joined


def base_currents_ka(ppc: Any) -> np.ndarray:
    """(buses,) the current of 1 pu, in the per-unit numbering."""
    return float(ppc["baseMVA"]) / (SQRT3 * ppc["bus"][:, 9].astype(float))


def loading_share(table: Any) -> np.ndarray:
    """(rows,) the share of its rating up to which a line or transformer may be loaded: max_loading_percent, 100 where
    there is none."""
    if "max_loading_percent" not in table:
        return np.ones(len(table))
    return np.asarray(table.max_loading_percent.astype(float).fillna(100.0)) / 100.0


def _line_rating_ka(net: Any) -> np.ndarray:
    """(lines, 2): the current at which pandapower calls a line loaded to its max_loading_percent, the same at both
    ends."""
    line = net.line
    limit_ka = np.asarray(line.max_i_ka * line.df * line.parallel, float) * loading_share(line)
    limit_ka = np.where(limit_ka > 0, limit_ka, np.inf)  # NaN compares false: an unrated line
    return np.stack([limit_ka, limit_ka], axis=1)


def _transformer_rating_ka(net: Any) -> np.ndarray:
    """(transformers, 2): pandapower's definition "current", rated current at the rated voltage of each side, times
    max_loading_percent."""
    trafo = net.trafo
    rated_mva = np.asarray(trafo.sn_mva * trafo.parallel * trafo.df, float) * loading_share(trafo)
    rated_kv = np.stack([np.asarray(trafo.vn_hv_kv, float), np.asarray(trafo.vn_lv_kv, float)], axis=1)
    return rated_mva[:, None] / (SQRT3 * rated_kv)
