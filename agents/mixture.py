"""A role whose agents do not all play alike: `truthful,zip@0-7,greedy@12`.

The first part plays everybody whom no later part names; a later one names agents by number or by a range. So a
newcomer can be set against a market of others, one agent can deviate, and populations can be compared.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from envs.config import SettingsError

F32 = NDArray[np.float32]
_PART = re.compile(r"(?P<name>.+)@(?P<first>\d+)(-(?P<last>\d+))?")


class Player(Protocol):
    """What a policy must do here."""

    def reset(self, seed: int) -> None:
        """Forget the last episode."""

    def act(self, observations: F32) -> F32:
        """(…, agents, F) observations → (…, agents, K) actions."""


def parts_of(role: str, text: str) -> list[tuple[str, int, int]]:
    """(name, first, last) of each part of a mixture; the first part has (0, -1) and is everybody's.

    Raises:
        SettingsError: a later part that names no agents, an empty one, or a range that runs backward.
    """
    first, *others = text.split(",")
    found = [(first, 0, -1)]
    for part in others:
        match = _PART.fullmatch(part)
        if match is None:
            raise SettingsError(
                f"--policy {role}: {part!r} names no agents; write NAME@3 or NAME@0-7 (the first part plays the rest)"
            )
        low = int(match["first"])
        high = int(match["last"] or low)
        if high < low:
            raise SettingsError(f"--policy {role}: {part!r} runs backward; write NAME@{high}-{low}")
        found.append((match["name"], low, high))
    if not first or "@" in first:
        raise SettingsError(f"--policy {role}: {text!r} begins with a rule for everybody, as in truthful,zip@0-7")
    return found


class Mixture:
    """Several policies of one role; each acts for all, and the agents it was given take its action."""

    def __init__(self, role: str, players: Sequence[Player], shares: Sequence[tuple[int, int]]) -> None:
        self.role, self.players, self.shares = role, players, shares

    @property
    def game(self) -> str | None:
        """The game that a trained part was trained on, None where all play both."""
        games = [game for player in self.players if (game := getattr(player, "game", None)) is not None]
        return games[0] if games else None

    def reset(self, seed: int) -> None:
        """Start a new episode for all of them."""
        for player in self.players:
            player.reset(seed)

    def require_agents(self, count: int) -> None:
        """SettingsError where a part names an agent that the scenario has not."""
        last = max(last for _, last in self.shares)
        if last >= count:
            raise SettingsError(f"--policy {self.role}: no agent {last} (allowed: 0 to {count - 1})")

    def act(self, observations: F32) -> F32:
        """(…, agents, F) observations → (…, agents, K) actions in [-1, 1]."""
        self.require_agents(observations.shape[-2])
        actions = self.players[0].act(observations)
        for player, (first, last) in zip(self.players[1:], self.shares[1:], strict=True):
            actions[..., first : last + 1, :] = player.act(observations)[..., first : last + 1, :]
        return actions
