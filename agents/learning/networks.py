"""The networks that are trained: small multilayer perceptrons with tanh, one actor and one critic a role."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def _perceptron(inputs: int, hidden: Sequence[int], outputs: int, last_gain: float) -> nn.Sequential:
    """Linear and tanh in turn, orthogonal weights; the last layer is linear."""
    sizes = [inputs, *hidden, outputs]
    layers: list[nn.Module] = []
    for k in range(len(sizes) - 1):
        last = k == len(sizes) - 2
        linear = nn.Linear(sizes[k], sizes[k + 1])
        nn.init.orthogonal_(linear.weight, last_gain if last else math.sqrt(2.0))
        nn.init.zeros_(linear.bias)
        layers += [linear] if last else [linear, nn.Tanh()]
    return nn.Sequential(*layers)


class Actor(nn.Module):
    """Diagonal Gaussian over actions, its mean kept inside the box [-1, 1] by a tanh; samples beyond are clipped.

    A mean without bound can drift so far out that every sample is clipped to the same action and nothing is learned.
    """

    def __init__(self, observations: int, actions: int, hidden: Sequence[int], exploration_std: float) -> None:
        super().__init__()
        # A small last layer: at the start all observations lead to the middle of the box.
        self.mean = _perceptron(observations, hidden, actions, last_gain=0.01)
        self.log_std = nn.Parameter(torch.full((actions,), math.log(exploration_std)))

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """(rows, F) → (rows, 2 K): means, then logarithms of the standard deviations."""
        mean = torch.tanh(self.mean(observations))
        return torch.cat([mean, self.log_std.expand_as(mean)], dim=-1)

    def export(self) -> dict[str, NDArray[np.float32]]:
        """Weights of the mean as arrays: ``weight_k`` (inputs, outputs) and ``bias_k`` (outputs,) of each layer."""
        arrays: dict[str, NDArray[np.float32]] = {}
        for k, layer in enumerate(part for part in self.mean if isinstance(part, nn.Linear)):
            arrays[f"weight_{k}"] = np.ascontiguousarray(layer.weight.detach().cpu().numpy().T)
            arrays[f"bias_{k}"] = layer.bias.detach().cpu().numpy().copy()
        return arrays


class Critic(nn.Module):
    """Value of an observation."""

    def __init__(self, observations: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.value = _perceptron(observations, hidden, 1, last_gain=1.0)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """(rows, F) → (rows,)."""
        return self.value(observations).squeeze(-1)
