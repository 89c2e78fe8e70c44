"""Best responses and distance from equilibrium in the one-shot games with known answers.

Expectations over the opponents' types are sums over a fixed low-discrepancy sequence; best responses are searched on a
grid of actions for each type of a grid. Both are deterministic; `Search` sets how fine they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from envs.games.base import Floats, Game

Strategy = Callable[[Floats], Floats]  # (…, n) types → (…, n) actions; column k depends on type k alone


@dataclass(frozen=True)
class Search:
    """Resolution of the search."""

    types: int = 21
    actions: int = 201
    draws: int = 2048


@dataclass(frozen=True)
class Response:
    """Best responses of one player to the others."""

    types: Floats  # (T,)
    actions: Floats  # (T,) best action on the grid
    gain: Floats  # (T,) best payoff less the payoff of its own strategy, ≥ 0


def draws(count: int, players: int) -> Floats:
    """(count, players) points in [0, 1): the additive recurrence on the powers of the generalised golden ratio."""
    ratio = 2.0
    for _ in range(64):
        ratio = (1.0 + ratio) ** (1.0 / (players + 1))
    steps = ratio ** -np.arange(1.0, players + 1.0)
    return np.asarray((0.5 + np.arange(1, count + 1)[:, None] * steps) % 1.0)


def best_response(game: Game, strategy: Strategy, player: int, search: Search | None = None) -> Response:
    """What ``player`` could gain over ``strategy`` while everybody else plays it."""
    search = search or Search()
    points = draws(search.draws, len(game.players))
    others = strategy(points)  # (D, n)
    own_types = (np.arange(search.types) + 0.5) / search.types
    grid = np.linspace(0.0, game.top, search.actions)
    best, gain = np.empty(search.types), np.empty(search.types)
    for k, own in enumerate(own_types):
        types = points.copy()
        types[:, player] = own
        usual = strategy(types[:1])[0, player]
        tried = np.append(grid, usual)
        said = np.repeat(others[None], len(tried), axis=0)  # (K, D, n)
        said[:, :, player] = tried[:, None]
        payoff = game.payoffs(types, said)[..., player].mean(axis=1)
        best[k] = tried[int(np.argmax(payoff))]
        gain[k] = payoff.max() - payoff[-1]
    return Response(own_types, best, gain)


def nash_conv(game: Game, strategy: Strategy, search: Search | None = None) -> float:
    """Sum over players of the expected gain of a best response; 0 in equilibrium."""
    return sum(float(best_response(game, strategy, k, search).gain.mean()) for k in range(len(game.players)))


def exploitability(game: Game, strategy: Strategy, search: Search | None = None) -> float:
    """NashConv divided by the number of players."""
    return nash_conv(game, strategy, search) / len(game.players)


def truthful_regret(game: Game, search: Search | None = None) -> float:
    """What a player forgoes on average by telling its type while everybody does."""
    return exploitability(game, lambda types: types, search)


def optimum_over_surplus(game: Game, strategy: Strategy | None = None, count: int = 100_000) -> float:
    """Expected optimal surplus over the expected surplus of a strategy (by default the equilibrium); 1 is no loss."""
    types = draws(count, len(game.players))
    return _loss(game, types, (strategy or game.equilibrium)(types))


def price_of_anarchy(game: Game, count: int = 100_000) -> float:
    """The largest `optimum_over_surplus` of the equilibria known: a lower bound where a game has others.

    Infinite where one of them gains nothing.
    """
    types = draws(count, len(game.players))
    return max(_loss(game, types, actions) for actions in game.equilibria(types))


def _loss(game: Game, types: Floats, actions: Floats) -> float:
    gained = float(game.surplus(types, actions).mean())
    return float(game.optimum(types).mean()) / gained if gained > 0.0 else float("inf")
