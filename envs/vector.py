"""A batch of worlds as arrays: one call advances them all, the face for fast training.

Per role arrays of shape (worlds, agents, features). World w of seed s is the single world of seed s + w, to the byte of
the ledger head. Episodes end together and restart in the same step.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.core import ROLES, Core
from envs.observe import Observer
from envs.settings import Scenario
from envs.types import Trace
from envs.world import build_world

F32 = NDArray[np.float32]
Batch = dict[str, F32]
GAMES = ("simultaneous", "staged")


class VectorMarket:
    """B worlds in step.

    Args:
        config: scenario file, name, mapping or Scenario.
        num_worlds: B.
        game: "simultaneous" (``step`` with the actions of all roles) or "staged" (``act`` role by role in the order of
            the stages; ``observe`` gives each role what completed stages made public).
        max_cycles: periods in an episode; the scenario's by default.
        overrides: nested mapping of single settings, for example {"ledger": {"mode": "off"}}.

    Raises:
        SettingsError: a setting that cannot be.
        ValueError: no world, or an unknown game.
    """

    def __init__(
        self,
        config: str | Path | Mapping[str, Any] | Scenario | None = None,
        num_worlds: int = 64,
        game: str = "simultaneous",
        max_cycles: int | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        if num_worlds < 1:
            raise ValueError(f"num_worlds = {num_worlds}: at least 1 world is needed")
        if game not in GAMES:
            raise ValueError(f"game = {game!r} (allowed: {', '.join(GAMES)})")
        self.world = build_world(config, dict(overrides or {}))
        self.core = Core(self.world, max_cycles)
        self.observer = Observer(self.world, self.core.max_cycles)
        self.num_worlds, self.game = num_worlds, game
        self.agents = self.core.agents
        self.action_columns = self.core.columns
        self.observation_columns = self.observer.tables
        self._next = 0  # stage that may act
        self.trace: Trace | None = None

    @property
    def staged(self) -> bool:
        """Whether the leader-follower game is played."""
        return self.game == "staged"

    def reset(self, seed: int = 0, players: str = "") -> tuple[Batch, dict[str, Any]]:
        """Start episode 0 of the seeds ``seed`` … ``seed + num_worlds - 1``; observations by role and infos.
        ``players`` says in any words who plays this and the following episodes: the ledgers' names hold its digest.
        """
        if seed < 0:
            raise ValueError(f"seed = {seed}: a seed is not negative")
        self._seeds = np.arange(seed, seed + self.num_worlds, dtype=np.uint64)
        self._episode, self._players = 0, players
        self._restart()
        return self._observe_all(), {}

    def _restart(self) -> None:
        self.core.reset(self._seeds, np.full(self.num_worlds, self._episode, np.int64), players=self._players)
        self._next = 0

    def observe(self, role: str) -> F32:
        """(worlds, agents, features) of one role at this moment of the period."""
        return self.observer.observe(role, self.core.state, self.core.stage, self.staged)

    def _observe_all(self) -> Batch:
        return {role: self.observe(role) for role in ROLES}

    def act(self, role: str, actions: F32) -> tuple[Batch, Batch, np.ndarray, np.ndarray, dict[str, Any]] | None:
        """Complete one stage of the staged game; after the prosumers' the period's result, else None.

        Raises:
            ValueError: the simultaneous game is played, or it is another role's turn.
        """
        if not self.staged:
            raise ValueError('act belongs to game = "staged"; the simultaneous game is played with step')
        if role != ROLES[self._next]:
            raise ValueError(f"it is the turn of {ROLES[self._next]}, not of {role} (order: {', '.join(ROLES)})")
        if role == "prosumer":
            return self._close(actions)
        (self.core.announce if role == "eno" else self.core.offer)(actions)
        self._next += 1
        return None

    def step(self, actions: Mapping[str, F32]) -> tuple[Batch, Batch, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play one period with the actions (worlds, agents, K) of all roles at once.

        Returns:
            observations, rewards (worlds, agents) by role, terminations (worlds,), truncations (worlds,), infos.
            When the
            episodes end, observations are those of the next ones; ``infos`` then holds ``final_obs`` by role and, if
            a ledger is kept, ``ledger_heads`` (worlds,) hex.
        """
        if self.staged:
            raise ValueError('step belongs to game = "simultaneous"; the staged game is played with act')
        missing = [role for role in ROLES if role not in actions]
        if missing:
            raise ValueError(f"no actions for {missing[0]} (needed: {', '.join(ROLES)})")
        self.core.announce(actions["eno"])
        self.core.offer(actions["aggregator"])
        return self._close(actions["prosumer"])

    def _close(self, actions: F32) -> tuple[Batch, Batch, np.ndarray, np.ndarray, dict[str, Any]]:
        self.trace = self.core.close(actions)
        self._next = 0
        rewards = {role: values.astype(np.float32) for role, values in self.trace.reward.items()}
        infos: dict[str, Any] = {}
        done = self.core.done
        if done:
            infos["final_obs"] = self._observe_all()
            if self.core.recorder.heads:
                infos["ledger_heads"] = [head.hex() for head in self.core.recorder.heads]
            self._episode += 1
            self._restart()
        over = np.full(self.num_worlds, done)
        return self._observe_all(), rewards, np.zeros_like(over), over, infos
