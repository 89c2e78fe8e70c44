"""How long power flows and dispatches take, beside the tools that do the same, measured in one run.

`run()` returns dicts of name, value and unit; `python -m benchmarks.grid` prints them. Each figure is the
best of several repetitions on one core: the machine's own share, not that of its neighbours.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypedDict

import numpy as np

from benchmarks.highs import Model
from benchmarks.pgm import batch_solver
from envs.dispatch import admm, merit_order
from envs.dispatch.base import DispatchSettings
from envs.grid.feeder import Feeder, load_feeder
from envs.grid.messages import exchange
from envs.grid.newton import NewtonFlow, load_mesh
from envs.grid.sources import build_net, find_source
from envs.grid.sweep import PowerFlow, sweep_one

FEEDERS = (
    "case:six_node",
    "simbench:1-LV-rural1--2-sw",
    "pandapower:case33bw",
    "pandapower:create_kerber_dorfnetz",
)
MESHED = ("case:ring",)
BATCHES = (1, 64, 1024)
SITES, LARGE, BLOCKS, AWARD_ROWS = 30, 1000, 3, 4
Case = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # price, size_kw, a, lower, upper


class Row(TypedDict):
    """One measured figure."""

    name: str
    value: float
    unit: str


def run() -> list[Row]:
    """All figures of the grid and the dispatch."""
    return [*_power_flow_rows(), *_message_rows(), *_dispatch_rows(), *_optimality_rows()]


def best_us(call: Callable[[], Any], seconds: float = 0.3) -> float:
    """The shortest of the calls that fit into `seconds`, after one unmeasured call (compilation, caches)."""
    call()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best * 1e6


def _power_flow_rows() -> Iterator[Row]:
    for name in (*FEEDERS, *MESHED):
        feeder = load_feeder(name)
        label = f"{name} ({feeder.bus_count} buses)"
        p_kw, q_kvar = np.zeros(feeder.bus_count), np.zeros(feeder.bus_count)
        np.add.at(p_kw, feeder.loads.bus, -0.5 * feeder.loads.p_kw)
        np.add.at(q_kvar, feeder.loads.bus, -0.5 * feeder.loads.q_kvar)
        yield Row(name=f"sweep kernel, one world, {label}", value=_kernel_us(feeder, p_kw, q_kvar), unit="us")
        power_flow = PowerFlow(feeder)
        for worlds in BATCHES:
            # every world a little different, so that they do not stop together
            factor = np.linspace(0.5, 1.0, worlds)[:, None]
            spent = best_us(partial(power_flow.solve, p_kw * factor, q_kvar * factor))
            yield Row(name=f"PowerFlow, batch of {worlds}, {label}", value=spent / worlds, unit="us/world")
        yield from _reference_rows(name, label)
        yield from _pgm_rows(name, label)


def _kernel_us(feeder: Feeder, p_kw: np.ndarray, q_kvar: np.ndarray) -> float:
    """One world without Python's overhead: many solutions inside one compiled loop."""
    from numba import njit

    @njit
    def many(arrays: Any, p: np.ndarray, q: np.ndarray, voltage: np.ndarray, current: np.ndarray) -> int:
        total = 0
        for _ in range(200):
            total += sweep_one(arrays, p, q, voltage, current, True)
        return total

    voltage, current = np.empty(feeder.bus_count, complex), np.empty(feeder.branch_count, complex)
    return best_us(partial(many, feeder.sweep_arrays, p_kw, q_kvar, voltage, current)) / 200


def _reference_rows(name: str, label: str) -> Iterator[Row]:
    """pandapower as users call it, and lightsim2grid's own Newton solver without pandapower around it."""
    import pandapower
    from lightsim2grid.network import init_from_pandapower

    net = build_net(find_source(name))
    net.load["scaling"] = 0.5
    net.trafo["shift_degree"] = 0.0  # a flat start is 150 degrees off otherwise; magnitudes stay the same
    for table in ("load", "sgen", "storage"):  # SimBench leaves untyped blanks; lightsim2grid wants numbers
        for limit in ("min_p_mw", "max_p_mw", "min_q_mvar", "max_q_mvar"):
            net[table][limit] = np.nan
    yield Row(name=f"pandapower.runpp, {label}", value=best_us(partial(pandapower.runpp, net)), unit="us")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about columns that the net leaves empty
        model = init_from_pandapower(net)
    start = np.ones(model.total_bus(), complex)
    solution = model.ac_pf(start, 20, 1e-8)
    if solution.shape == (0,):
        raise RuntimeError(f"lightsim2grid does not solve {name}")
    spent = best_us(partial(model.ac_pf, start, 20, 1e-8))
    yield Row(name=f"lightsim2grid ac_pf, {label}", value=spent, unit="us")


