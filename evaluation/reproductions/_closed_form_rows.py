"""Every closed form beside what the games and the mechanism give when they are played or searched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.games.cournot import Cournot
from envs.games.first_price import FirstPrice
from envs.games.midpoint import MidpointAuction
from envs.games.procurement import Procurement
from envs.games.second_price import SecondPrice
from envs.games.subsidy_leader import SubsidyLeader
from envs.market import stackelberg
from envs.types import PPM, Orders, Tariffs
from evaluation.games import Search, best_response, draws, optimum_over_surplus

MANY = 100_000  # draws of all types for an expectation
MIDDLE = Search(types=1, actions=401, draws=6001)  # best response of the type 0.5
BOOKS = 40


@dataclass(frozen=True)
class Row:
    """One number known in closed form."""

    quantity: str
    closed: float
    computed: float
    allowed: float

    @property
    def difference(self) -> float:
        """Distance of the two."""
        return abs(self.computed - self.closed)


def rows() -> list[Row]:
    """All of them; offers and bids are best responses by search, expectations are means over draws."""
    return [*_sales(), *_procurements(), *_midpoint(), *_subsidy(), *_cournot(), _mechanism()]


def _revenue(n: int, r: float) -> float:
    """E[revenue] of n bidders, values U[0, 1], at a reserve r."""
    return (n - 1) / (n + 1) + r**n - 2 * n / (n + 1) * r ** (n + 1)


def _middle_action(game: FirstPrice | Procurement) -> float:
    """The best answer of the type 0.5 to all others in equilibrium."""
    return float(best_response(game, game.equilibrium, 0, MIDDLE).actions[0])


def _sales() -> list[Row]:
    made = []
    for n, r in ((2, 0.0), (3, 0.0), (3, 0.3)):
        game, who = FirstPrice(n, r), f"first price, {n} bidders" + (f", reserve {r}" if r else "")
        bid = (n - 1) * 0.5 / n + r**n / (n * 0.5 ** (n - 1))
        made.append(Row(f"{who}: bid at value 0.5", bid, _middle_action(game), 0.01))
        revenue = float(game.revenue(game.equilibrium(draws(MANY, n))).mean())
        made.append(Row(f"{who}: revenue", _revenue(n, r), revenue, 1e-3))
    second = float(SecondPrice(3).revenue(draws(MANY, 3)).mean())
    return [*made, Row("second price, 3 bidders: revenue", _revenue(3, 0.0), second, 1e-3)]


def _procurements() -> list[Row]:
    made = []
    for n, ceiling in ((2, 1.0), (3, 0.7)):
        who = f"procurement, {n} suppliers" + (f", ceiling {ceiling}" if ceiling < 1.0 else "")
        game, gap = Procurement(n, ceiling), 1.0 - ceiling
        offer = 0.5 + (0.5**n - gap**n) / (n * 0.5 ** (n - 1))
        made.append(Row(f"{who}: offer at cost 0.5", offer, _middle_action(game), 0.01))
        # The sale mirrored at 1: whoever is paid p would there have bid 1 - p.
        outlay = float(game.payment(game.equilibrium(draws(MANY, n))).mean())
        made.append(Row(f"{who}: outlay", 1.0 - gap**n - _revenue(n, gap), outlay, 1e-3))
    return made


def _midpoint() -> list[Row]:
    game = MidpointAuction()
    share = float(game.trades(game.equilibrium(draws(MANY, 2))).mean())
    efficiency = 1.0 / optimum_over_surplus(game)
    return [
        Row("midpoint double auction: chance of a trade, 9/32", 9 / 32, share, 1e-3),
        Row("midpoint double auction: efficiency, 27/32", 27 / 32, efficiency, 1e-3),
    ]


def _subsidy() -> list[Row]:
    game = SubsidyLeader()
    weight = 1.0 / game.a
    mean = float((game.b * weight).sum() / weight.sum())
    grid = np.linspace(0.0, game.top, 100_001)
    profit = game.payoffs(np.zeros(1), grid[:, None])[:, 0]
    best = int(np.argmax(profit))
    # While all take part the answers are one line, which starts at the mean start.
    start = float(grid[best] - game.answer(grid[best : best + 1]).sum() / weight.sum())
    who = f"subsidy leader, {len(game.a)} users"
    return [
        Row(f"{who}: subsidy s*", (game.value + mean) / 2.0, float(grid[best]), 1e-5),
        Row(f"{who}: mean start b̄", mean, start, 1e-9),
        Row(f"{who}: profit", (game.value - mean) ** 2 / 4.0 * float(weight.sum()), float(profit[best]), 1e-9),
    ]


def _cournot(firms: int = 3, rounds: int = 40) -> list[Row]:
    """Each firm in turn takes what is best for it on a grid, from nothing on."""
    game, types = Cournot(firms), np.zeros(firms)
    grid = np.linspace(0.0, game.top, 10_001)
    actions = np.zeros(firms)
    for turn in range(rounds * firms):
        tried = np.repeat(actions[None], len(grid), axis=0)
        tried[:, turn % firms] = grid
        actions = tried[int(np.argmax(game.payoffs(types, tried)[:, turn % firms]))]
    price = (game.intercept + firms * game.cost) / (firms + 1)
    return [Row(f"Cournot, {firms} firms: price", price, float(game.price(actions)), 1e-3)]


def _mechanism(buyers: int = 6) -> Row:
    """The price of `stackelberg` where demand alone is short and no line ends; the worst of the books, in ¤/kWh."""
    rng, feed_in, found = np.random.default_rng(5), 80_000, []
    for _ in range(BOOKS):
        limit, span = rng.integers(260_000, 320_000, buyers), rng.integers(200_000, 300_000, buyers)
        wanted_wh = rng.integers(200_000, 400_000, buyers)
        opening, worst = np.append(limit - span, feed_in)[None], np.append(limit, feed_in)[None]
        quantity_wh = np.append(-wanted_wh, 10_000_000)[None]  # supply is never short
        book = Orders(opening, worst, quantity_wh, np.zeros_like(quantity_wh))
        played = int(stackelberg.clear(book, Tariffs(feed_in, 300_000, True)).reference[0])
        weight = wanted_wh / span
        price = (feed_in + float((limit * weight).sum() / weight.sum())) / 2.0
        found.append(Row(f"`stackelberg`, worst of {BOOKS} books: p*, ¤/kWh", price / PPM, played / PPM, 1e-6))
    return max(found, key=lambda row: row.difference)
