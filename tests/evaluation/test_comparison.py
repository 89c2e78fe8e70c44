"""One setting, several values: the same worlds, the same figures as single runs, differences paired by seed."""

from __future__ import annotations

import json

import numpy as np
import pytest

import evaluate
from agents.policy import DEFAULT_RULES
from envs.config import SettingsError
from envs.settings import load_scenario
from evaluation.comparison import TABLES, read_comparison, tables_of, variants
from evaluation.ledger_figures import read_daybook
from evaluation.measures import METRICS
from evaluation.measures.fairness import achieved_gain
from evaluation.reproductions import mechanisms_played
from evaluation.statistics import estimate, paired_difference
from tests.evaluation.conftest import POLICIES
from tests.evaluation.test_report import Balance

REQUESTS = ("fpsa", "second_price")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    words = ["tiny", "--seeds", "3", "--workers", "1", "--out", str(folder), "--set", "calendar.periods=60"]
    assert evaluate.main([*words, "--compare", "market.trading=two_stage_double,uniform_price,feed_in"]) == 0
    return folder


def _rows(out):
    found = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert found["schema"] == "gridpact/comparison/1"
    assert (found["key"], found["seeds"]) == ("market.trading", [0, 1, 2])
    return {(row["value"], row["metric"]): row for row in found["rows"]}


def test_every_number_follows_from_the_runs(out):
    by_run = {}
    for row in json.loads((out / "metrics.json").read_text(encoding="utf-8")):
        by_run.setdefault((row["scenario"], row["metric"]), []).append(row["value"])
    rows = _rows(out)
    assert {value for value, _ in rows} == {"two_stage_double", "uniform_price", "feed_in"}
    for (value, metric), row in rows.items():
        own, first = by_run[f"tiny trading={value}", metric], by_run["tiny trading=two_stage_double", metric]
        assert (row["mean"], row["half_width"]) == estimate(own)[:2]
        if value == "two_stage_double":
            assert row["difference"] is None
        else:
            assert (row["difference"], row["difference_half_width"]) == paired_difference(first, own)[:2]


