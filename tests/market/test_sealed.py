"""Sealed auctions: properties of every request mechanism, closed forms, and what is best to say in each."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs import plugins
from envs.config import SettingsError
from envs.market import fpsa, second_price
from envs.mechanisms import mechanisms_of
from envs.money import ACTIVATION
from envs.settings import load_scenario
from envs.types import HORIZON, PPM, Offers, Orders, Tariffs
from tests.envs.play import OFF, by_rules, core_of, episode

REQUEST = plugins.names("market", needs="award")
TARIFFS = Tariffs(80_000, 300_000, True)


def offers(rows, asked, reserve) -> Offers:
    """Rows of (price, wh, effect, credit) as one world."""
    columns = (np.array([column], np.int64) for column in zip(*rows, strict=True))
    return Offers(*columns, np.array([reserve]), np.array([asked]))


OFFER = st.tuples(st.integers(0, 50), st.integers(0, 4_000), st.integers(0, PPM), st.integers(0, 3))
BOOKS = st.lists(OFFER, min_size=1, max_size=8)


@pytest.mark.parametrize("name", REQUEST)
@settings(max_examples=150, deadline=None)
@given(rows=BOOKS, asked=st.integers(0, 20_000), reserve=st.integers(0, 60), data=st.data())
def test_winners_get_what_they_asked_at_least_and_the_reserve_at_most(name, rows, asked, reserve, data):
    """Also for awards that a safety check made; and in whatever order the offers arrive."""
    module, book = plugins.load("market", name, "award"), offers(rows, asked, reserve)
    won = module.award(book)
    dispatched = np.array([[data.draw(st.integers(0, wh)) if p <= reserve else 0 for p, wh, *_ in rows]])
    for awarded in (won, dispatched):
        paid = module.pay(book, awarded)
        assert np.all(paid >= book.price)
        assert np.all(paid[awarded > 0] <= reserve)
        assert np.array_equal(paid[awarded == 0], book.price[awarded == 0])
    order = data.draw(st.permutations(range(len(rows))))
    moved = offers([rows[i] for i in order], asked, reserve)
    assert np.array_equal(module.pay(moved, won[:, order]), module.pay(book, won)[:, order])
    ranks = [(p * PPM / e, -c) for p, _, e, c in rows if e]
    if len(set(ranks)) == len(ranks):
        assert np.array_equal(module.award(moved), won[:, order])


@pytest.mark.parametrize("name", REQUEST)
def test_a_batch_is_its_worlds_and_nothing_comes_of_nothing(name):
    rng, module = np.random.default_rng(2), plugins.load("market", name, "award")
    shape = (9, 5)
    batch = Offers(
        rng.integers(0, 9, shape), rng.integers(0, 90, shape), rng.integers(0, PPM, shape), rng.integers(0, 3, shape),
        rng.integers(0, 9, 9), rng.integers(0, 300, 9),
    )  # fmt: skip
    batch.wh[0] = batch.asked_wh[1] = 0
    won = module.award(batch)
    paid = module.pay(batch, won)
    assert not won[:2].any()
    for w in range(9):
        one = Offers(*(column[w : w + 1] for column in batch))
        assert np.array_equal(module.award(one)[0], won[w])
        assert np.array_equal(module.pay(one, won[w : w + 1])[0], paid[w])


def test_first_price_pays_as_offered_and_second_price_the_best_refused_offer():
    rows = [(10, 5, PPM, 0), (12, 5, PPM, 0), (20, 5, PPM, 0), (90, 5, PPM, 0)]
    book = offers(rows, 10, 60)
    assert fpsa.pay(book, fpsa.award(book)).tolist() == [[10, 12, 20, 90]]
    assert second_price.pay(book, second_price.award(book)).tolist() == [[20, 20, 20, 90]]
    # Cut at the margin: the rest of the second offer is the best one refused. All bought: the reserve price.
    assert second_price.pay(book, np.array([[5, 2, 0, 0]])).tolist() == [[12, 12, 20, 90]]
    assert second_price.pay(book, np.array([[5, 5, 5, 0]])).tolist() == [[60, 60, 60, 90]]
    # 20 per effective kWh is 10 for the one at half effect, more than which it asked.
    near = offers([(10, 5, PPM, 0), (8, 5, PPM // 2, 0), (20, 5, PPM, 0)], 10, 60)
    assert second_price.pay(near, second_price.award(near)).tolist() == [[20, 10, 20]]
    # Out of turn, because the grid needs it where it is: as offered.
    assert second_price.pay(book, np.array([[0, 0, 5, 0]])).tolist() == [[10, 12, 20, 90]]


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 30), st.integers(1, PPM), st.integers(0, 2)), min_size=2, max_size=6),
    units=st.integers(1, 5),
    reserve=st.integers(0, 60),
    lie=st.integers(0, 90),
)
def test_in_the_second_price_request_the_cost_is_the_best_offer(rows, units, reserve, lie):
    """One unit a bidder, whatever the others say: no other offer gains more."""

    def gain(offer):
        book = offers([(p, 100, e, c) for p, e, c in [(offer, *rows[0][1:]), *rows[1:]]], 100 * units, reserve)
        won = second_price.award(book)
        return int(won[0, 0] * (second_price.pay(book, won)[0, 0] - rows[0][0]))

    assert gain(lie) <= max(gain(rows[0][0]), 0)
    assert gain(rows[0][0]) >= 0


@settings(max_examples=200, deadline=None)
@given(
    worth=st.lists(st.integers(0, 30), min_size=2, max_size=7),
    short=st.lists(st.integers(0, 30), min_size=1, max_size=6),
    sells=st.booleans(),
    lie=st.integers(0, 40),
)
def test_in_the_second_price_market_the_longer_side_tells_the_truth(worth, short, sells, lie):
    short = short[: len(worth) - 1]
    side = 1 if sells else -1

    def gain(quote):
        price = [quote, *worth[1:], *short]
        quantity = [100 * side] * len(worth) + [-100 * side] * len(short)
        book = Orders(*(np.array([c], np.int64) for c in (price, price, quantity, [0] * len(price))))
        got = second_price.clear(book, TARIFFS)
        mine = (got.seller if sells else got.buyer)[0, : got.count[0]] == 0
        wh, paid = got.wh[0, : got.count[0]][mine], got.price[0, : got.count[0]][mine]
        return int((wh * (paid - worth[0]) * side).sum())

    assert gain(lie) <= gain(worth[0])
    assert gain(worth[0]) >= 0


SCALE, DRAWS = 100_000, 40_000


def traded(module, types, bids, lot, side):
    """Mean money of one lot of 1 kWh, its limit ``lot``, sold to (side 1) or bought from (side -1) bidders."""
    n = bids.shape[1]
    price = np.hstack([np.full((DRAWS, 1), lot), bids])
    quantity = np.tile(np.array([1000 * side] + [-1000 * side] * n), (DRAWS, 1))
    got = module.clear(Orders(price, price, quantity, np.zeros_like(price)), TARIFFS)
    assert np.all(got.count <= 1)
    sold = got.count == 1
    winner = (got.buyer if side > 0 else got.seller)[sold, 0] - 1
    best = types.argmax(axis=1) if side > 0 else types.argmin(axis=1)
    assert np.array_equal(winner, best[sold])
    return float(np.where(sold, got.price[:, 0], 0).mean()) / SCALE


@pytest.mark.parametrize(("n", "r"), [(2, 0.0), (4, 0.0), (3, 0.3)])
def test_a_sale_earns_the_closed_form(n, r):
    """First price b = (n-1)v/n + r^n/(n v^(n-1)), second price b = v: the same revenue, (n-1)/(n+1) without reserve."""
    v = np.random.default_rng(n).uniform(0.0, 1.0, (DRAWS, n))
    shaded = np.where(v >= r, (n - 1) * v / n + r**n / (n * np.maximum(v, r or 1e-9) ** (n - 1)), v * r)
    expected = (n - 1) / (n + 1) + r**n * (1 - r * 2 * n / (n + 1))
    for module, bids in ((fpsa, shaded), (second_price, v)):
        got = traded(module, v, np.rint(bids * SCALE).astype(np.int64), round(r * SCALE), 1)
        assert got == pytest.approx(expected, abs=0.005), module.__name__


@pytest.mark.parametrize(("n", "ceiling"), [(2, 1.0), (4, 1.0), (3, 0.7)])
def test_a_procurement_pays_the_closed_form(n, ceiling):
    """First price b = c + [(1-c)^n - (1-R)^n]/(n(1-c)^(n-1)), second price b = c: the same outlay."""
    c = np.random.default_rng(n).uniform(0.0, 1.0, (DRAWS, n))
    open_to = np.minimum(c, ceiling)
    top = (1 - open_to) ** n - (1 - ceiling) ** n
    shaded = np.where(c <= ceiling, c + top / (n * np.maximum(1 - open_to, 1e-9) ** (n - 1)), c)
    grid = (np.arange(20_000) + 0.5) / 20_000 * ceiling  # of the lowest cost, density n (1-c)^(n-1)
    expected = float(np.mean(n * grid * (1 - grid) ** (n - 1) + (1 - grid) ** n - (1 - ceiling) ** n) * ceiling)
    if ceiling == 1.0:
        assert expected == pytest.approx(2 / (n + 1), abs=1e-6)
    for module, bids in ((fpsa, shaded), (second_price, c)):
        got = traded(module, c, np.rint(bids * SCALE).astype(np.int64), round(ceiling * SCALE), -1)
        assert got == pytest.approx(expected, abs=0.005), module.__name__


def test_by_hand_the_longer_side_competes():
    def pairs(module, rows):
        book = Orders(*(np.array([c], np.int64) for c in zip(*rows, strict=True)))
        got = module.clear(book, Tariffs(80, 300, True))
        k = slice(0, int(got.count[0]))
        columns = (got.seller, got.buyer, got.wh, got.price)
        return list(zip(*(c[0, k].tolist() for c in columns), strict=True))

    sells = [(100, 100, 5, 0), (120, 120, 5, 0), (140, 140, 5, 0), (200, 200, -10, 0)]
    assert pairs(fpsa, sells) == [(0, 3, 5, 100), (1, 3, 5, 120)]
    assert pairs(second_price, sells) == [(0, 3, 5, 140), (1, 3, 5, 140)]
    buys = [(100, 100, 10, 0), (150, 150, -5, 0), (120, 120, -5, 0), (110, 110, -5, 0)]
    assert pairs(fpsa, buys) == [(0, 1, 5, 150), (0, 2, 5, 120)]
    assert pairs(second_price, buys) == [(0, 1, 5, 110), (0, 2, 5, 110)]
    # Nobody is refused on the longer side: the shorter side's quote bounds the price.
    assert pairs(second_price, [(100, 100, 7, 0), (200, 200, -7, 0)]) == [(0, 1, 7, 200)]


@pytest.mark.parametrize("name", REQUEST)
def test_in_the_environment_settlement_pays_the_awards_price(name):
    core = core_of("tiny", {**OFF, "market": {"request": name}})
    paid, offered, at_start = 0, 0, {}
    for trace in episode(core, by_rules(core), (3,)):
        assert trace.payments.change.sum() == 0
        won, price = trace.plan.awarded_wh[0] > 0, trace.plan.award_price[0]
        own = np.broadcast_to(trace.stage.offer_price[0], price.shape)
        assert np.all(price >= own)
        assert np.all(price[won] <= np.broadcast_to(trace.stage.reserve[0][:, None], price.shape)[won])
        paid, offered = paid + int(price[won].sum()), offered + int(own[won].sum())
        for r in np.flatnonzero(trace.stage.cause[0]):
            at_start[r * HORIZON + trace.period % HORIZON] = price[r]
        rows = trace.payments.rows[0, : trace.payments.count[0]]
        for _, _, payee, _, price_paid, _, slot in rows[rows[:, 0] == ACTIVATION]:
            assert price_paid == at_start[slot][payee - core.world.sites]
    assert offered > 0
    assert (paid > offered) == (name != "fpsa")


def test_in_the_environment_peers_are_auctioned_both_ways():
    """At noon the cheapest sells win at their quotes, in the evening the dearest buys at theirs."""
    scenario = load_scenario("rural_day_sealed")
    assert (scenario.market.trading, scenario.market.request) == ("fpsa", "second_price")
    core = core_of("tiny", {**OFF, "market": {"trading": "fpsa"}})
    ways = {True: 0, False: 0}
    for trace in episode(core, by_rules(core, {"prosumer": "truthful"}), (3, 4)):
        for b in range(2):
            own, trades = trace.quotes.opening_price[b], trace.trades
            sells = bool(trace.quotes.quantity_wh[b].sum() >= 0)
            for k in range(trades.count[b]):
                winner = trades.seller[b, k] if sells else trades.buyer[b, k]
                assert trades.price[b, k] == own[winner]
                ways[sells] += 1
    assert min(ways.values()) > 3


def test_a_batch_of_sealed_days_is_its_days_to_the_head_of_the_ledger():
    def heads(seeds):
        core = core_of("rural_day_sealed", {"ledger": {"mode": "hashes"}}, 50)
        episode(core, by_rules(core), seeds)
        return core.recorder.heads

    assert heads((0, 5)) == [*heads((0,)), *heads((5,))]


def test_a_request_mechanism_must_say_what_it_pays(tmp_path):
    (tmp_path / "market").mkdir()
    (tmp_path / "market" / "half.py").write_text('"""No pay."""\n\n\ndef award(offers):\n    return offers.wh * 0\n')
    scenario = load_scenario("tiny", {"plugins": [str(tmp_path)], "market": {"request": "half"}})
    with pytest.raises(SettingsError, match=r"half.py does not define pay\(\)"):
        mechanisms_of(scenario)
