"""A batch of worlds as arrays: one call advances them all, the face for fast training.

Per role arrays of shape (worlds, agents, features). World w of seed s is the single world of seed s + w, to the byte of
the ledger head. Episodes end together and restart in the same step.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.config import whole_number
from envs.core import ROLES, Core
from envs.observe import Observer
from envs.settings import Scenario
from envs.types import Trace
from envs.world import build_world

F32 = NDArray[np.float32]
Batch = dict[str, F32]
Config = str | Path | Mapping[str, Any] | Scenario | None
GAMES = ("simultaneous", "staged")
NO_EPISODE = "no episode has begun: call reset first"


def checked_players(players: object) -> str:
    """Who plays, in any words. ValueError where it is no text."""
    if not isinstance(players, str):
        raise ValueError(f"players = {players!r} (allowed: a text that says who plays)")
    return players


def refuse_strangers(what: str, names: Collection[str], actions: object) -> None:
    """ValueError where actions are no mapping, or more than those of ``names``; what is missing is not looked for."""
    if not isinstance(actions, Mapping):
        raise ValueError(f"actions are a {type(actions).__name__} (allowed: a mapping from each {what} to its actions)")
    if len(actions) > len(names):
        unknown = next(name for name in actions if name not in names)
        raise ValueError(f"actions of {unknown!r}: no such {what} (allowed: {', '.join(names)})")


class VectorMarket:
    """B worlds in step; made by ``vector_env``, which says what the arguments are."""

    def __init__(
        self,
        config: Config = None,
        num_worlds: int = 64,
        game: str = "simultaneous",
        max_cycles: int | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        num_worlds = whole_number("num_worlds", num_worlds, 1)
        if game not in GAMES:
            raise ValueError(f"game = {game!r} (allowed: {', '.join(GAMES)})")
        self.world = build_world(config, overrides)
        self.core = Core(self.world, max_cycles)
        self.observer = Observer(self.world, self.core.max_cycles)
        self.num_worlds, self.game = num_worlds, game
        self.agents = self.core.agents
        self.action_columns = self.core.columns
        self.observation_columns = self.observer.tables
        self._next = 0  # stage that may act
        self._seeds = np.zeros(0, np.uint64)  # (B,) once an episode has begun
        self.trace: Trace | None = None

    @property
    def staged(self) -> bool:
        """Whether the leader-follower game is played."""
        return self.game == "staged"

    def reset(self, seed: int = 0, players: str = "") -> tuple[Batch, dict[str, Any]]:
        """Start episode 0 of the seeds ``seed`` … ``seed + num_worlds - 1``; observations by role and infos.
        ``players`` says in any words who plays this and the following episodes: the ledgers' names hold its digest.

        Raises:
            ValueError: a seed that is no whole number of 64 bits, or players that are no text.
        """
        checked_players(players)
        first = whole_number("seed", seed, 0, 2**64 - self.num_worlds)
        self._seeds = np.uint64(first) + np.arange(self.num_worlds, dtype=np.uint64)
        self._episode, self._players = 0, players
        self._restart()
        return self._observe_all(), {}

    def _restart(self) -> None:
        self.core.reset(self._seeds, np.full(self.num_worlds, self._episode, np.int64), players=self._players)
        self._next = 0

    def observe(self, role: str) -> F32:
        """(worlds, agents, features) of one role at this moment of the period. ValueError for no role, and before
        ``reset``.
        """
        self._require_episode()
        if role not in ROLES:
            raise ValueError(f"role = {role!r} (allowed: {', '.join(ROLES)})")
        return self.observer.observe(role, self.core.state, self.core.stage, self.staged)

    def _require_episode(self) -> None:
        if not len(self._seeds):
            raise ValueError(NO_EPISODE)

    def _observe_all(self) -> Batch:
        return {role: self.observe(role) for role in ROLES}

    def act(self, role: str, actions: F32) -> tuple[Batch, Batch, np.ndarray, np.ndarray, dict[str, Any]] | None:
        """Complete one stage of the staged game; after the prosumers' the period's result, else None.

        Actions outside [-1, 1] are clipped to it.

        Raises:
            ValueError: the simultaneous game is played, it is another role's turn, no episode has begun, or actions of
                another shape.
        """
        self._require_episode()
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
        """Play one period with the actions (worlds, agents, K) of all roles at once; outside [-1, 1] they are clipped.

        Returns:
            observations, rewards (worlds, agents) by role, terminations (worlds,), truncations (worlds,), infos.
            When the
            episodes end, observations are those of the next ones; ``infos`` then holds ``final_obs`` by role and, if
            a ledger is kept, ``ledger_heads`` (worlds,) hex.

        Raises:
            ValueError: the staged game is played, no episode has begun, or actions that are not those of the roles.
        """
        self._require_episode()
        if self.staged:
            raise ValueError('step belongs to game = "simultaneous"; the staged game is played with act')
        refuse_strangers("role", ROLES, actions)
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


def vector_env(
    config: Config = None,
    num_worlds: int = 64,
    game: str = "simultaneous",
    max_cycles: int | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> VectorMarket:
    """B worlds in step, as arrays (worlds, agents, features) by role.

    Args:
        config: scenario file, name under ``configs/scenarios``, mapping or Scenario; None is the default day.
        num_worlds: B.
        game: "simultaneous" (``step`` with the actions of all roles) or "staged" (``act`` role by role in the order of
            the stages; ``observe`` gives each role what completed stages made public).
        max_cycles: periods in an episode; the scenario's by default.
        overrides: nested mapping of single settings, for example {"ledger": {"mode": "off"}}.

    Raises:
        SettingsError: a setting that cannot be.
        ValueError: num_worlds or max_cycles that is no whole number from 1 on, or an unknown game.
    """
    return VectorMarket(config, num_worlds, game, max_cycles, overrides)