def _pgm_rows(name: str, label: str) -> Iterator[Row]:
    """power-grid-model on the worlds of the sweep's rows, after a check that it finds the same voltages."""
    mesh = load_mesh(name)
    p_kw, q_kvar = np.zeros(mesh.bus_count), np.zeros(mesh.bus_count)
    np.add.at(p_kw, mesh.loads.bus, -0.5 * mesh.loads.p_kw)
    np.add.at(q_kvar, mesh.loads.bus, -0.5 * mesh.loads.q_kvar)
    for worlds in BATCHES:
        factor = np.linspace(0.5, 1.0, worlds)[:, None]
        solve = batch_solver(mesh, p_kw * factor, q_kvar * factor)
        apart_pu = float(np.abs(solve() - NewtonFlow(mesh).solve(p_kw * factor, q_kvar * factor).voltage_pu).max())
        if apart_pu > 1e-7:
            raise RuntimeError(f"power-grid-model and Newton's method are {apart_pu} pu apart on {name}")
        yield Row(name=f"power-grid-model, batch of {worlds}, {label}", value=best_us(solve) / worlds, unit="us/world")


def _message_rows() -> Iterator[Row]:
    """What the distributed check costs in talk: at nominal load, in rounds and with random delays."""
    for name in FEEDERS:
        feeder = load_feeder(name)
        p_kw, q_kvar = np.zeros(feeder.bus_count), np.zeros(feeder.bus_count)
        np.add.at(p_kw, feeder.loads.bus, -feeder.loads.p_kw)
        np.add.at(q_kvar, feeder.loads.bus, -feeder.loads.q_kvar)
        for delay_ticks in (0, 5):
            way = f"delays of 1-{delay_ticks} ticks" if delay_ticks else "in rounds"
            talk = exchange(feeder, p_kw, q_kvar, delay_ticks)
            yield Row(name=f"distributed check {way}, {name}: messages", value=talk.messages, unit="")
            yield Row(name=f"distributed check {way}, {name}: time", value=talk.ticks, unit="ticks")


def _dispatch_rows() -> Iterator[Row]:
    for limits in (0, 2):
        case = _dispatch_cases(256, limits)
        label = f"{SITES} sites, {BLOCKS} blocks, {AWARD_ROWS} award rows, {limits} network rows"
        for rule in (admm, merit_order) if limits == 0 else (admm,):
            spent = best_us(partial(rule.solve, *case, *_all_active(case)))
            yield Row(name=f"{rule.__name__}, {label}", value=spent / 256, unit="us/world")
        if limits == 0:
            spent = best_us(partial(admm.solve, *case, *_all_active(case), DispatchSettings(direct=False)))
            yield Row(name=f"admm by its rounds, {label}", value=spent / 256, unit="us/world")
        yield from _highs_rows(case, label)
    large = _dispatch_cases(4, 0, LARGE)
    label = f"{LARGE} sites, {BLOCKS} blocks, {AWARD_ROWS} award rows, 0 network rows"
    for rule in (admm, merit_order):
        spent = best_us(partial(rule.solve, *large, *_all_active(large)))
        yield Row(name=f"{rule.__name__}, {label}", value=spent / 4, unit="us/world")
    yield from _highs_rows(large, label)


def _highs_rows(case: Case, label: str) -> Iterator[Row]:
    """HiGHS on the same problems, after a check of its optimum: called directly, with a kept model, through scipy."""
    problems = [(price, size_kw, a, lower, upper) for price, size_kw, a, lower, upper in zip(*case, strict=True)][:64]
    model = Model(problems[0])
    best = _programme(case, 0)().fun
    if abs(model.cost() - best) > 1e-9 * best:
        raise RuntimeError(f"HiGHS called directly finds {model.cost()}, through scipy {best}")
    # What changes from period to period is prices, sizes and volumes; which site sits where does not.
    a = problems[0][2]
    volumes = [np.einsum("ri,i->r", a, 0.5 * size_kw.sum(axis=1)) for _, size_kw, *_ in problems]
    kept = [
        (price, size_kw, a, volume, np.where(np.isinf(upper), np.inf, volume))
        for (price, size_kw, _, _, upper), volume in zip(problems, volumes, strict=True)
    ]

    def anew() -> None:
        for problem in problems:
            model.pass_anew(problem)
            model.cost()

    def changed() -> None:
        for problem in kept:
            model.change(problem)
            model.cost()

    yield Row(name=f"HiGHS, model passed anew, {label}", value=best_us(anew) / len(problems), unit="us/world")
    model.pass_anew(kept[0])
    yield Row(name=f"HiGHS, model kept, {label}", value=best_us(changed) / len(kept), unit="us/world")
    yield Row(name=f"scipy linprog (HiGHS), {label}", value=best_us(_programme(case, 0)), unit="us")


