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
        self.highs.run()
        if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise RuntimeError(f"HiGHS ends with {self.highs.getModelStatus()}")
        return float(self.highs.getInfo().objective_function_value)
