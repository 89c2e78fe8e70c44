"""Dispatch problems as HiGHS solves them when it is called directly, without scipy's set-up around it.

A problem is (price, size_kw, a, lower, upper) of `envs.dispatch` for one world. A kept model keeps its matrix and its
last basis; a new world then only changes prices, sizes and row bounds, which is how an operator would run it.
"""

from __future__ import annotations

from typing import Any

import highspy
import numpy as np

Problem = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class Model:
    """One linear programme kept in HiGHS: minimise price . q, lower <= A q <= upper, 0 <= q <= size."""

    def __init__(self, problem: Problem) -> None:
        self.highs = highspy.Highs()
        self.highs.setOptionValue("output_flag", False)
        self.highs.setOptionValue("threads", 1)
        self.pass_anew(problem)

    def pass_anew(self, problem: Problem) -> None:
        """A new model, matrix included; what HiGHS knew of the last one is lost."""
        price, size_kw, a, lower, upper = problem
        columns, matrix = price.size, np.repeat(a, price.shape[1], axis=1)
        programme: Any = highspy.HighsLp()
        programme.num_col_, programme.num_row_ = columns, len(lower)
        programme.col_cost_, programme.col_upper_ = price.ravel(), size_kw.ravel()
        programme.col_lower_ = np.zeros(columns)
        programme.row_lower_, programme.row_upper_ = lower, upper
        filled = matrix.T != 0.0
        programme.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        programme.a_matrix_.start_ = np.concatenate([[0], np.cumsum(filled.sum(axis=1))]).astype(np.int32)
        programme.a_matrix_.index_ = np.nonzero(filled)[1].astype(np.int32)
        programme.a_matrix_.value_ = matrix.T[filled]
        self.highs.passModel(programme)
        self._all = np.arange(columns, dtype=np.int32)

    def change(self, problem: Problem) -> None:
        """Prices, sizes and row bounds of another world with the same matrix."""
        price, size_kw, _, lower, upper = problem
        columns = len(self._all)
        self.highs.changeColsCost(columns, self._all, price.ravel())
        self.highs.changeColsBounds(columns, self._all, np.zeros(columns), size_kw.ravel())
        for row in range(len(lower)):
            self.highs.changeRowBounds(row, float(lower[row]), float(upper[row]))

    def cost(self) -> float:
        """The least cost. Raises RuntimeError where HiGHS does not prove one."""
        return _least_cost(self.highs)


class WholeModel:
    """The mixed-integer programme of `envs.dispatch.milp` for one world: every segment's power and whether it is the
    one in which its site ends.
    """

    def __init__(self, problem: Problem) -> None:
        price, size_kw, a, lower, upper = problem
        self.highs = highspy.Highs()
        self.highs.setOptionValue("output_flag", False)
        self.highs.setOptionValue("threads", 1)
        self.highs.setOptionValue("mip_rel_gap", 0.0)
        end_kw = np.cumsum(size_kw, axis=1)
        power = [[self.highs.addVariable(0.0, end) for end in row] for row in end_kw]
        chosen = [[self.highs.addBinary() for _ in row] for row in end_kw]
        for i, row in enumerate(power):
            for m, segment in enumerate(row):
                self.highs.changeColCost(segment.index, float(price[i, m]))
                self.highs.addConstr(segment <= end_kw[i, m] * chosen[i][m])
                self.highs.addConstr(segment >= (end_kw[i, m] - size_kw[i, m]) * chosen[i][m])
            self.highs.addConstr(sum(chosen[i][1:], chosen[i][0] + 0.0) <= 1.0)
        for r in range(len(lower)):
            sites = np.flatnonzero(a[r])
            columns = np.array([segment.index for i in sites for segment in power[i]], dtype=np.int32)
            weights = np.repeat(a[r, sites], price.shape[1])
            self.highs.addRow(float(lower[r]), float(upper[r]), len(columns), columns, weights)

    def cost(self) -> float:
        """The least cost, solved from scratch. Raises RuntimeError where HiGHS does not prove one."""
        self.highs.clearSolver()
        return _least_cost(self.highs)


def _least_cost(highs: Any) -> float:
    highs.run()
    if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"HiGHS ends with {highs.getModelStatus()}")
    return float(highs.getInfo().objective_function_value)
