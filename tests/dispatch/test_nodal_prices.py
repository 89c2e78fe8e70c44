"""Nodal prices against the dual prices of the linear programme, solved by HiGHS, on the market's own problems."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import linprog

from envs.dispatch import admm
from envs.types import GRID, PPM, UPPER
from tests.dispatch.test_optimal import GROUPS, random_cases
from tests.envs.play import OFF, by_rules, core_of, periods


def highs(price, size, a, lower, upper):
    """Dual prices of the rows of one world's dispatch."""
    blocks = np.repeat(a, price.shape[1], axis=1)
    equal, below, above = lower == upper, np.isfinite(upper), np.isfinite(lower)
    below, above = below & ~equal, above & ~equal
    found = linprog(
        price.ravel(),
        A_ub=np.vstack([blocks[below], -blocks[above]]) if below.any() or above.any() else None,
        b_ub=np.concatenate([upper[below], -lower[above]]) if below.any() or above.any() else None,
        A_eq=blocks[equal] if equal.any() else None,
        b_eq=lower[equal] if equal.any() else None,
        bounds=[(0.0, kw) for kw in size.ravel()],
        method="highs",
    )
    assert found.status == 0
    duals = np.zeros(len(a))
    duals[equal] = found.eqlin.marginals
    duals[below] += found.ineqlin.marginals[: below.sum()]
    duals[above] -= found.ineqlin.marginals[below.sum() :]
    return duals


@pytest.mark.parametrize("limits", [0, 1, 3])
def test_duals_of_random_cases_are_those_of_highs(limits):
    case = random_cases(60, limits, seed=70 + limits)
    answer = admm.solve(*case)
    assert answer.converged.all()
    for w in range(60):
        duals = highs(*(column[w] for column in case[:5]))
        node, exact = duals @ case.a[w], answer.duals[w] @ case.a[w]
        assert exact == pytest.approx(node, abs=1e-7)
    assert (answer.duals[:, GROUPS:] != 0).any() == (limits > 0)


class Watch:
    """A dispatch rule that keeps the problems that it is asked."""

    def __init__(self):
        self.asked = []

    def solve(self, *problem):
        self.asked.append([np.array(column) for column in problem[:7]])
        return admm.solve(*problem)


@pytest.mark.parametrize(("config", "cycles"), [("rural_day", 60), ("six_node", 48)])
def test_the_prices_of_a_day_are_dual_prices_of_its_dispatch(config, cycles):
    core = core_of(config, OFF, cycles)
    watch = Watch()
    core.mechanisms = replace(core.mechanisms, dispatch=SimpleNamespace(solve=watch.solve))
    core.reset(np.arange(1, dtype=np.uint64))
    compared, reopened = 0, 0
    for trace in periods(core, by_rules(core)):
        plan = trace.plan
        asked = [r for r in (GRID, UPPER) if trace.stage.asked_wh[0, r] > 0]
        if len(asked) == 1 and plan.priced[0, asked[0]]:
            r = asked[0]
            price, size, a, lower, upper, rows, _ = (column[0] for column in watch.asked[-1])
            duals = highs(price, size, a[:rows], lower[:rows], upper[:rows])
            sites = core.world.sites
            caps = np.zeros(rows, bool)
            if plan.reopened[0, r]:
                caps[1:] = ~np.isfinite(lower[1:rows]) & np.isin(a[1:rows, :sites], (0.0, 1.0)).all(axis=1)
            off = 2.0 * core.world.scenario.market.max_price / PPM if plan.reopened[0, r] and r == UPPER else 0.0
            expected = off + (duals * ~caps) @ a[:rows, :sites]
            assert plan.nodal_price[0, r] / PPM == pytest.approx(expected, abs=2e-6)
            compared += 1
            reopened += int(plan.reopened[0, r])
        watch.asked.clear()
    assert compared >= 5
    assert reopened >= 3