def test_the_figures_are_what_the_ledgers_say(out):
    """Efficiency, matching, income: by their definitions from the stored trades, readings and tariffs."""
    market, rows = load_scenario("tiny").market, _rows(out)
    found = {"trading_gain": [], "matching_efficiency": [], "sellers_concentration": []}
    for seed in range(3):
        book = read_daybook(out / "ledgers" / f"tiny_trading_uniform_price_seed{seed}.sqlite")
        contracted = np.zeros((book.periods, book.sites), np.int64)
        for period, buyer, seller, wh, _ in book.trades[:, :5]:
            contracted[period, seller] += wh
            contracted[period, buyer] -= wh
        net = book.net_wh
        rest = np.maximum(net - contracted, 0).sum()
        possible = np.minimum(np.maximum(net, 0).sum(axis=1), np.maximum(-net, 0).sum(axis=1)).sum()
        found["matching_efficiency"].append(100.0 * (np.maximum(net, 0).sum() - rest) / possible)
        found["trading_gain"].append(achieved_gain(book) // 1000 / 1e6)
        sold = np.maximum(np.bincount(book.trades[:, 2], book.trades[:, 3], book.sites), 0)
        found["sellers_concentration"].append(((sold / sold.sum()) ** 2).sum())
    for metric, values in found.items():
        assert rows["uniform_price", metric]["mean"] == pytest.approx(np.mean(values)), metric
    # Without trade the community loses, on what it did not pass on, what the supplier earns: retail less feed-in.
    lost = rows["feed_in", "community_welfare"]["difference"]
    assert lost == pytest.approx(-rows["feed_in", "supplier_balance"]["difference"], abs=0.02)
    assert lost < 0
    assert market.retail > market.feed_in
    assert rows["feed_in", "matching_efficiency"]["mean"] == 0.0
    assert rows["feed_in", "traded_share"]["mean"] == 0.0
    for metric in ("sellers_trade_gain", "buyers_trade_saving"):
        assert rows["feed_in", metric]["mean"] == pytest.approx(0.0, abs=1e-3)
        assert rows["uniform_price", metric]["mean"] > 0.0
    assert 0.0 < rows["two_stage_double", "matching_efficiency"]["mean"] <= 100.0
    assert rows["two_stage_double", "trading_efficiency"]["mean"] == pytest.approx(100.0)


def test_report_and_tables_show_it(out):
    html = (out / "report.html").read_text(encoding="utf-8")
    parser = Balance()
    parser.feed(html)
    assert parser.open == []
    assert '<h2 id="comparison">' in html
    assert "market.trading" in html
    text = (out / "comparison.md").read_text(encoding="utf-8")
    assert text.startswith("Mean over the seeds 0, 1, 2 ± half width of the 95 % confidence interval")
    assert "the difference to two_stage_double, paired by seed" in text
    assert "| Violated periods, as lived (periods) |" in text
    assert "_periods" not in text
    for title in TABLES:
        assert (f"**{title}**" in text) == (title != "Conduct")
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert len(widths) <= 5


def test_rules_against_attacks_and_attacks_against_none(study, tmp_path):
    honest, cheated = study.parts
    text = "standing.meter_tolerance=0.05,0.5"
    comparison, scenarios, players, names = variants([honest.scenario, cheated.scenario], POLICIES, text)
    assert players == [POLICIES] * 4
    assert names == [
        "honest meter_tolerance=0.05",
        "honest meter_tolerance=0.5",
        "cheated meter_tolerance=0.05",
        "cheated meter_tolerance=0.5",
    ]
    assert [s.standing.meter_tolerance for s in scenarios] == [0.05, 0.5, 0.05, 0.5]
    assert [bool(s.malicious) for s in scenarios] == [False, False, True, True]
    assert {s.name for s in scenarios} == {"honest", "cheated"}  # so that the draws are the same
    assert any(title == "Conduct" for title, _, _ in tables_of([cheated, cheated]))
    assert not any(title == "Conduct" for title, _, _ in tables_of([honest, honest]))
    assert comparison.groups(study) == [("honest", [honest, cheated])]
    words = ["tiny", "--seeds", "2", "--workers", "1", "--out", str(tmp_path), "--set", "calendar.periods=50"]
    assert evaluate.main([*words, "--compare", "malicious.false_meter=null,{count: 2}"]) == 0
    rows = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))["rows"]
    rate = {row["value"]: row["mean"] for row in rows if row["metric"] == "detection_rate"}
    assert rate["null"] is None
    assert rate["{count: 2}"] > 90.0
    assert "tiny false_meter=null" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_players_are_compared_too(tmp_path):
    """Each role's rewards are those of a run with that policy alone."""
    words = ["tiny", "--seeds", "2", "--workers", "1", "--set", "calendar.periods=50", "--set", "ledger.mode=off"]
    both, one = tmp_path / "both", tmp_path / "one"
    assert evaluate.main([*words, "--out", str(both), "--compare", "policy.prosumer=idle,'truthful,zip@0-2'"]) == 0
    assert evaluate.main([*words, "--out", str(one), "--policy", "prosumer=truthful,zip@0-2"]) == 0
    single = json.loads((one / "metrics.json").read_text(encoding="utf-8"))
    compared = json.loads((both / "metrics.json").read_text(encoding="utf-8"))
    name = "tiny prosumer=truthful,zip@0-2"
    assert [r["value"] for r in compared if r["scenario"] == name] == [r["value"] for r in single]
    assert "prosumer: idle | truthful,zip@0-2" in (both / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("market.trading", "KEY=VALUE"),
        ("=a,b", "KEY=VALUE"),
        ("market..trading=a,b", "KEY=VALUE"),
        ("market.trading=feed_in", "two different values"),
        ("market.trading=feed_in,feed_in", "two different values"),
        ("market.trading=[", "not valid YAML"),
    ],
)
def test_what_cannot_be_compared(text, words):
    with pytest.raises(SettingsError, match=words):
        read_comparison(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("market.trading=feed_in,telepathy", "telepathy"),
        ("market.fed_in=1,2", "did you mean feed_in?"),
        ("market.feed_in=1,-2", "market.feed_in"),
        ("policy.king=idle,greedy", "king=idle"),
        ("policy.prosumer=idle,telepath", "telepath"),
    ],
)
def test_a_value_that_cannot_be_is_one_line_before_anything_is_played(text, words, tmp_path, capsys):
    assert evaluate.main(["tiny", "--compare", text, "--out", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert not list((tmp_path / "out").glob("**/*.sqlite"))


def _values(tables, mechanism):
    """A mechanism's own means in all tables, without the differences in brackets."""
    rows = [line.split("|")[2:-1] for line in tables.splitlines() if line.startswith(f"| {mechanism} ")]
    return [cell.split(" (")[0].strip() for row in rows for cell in row]


def test_the_table_of_the_docs(tmp_path):
    text = mechanisms_played.table("market.request", list(REQUESTS), "tiny", 2)
    assert "| second_price |" in text
    # A lone offer at cost: nothing where winners are paid their offers, the others' margin where the second price is.
    paid = {request: mechanisms_played.lone_rewards(request, "truthful", "tiny", 1) for request in REQUESTS}
    assert paid["fpsa"] == [0.0]
    assert paid["second_price"][0] > 0.0
    # Equal quotes cannot tell bilateral talks from the double auction; drawn ones can.
    alike, apart = (
        mechanisms_played.table("market.trading", ["two_stage_double", "bilateral"], "tiny", 2, who)
        for who in (DEFAULT_RULES, mechanisms_played.DIFFERING)
    )
    assert _values(alike, "two_stage_double") == _values(alike, "bilateral")
    assert _values(apart, "two_stage_double") != _values(apart, "bilateral")
    known = {metric.name for metric in METRICS}
    assert {name for names in TABLES.values() for name in names} <= known
