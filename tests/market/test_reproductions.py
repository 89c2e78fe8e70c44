"""Published tables played again: within the stated distance, and by the command."""

import numpy as np
import pytest

from agents.traders import BUYER, SELLER, ZipTraders
from evaluation.reproductions import cliff_zip, gode_sunder, paper_003_auction
from evaluation.reproductions.__main__ import NAMES, main
from evaluation.reproductions._profiles_csv import read_days


@pytest.mark.parametrize("market", gode_sunder.SCHEDULES)
def test_zero_intelligence_markets(market):
    loose, tight = gode_sunder.PUBLISHED[market]
    assert gode_sunder.efficiency_if_all_trade(market) == pytest.approx(loose, abs=0.05)
    played = gode_sunder.efficiency(market, False, sessions=5).mean
    assert played == pytest.approx(gode_sunder.efficiency_if_all_trade(market))  # 2000 shouts are enough
    # How many shouts a session had is not published: long ones come as near as this, short ones fall below.
    apart = {1: 0.1, 2: 0.8, 3: 0.7, 4: 1.4}[market]
    assert gode_sunder.efficiency(market, True, sessions=30).mean == pytest.approx(tight, abs=apart)
    assert gode_sunder.efficiency(market, True, shouts=150, sessions=30).mean < tight


def test_too_few_shouts_leave_surplus():
    assert gode_sunder.efficiency(1, True, shouts=60, sessions=20).mean < 80.0


def test_zip_learns_the_equilibrium_price():
    """Days 1 and 10 are those published, 95.9 → 100.0 and 17.2 → 1.2."""
    efficiency, alpha = cliff_zip.play(sessions=20)
    assert efficiency[0] == pytest.approx(cliff_zip.PUBLISHED["efficiency"][0], abs=1.5)
    assert efficiency[5:].mean() > 99.5
    assert alpha[0] == pytest.approx(cliff_zip.PUBLISHED["alpha"][0], abs=2.0)
    assert alpha[-1] == pytest.approx(cliff_zip.PUBLISHED["alpha"][1], abs=0.5)


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


def test_the_overall_verdict_of_the_auction():
    """+16.7 and -7.6 % at the middle price are 68 % sold and 46 % bought."""
    words = paper_003_auction.overall(["0.68"], ["56 % at r = 0.68"])[0]
    assert "plausible at r = 0.68" in words
    assert "68 % sold and 46 % bought, which is r = 0.68" in words
    assert "88 % are sold gain 21.5 %" in words
    assert "not met at any ratio" in paper_003_auction.overall([], [])[0]


def test_command(capsys, tmp_path, monkeypatch):
    page = tmp_path / "markets.md"
    assert main(["poker"]) == 2
    assert ", ".join(NAMES) in capsys.readouterr().err
    page.write_text("whole", "utf-8")
    assert main(["cliff_zip", "--out", str(page)]) == 2  # a part would replace the whole page
    assert capsys.readouterr().err.count("\n") == 1
    assert page.read_text("utf-8") == "whole"
    monkeypatch.setattr("evaluation.reproductions.__main__.NAMES", ["gode_sunder"])
    assert main(["--out", str(page)]) == 0
    assert "No single number of shouts fits all four markets" in page.read_text("utf-8")


def _write_csv(folder, days):
    times = np.arange(days * 96)
    stamp = np.datetime64("2014-01-01T00:15") + times * np.timedelta64(15, "m")
    rows = ['"";"MT_001";"MT_002";"MT_003";"MT_004"']
    rows += [f"{str(t).replace('T', ' ')}:00;0;1,5;2,25;0,5" for t in stamp]
    (folder / "load.csv").write_text("\n".join(rows), "utf-8")
    clock = np.datetime64("2006-01-01T00:00") + np.arange(days * 288) * np.timedelta64(5, "m")
    sun = np.maximum(np.sin(2 * np.pi * (np.arange(days * 288) - 72) / 288), 0)
    for k in range(4):
        lines = [f"{t.item():%m/%d/%y %H:%M},{(k + 1) * s:.4f}" for t, s in zip(clock, sun, strict=True)]
        (folder / f"pv{k}.csv").write_text("\n".join(["LocalTime,Power(MW)", *lines]), "utf-8")
    return folder / "load.csv", [folder / f"pv{k}.csv" for k in range(4)]


def test_csv_in_the_papers_layouts(tmp_path, capsys):
    load, pv = _write_csv(tmp_path, 3)
    pv_wh, load_wh = read_days(load, pv, 4, 3)
    # The first stamp is 0:15, so the first hour is there with three quarters of an hour.
    assert pv_wh.shape == (3, 24, 4)
    assert load_wh.shape == (3, 24, 3)
    assert load_wh[0, 5].tolist() == [1500.0, 2250.0, 500.0]  # the client that draws nothing is passed over
    assert pv_wh[1, 12].tolist() == pytest.approx([k * pv_wh[1, 12, 0] for k in (1, 2, 3, 4)], rel=1e-3)
    assert paper_003_auction.main(["--load", str(load), "--pv", *map(str, pv)]) == 0
    assert "3 days" in capsys.readouterr().out
    assert paper_003_auction.main(["--load", str(load), "--pv", *map(str, [load, *pv[1:]])]) == 2
    assert "no column" in capsys.readouterr().err
    with pytest.raises(ValueError, match="3 PV files: 4 are needed"):
        read_days(load, pv[:3], 4, 3)
    with pytest.raises(ValueError, match="3 clients draw something every day; 4 are needed"):
        read_days(load, pv, 4, 4)
