"""The network's side of trade: how far it goes, what it pays for that, what it loses."""

from __future__ import annotations

import numpy as np

from envs.phases.settle import amount_of
from envs.types import Ints
from evaluation.daybook import BRANCHES, LOSS_WH, PATH_CHARGE, TRADED_WH, DayBook
from evaluation.measures.base import Metric, Value, currency, kwh, ratio


def charges_micro(trades: Ints) -> int:
    """Network charge of trades (rows of `DayBook.trades`), micro-currency, rounded a trade as the settlement does."""
    return sum(amount_of(wh, charge) for wh, charge in trades[:, [TRADED_WH, PATH_CHARGE]].tolist())


def _mean_length(book: DayBook) -> Value:
    wh = int(book.trades[:, TRADED_WH].sum())
    return float((book.trades[:, TRADED_WH] * book.trades[:, BRANCHES]).sum()) / wh if wh else None


def _local_share(book: DayBook) -> Value:
    wh = book.trades[:, TRADED_WH]
    return ratio(float(wh[book.trades[:, BRANCHES] == 0].sum()), float(wh.sum()))


def _other_losses(book: DayBook) -> float:
    return kwh(book.technical_wh.sum() - book.exchange_loss_wh.sum() - np.sum(book.trades[:, LOSS_WH]))


METRICS = [
    Metric(
        "trade",
        "mean_path_length",
        "1",
        "branches on the path of a trade, mean weighted by volume",
        public=lambda w, b: _mean_length(b),
    ),
    Metric(
        "trade",
        "traded_inside_a_bus",
        "%",
        "share of the traded energy that passes no branch",
        public=lambda w, b: _local_share(b),
    ),
    Metric(
        "trade",
        "network_charge_of_trades",
        "¤",
        "paid by peer buyers to the operator for the paths of their trades",
        public=lambda w, b: currency(charges_micro(b.trades)),
    ),
    Metric(
        "energy",
        "losses_of_trades",
        "kWh",
        "technical losses that trades among peers answer for; below 0 when they relieve the net",
        public=lambda w, b: kwh(b.trades[:, LOSS_WH].sum()),
        better=-1,
    ),
    Metric(
        "energy",
        "losses_of_exchange",
        "kWh",
        "technical losses that the exchange with the upper grid answers for",
        public=lambda w, b: kwh(b.exchange_loss_wh.sum()),
        better=-1,
    ),
    Metric(
        "energy",
        "losses_of_nobody",
        "kWh",
        "the rest of the technical losses: idle transformers, reactive power, voltages off 1 pu, false readings",
        public=lambda w, b: _other_losses(b),
    ),
]
