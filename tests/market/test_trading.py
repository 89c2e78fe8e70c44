"""Each trading mechanism by hand: prices, partial fills, one-sided books, equal prices, zero quantities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs import plugins
from envs.market import bilateral, continuous_double, listing, mid_market, stackelberg, uniform_price
from envs.market.order_book import BUY, SELL, OrderBook, OrderError
from envs.types import PPM, Orders, Tariffs

TARIFFS = Tariffs(80, 300, True)
TRADING = plugins.names("market", needs="clear")


def book(rows) -> Orders:
    """Rows of (opening, limit, quantity, requote) as one world."""
    return Orders(*(np.array([column], np.int64) for column in zip(*rows, strict=True)))


def trades(module, rows, tariffs=TARIFFS):
    got = module.clear(book(rows), tariffs)
    pairs = [tuple(int(c[0, k]) for c in (got.seller, got.buyer, got.wh, got.price)) for k in range(got.count[0])]
    return pairs, int(got.reference[0])


@pytest.mark.parametrize("name", TRADING)
@pytest.mark.parametrize(
    "rows",
    [
        [(200, 200, 0, 0), (100, 100, 0, 0)],  # zero quantities
        [(100, 100, 5, 0), (120, 120, 5, 0)],  # sells only
        [(300, 300, -5, 0), (250, 250, -5, 0)],  # buys only
        [(260, 260, 5, PPM), (110, 110, -5, PPM)],  # limits that never meet
    ],
)
def test_nothing_to_trade(name, rows):
    pairs, reference = trades(plugins.load("market", name, "clear"), rows)
    assert pairs == []
    assert 80 <= reference <= 300


@pytest.mark.parametrize("name", [n for n in TRADING if n != "feed_in"])
def test_one_pair_trades_everything_and_leaves_nothing_possible(name):
    rows = [(150, 100, 7, PPM), (240, 260, -7, PPM), (0, 0, 0, 0)]
    pairs, _ = trades(plugins.load("market", name, "clear"), rows)
    assert sum(p[2] for p in pairs) == 7
    assert all(100 <= p[3] <= 260 for p in pairs)


@pytest.mark.parametrize("name", ["fpsa", "listing", "second_price", "two_stage_double", "uniform_price"])
def test_equal_quotes_go_to_the_lower_site(name):
    pairs, _ = trades(plugins.load("market", name, "clear"), [(100, 100, 4, 0), (100, 100, 4, 0), (200, 200, -5, 0)])
    assert [p[:3] for p in pairs] == [(0, 2, 4), (1, 2, 1)]


def test_uniform_price_is_the_middle_of_the_clearing_interval():
    # Sells 100, 140, 200; buys 260, 180, 120, one kWh each: two trade. Interval [140, 180], refused 200 and 120.
    rows = [
        (100, 100, 9, 0),
        (140, 140, 9, 0),
        (200, 200, 9, 0),
        (260, 260, -9, 0),
        (180, 180, -9, 0),
        (120, 120, -9, 0),
    ]
    assert trades(uniform_price, rows) == ([(0, 3, 9, 160), (1, 4, 9, 160)], 160)
    # A partly filled sell sets the upper end: the price is its own.
    assert trades(uniform_price, [(140, 140, 9, 0), (200, 200, -4, 0)]) == ([(0, 1, 4, 140)], 140)


def test_uniform_price_is_efficient():
    """Traded surplus equals the optimum: units sorted against each other."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        limit, quantity = rng.integers(0, 99, 12), rng.integers(-5, 6, 12)
        got = uniform_price.clear(book([(p, p, q, 0) for p, q in zip(limit, quantity, strict=True)]), TARIFFS)
        asks = np.sort(np.repeat(limit, np.maximum(quantity, 0)))
        bids = np.sort(np.repeat(limit, np.maximum(-quantity, 0)))[::-1]
        units = min(len(asks), len(bids))
        best = np.maximum(bids[:units] - asks[:units], 0).sum()
        done = got.wh[0] * (limit[got.buyer[0]] - limit[got.seller[0]])
        assert done[: got.count[0]].sum() == best


def test_mid_market_cuts_the_long_side_pro_rata():
    rows = [(90, 90, 7, 0), (95, 95, 5, 0), (100, 100, 3, 0), (300, 300, -10, 0), (250, 150, -9, 0)]
    pairs, reference = trades(mid_market, rows)
    assert reference == 190
    # 10 of 15 Wh: 4.67, 3.33, 2; the odd one to the better quote. The last buyer's limit is below the price.
    assert pairs == [(0, 3, 5, 190), (1, 3, 3, 190), (2, 3, 2, 190)]


def test_listing_pays_the_posted_price():
    rows = [(120, 100, 5, 0), (110, 90, 5, 0), (200, 260, -7, 0), (210, 115, -9, 0)]
    # Quote 200 moves first (the other's quote is held by its limit 115): 5 at 110, 2 at 120; 115 buys nothing.
    assert trades(listing, rows) == ([(1, 2, 5, 110), (0, 2, 2, 120)], 113)


