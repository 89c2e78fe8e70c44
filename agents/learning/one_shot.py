"""Learners for the one-shot games: best response and self-play by policy gradient, to be held against closed forms.

A player is a small network from its type to its action. Each step draws many worlds at once; every player tries a few
actions around its own while the others stand still, and moves toward those that paid more than their mean: a
score-function gradient whose baseline is the same world. The payoffs are the game's own rules on arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from envs.games.base import Floats, Game

Strategy = Callable[[Floats], Floats]  # (…, n) types → (…, n) actions


@dataclass(frozen=True)
class Training:
    """How long and how finely to learn; the noise of the tried actions falls from ``noise`` to ``last_noise``."""

    steps: int = 600
    worlds: int = 512
    tries: int = 16
    noise: float = 0.2  # of the range of actions
    last_noise: float = 0.02
    rate: float = 5e-3
    hidden: int = 32
    seed: int = 0


class Player(nn.Module):
    """Type in [0, 1] → action in [0, top]."""

    def __init__(self, top: float, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.top = top
        linear = [nn.Linear(1, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 1)]
        for layer in linear:
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5, generator=generator)
            nn.init.zeros_(layer.bias)
        self.layers = nn.Sequential(linear[0], nn.Tanh(), linear[1], nn.Tanh(), linear[2])
        self.double()

    def forward(self, types: torch.Tensor) -> torch.Tensor:
        """(D,) → (D,)."""
        out: torch.Tensor = self.layers(2.0 * types[:, None] - 1.0)[:, 0]
        return self.top * torch.sigmoid(out)


class Learned:
    """A strategy that was learned: the players' networks, and what the others do who did not learn."""

    def __init__(self, game: Game, players: dict[int, Player], others: Strategy | None) -> None:
        self.game, self.players, self.others = game, players, others

    def __call__(self, types: Floats) -> Floats:
        """(…, n) types → (…, n) actions."""
        flat = types.reshape(-1, types.shape[-1])
        actions = np.zeros_like(flat) if self.others is None else np.array(self.others(flat))
        with torch.no_grad():
            for k, player in self.players.items():
                actions[:, k] = player(torch.from_numpy(np.ascontiguousarray(flat[:, k]))).numpy()
        return np.asarray(actions.reshape(types.shape))


def _advantages(game: Game, types: Floats, said: Floats, k: int, tried: Floats) -> Floats:
    """(M, D) payoffs of player k's tried actions, less their mean in the same world, at unit spread."""
    actions = np.repeat(said[None], len(tried), axis=0)
    actions[..., k] = tried
    paid = game.payoffs(np.broadcast_to(types, actions.shape), actions)[..., k]
    better = paid - paid.mean(axis=0)
    return np.asarray(better / max(float(better.std()), 1e-12))


def train(
    game: Game, learners: Sequence[int], others: Strategy | None = None, settings: Training | None = None
) -> Learned:
    """Players ``learners`` learn at the same time; who does not learn plays ``others``.

    Args:
        game: its payoffs are all that is known of it.
        learners: indices of players; all of them for self-play, one for a best response.
        others: the strategy of the rest; may be None when everybody learns.
        settings: length, sizes and seed. The same seed gives the same strategy on the same machine.

    Raises:
        ValueError: somebody neither learns nor has a strategy.
    """
    chosen = settings or Training()
    if others is None and set(learners) != set(range(len(game.players))):
        raise ValueError("a strategy is needed for the players who don't learn")
    generator = torch.Generator().manual_seed(chosen.seed)
    rng = np.random.default_rng(chosen.seed)
    players = {k: Player(game.top, chosen.hidden, generator) for k in learners}
    learned = Learned(game, players, others)
    optimizers = {k: torch.optim.Adam(player.parameters(), lr=chosen.rate) for k, player in players.items()}
    for step in range(chosen.steps):
        left = 1.0 - step / chosen.steps
        noise = game.top * chosen.last_noise * (chosen.noise / chosen.last_noise) ** left
        types = rng.random((chosen.worlds, len(game.players)))
        said = learned(types)
        for k, player in players.items():
            for group in optimizers[k].param_groups:
                group["lr"] = chosen.rate * left
            mean = player(torch.from_numpy(np.ascontiguousarray(types[:, k])))
            tried = mean.detach().numpy() + noise * rng.standard_normal((chosen.tries, chosen.worlds))
            better = _advantages(game, types, said, k, np.clip(tried, 0.0, game.top))
            push = torch.from_numpy((better * (tried - mean.detach().numpy())).mean(axis=0) / noise)
            optimizers[k].zero_grad()
            (-(push * mean).mean() / noise).backward()  # d log N(tried; mean, noise²) / d mean, weighed
            optimizers[k].step()
    return learned
