"""The games with known answers: how near to equilibrium the closed forms are, what they lose, and their numbers."""

from __future__ import annotations

import numpy as np

from envs.games.base import Game
from envs.games.cournot import Cournot
from envs.games.first_price import FirstPrice
from envs.games.midpoint import MidpointAuction
from envs.games.procurement import Procurement
from envs.games.second_price import SecondPrice
from envs.games.subsidy_leader import SubsidyLeader
from evaluation.games import Search, nash_conv, optimum_over_surplus, price_of_anarchy, truthful_regret
from evaluation.reproductions._closed_form_rows import rows as closed_form_rows

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
    """Both tables in Markdown."""
    return "\n".join(
        [
            "## Games in closed form",
            "",
            "NashConv: sum over players of what a best response gains over the closed-form equilibrium, by search; "
            "values, costs U[0, 1]. Truthful regret: what a player gains over telling its type while all others do. "
            "*Optimum / surplus* is that of this one equilibrium. The price of anarchy is its largest value over all "
            "equilibria known: the midpoint auction also has one without a trade (bid 0, ask 1), and in the "
            "second-price auction one bidder at 1 leaves the others at 0. A game with more equilibria than these may "
            "have a higher one.",
            "",
            "| game | NashConv | truthful regret | optimum / surplus at this equilibrium | price of anarchy |",
            "| --- | ---: | ---: | ---: | ---: |",
            *(_line(name, game) for name, game in ROWS.items()),
            "",
            "Every closed form beside what is played or searched: bids and offers are best responses on a grid, "
            "expectations are means over 100,000 draws, Cournot's price is where the firms end that answer each other "
            "from nothing on, and the mechanism `stackelberg` clears books of whole Wh and micro-currency.",
            "",
            "| quantity | closed form | computed | difference | allowed |",
            "| --- | ---: | ---: | ---: | ---: |",
            *(
                f"| {row.quantity} | {row.closed:.6f} | {row.computed:.6f} | {row.difference:.1e} | {row.allowed:.0e} |"
                for row in closed_form_rows()
            ),
        ]
    )


def _line(name: str, game: Game) -> str:
    regret = "–" if isinstance(game, NO_TYPES) else f"{truthful_regret(game, SEARCH):.4f}"
    conv, worst = nash_conv(game, game.equilibrium, SEARCH), price_of_anarchy(game)
    anarchy = f"{worst:.4f}" if np.isfinite(worst) else "∞"
    return f"| {name} | {conv:.5f} | {regret} | {optimum_over_surplus(game):.4f} | {anarchy} |"
