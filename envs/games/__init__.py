"""Small games with known answers, one a file: where a learner is checked before it is let into the market.

``GAMES`` names them; ``parallel_env(name, **settings)`` is a game behind the parallel API. ``SubsidyStages`` is
the subsidy game with its users as players, behind PettingZoo's AEC API.
"""

from __future__ import annotations

from typing import Any

from envs.games.base import Game, GameError, GameFace
from envs.games.cournot import Cournot
from envs.games.first_price import FirstPrice
from envs.games.midpoint import MidpointAuction
from envs.games.procurement import Procurement
from envs.games.second_price import SecondPrice
from envs.games.subsidy_leader import SubsidyLeader
from envs.games.subsidy_stages import SubsidyStages

__all__ = ["GAMES", "Game", "GameError", "SubsidyStages", "parallel_env"]

GAMES: dict[str, type[Game]] = {
    "cournot": Cournot,
    "first_price": FirstPrice,
    "midpoint": MidpointAuction,
    "procurement": Procurement,
    "second_price": SecondPrice,
    "subsidy_leader": SubsidyLeader,
}


def parallel_env(name: str, **settings: Any) -> GameFace:
    """A game by name, e.g. ``parallel_env("first_price", bidders=3)``. Raises GameError for an unknown name."""
    if name not in GAMES:
        raise GameError(f"game {name!r}: no such game (allowed: {', '.join(GAMES)})")
    return GameFace(GAMES[name](**settings))