def _optimality_rows() -> Iterator[Row]:
    """The largest cost above HiGHS' optimum, relative to it, over random cases; all of them must converge."""
    for worlds, sites, limits in ((1000, SITES, 0), (1000, SITES, 2), (4, LARGE, 0)):
        case = _dispatch_cases(worlds, limits, sites)
        optimum = np.array([_programme(case, world)().fun for world in range(worlds)])
        label = f"{worlds} cases, {sites} sites, {limits} network rows"
        for rule in (admm, merit_order) if limits == 0 else (admm,):
            answer = rule.solve(*case, *_all_active(case))
            if not answer.converged.all():
                raise RuntimeError(f"{rule.__name__} leaves a feasible case of {sites} sites unsolved")
            gap = float(((case[0] * answer.q_kw).sum(axis=(1, 2)) / optimum - 1.0).max())
            yield Row(name=f"{rule.__name__}, cost above HiGHS, worst of {label}", value=gap, unit="")
        if sites == SITES:
            yield from _rounds_rows(case, optimum, label)


def _rounds_rows(case: Case, optimum: np.ndarray, label: str) -> Iterator[Row]:
    """ADMM without the merit order, and its rounds alone: these do not settle everywhere, and break rows a little."""
    answer = admm.solve(*case, *_all_active(case), DispatchSettings(direct=False))
    gap = (case[0] * answer.q_kw).sum(axis=(1, 2)) / optimum - 1.0
    yield Row(name=f"admm, rounds and polish, cost above HiGHS, worst of {label}", value=float(gap.max()), unit="")
    alone = DispatchSettings(max_iterations=20_000, tolerance=1e-4, polish=False)
    answer = admm.solve(*case, *_all_active(case), alone)
    gap = np.abs((case[0] * answer.q_kw).sum(axis=(1, 2)) / optimum - 1.0)
    name, settled = "admm, rounds alone", answer.converged
    yield Row(name=f"{name}, settled of {label}", value=int(settled.sum()), unit="cases")
    yield Row(name=f"{name}, cost beside HiGHS, worst settled of {label}", value=float(gap[settled].max()), unit="")
    yield Row(name=f"{name}, cost beside HiGHS, worst of {label}", value=float(gap.max()), unit="")


def _all_active(case: Case) -> tuple[np.ndarray, np.ndarray]:
    worlds, rows, _ = case[2].shape
    return np.full(worlds, rows), np.ones(worlds, bool)


def _programme(case: Case, world: int) -> Callable[[], Any]:
    """One world of a case as a linear programme for HiGHS, ready to be called."""
    from scipy.optimize import linprog

    price, size_kw, a, lower, _ = (part[world] for part in case)
    blocks = np.repeat(a, BLOCKS, axis=1)
    programme = partial(
        linprog,
        price.ravel(),
        A_eq=blocks[:AWARD_ROWS],
        b_eq=lower[:AWARD_ROWS],
        bounds=[(0.0, limit_kw) for limit_kw in size_kw.ravel()],
        method="highs",
    )
    if len(lower) > AWARD_ROWS:
        programme = partial(programme, A_ub=-blocks[AWARD_ROWS:], b_ub=-lower[AWARD_ROWS:])
    return programme


def _dispatch_cases(worlds: int, limits: int, sites: int = SITES) -> Case:
    """Random feasible problems: award rows over disjoint groups of sites, then sensitivity rows."""
    rng = np.random.default_rng(0)
    price = np.sort(rng.uniform(0.1, 1.0, (worlds, sites, BLOCKS)), axis=2)
    size_kw = rng.uniform(0.2, 3.0, (worlds, sites, BLOCKS))
    a = np.zeros((worlds, AWARD_ROWS + limits, sites))
    group = rng.integers(0, AWARD_ROWS, (worlds, sites))
    for row in range(AWARD_ROWS):
        a[:, row] = group == row
    a[:, AWARD_ROWS:] = rng.uniform(0.0, 1e-3, (worlds, limits, sites))
    x_kw = size_kw.sum(axis=2) * rng.uniform(0.0, 1.0, (worlds, sites))
    lower = np.einsum("wri,wi->wr", a, x_kw)
    upper = lower.copy()
    upper[:, AWARD_ROWS:] = np.inf
    return price, size_kw, a, lower, upper


if __name__ == "__main__":
    for row in run():
        print(f"{row['value']:10.3g} {row['unit']:9} {row['name']}")
