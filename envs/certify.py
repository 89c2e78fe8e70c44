"""A certificate for each dispatch: does it keep the limits, and could it have cost less?

Re-execution shows that a dispatch is what the rules give; the certificate does not lean on the rules. The power flow is
solved for what the Dtx promises, period by period, and every bus and branch is held against the limits here, not by the
check's own functions; HiGHS solves the dispatch problem's linear programme for the least cost that any dispatch of the
admitted blocks could have had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, NamedTuple, cast

import numpy as np

from envs.dispatch.base import Dispatch
from envs.grid.sweep import PowerFlow
from envs.mechanisms import Mechanisms
from envs.phases.clear import called
from envs.phases.network import limits_of, new_desk, set_forecast, solve_sites
from envs.phases.safe import with_orders
from envs.phases.violations import TOLERANCE_PU
from envs.types import (
    FAILED,
    GRID,
    HOURS,
    LIVED,
    PASSED,
    REQUESTS,
    UPPER,
    Bools,
    Floats,
    Ints,
    Plan,
    Quotes,
    Stage,
    State,
)
from envs.world import World

KEPT = TOLERANCE_PU + 1e-8  # pu and of a rating: what the check tolerates and another solver's last digits
KEEPS = ("safe", "not its doing")  # outcomes that claim limits kept: all, or those that the request answers for
RELATIVE_GAP = 1e-4  # of the least cost
WH_KW = 0.001 / HOURS  # one Wh a period, the grain of an order


class Problem(NamedTuple):
    """One world's dispatch as it was asked for, see ``envs.dispatch.base``; converged as the rule claims."""

    price: Floats  # (columns, blocks) per kWh
    size_kw: Floats  # (columns, blocks)
    a: Floats  # (rows, columns) sites first, then what stays uncured of a limit
    lower: Floats  # (rows,)
    upper: Floats  # (rows,)
    converged: bool


@dataclass(frozen=True)
class Certificate:
    """What can be said of a dispatch without its rules. Money per hour, in units of currency."""

    block: int
    event: int
    outcome: str  # safe, not its doing (broken without the orders, too, and not for them to mend), cut, or unsafe
    feasible: bool  # every bus and branch is as the outcome says: within limits, by orders alone or with the cut
    low_pu: float  # extremes over the event's periods; with a cut, of the first period
    high_pu: float
    loading: float
    cost_per_h: float  # of the orders at quoted cost, and of what they leave uncured at its price
    bound_per_h: float  # the least that any dispatch could cost
    gap: float  # (cost - bound) / |bound|
    allowed_per_h: float  # above the bound: 1e-4 of it and what whole Wh may cost
    near_optimal: bool
    claimed: bool  # the rule of dispatch says that it found the optimum


class Watched:
    """A dispatch rule that remembers what it was asked; for one world."""

    def __init__(self, rule: ModuleType) -> None:
        self.rule = rule
        self.asked: list[Problem] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rule, name)

    def solve(self, price: Any, size_kw: Any, a: Any, lower: Any, upper: Any, rows: Any, *rest: Any) -> Dispatch:
        """The rule's own answer."""
        answer: Dispatch = self.rule.solve(price, size_kw, a, lower, upper, rows, *rest)
        n = int(rows[0])
        arrays = [np.array(each[0], dtype=float) for each in (price, size_kw, a[:, :n], lower[:, :n], upper[:, :n])]
        self.asked.append(Problem(arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], bool(answer.converged[0])))
        return answer


def watching(mechanisms: Mechanisms) -> tuple[Mechanisms, list[Problem]]:
    """The same mechanisms, and the list that fills with the problems of the dispatch rule."""
    watched = Watched(mechanisms.dispatch)
    return replace(mechanisms, dispatch=cast(ModuleType, watched)), watched.asked


def last_problems(stage: Stage, asked: Sequence[Problem], sites: int) -> dict[int, Problem]:
    """The last problem of each request: one opens with the awards alone, reopened ones have columns for the uncured."""
    active = [r for r in range(REQUESTS) if called(stage, r)[0]]
    found: dict[int, Problem] = {}
    opened = -1
    for problem in asked:
        opened += problem.a.shape[1] == sites
        found[active[opened]] = problem
    return found


