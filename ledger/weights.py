"""The rolling window of verified energy that weighs nodes in a draw (paper 000, eq. 3-4).

w = alpha * generated + beta * consumed over the last 672 periods, in exact integers (ppm * Wh). Energy beyond
what a node's certified connection can carry in that time does not count, and a node below the credit
threshold weighs nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Int64Array = NDArray[np.int64]

PERIODS_PER_HOUR = 4
MAX_PERIOD_WH = 1 << 40  # 672 of them stay far inside int64
MAX_SHARE_PPM = 1_000_000
MAX_WINDOW_CELLS = 1 << 26  # nodes * periods: a foreign chain must not fill the memory


class WeightWindow:
    """Verified Wh of n nodes over a window of periods, and the weights that follow.

    capacity_w: [n] certified capacity in W. ValueError when a setting or a pushed value is out of range.
    """

    def __init__(
        self,
        capacity_w: Int64Array,
        window_periods: int = 672,
        alpha_ppm: int = 500_000,
        beta_ppm: int = 500_000,
        credit_threshold_ppm: int = 0,
    ) -> None:
        if window_periods < 1:
            raise ValueError(f"window_periods is {window_periods}; at least 1 is allowed")
        if not (0 <= alpha_ppm <= MAX_SHARE_PPM and 0 <= beta_ppm <= MAX_SHARE_PPM):
            raise ValueError(f"alpha_ppm {alpha_ppm} and beta_ppm {beta_ppm} must lie in 0..{MAX_SHARE_PPM}")
        nodes = len(capacity_w)
        self.window_periods = window_periods
        self.alpha_ppm, self.beta_ppm = alpha_ppm, beta_ppm
        self.credit_threshold_ppm = credit_threshold_ppm
        self.credit_ppm: Int64Array = np.full(nodes, MAX_SHARE_PPM, np.int64)  # [n]
        self._cap_wh: Int64Array = self._cap(np.asarray(capacity_w, np.int64))  # [n]
        self._energy_wh: Int64Array = np.zeros(
            (window_periods, 2, nodes), np.int64
        )  # [window, generated | consumed, n]
        self._sums_wh: Int64Array = np.zeros((2, nodes), np.int64)  # [generated | consumed, n]
        self._next = 0

    def _cap(self, capacity_w: Int64Array) -> Int64Array:
        return capacity_w * self.window_periods // PERIODS_PER_HOUR

    def push(self, generated_wh: Int64Array, consumed_wh: Int64Array, credit_ppm: Int64Array | None = None) -> None:
        """Add one verified period, [n] Wh each, and let the oldest go; credit_ppm [n] replaces the
        credits.
        """
        for energy_wh in (generated_wh, consumed_wh):
            if energy_wh.shape != self.credit_ppm.shape or energy_wh.dtype != np.int64:
                raise ValueError(f"a period is an int64 array of {len(self.credit_ppm)} values in Wh")
            if len(energy_wh) and (energy_wh.min() < 0 or energy_wh.max() > MAX_PERIOD_WH):
                raise ValueError(f"energies of a period lie in 0..{MAX_PERIOD_WH} Wh")
        self.roll(np.stack((generated_wh, consumed_wh)))
        if credit_ppm is not None:
            self.set_credit(credit_ppm)

    def roll(self, energy_wh: Int64Array) -> None:
        """Add one period whose values a check has let pass, [generated | consumed, n] Wh; the oldest goes."""
        oldest_wh = self._energy_wh[self._next]
        self._sums_wh += energy_wh
        self._sums_wh -= oldest_wh
        oldest_wh[:] = energy_wh
        self._next = (self._next + 1) % self.window_periods

    def set_credit(self, credit_ppm: Int64Array) -> None:
        """Replace the nodes' latest credits, [n] ppm."""
        if credit_ppm.shape != self.credit_ppm.shape or credit_ppm.dtype != np.int64:
            raise ValueError(f"credit_ppm is an int64 array of {len(self.credit_ppm)} values")
        self.credit_ppm = credit_ppm.copy()

    def fill(self, node: int, generated_wh: Int64Array, consumed_wh: Int64Array) -> None:
        """Set the periods before the first push for one node, [<= window] Wh each, oldest first."""
        count = len(generated_wh)
        if count != len(consumed_wh) or count > self.window_periods:
            raise ValueError(f"a history has two lists of the same length, at most {self.window_periods} periods")
        for row, energy_wh in enumerate((generated_wh, consumed_wh)):
            if count and (energy_wh.min() < 0 or energy_wh.max() > MAX_PERIOD_WH):
                raise ValueError(f"energies of a period lie in 0..{MAX_PERIOD_WH} Wh")
            column_wh = self._energy_wh[:, row, node]
            column_wh[:] = 0
            column_wh[self.window_periods - count :] = energy_wh
            self._sums_wh[row, node] = column_wh.sum()

    def grow(self, capacity_w: Int64Array) -> None:
        """Admit further nodes, [k] capacities in W, with nothing verified yet and full credit."""
        nodes = len(capacity_w)
        self._cap_wh = np.append(self._cap_wh, self._cap(capacity_w))
        self.credit_ppm = np.append(self.credit_ppm, np.full(nodes, MAX_SHARE_PPM, np.int64))
        empty = np.zeros((self.window_periods, 2, nodes), np.int64)
        self._energy_wh = np.concatenate([self._energy_wh, empty], axis=2)
        self._sums_wh = np.concatenate([self._sums_wh, np.zeros((2, nodes), np.int64)], axis=1)

    def set_capacity(self, node: int, capacity_w: int) -> None:
        """Replace a node's certified capacity in W."""
        self._cap_wh[node] = self._cap(np.array([capacity_w], np.int64))[0]

    def weights(self) -> Int64Array:
        """[n] weights in ppm * Wh."""
        capped_wh = np.minimum(self._sums_wh, self._cap_wh)  # [2, n]
        weight = self.alpha_ppm * capped_wh[0] + self.beta_ppm * capped_wh[1]
        return np.where(self.credit_ppm >= self.credit_threshold_ppm, weight, 0)

    def scores(self) -> list[int]:
        """[n] weight times credit, in ppm of ppm * Wh: what a node's reputation is worth among delegates.

        Paper 003, eq. 1 adds reputation and amount. A sum gives everybody with a good name a vote, energy or not, and
        so ten votes to who comes under ten names; of a product ten parts have no more than the whole.
        """
        return [weight * ppm for weight, ppm in zip(self.weights().tolist(), self.credit_ppm.tolist(), strict=True)]
