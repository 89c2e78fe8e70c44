"""Published tables played again: within the stated distance, and by the command."""

import numpy as np
import pytest

from agents.traders import BUYER, SELLER, ZipTraders
from evaluation.reproductions import cliff_zip, gode_sunder, paper_003_auction
from evaluation.reproductions.__main__ import NAMES, main


@pytest.mark.parametrize("market", gode_sunder.SCHEDULES)
def test_zero_intelligence_markets(market):
    loose, tight = gode_sunder.PUBLISHED[market]
    assert gode_sunder.efficiency_if_all_trade(market) == pytest.approx(loose, abs=0.05)
    played = gode_sunder.mean_efficiency(market, False, sessions=5)
    assert played == pytest.approx(gode_sunder.efficiency_if_all_trade(market))  # 2000 shouts are enough
    assert gode_sunder.mean_efficiency(market, True, sessions=30) == pytest.approx(tight, abs=1.6)


def test_too_few_shouts_leave_surplus():
    assert gode_sunder.mean_efficiency(1, True, shouts=60, sessions=20) < 80.0


def test_zip_learns_the_equilibrium_price():
    efficiency, alpha = cliff_zip.play(sessions=20)
    assert efficiency[0] > 85.0
    assert efficiency[5:].mean() > 98.5
    assert alpha[0] > 12.0
    assert alpha[-1] < 2.5


def test_zip_margins_move_the_right_way():
    side = np.array([SELLER, SELLER, BUYER, BUYER])
    traders = ZipTraders(np.random.default_rng(0), side, np.array([1.0, 2.0, 3.0, 1.5]))
    before = traders.price
    traders.hear(SELLER, 2.9, True, np.ones(4, bool))
    after = traders.price
    assert np.all(after[:2] > before[:2])  # both asked less than was paid: they ask more
    assert after[2] > before[2] or before[2] > 2.9  # a buyer left out bids more, never beyond its limit
    assert np.all((after - traders.limit) * side >= -1e-12)
    traders.hear(SELLER, 1.0, False, np.ones(4, bool))
    assert np.all(traders.price[:2] <= after[:2])  # even 1.0 found no taker


@pytest.fixture(scope="module")
def days():
    pv_wh, load_wh = paper_003_auction.hourly_days(every=30)
    return paper_003_auction.quantities(pv_wh, load_wh, 0.68)


def test_moving_alike_toward_the_mean_price_trades_nothing_more(days):
    """If everybody moves the same fraction short of all the way, stage two is empty."""
    assert paper_003_auction.play(days, "half") == paper_003_auction.play(days, "stay")
    assert paper_003_auction.play(days, "full").traded > paper_003_auction.play(days, "stay").traded + 5.0


def test_gains_are_bounded_by_the_tariffs(days):
    for rule in paper_003_auction.RULES.values():
        outcome = paper_003_auction.play(days, rule)
        assert 0.0 < outcome.sellers_gain < 100.0 * (0.67 / 0.45 - 1.0)
        assert 100.0 * (0.45 / 0.67 - 1.0) < outcome.buyers_cost < 0.0
    truthful = paper_003_auction.play(days, "truthful")
    assert truthful.traded == pytest.approx(paper_003_auction.play(days, "mid").traded)
    generated, used = days[:, :4].sum(), -days[:, 4:].sum()
    assert generated / used == pytest.approx(0.68, abs=1e-3)


def test_command(capsys, tmp_path):
    assert main(["poker"]) == 2
    assert ", ".join(NAMES) in capsys.readouterr().err
    assert main(["cliff_zip", "--out", str(tmp_path / "markets.md")]) == 0
    assert "Smith's α" in (tmp_path / "markets.md").read_text("utf-8")
