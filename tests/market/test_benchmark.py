"""The market's benchmark times what it says, and takes pymarket only where it is installed."""

import sys
from types import SimpleNamespace

import numpy as np

from benchmarks import market
from envs.market import fpsa


def test_books_are_balanced_and_every_size_is_one():
    book = market.book(3, 200)
    assert book.limit.shape == (3, 200)
    assert abs(float(np.sign(book.quantity_wh).mean())) < 0.2
    assert market.SIZES == (30, 1_000, 100_000)
    assert market.sizes("uniform_price") == [30, 1_000, 100_000]
    assert market.sizes("bilateral") == [30, 1_000, 10_000]
    assert market.sizes("stackelberg") == [30, 1_000]
    sealed = market.offers(50, 4)
    won = fpsa.award(sealed)
    assert 0.2 < (won > 0).mean() < 0.8


def test_pymarket_is_timed_where_it_is(monkeypatch):
    runs = []

    class Market:
        def __init__(self):
            self.bids = []

        def accept_bid(self, quantity, price, user, buying, time):
            assert quantity > 0
            self.bids.append((user, buying))

        def run(self, name, r):
            assert sorted(user for user, _ in self.bids) == list(range(30))
            assert {buying for _, buying in self.bids} == {True, False}
            runs.append(name)

    monkeypatch.setitem(sys.modules, "pymarket", SimpleNamespace(Market=Market, __version__="9"))
    rows = market.pymarket_rows(0.01)
    assert set(runs) == {"p2p", "muda"}
    assert [row["name"] for row in rows] == ["pymarket 9: p2p of 30 orders", "pymarket 9: muda of 30 orders"]
    assert all(0.0 < row["value"] < 1e5 for row in rows)


def test_without_pymarket_its_figures_are_told_as_measured_before(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymarket", None)
    rows = market.pymarket_rows()
    assert [row["value"] for row in rows] == list(market.PYMARKET_US.values())
    assert all("once" in row["name"] for row in rows)
