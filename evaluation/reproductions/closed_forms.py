"""The games with known answers: distance of the closed-form equilibrium from equilibrium, and what it loses."""

from __future__ import annotations

from envs.games.base import Game
from envs.games.cournot import Cournot
from envs.games.first_price import FirstPrice
from envs.games.midpoint import MidpointAuction
from envs.games.procurement import Procurement
from envs.games.second_price import SecondPrice
from envs.games.subsidy_leader import SubsidyLeader
from evaluation.games import Search, draws, nash_conv, price_of_anarchy, truthful_regret

SEARCH = Search(types=12, actions=81, draws=3001)
NO_TYPES = (Cournot, SubsidyLeader)  # nothing to be truthful about
ROWS: dict[str, Game] = {
    "first price, 2 bidders": FirstPrice(2),
    "first price, 3 bidders, reserve 0.3": FirstPrice(3, 0.3),
    "second price, 3 bidders": SecondPrice(3),
    "procurement, 2 suppliers": Procurement(2),
    "procurement, 3 suppliers, ceiling 0.7": Procurement(3, 0.7),
    "midpoint double auction": MidpointAuction(),
    "subsidy leader, 3 users": SubsidyLeader(),
    "Cournot, 3 firms": Cournot(3),
}


def run() -> str:
    """The table in Markdown."""
    game = MidpointAuction()
    types = draws(100_000, 2)
    share = game.trades(game.equilibrium(types)).mean()
    lines = [
        "## Games in closed form",
        "",
        "NashConv: sum over players of what a best response gains over the closed-form equilibrium, by search; values, "
        "costs U[0, 1]. Truthful regret: what a player gains over telling its type while all others do.",
        "",
        "| game | NashConv | truthful regret | price of anarchy |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, row in ROWS.items():
        regret = "–" if isinstance(row, NO_TYPES) else f"{truthful_regret(row, SEARCH):.4f}"
        conv = nash_conv(row, row.equilibrium, SEARCH)
        lines.append(f"| {name} | {conv:.5f} | {regret} | {price_of_anarchy(row):.4f} |")
    return "\n".join(
        [
            *lines,
            "",
            f"The midpoint double auction trades with probability {share:.4f} (9/32 = {9 / 32:.4f}) at efficiency "
            f"{1 / price_of_anarchy(game):.4f} (27/32 = {27 / 32:.4f}).",
        ]
    )
