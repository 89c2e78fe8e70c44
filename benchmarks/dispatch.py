"""How long dispatches take beside HiGHS on the same problems, and how near to its optimum they come.

`run()` returns dicts of name, value and unit; `python -m benchmarks dispatch` prints them. Problems are drawn at
random, with network rows drawn too (`2 network rows`) or of a real net (`33-bus limits`: the voltages at the ends of
Baran and Wu's two long branches and the load of a line, by their sensitivities).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from benchmarks.highs import Model, WholeModel
from benchmarks.timing import Row, best_us, timed
from envs.dispatch import admm, merit_order, milp
from envs.dispatch.base import DispatchSettings
from envs.grid.feeder import load_feeder
from envs.grid.sensitivity import branch_share, voltage_sensitivity

SITES, LARGE, BLOCKS, AWARD_ROWS = 30, 1000, 3, 4
WORLDS, LARGE_WORLDS, WHOLE_WORLDS = 256, 4, 4
Case = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # price, size_kw, a, lower, upper


def run() -> list[Row]:
    """All figures of the dispatch."""
    return [*_dispatch_rows(), *_whole_rows(), *_optimality_rows()]


def _dispatch_rows() -> Iterator[Row]:
    label = f"{SITES} sites, {BLOCKS} blocks, {AWARD_ROWS} award rows"
    yield from _rules_rows(dispatch_cases(WORLDS), f"{label}, 0 network rows", limited=False)
    yield from _rules_rows(dispatch_cases(WORLDS, 2), f"{label}, 2 network rows", limited=True)
    limits = feeder_limits()
    label = f"{limits.shape[1]} sites, {BLOCKS} blocks, {AWARD_ROWS} award rows, 33-bus limits"
    yield from _rules_rows(dispatch_cases(WORLDS, limits, limits.shape[1]), label, limited=True)
    label = f"{LARGE} sites, {BLOCKS} blocks, {AWARD_ROWS} award rows, 0 network rows"
    yield from _rules_rows(dispatch_cases(LARGE_WORLDS, 0, LARGE), label, limited=False)


def _rules_rows(case: Case, label: str, limited: bool) -> Iterator[Row]:
    """Every rule that solves the case, then HiGHS; without limits the merit order is optimal, and ADMM takes it."""
    worlds = len(case[0])
    for rule in (admm,) if limited else (admm, merit_order):
        spent = best_us(partial(rule.solve, *case, *_all_active(case)))
        yield from timed(f"{rule.__name__}, {label}", spent / worlds)
    if worlds == WORLDS:
        spent = best_us(partial(admm.solve, *case, *_all_active(case), DispatchSettings(direct=False)))
        yield from timed(f"admm by its rounds, {label}", spent / worlds)
    yield from _highs_rows(case, label)


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

    yield from timed(f"HiGHS, model passed anew, {label}", best_us(anew) / len(problems))
    model.pass_anew(kept[0])
    yield from timed(f"HiGHS, model kept, {label}", best_us(changed) / len(kept))
    yield from timed(f"scipy linprog (HiGHS), {label}", best_us(_programme(case, 0)))


def _whole_rows() -> Iterator[Row]:
    """Prices for the whole quantity: our rule (HiGHS through scipy, then exact powers) beside HiGHS called directly."""
    for limits in (0, 2):
        case = dispatch_cases(WHOLE_WORLDS, limits)
        label = f"{SITES} sites, {BLOCKS} segments, {AWARD_ROWS} award rows, {limits} network rows"
        answer = milp.solve(*case, *_all_active(case))
        models = [WholeModel(problem) for problem in zip(*case, strict=True)]
        best = np.array([model.cost() for model in models])
        cost = np.array([whole_cost(case[0][w], case[1][w], answer.x_kw[w]) for w in range(WHOLE_WORLDS)])
        if not answer.converged.all() or (np.abs(cost - best) > 1e-6 * best).any():
            raise RuntimeError(f"milp and HiGHS called directly find other costs: {cost} and {best}")

        def direct(models: list[WholeModel] = models) -> None:
            for model in models:
                model.cost()

        spent = best_us(partial(milp.solve, *case, *_all_active(case)))
        yield from timed(f"milp, {label}", spent / WHOLE_WORLDS)
        yield from timed(f"HiGHS, mixed-integer model built, {label}", best_us(direct) / WHOLE_WORLDS)


def whole_cost(price: np.ndarray, size_kw: np.ndarray, x_kw: np.ndarray) -> float:
    """Each site's power at the price of the segment that it ends in; at a border both are open to it."""
    end_kw = np.cumsum(size_kw, axis=1)
    inside = (end_kw - size_kw - 1e-9 <= x_kw[:, None]) & (x_kw[:, None] <= end_kw + 1e-9)
    return float(np.where(x_kw > 1e-9, x_kw * np.where(inside, price, np.inf).min(axis=1), 0.0).sum())


def _optimality_rows() -> Iterator[Row]:
    """The largest cost above HiGHS' optimum, relative to it, over random cases; all of them must converge."""
    net = feeder_limits()
    for worlds, sites, limits, rows in (
        (1000, SITES, 0, "0 network rows"),
        (1000, SITES, 2, "2 network rows"),
        (WORLDS, net.shape[1], net, "33-bus limits"),
        (LARGE_WORLDS, LARGE, 0, "0 network rows"),
    ):
        case = dispatch_cases(worlds, limits, sites)
        optimum = np.array([_programme(case, world)().fun for world in range(worlds)])
        label = f"{worlds} cases, {sites} sites, {rows}"
        for rule in (admm, merit_order) if isinstance(limits, int) and limits == 0 else (admm,):
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


def feeder_limits() -> np.ndarray:
    """(3, 32) by site, one at each load of Baran and Wu's net: pu per kW at buses 18 and 33, kW per kW of the line into
    bus 6.
    """
    feeder = load_feeder("pandapower:case33bw")
    ends = [feeder.bus_of(17), feeder.bus_of(32)]
    rows = np.vstack([voltage_sensitivity(feeder)[ends], branch_share(feeder)[feeder.bus_of(5)]])
    return np.asarray(rows[:, feeder.loads.bus])


def dispatch_cases(worlds: int, limits: int | np.ndarray = 0, sites: int = SITES) -> Case:
    """Random feasible problems: award rows over disjoint groups of sites, then rows of limits.

    limits: how many rows of sensitivities to draw, or (rows, sites) of a net.
    """
    rng = np.random.default_rng(0)
    price = np.sort(rng.uniform(0.1, 1.0, (worlds, sites, BLOCKS)), axis=2)
    size_kw = rng.uniform(0.2, 3.0, (worlds, sites, BLOCKS))
    count = limits if isinstance(limits, int) else len(limits)
    a = np.zeros((worlds, AWARD_ROWS + count, sites))
    group = rng.integers(0, AWARD_ROWS, (worlds, sites))
    for row in range(AWARD_ROWS):
        a[:, row] = group == row
    a[:, AWARD_ROWS:] = rng.uniform(0.0, 1e-3, (worlds, count, sites)) if isinstance(limits, int) else limits
    x_kw = size_kw.sum(axis=2) * rng.uniform(0.0, 1.0, (worlds, sites))
    lower = np.einsum("wri,wi->wr", a, x_kw)
    upper = lower.copy()
    upper[:, AWARD_ROWS:] = np.inf
    return price, size_kw, a, lower, upper
