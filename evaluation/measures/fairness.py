"""How trade among peers is shared out, how concentrated it is, and how much of its possible gain it brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from envs.money import SURPLUS
from envs.types import PPM, Floats, Ints
from envs.world import World
from evaluation.daybook import FLOW, WH, DayBook
from evaluation.measures.base import Metric, Value, currency, ratio
from evaluation.measures.market import gain

if TYPE_CHECKING:
    from evaluation.runs import RunResult


def jain(values: Floats | Ints) -> Value:
    """Jain's index of fairness of (n,) amounts: (Σx)² / (n Σx²); 1 all alike, 1/n one has all.

    None where nobody has anything. Amounts below 0 count as 0: the index is defined for shares.
    """
    shares = np.maximum(np.asarray(values, np.float64), 0.0)
    squares = float((shares**2).sum())
    return float(shares.sum()) ** 2 / (len(shares) * squares) if squares else None


def gini(values: Floats | Ints) -> Value:
    """Gini coefficient of (n,) amounts: mean absolute difference over twice the mean; 0 all alike, 1 - 1/n one has all.

    None where nobody has anything. Amounts below 0 count as 0, as in `jain`.
    """
    shares = np.sort(np.maximum(np.asarray(values, np.float64), 0.0))
    total = float(shares.sum())
    if not total:
        return None
    rank = np.arange(1, len(shares) + 1)
    return float(((2 * rank - len(shares) - 1) * shares).sum()) / (len(shares) * total)


def herfindahl(amounts: Ints) -> Value:
    """Herfindahl-Hirschman index of (n,) amounts: sum of squared shares; 1 a monopoly. None where there is nothing."""
    total = float(amounts.sum())
    return float(((amounts / total) ** 2).sum()) if total else None


def declared_optimum(quantity_wh: Ints, limit: Ints) -> int:
    """Largest gain of one period at its declared limits, in Wh times micro-currency per kWh.

    The merit orders of asks and bids, filled while the next bid's limit is above the next ask's: the optimum of the
    linear program max Σ limit · bought - Σ limit · sold with bought = sold, each within its quantity. (N,) each,
    quantities > 0 sell.
    """
    order = np.argsort(limit, kind="stable")
    asks = [i for i in order.tolist() if quantity_wh[i] > 0]
    bids = [i for i in order[::-1].tolist() if quantity_wh[i] < 0]
    left = [abs(int(wh)) for wh in quantity_wh]
    best = a = b = 0
    while a < len(asks) and b < len(bids) and limit[bids[b]] > limit[asks[a]]:
        amount = min(left[asks[a]], left[bids[b]])
        best += amount * int(limit[bids[b]] - limit[asks[a]])
        left[asks[a]] -= amount
        left[bids[b]] -= amount
        a += left[asks[a]] == 0
        b += left[bids[b]] == 0
    return best


def achieved_gain(book: DayBook) -> int:
    """What the trades gained at their parties' declared limits, in Wh times micro-currency per kWh."""
    limits = book.orders[..., 1]
    period, buyer, seller, wh = book.trades[:, :4].T
    return int((wh * (limits[period, buyer] - limits[period, seller])).sum())


def _efficiency(world: World, book: DayBook) -> Value:
    best = sum(declared_optimum(quantity, limit) for quantity, limit in book.orders.transpose(0, 2, 1))
    return ratio(achieved_gain(book), best)


def _matching(book: DayBook) -> Value:
    """Surplus that no longer goes to the supplier, of the surplus that neighbours needed in the same period.

    At the tariffs each such kWh gains the community retail less feed-in, whoever trades it: this is the linear
    programme's share with hindsight of what was metered. Below 0 where more was sold than there was.
    """
    injected, drawn = (np.maximum(side * book.net_wh, 0).sum(axis=1) for side in (1, -1))
    rest = int(book.payments[book.payments[:, FLOW] == SURPLUS, WH].sum())
    return ratio(float(injected.sum()) - rest, float(np.minimum(injected, drawn).sum()))


def _dealt(book: DayBook, column: int) -> Ints:
    """(N,) Wh that each site bought (column 1) or sold (2) among peers."""
    dealt = np.zeros(book.sites, np.int64)
    np.add.at(dealt, book.trades[:, column], book.trades[:, 3])
    return dealt


def _welfare(world: World, run: RunResult) -> float:
    """Rewards are money less wear and discomfort, on a scale; the operator's penalties are no cost of anybody's."""
    scale, rewards = world.scenario.reward, run.truth.rewards
    users = float(rewards["prosumer"].sum()) * scale.prosumer_scale
    aggregators = float(rewards["aggregator"].sum()) * scale.aggregator_scale
    return users + aggregators + currency(run.book.balance[world.eno_account])


def _volatility(book: DayBook) -> Value:
    """Standard deviation of the mean prices of the periods with trade, each period counting once."""
    prices = book.reference[book.traded_wh > 0]
    return float(prices.std()) / PPM if len(prices) else None


METRICS = [
    Metric(
        "trade",
        "trading_efficiency",
        "%",
        "gain of the trades at the declared limits, over the largest gain that those limits and quantities allow; "
        "declared, not true, values",
        public=_efficiency,
        summary=True,
        better=1,
    ),
    Metric(
        "trade",
        "price_volatility",
        "¤/kWh",
        "standard deviation of the mean price among peers over the periods with trade",
        public=lambda w, b: _volatility(b),
        better=-1,
    ),
    Metric(
        "trade",
        "sellers_concentration",
        "1",
        "Herfindahl-Hirschman index of what sites sold to peers; 1 is a monopoly",
        public=lambda w, b: herfindahl(_dealt(b, 2)),
        better=-1,
    ),
    Metric(
        "trade",
        "buyers_concentration",
        "1",
        "Herfindahl-Hirschman index of what sites bought from peers; 1 is a single buyer",
        public=lambda w, b: herfindahl(_dealt(b, 1)),
        better=-1,
    ),
    Metric(
        "trade",
        "trading_gain",
        "¤",
        "gain of the trades at the declared limits: buyers' limits less sellers' limits; declared, not true, values",
        public=lambda w, b: currency(achieved_gain(b) // 1000),
        better=1,
    ),
    Metric(
        "trade",
        "matching_efficiency",
        "%",
        "metered surplus that peers used instead of the supplier, of the most that was possible period by period: "
        "the optimum at tariffs with hindsight",
        public=lambda w, b: _matching(b),
        better=1,
    ),
    Metric(
        "money",
        "community_welfare",
        "¤",
        "money of prosumers, aggregators and operator together, less true wear and discomfort: what they keep of "
        "their dealings with supplier and upper level",
        private=_welfare,
        better=1,
    ),
    Metric(
        "money",
        "gain_jain_index",
        "1",
        "Jain's index of the prosumers' gains over tariffs, losses counted as 0; 1 is all alike",
        public=lambda w, b: jain(gain(w, b)),
        better=1,
    ),
    Metric(
        "money",
        "gain_gini",
        "1",
        "Gini coefficient of the prosumers' gains over tariffs, losses counted as 0; 0 is all alike",
        public=lambda w, b: gini(gain(w, b)),
        better=-1,
    ),
]