def least_cost(problem: Problem) -> float:
    """Least cost per hour of a dispatch problem, by HiGHS. Raises ValueError where the rows have no solution."""
    from scipy.optimize import linprog

    columns = np.repeat(problem.a, problem.price.shape[1], axis=1)
    equal = problem.lower == problem.upper
    above, below = np.isfinite(problem.lower) & ~equal, np.isfinite(problem.upper) & ~equal
    found = linprog(
        problem.price.ravel(),
        A_ub=np.vstack([columns[below], -columns[above]]),
        b_ub=np.concatenate([problem.upper[below], -problem.lower[above]]),
        A_eq=columns[equal],
        b_eq=problem.lower[equal],
        bounds=np.stack([np.zeros(problem.size_kw.size), problem.size_kw.ravel()], axis=1),
        method="highs",
    )
    if found.status != 0:
        raise ValueError(f"the dispatch problem has no optimum: {found.message}")
    return float(found.fun)


def cost_of(problem: Problem, ordered_wh: Ints) -> float:
    """Cost per hour of orders (N,): their blocks, cheapest first, and what they leave uncured, as in the programme."""
    ordered_kw = ordered_wh * WH_KW
    sites = len(ordered_kw)
    begin_kw = np.cumsum(problem.size_kw[:sites], axis=1) - problem.size_kw[:sites]
    used_kw = np.clip(ordered_kw[:, None] - begin_kw, 0.0, problem.size_kw[:sites])
    cost = float((problem.price[:sites] * used_kw).sum())
    return cost + sum((price * missing for price, missing, _ in _uncured(problem, ordered_wh)), 0.0)


def _uncured(problem: Problem, ordered_wh: Ints) -> list[tuple[float, float, float]]:
    """Of every limit that may stay broken: its price, what orders (N,) leave of it, and of that what a Wh a site is."""
    found, sites, ordered_kw = [], len(ordered_wh), ordered_wh * WH_KW
    for column in range(sites, problem.a.shape[1]):
        for r in np.flatnonzero(problem.a[:, column]):
            scale = float(problem.a[r, column])
            missing = max(float(problem.lower[r] - (problem.a[r, :sites] * ordered_kw).sum()) / scale, 0.0)
            grain = float(np.abs(problem.a[r, :sites]).sum()) * WH_KW / scale
            found.append((float(problem.price[column, 0]), missing, min(missing, grain)))
    return found


def _allowance(problem: Problem, bound: float, ordered_wh: Ints, aggregators: int) -> float:
    """Above the bound: orders are whole Wh, so that each ordered site and each award may be one Wh off, at a block's
    price or, where a limit is met only just, at the limit's.
    """
    used, sites = int((ordered_wh > 0).sum()) + aggregators, len(ordered_wh)
    grains = sum((price * grain for price, _, grain in _uncured(problem, ordered_wh)), 0.0)
    return RELATIVE_GAP * abs(bound) + used * WH_KW * float(np.abs(problem.price[:sites]).max(initial=0.0)) + grains


class _Seen(NamedTuple):
    """One period of a promise, bus by bus and branch by branch; the root and its void branch are never broken."""

    solved: bool
    voltage_pu: Floats  # (buses,)
    loading: Floats  # (branches,)
    export_pu: Floats  # (branches,) active power out of the end that the sites feed, < 0 into it


def _see(world: World, state: State, quotes: Quotes, net_w: Floats, h: int) -> _Seen:
    """Power flow of what the sites inject, ``net_w`` (N,), in period ``h`` from now."""
    limits = limits_of(world)
    desk, row = new_desk(limits), int(state.day[0] * world.periods_per_day + state.period + h) % len(world.load_w)
    desk.p_w[:] = net_w
    set_forecast(desk, world.load_w[row] + state.appliance_w[0, LIVED, h], world.load_var[row], quotes.reactive_ppm[0])
    solved = solve_sites(limits, desk)  # leaves on the desk what the inverters give, too
    flow = PowerFlow(world.feeder).solve(desk.p_kw, desk.q_kvar)
    lower_end = np.concatenate([np.arange(len(desk.voltage)), limits.feeder.loop_lower])
    export_pu = -limits.sense * (desk.voltage[lower_end] * desk.current.conj()).real
    return _Seen(bool(solved and flow.converged), flow.voltage_pu, flow.loading, export_pu)


