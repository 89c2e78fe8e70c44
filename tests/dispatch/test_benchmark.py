"""The dispatch benchmark measures what it says: limits of a real net that bind, the same optimum by HiGHS."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.dispatch import AWARD_ROWS, dispatch_cases, feeder_limits, whole_cost
from benchmarks.highs import WholeModel
from benchmarks.tables import dispatch_table, flow_table
from envs.dispatch import admm, milp


def test_the_limits_of_33_buses_bind_in_many_of_its_problems() -> None:
    limits = feeder_limits()
    assert limits.shape == (3, 32)
    assert (limits >= 0.0).all()
    case = dispatch_cases(32, limits, 32)
    answer = admm.solve(*case, np.full(32, AWARD_ROWS + 3), np.ones(32, bool))
    assert answer.converged.all()
    assert (answer.duals[:, AWARD_ROWS:] > 0.0).any(axis=1).sum() > 8


def test_whole_quantities_cost_the_same_by_highs_called_directly() -> None:
    case = dispatch_cases(2, 1, sites=8)
    answer = milp.solve(*case, np.full(2, AWARD_ROWS + 1), np.ones(2, bool))
    for w, problem in enumerate(zip(*case, strict=True)):
        assert WholeModel(problem).cost() == pytest.approx(whole_cost(case[0][w], case[1][w], answer.x_kw[w]))


def test_tables_have_a_line_a_net_and_a_line_a_problem() -> None:
    def row(name: str, value: float) -> dict[str, object]:
        return {"name": name, "value": value, "unit": "us/world"}

    rows = [row("sweep kernel, one world, a net (3 buses)", 2.345), row("pandapower.runpp, a net (3 buses)", 17345.0)]
    assert flow_table(rows, "us/world").splitlines()[2:] == [
        "| a net (3 buses) | 2.3 | - | - | - | - | - | - | 17,300 |"
    ]
    rows = [row("milp, few sites", 512.3), row("HiGHS, mixed-integer model built, few sites", 64.0)]
    assert dispatch_table(rows, "us/world").splitlines()[2:] == ["| few sites | 512 | - | - | - | 64 | - |"]
