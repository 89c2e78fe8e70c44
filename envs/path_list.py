"""The path list L of a period (paper 003, 3.3.2), from what the ledger says of its trades and from the feeder alone.

The operator writes it beside the trades, and every delegate computes it again before it votes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from envs.grid.routing import path_of
from envs.types import PPM
from envs.world import World
from ledger.encoding import Body


class PathList:
    """Routes the trades of one world; a pair of buses is looked up once."""

    def __init__(self, world: World, addresses: Sequence[bytes]) -> None:
        self.world = world
        self.bus = dict(zip(addresses, world.site_bus.tolist(), strict=False))  # of the sites, which come first
        self.known: dict[tuple[int, int], list[Any]] = {}

    def of(self, trades: Sequence[Body]) -> Body | None:
        """Body of the PATHS record: a row a trade, in their order; None without trades.

        trades: bodies of TRADE records of one period. ValueError for a trade of somebody who is no site.
        """
        if not trades:
            return None
        return [trades[0][0], [[k, *self._route(trade[2], trade[1])] for k, trade in enumerate(trades)]]

    def _route(self, seller: Any, buyer: Any) -> list[Any]:
        """Distance in millionths of a pu, charge per kWh, and the buses from one to the other."""
        if seller not in self.bus or buyer not in self.bus:
            raise ValueError("a trade is between two sites")
        ends = self.bus[seller], self.bus[buyer]
        if ends not in self.known:
            routes, charge = self.world.routes, int(self.world.path_charge[ends])
            distance = round(float(routes.distance_pu[ends]) * PPM)
            self.known[ends] = [distance, charge, path_of(routes, *ends)]
        return self.known[ends]