def _broken(world: World, seen: _Seen) -> tuple[Floats, Ints]:
    """(buses + branches,) how far each is beyond its limit, and the direction of injection that relieves it."""
    grid = world.scenario.grid
    high, low = seen.voltage_pu - grid.band_high_pu, grid.band_low_pu - seen.voltage_pu
    excess = np.concatenate([np.maximum(high, low), seen.loading - grid.loading_limit])
    excess[[0, len(high)]] = -np.inf
    return excess, np.where(np.concatenate([high > low, seen.export_pu > 0.0]), -1, 1)


def _keeps(world: World, verdict: int, r: int, way: int, h: int, idle: _Seen, seen: _Seen) -> bool:
    """Whether a period is as the verdict says: nothing broken; or only what the orders neither broke nor should cure.

    A limit counts as broken by the orders where it is further from kept than in ``idle``, the flow without them; where
    that has no solution, if it needs the direction that the orders don't go. A period without a solution keeps nothing.
    With a cut, or where the check failed, nothing must be left broken.
    """
    if not seen.solved:
        return False
    excess, relief = _broken(world, seen)
    broken: Bools = excess > KEPT
    if verdict in (PASSED, FAILED) or not broken.any():
        return not bool(broken.any())
    before, needed = _broken(world, idle)
    before = np.where(needed == relief, np.maximum(before, 0.0), 0.0)
    worse: Bools = excess > before + KEPT if idle.solved else relief != way
    mine = (relief == way) | (h == 0) if r == GRID else np.zeros_like(broken)
    return not bool((broken & (mine | worse)).any())


def _feasible(
    world: World, state: State, stage: Stage, quotes: Quotes, plan: Plan, r: int
) -> tuple[bool, float, float, float]:
    """Whether a promise keeps the limits, and its lowest and highest voltage and heaviest loading."""
    way, verdict = int(stage.direction[0, r]), int(plan.verdict[0, r])
    base_w = stage.expected_w[0] + (with_orders(stage, plan)[0] if r == UPPER else stage.live_w[0])
    cut_w = plan.cut_wh[0] / HOURS if r == GRID else np.zeros(world.sites)
    kept, low, high, loading = True, np.inf, 0.0, 0.0
    for h in range(1 if verdict == FAILED and cut_w.any() else int(stage.duration[0, r])):
        orders_w = way * plan.ordered_wh[0, r] / HOURS + (cut_w if h == 0 else 0.0)
        idle, seen = (_see(world, state, quotes, base_w[h] + change_w, h) for change_w in (0.0 * orders_w, orders_w))
        kept &= _keeps(world, verdict, r, way, h, idle, seen)
        low, high = min(low, seen.voltage_pu[1:].min()), max(high, seen.voltage_pu.max())
        loading = max(loading, seen.loading.max())
    return kept, float(low), float(high), float(loading)


def certify(
    world: World,
    state: State,
    stage: Stage,
    quotes: Quotes,
    plan: Plan,
    problem: Problem,
    r: int,
    place: tuple[int, int],
) -> Certificate:
    """The certificate of the Dtx of request ``r``; ``place`` is its block and event."""
    kept, low, high, loading = _feasible(world, state, stage, quotes, plan, r)
    outcome = KEEPS[int(plan.verdict[0, r] != PASSED)]
    if not plan.safe[0, r]:
        outcome = "cut" if r == GRID and plan.cut_wh[0].any() else "unsafe"
    cost, bound = cost_of(problem, plan.ordered_wh[0, r]), least_cost(problem)
    allowed = _allowance(problem, bound, plan.ordered_wh[0, r], world.aggregators)
    dropped = r == UPPER and not plan.safe[0, r]  # of an upper-level order that fails its check nothing is ordered
    return Certificate(
        *place, outcome, kept, low, high, loading, cost, bound, (cost - bound) / max(abs(bound), 1e-9), allowed,
        cost <= bound + allowed, problem.converged and not dropped,
    )  # fmt: skip
