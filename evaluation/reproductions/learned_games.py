"""Learners on the games with known answers: what they reach before they are let into a market.

One player learns against the closed form (its payoff can't exceed the equilibrium's by more than the draw's error), and
all players learn against each other, starting from nothing (their NashConv is searched as for any strategy).
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from envs.games.base import Game
from evaluation.games import draws, nash_conv
from evaluation.reproductions.closed_forms import ROWS, SEARCH

POINTS = 4096
BOUNDED = ("reserve", "ceiling")  # beyond it a type's action has no consequence, so it is not compared


def rows(names: tuple[str, ...] = tuple(ROWS)) -> list[tuple[str, float, float, float, float]]:
    """(game, learned payoff, equilibrium payoff, NashConv of self-play, mean distance from the closed form / range)."""
    from agents.learning.one_shot import train  # torch is not in the base installation

    found = []
    for name in names:
        game: Game = ROWS[name]
        points = draws(POINTS, len(game.players))
        usual = game.equilibrium(points)
        answer = train(game, [0], game.equilibrium)
        earned, expected = (float(game.payoffs(points, said)[:, 0].mean()) for said in (answer(points), usual))
        together = train(game, range(len(game.players)))
        distance = float(np.abs(together(points) - usual).mean()) / game.top
        found.append((name, earned, expected, nash_conv(game, together, SEARCH), distance))
    return found


def run() -> str:
    """The table in Markdown."""
    lines = ["## Learners on the games in closed form", ""]
    if find_spec("torch") is None:
        return "\n".join([*lines, "Not played: the installation has no torch (`make setup` brings it)."])
    lines += [
        "Policy gradient from random networks, 600 steps of 512 worlds (`agents/learning/one_shot.py`). *Best",
        "response*: one player learns while the others play the closed form; its payoff beside the equilibrium's.",
        "*Self-play*: all learn.",
        "",
        "| game | best response earns | equilibrium earns | NashConv of self-play | distance from the closed form, % |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, learned, usual, conv, distance in rows():
        away = "–" if any(word in name for word in BOUNDED) else f"{100.0 * distance:.1f}"
        lines.append(f"| {name} | {learned:.4f} | {usual:.4f} | {conv:.5f} | {away} |")
    return "\n".join(lines)