def test_bilateral_gives_way_until_the_offers_meet():
    # Ask 200, bid 100, both move a quarter of the gap: 175/125, 163/137 (gap 50 // 4 = 12), 157/143, 154/146, 152/148 …
    pairs, _ = trades(bilateral, [(200, 90, 5, PPM // 4), (100, 280, -5, PPM // 4)])
    assert pairs == []
    pairs, _ = trades(bilateral, [(200, 90, 5, PPM // 2), (100, 280, -8, PPM // 2)])
    assert pairs == [(0, 1, 5, 150)]
    # A stubborn buyer: the seller comes down to its limit of 120, not to the bid; they part.
    assert trades(bilateral, [(200, 120, 5, PPM), (100, 100, -5, 0)])[0] == []
    assert trades(bilateral, [(200, 120, 5, PPM), (130, 130, -5, 0)])[0] == [(0, 1, 5, 130)]


def test_stackelberg_meets_the_closed_form():
    """p* = (feed-in + v̄) / 2 with lines that do not end, to the micro-currency (1e-6 of a currency unit)."""
    rng = np.random.default_rng(5)
    for _ in range(40):
        limit = rng.integers(260_000, 320_000, 6)
        span = rng.integers(200_000, 300_000, 6)
        quantity = rng.integers(200_000, 400_000, 6)
        slope = span / quantity
        rows = [(v - s, v, -q, 0) for v, s, q in zip(limit, span, quantity, strict=True)]
        rows.append((80_000, 80_000, 10_000_000, 0))  # supply is never short
        _, price = trades(stackelberg, rows, Tariffs(80_000, 300_000, True))
        mean = np.sum(limit / slope) / np.sum(1.0 / slope)
        assert price == pytest.approx((80_000 + mean) / 2, abs=1.0)


def test_stackelberg_meets_the_closed_form_exactly_where_it_is_whole():
    """Two buyers of slope 1, limits 300 and 260, at a feed-in of 80: v̄ = 280, p* = 180, income (v̄ - 80)² / 4 · Σ1/a."""
    million = 1_000_000
    rows = [
        (100 * million, 300 * million, -200 * million, 0),
        (100 * million, 260 * million, -160 * million, 0),
        (80 * million, 80 * million, 1_000 * million, 0),
    ]
    pairs, price = trades(stackelberg, rows, Tariffs(80 * million, 300 * million, True))
    assert price == 180 * million
    assert pairs == [(2, 0, 120 * million, price), (2, 1, 80 * million, price)]
    assert sum(wh for _, _, wh, _ in pairs) * (price - 80 * million) == (200 * million) ** 2 // 4 * 2


def test_stackelberg_leader_has_no_better_price():
    rng = np.random.default_rng(6)
    for _ in range(25):
        limit = rng.integers(60, 320, 8)
        quantity = rng.integers(-60_000, 60_001, 8)
        quote = limit + np.sign(quantity) * rng.integers(0, 90, 8)
        price, income = stackelberg.leader_price(limit, quote, quantity, 80)
        every = [stackelberg._income(p, limit, quote, quantity, 80) for p in range(0, 420)]
        assert income >= 0.9999 * max(0, *every)  # the lines are rounded to whole Wh
        assert price == 0 or income == stackelberg._income(price, limit, quote, quantity, 80)


def test_continuous_double_trades_at_the_resting_price():
    rows = [(100, 100, 5, 0), (200, 200, -5, 0)]
    first = min((0, 1), key=lambda i: continuous_double.arrival_key(rows[i][0], rows[i][1], rows[i][2]))
    assert trades(continuous_double, rows)[0] == [(0, 1, 5, rows[first][0])]


ROW = st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(-6, 6), st.sampled_from([0, PPM // 2, PPM]))


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=14))
def test_continuous_double_is_the_order_book(rows):
    """The compiled session does what the order book does with the same arrivals and replacements."""
    price = [max(o, lim) if q > 0 else min(o, lim) for o, lim, q, _ in rows]
    turn = sorted(range(len(rows)), key=lambda i: (continuous_double.arrival_key(price[i], rows[i][1], rows[i][2]), i))
    made, fills, number = OrderBook(), [], {}
    for i in turn:
        if rows[i][2]:
            number[i], done = made.submit(i, SELL if rows[i][2] > 0 else BUY, price[i], abs(rows[i][2]))
            fills += done
    volume = sum(f.quantity for f in fills)
    total = sum(f.quantity * f.price for f in fills)
    pa = (2 * total + volume) // (2 * volume) if volume else 190
    for i in turn:
        resting = made._orders.get(number.get(i, -1))
        if resting is not None:
            moved = price[i] + (pa - price[i]) * rows[i][3] // PPM
            moved = max(moved, rows[i][1]) if rows[i][2] > 0 else min(moved, rows[i][1])
            fills += made.replace(resting.number, moved, resting.quantity)
    assert trades(continuous_double, rows) == ([(f.seller, f.buyer, f.quantity, f.price) for f in fills], pa)


def test_order_book_priority_cancel_replace():
    made = OrderBook()
    early, _ = made.submit(0, SELL, 100, 5)
    late, _ = made.submit(1, SELL, 100, 5)
    made.submit(2, SELL, 90, 1)
    assert made.best(BUY) is None
    assert made.submit(9, BUY, 100, 3)[1][0].seller == 2  # price before time
    assert made.best(SELL).owner == 0
    made.replace(early, 100, 2)  # less at the same price keeps its place
    assert made.best(SELL).owner == 0
    made.replace(early, 100, 4)  # more loses it
    assert made.best(SELL).owner == 1
    made.cancel(late)
    assert [(f.seller, f.quantity) for f in made.submit(9, BUY, 100, 9)[1]] == [(0, 4)]
    assert made.best(SELL) is None
    assert made.best(BUY).quantity == 5
    with pytest.raises(OrderError, match="does not rest"):
        made.cancel(late)
    with pytest.raises(OrderError, match="at least 1"):
        made.submit(0, SELL, 100, 0)
    with pytest.raises(OrderError, match="side = 2"):
        made.submit(0, 2, 100, 1)


@pytest.mark.parametrize(("room", "needs"), [("market", "clear"), ("rules", None)])
def test_the_documentation_lists_every_mechanism_and_rule(room, needs):
    page = (plugins.ROOT / "docs" / "market.md").read_text("utf-8")
    assert [name for name in plugins.names(room, needs=needs) if f"\n| `{name}`" not in page] == []
