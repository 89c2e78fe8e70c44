"""Properties that every mechanism of the room must have, found by file name; and the two default ones exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs import plugins
from envs.market import fpsa, two_stage_double
from envs.types import PPM, Offers, Orders, Tariffs

TARIFFS = Tariffs(80_000, 300_000, True)
TRADING = plugins.names("market", needs="clear")
REQUEST = plugins.names("market", needs="award")


def book(rows) -> Orders:
    """Rows of (opening, limit, quantity, requote) as one world."""
    return Orders(*(np.array([column], np.int64) for column in zip(*rows, strict=True)))


ORDER = st.tuples(st.integers(0, 600_000), st.integers(0, 600_000), st.integers(-30_000, 30_000), st.integers(0, PPM))
BOOKS = st.lists(ORDER, min_size=1, max_size=25)


@pytest.mark.parametrize("name", TRADING)
@settings(max_examples=150, deadline=None)
@given(rows=BOOKS)
def test_trades_respect_limits_and_quantities(name, rows):
    orders = book(rows)
    trades = plugins.load("market", name, "clear").clear(orders, TARIFFS)
    sold, bought = np.zeros(len(rows), int), np.zeros(len(rows), int)
    for k in range(trades.count[0]):
        seller, buyer, wh, price = (int(x[0, k]) for x in (trades.seller, trades.buyer, trades.wh, trades.price))
        assert wh > 0
        assert seller != buyer
        assert rows[seller][1] <= price <= rows[buyer][1]
        sold[seller] += wh
        bought[buyer] += wh
    quantity = np.array([row[2] for row in rows])
    assert sold.sum() == bought.sum()
    assert np.all(sold <= np.maximum(quantity, 0))
    assert np.all(bought <= np.maximum(-quantity, 0))


@pytest.mark.parametrize("name", TRADING)
@settings(max_examples=60, deadline=None)
@given(rows=BOOKS, data=st.data())
def test_order_of_input_matters_only_for_ties(name, rows, data):
    """With all prices different, permuting the sites permutes the result."""
    rows = [(10 * i + (row[0] // 1000) * 1000, row[1], row[2], row[3]) for i, row in enumerate(rows)]
    rows = [(o, min(o, lim) if q > 0 else max(o, lim), q, 0) for o, lim, q, r in rows]
    order = data.draw(st.permutations(range(len(rows))))
    module = plugins.load("market", name, "clear")

    def pairs(trades, names):
        return sorted(
            (
                names[int(trades.seller[0, k])],
                names[int(trades.buyer[0, k])],
                int(trades.wh[0, k]),
                int(trades.price[0, k]),
            )
            for k in range(trades.count[0])
        )

    if len({row[0] for row in rows}) == len(rows):
        straight = pairs(module.clear(book(rows), TARIFFS), list(range(len(rows))))
        assert pairs(module.clear(book([rows[i] for i in order]), TARIFFS), order) == straight


FEW_PRICES = st.tuples(
    st.integers(0, 6), st.integers(0, 6), st.integers(-5, 5), st.sampled_from([0, PPM // 3, PPM])
)  # fmt: skip


@pytest.mark.parametrize("name", TRADING)
@settings(max_examples=120, deadline=None)
@given(rows=st.lists(FEW_PRICES, min_size=1, max_size=14), data=st.data())
def test_ties_go_by_the_order_within_a_side_and_by_nothing_else(name, rows, data):
    """Equal prices, zero quantities and partial fills: how the two sides are mixed in the book changes nothing."""
    turns = data.draw(st.permutations([row[2] > 0 for row in rows]))
    sides = {True: [i for i, r in enumerate(rows) if r[2] > 0], False: [i for i, r in enumerate(rows) if r[2] <= 0]}
    order = [sides[selling].pop(0) for selling in turns]
    module = plugins.load("market", name, "clear")

    def deals(rows, names):
        got = module.clear(book(rows), Tariffs(2, 5, True))
        columns = (got.seller[0], got.buyer[0], got.wh[0], got.price[0])
        pairs = zip(*(column[: got.count[0]].tolist() for column in columns), strict=True)
        return sorted((names[i], names[j], wh, price) for i, j, wh, price in pairs), int(got.reference[0])

    assert deals([rows[i] for i in order], order) == deals(rows, list(range(len(rows))))


@pytest.mark.parametrize("name", TRADING)
def test_batch_equals_single_worlds_and_empty_books_clear(name):
    rng = np.random.default_rng(1)
    worlds, n = 7, 12
    orders = Orders(
        rng.integers(0, 400_000, (worlds, n)), rng.integers(0, 400_000, (worlds, n)),
        rng.integers(-900, 900, (worlds, n)), rng.integers(0, PPM, (worlds, n)),
    )  # fmt: skip
    orders.quantity_wh[0] = 0
    orders.quantity_wh[1] = np.abs(orders.quantity_wh[1])
    module = plugins.load("market", name, "clear")
    batch = module.clear(orders, TARIFFS)
    assert batch.count[0] == batch.count[1] == 0
    for w in range(worlds):
        one = module.clear(Orders(*(column[w : w + 1] for column in orders)), TARIFFS)
        assert one.count[0] == batch.count[w]
        assert one.reference[0] == batch.reference[w]
        for column in ("buyer", "seller", "wh", "price"):
            count = one.count[0]
            assert np.array_equal(getattr(one, column)[0, :count], getattr(batch, column)[w, :count])


def test_two_stages_by_hand():
    """Sells 100, 120, 200; buys 300, 150: stage one at the mid prices, then the rest re-quotes toward Pa."""
    rows = [
        (100, 100, 10, 0), (120, 120, 20, 0), (260, 150, 30, 1_000_000),
        (300, 300, -15, 0), (250, 250, -10, 0), (130, 220, -40, 1_000_000),
    ]  # fmt: skip
    trades = two_stage_double.clear(book(rows), Tariffs(80, 300, True))
    got = [
        tuple(int(c[0, k]) for c in (trades.seller, trades.buyer, trades.wh, trades.price))
        for k in range(trades.count[0])
    ]
    # Stage one: 100/300 for 10, 120/300 for 5, 120/250 for 10, 120/130 for 5; then 260 > 130.
    assert got[:4] == [(0, 3, 10, 200), (1, 3, 5, 210), (1, 4, 10, 185), (1, 5, 5, 125)]
    # Pa = (2000 + 1050 + 1850 + 625) / 30 = 184.17; the seller comes down to it, the buyer goes up to it.
    assert trades.reference[0] == 184
    assert got[4:] == [(2, 5, 30, 184)]


def test_reference_price_without_trades():
    one_sided = book([(200, 200, 5, 0)])
    assert two_stage_double.clear(one_sided, Tariffs(80, 300, True)).reference[0] == 190
    apart = book([(200, 200, 5, 0), (100, 100, -5, 0)])
    assert two_stage_double.clear(apart, Tariffs(80, 300, True)).reference[0] == 150


def test_plain_mean_is_a_setting():
    rows = [(100, 100, 30, 0), (100, 100, 10, 0), (200, 200, -30, 0), (140, 140, -10, 0)]
    assert (
        two_stage_double.clear(book(rows), Tariffs(80, 300, True)).reference[0] == 143
    )  # (30·150 + 10·120) / 40 = 142.5
    assert two_stage_double.clear(book(rows), Tariffs(80, 300, False)).reference[0] == 135


def offers(price, wh, asked, effect=None, credit=None, reserve=10**9) -> Offers:
    n = len(price)
    columns = [price, wh, effect or [PPM] * n, credit or [800_000] * n]
    return Offers(*(np.array([c], np.int64) for c in columns), np.array([reserve]), np.array([asked]))


@pytest.mark.parametrize("name", REQUEST)
@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 4_000), st.integers(0, PPM), st.integers(0, 3)),
        min_size=1,
        max_size=8,
    ),
    asked=st.integers(0, 20_000),
    reserve=st.integers(0, 60),
)
def test_awards_add_up_exactly(name, rows, asked, reserve):
    price, wh, effect, credit = (list(column) for column in zip(*rows, strict=True))
    given_offers = offers(price, wh, asked, effect, credit, reserve)
    award = plugins.load("market", name, "award").award(given_offers)[0]
    admissible = [w if p <= reserve and e > 0 else 0 for p, w, e in zip(price, wh, effect, strict=True)]
    assert award.sum() == min(asked, sum(admissible))
    assert np.all(award >= 0)
    assert np.all(award <= admissible)


def test_fpsa_ranks_by_price_over_effect_then_credit_then_pro_rata():
    assert fpsa.award(offers([10, 9, 30], [5, 5, 5], 7))[0].tolist() == [2, 5, 0]
    # 10 at full effect beats 9 at half effect (18 per effective kWh).
    assert fpsa.award(offers([10, 9], [5, 5], 7, effect=[PPM, PPM // 2]))[0].tolist() == [5, 2]
    assert fpsa.award(offers([10, 10], [5, 5], 7, credit=[1, 2]))[0].tolist() == [2, 5]
    # 10 of 7 + 5 + 3 at one price: 4.67, 3.33, 2: largest remainder to the first.
    assert fpsa.award(offers([10, 10, 10], [7, 5, 3], 10))[0].tolist() == [5, 3, 2]
    assert fpsa.award(offers([10, 10], [5, 5], 7, reserve=9))[0].tolist() == [0, 0]
