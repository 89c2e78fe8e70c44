"""Plays a trained network: the mean action, row by row.

Each row is computed by the same additions in the same order whatever the batch, so that a world in a batch gives the
bytes of that world alone; a matrix product of a linear algebra library does not promise that.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import tanh

import numpy as np
from numba import njit
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Floats = NDArray[np.float64]


class LearnedPolicy:
    """A trained policy of one role; deterministic, keeps no memory between periods.

    Args:
        weights: ``weight_k`` (inputs, outputs) and ``bias_k`` (outputs,) of each layer, a tanh after each.
        role: which role it plays.
        game: the game it was trained on, "simultaneous" or "staged".
    """

    def __init__(self, weights: Mapping[str, F32], role: str, game: str) -> None:
        self.role, self.game = role, game
        wide = {name: np.ascontiguousarray(array, np.float64) for name, array in weights.items()}
        self._layers = [(wide[f"weight_{k}"], wide[f"bias_{k}"]) for k in range(len(weights) // 2)]

    def reset(self, seed: int) -> None:
        """Nothing to forget: the mean action is played."""

    def act(self, observations: F32) -> F32:
        """(…, agents, F) observations → (…, agents, K) actions in [-1, 1].

        Raises:
            ValueError: F is not the number of observation columns it was trained on.
        """
        width, count = self._layers[0][0].shape[0], self._layers[-1][0].shape[1]
        if observations.shape[-1] != width:
            raise ValueError(f"{self.role}: observations of {observations.shape[-1]} columns, trained was on {width}")
        rows = np.ascontiguousarray(observations.reshape(-1, width), np.float64)
        for weight, bias in self._layers:
            rows = _layer(rows, weight, bias)
        return rows.astype(np.float32).reshape(*observations.shape[:-1], count)


@njit(cache=True)
def _layer(rows: Floats, weight: Floats, bias: Floats) -> Floats:
    out = np.empty((rows.shape[0], weight.shape[1]))
    for r in range(rows.shape[0]):
        out[r] = bias
        for i in range(weight.shape[0]):
            for o in range(weight.shape[1]):
                out[r, o] += rows[r, i] * weight[i, o]
        for o in range(weight.shape[1]):
            out[r, o] = tanh(out[r, o])
    return out
