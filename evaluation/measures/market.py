"""Trade among peers and who earned what."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from envs.money import AGGREGATOR_SHORTFALL, CHARGE, DEFICIT, SURPLUS, TRADE, USER_SHORTFALL
from envs.world import World
from evaluation.daybook import AMOUNT, FLOW, PAYEE, PAYER, DayBook
from evaluation.measures.base import Metric, Value, currency, flow_sum, kwh, ratio, supplier_only

if TYPE_CHECKING:
    from evaluation.runs import RunResult

SIDES = {
    "net sellers": "prosumers that injected more than they drew, together",
    "net buyers": "the other prosumers, together",
    "aggregators": "all aggregators together",
    "operator": "the operator of the grid",
    "supplier": "buys surplus and sells deficit at the tariffs",
    "upper level": "the grid above, which orders flexibility",
}
ROLES = ("prosumer", "aggregator", "eno")


def sellers(book: DayBook) -> np.ndarray:
    """(N,) bool: sites that injected more than they drew over the run."""
    return np.asarray(book.net_wh.sum(axis=0) > 0)


def sides(book: DayBook) -> dict[str, float]:
    """Currency that each side has at the end; the sum is zero."""
    balance, sell = book.balance, sellers(book)
    sites, eno = book.sites, book.sites + book.aggregators
    return {
        "net sellers": currency(balance[:sites][sell].sum()),
        "net buyers": currency(balance[:sites][~sell].sum()),
        "aggregators": currency(balance[sites:eno].sum()),
        "operator": currency(balance[eno]),
        "supplier": currency(balance[eno + 1]),
        "upper level": currency(balance[eno + 2]),
    }


def _side(world: World, book: DayBook, name: str) -> float:
    return sides(book)[name]


def _reward(world: World, run: RunResult, role: str) -> float:
    return float(run.truth.rewards[role].sum(axis=0).mean())


def _price(book: DayBook) -> Value:
    wh = int(book.trades[:, 3].sum())
    return float((book.trades[:, 3] * book.trades[:, 4]).sum()) / wh / 1e6 if wh else None


def gain(world: World, book: DayBook) -> np.ndarray:
    """(N,) micro-currency earned beyond "surplus power online"."""
    return np.asarray(book.balance[: book.sites] - supplier_only(world, book))


def trade_gain(world: World, book: DayBook) -> np.ndarray:
    """(N,) micro-currency earned beyond "surplus power online" by trade alone: without payments for flexibility."""
    rows = book.payments[np.isin(book.payments[:, FLOW], (TRADE, CHARGE, SURPLUS, DEFICIT))]
    change = np.zeros_like(book.balance)
    np.add.at(change, rows[:, PAYER], -rows[:, AMOUNT])
    np.add.at(change, rows[:, PAYEE], rows[:, AMOUNT])
    return np.asarray(change[: book.sites] - supplier_only(world, book))


def _gain_percent(world: World, book: DayBook, sell: bool, earned: Callable[..., np.ndarray] = gain) -> Value:
    """The gain of the sites that would have earned (or paid) at the tariffs, over what that would have been."""
    reference = supplier_only(world, book)
    who = reference > 0 if sell else reference < 0
    return ratio(float(earned(world, book)[who].sum()), abs(float(reference[who].sum())))


def _self_supply(book: DayBook) -> Value:
    """Generation over consumption (the ratio r that sets most of paper 003's gain)."""
    return ratio(float(book.accepted_wh[..., 0].sum()), float(book.accepted_wh[..., 1].sum()))


def _mean_balance(run: RunResult, malicious: bool) -> Value:
    who = (run.truth.malicious >= 0) == malicious
    return currency(round(float(run.book.balance[: run.book.sites][who].mean()))) if who.any() else None


METRICS = [
    Metric(
        "trade",
        "traded_energy",
        "kWh",
        "traded among peers",
        public=lambda w, b: kwh(b.trades[:, 3].sum()),
        summary=True,
    ),
    Metric(
        "trade",
        "traded_share",
        "%",
        "traded among peers, of all consumption",
        public=lambda w, b: ratio(float(b.trades[:, 3].sum()), float(b.accepted_wh[..., 1].sum())),
        summary=True,
        better=1,
    ),
    Metric("trade", "trades", "trades", "pairs matched", public=lambda w, b: float(len(b.trades))),
    Metric(
        "trade",
        "mean_price",
        "¤/kWh",
        "mean price among peers, weighted by volume",
        public=lambda w, b: _price(b),
        summary=True,
    ),
    Metric("energy", "generation", "kWh", "accepted generation", public=lambda w, b: kwh(b.accepted_wh[..., 0].sum())),
    Metric(
        "energy", "consumption", "kWh", "accepted consumption", public=lambda w, b: kwh(b.accepted_wh[..., 1].sum())
    ),
    Metric(
        "energy",
        "generation_over_consumption",
        "%",
        "accepted generation over consumption",
        public=lambda w, b: _self_supply(b),
    ),
    Metric(
        "energy",
        "imported",
        "kWh",
        "drawn through the transformer",
        public=lambda w, b: kwh(np.maximum(b.flow_wh, 0).sum()),
    ),
    Metric(
        "energy",
        "exported",
        "kWh",
        "fed back through the transformer",
        public=lambda w, b: kwh(np.maximum(-b.flow_wh, 0).sum()),
    ),
    Metric(
        "energy",
        "technical_losses",
        "kWh",
        "lost in lines and transformer",
        public=lambda w, b: kwh(b.technical_wh.sum()),
        better=-1,
    ),
    Metric(
        "energy",
        "unaccounted_losses",
        "kWh",
        "transformer flow plus accepted injections, less technical losses: energy that meters got wrong",
        public=lambda w, b: kwh((b.losses_wh - b.technical_wh).sum()),
        better=-1,
    ),
    *(
        Metric(
            "money",
            f"{name.replace(' ', '_').replace('-', '_')}_balance",
            "¤",
            meaning,
            public=partial(_side, name=name),
            summary=True,
        )
        for name, meaning in SIDES.items()
    ),
    Metric("money", "sum_of_all_accounts", "¤", "must be exactly 0", public=lambda w, b: currency(b.balance.sum())),
    Metric(
        "money",
        "prosumers_gain",
        "¤",
        "prosumers' money beyond what the tariffs alone would give for the same metered energy; what was curtailed, "
        "worn or put off is not deducted",
        public=lambda w, b: currency(gain(w, b).sum()),
        summary=True,
        better=1,
    ),
    Metric(
        "money",
        "sellers_gain",
        "%",
        "gain over tariffs of the sites that would earn at tariffs alone, over those earnings",
        public=lambda w, b: _gain_percent(w, b, True),
        better=1,
    ),
    Metric(
        "money",
        "buyers_saving",
        "%",
        "gain over tariffs of the sites that would pay at tariffs alone, over those payments",
        public=lambda w, b: _gain_percent(w, b, False),
        better=1,
    ),
    Metric(
        "money",
        "sellers_trade_gain",
        "%",
        "as Sellers gain, by trade alone: what a kWh sold to peers earns beyond feed-in; no payments for flexibility",
        public=lambda w, b: _gain_percent(w, b, True, trade_gain),
        better=1,
    ),
    Metric(
        "money",
        "buyers_trade_saving",
        "%",
        "as Buyers saving, by trade alone: what a kWh bought from peers costs less than retail; no payments for "
        "flexibility",
        public=lambda w, b: _gain_percent(w, b, False, trade_gain),
        better=1,
    ),
    Metric(
        "money",
        "users_shortfall_paid",
        "¤",
        "paid by users for adjustments ordered and not verified",
        public=lambda w, b: currency(flow_sum(b, USER_SHORTFALL)),
    ),
    Metric(
        "money",
        "aggregators_shortfall_paid",
        "¤",
        "paid by aggregators to the operator for adjustments ordered and not verified",
        public=lambda w, b: currency(flow_sum(b, AGGREGATOR_SHORTFALL)),
    ),
    Metric(
        "money", "honest_mean_balance", "¤", "mean over honest prosumers", private=lambda w, r: _mean_balance(r, False)
    ),
    Metric(
        "money",
        "malicious_mean_balance",
        "¤",
        "mean over malicious prosumers",
        private=lambda w, r: _mean_balance(r, True),
    ),
    *(
        Metric(
            "reward",
            f"{role}_reward",
            "1",
            f"sum over the run, mean over agents of the role {role}",
            private=partial(_reward, role=role),
        )
        for role in ROLES
    ),
]
