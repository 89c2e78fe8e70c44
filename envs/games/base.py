"""What a one-shot game is, and its face for learners.

Each player learns its own type, says one number, and is paid. Payoffs are vectorised over leading axes, so that
best responses are computed on the same rules that a learner plays.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

Floats = NDArray[np.float64]


class GameError(ValueError):
    """A game, or a setting of one, that does not exist or makes no sense."""


class Game(ABC):
    """A one-shot game of independent private types in [0, 1] (a game without types has them and ignores them)."""

    players: tuple[str, ...]
    top: float  # actions lie in [0, top]

    @abstractmethod
    def payoffs(self, types: Floats, actions: Floats) -> Floats:
        """(…, n) types and actions → (…, n) payoffs; ties are paid by their expectation."""

    @abstractmethod
    def equilibrium(self, types: Floats) -> Floats:
        """(…, n) types → (…, n) actions of the equilibrium in closed form."""

    def equilibria(self, types: Floats) -> tuple[Floats, ...]:
        """(…, n) actions of every equilibrium known here, `equilibrium` first; a game may have more."""
        return (self.equilibrium(types),)

    @abstractmethod
    def surplus(self, types: Floats, actions: Floats) -> Floats:
        """(…) what all together gain, whoever pays whom."""

    @abstractmethod
    def optimum(self, types: Floats) -> Floats:
        """(…) the largest surplus that is possible."""


def shares(best: NDArray[np.bool_]) -> Floats:
    """(…, n) equal chances of those who tie; zero where nobody does."""
    many = np.maximum(best.sum(axis=-1, keepdims=True), 1)
    return np.asarray(best / many, dtype=np.float64)


def count_players(count: int, least: int, what: str) -> int:
    """``count``, checked. Raises GameError."""
    if count < least:
        raise GameError(f"{what} = {count}: at least {least} are needed")
    return count


class GameFace(ParallelEnv):
    """A game behind PettingZoo's parallel API: observe the own type, act once in [-1, 1] (mapped to [0, top])."""

    metadata = {"name": "gridpact_game", "render_modes": []}  # noqa: RUF012 (PettingZoo's convention)

    def __init__(self, game: Game) -> None:
        self.game = game
        self.render_mode = None
        self.possible_agents = list(game.players)
        self.agents: list[str] = []
        self.observation_spaces = {agent: Box(0.0, 1.0, (1,), np.float32) for agent in self.possible_agents}
        self.action_spaces = {agent: Box(-1.0, 1.0, (1,), np.float32) for agent in self.possible_agents}
        self._rng = np.random.default_rng()
        self._types = np.zeros(len(self.possible_agents))

    def observation_space(self, agent: str) -> Box:
        """The own type."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Box:
        """The one number to say."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        """Draw types; ``options`` has no meaning here."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self.agents = self.possible_agents[:]
        self._types = self._rng.random(len(self.agents)).astype(np.float32).astype(np.float64)
        return self._observe(), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, NDArray[np.float32]]) -> tuple[Any, Any, Any, Any, Any]:
        """Pay everybody; the game is over."""
        said = np.array([float(np.asarray(actions[agent]).reshape(-1)[0]) for agent in self.agents])
        paid = self.game.payoffs(self._types, (np.clip(said, -1.0, 1.0) + 1.0) * 0.5 * self.game.top)
        rewards = {agent: float(paid[k]) for k, agent in enumerate(self.agents)}
        observations = self._observe()
        infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        over = dict.fromkeys(self.agents, True)
        cut = dict.fromkeys(self.agents, False)
        self.agents = []
        return observations, rewards, over, cut, infos

    def _observe(self) -> dict[str, NDArray[np.float32]]:
        return {agent: self._types[k : k + 1].astype(np.float32) for k, agent in enumerate(self.agents)}
