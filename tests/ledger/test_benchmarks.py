"""The ledger's benchmarks measure what they say: paths grow by one hash a doubling, sealed chains verify."""

from xml.etree import ElementTree

import pytest

from benchmarks import ledger, lottery, merkle
from benchmarks.ledger import FIRST_SITE, network, period
from ledger.chain import Chain
from ledger.params import Params


def test_the_path_grows_by_the_logarithm(tmp_path):
    rows = merkle.measure((16, 256, 1024), repeats=3)
    assert [row[:2] for row in rows] == [(16, 4), (256, 8), (1024, 10)]
    assert rows[-1][3] > 20 * rows[-1][2]
    merkle.draw(rows, tmp_path / "figure.svg")
    assert ElementTree.parse(tmp_path / "figure.svg").getroot().tag.endswith("svg")


def test_the_benchmarks_periods_are_sound():
    roster = network(12)
    chain = Chain.create(Params(gamma=5), roster)
    chain.seal([])
    for number in (1, 2):
        records = chain.seal(period(roster, number, 6, 40)).records
        assert len(records) == 40
        assert {roster.index_of[record.sender] for record in records} <= set(range(FIRST_SITE + 6))


def test_the_tables_show_what_was_measured():
    rows = ledger._one(network(12), 6, 40, 5, "none", 2) + ledger._one(
        network(12), 6, 40, 5, "none", 2, (("credit", "pos"),)
    )
    text = ledger.tables(rows)
    sealed = next(row["value"] for row in rows if row["name"].endswith("records=40 sealed in memory"))
    assert f"| 12 | 40 | 5 | none | {sealed:,.0f} |" in text
    assert "\n| 2 | " in text
    assert "genesis block of 12 sites: " in text


def test_lots_are_drawn_by_lotteries_only():
    missed, won = lottery.measure("poe", [1, 1], 20, 100)
    assert missed < 0.1
    assert 0.25 < won < 0.75
    with pytest.raises(ValueError, match="draws no lots"):
        lottery.measure("dpos", [1], 1, 1)
