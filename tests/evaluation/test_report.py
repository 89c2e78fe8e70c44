"""The report: whole, self-contained, and there for every shape of study."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser

import pytest

from evaluation.measures import METRICS
from evaluation.report import write_report
from evaluation.study import COLUMNS, write_metrics
from evaluation.words import clear, interval, number
from tests.evaluation.conftest import study_in, tiny

SECTIONS = (
    "verdict", "summary", "grid", "market", "money", "events", "event", "credit", "chain", "metrics", "provenance",
)  # fmt: skip
VOID = {"meta", "use", "br", "link", "path"}


class Balance(HTMLParser):
    """Counts tags that are opened and never closed, or the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def html(study, tmp_path_factory):
    return write_report(study, tmp_path_factory.mktemp("report")).read_text(encoding="utf-8")


def test_it_asks_nothing_of_the_network(html):
    assert "http" not in html
    assert "src=" not in html
    assert "@import" not in html
    assert "<link" not in html
    assert "<script" not in html
    assert set(re.findall(r"url\((.)", html)) <= {"#"}
    assert set(re.findall(r'href="(.)', html)) == {"#"}


def test_all_sections_and_pictures_are_there(html):
    for section in SECTIONS:
        assert f'<h2 id="{section}">' in html
        assert f'href="#{section}"' in html
    assert html.count("<svg") == 11  # nine, and two of a net with few nodes
    assert html.count("<figcaption>") == 11


def test_tags_are_balanced_and_references_resolve(html):
    parser = Balance()
    parser.feed(html)
    assert parser.open == []
    wanted = set(re.findall(r"url\(#([^)]*)\)", html)) | set(re.findall(r'href="#([^"]*)"', html))
    assert wanted <= set(parser.ids)


def test_it_names_misconduct_ledger_heads_and_records(study, html):
    for part in study.parts:
        for run in part.runs:
            assert run.chain.head in html
            assert [(c.business, c.rule) for c in run.chain.chains] == [("trading", "scored_dpos"), ("dispatch", "poe")]
            assert all(c.head in html for c in run.chain.chains)
            assert sum(c.refused for c in run.chain.chains) == len(run.book.refusals)
    for name in ("false quote", "false meter", "non delivery", "forging producer"):
        assert name in html
    for record in ("Ttx", "Dtx", "Vtx", "Atx"):
        assert record in html
    assert "no fault" in html


def test_the_same_study_gives_the_same_bytes(study, html, tmp_path):
    assert write_report(study, tmp_path).read_text(encoding="utf-8") == html


def test_names_are_escaped(tmp_path):
    odd = tiny("<b>odd</b>", calendar={"periods": 4})
    html = write_report(study_in(tmp_path, [odd], seeds=(0,)), tmp_path).read_text(encoding="utf-8")
    assert "<b>odd" not in html
    assert "&lt;b&gt;odd" in html


def test_metrics_files(study, tmp_path):
    write_metrics(study, tmp_path)
    rows = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert len(rows) == 2 * 2 * len(METRICS)
    assert all(tuple(row) == COLUMNS for row in rows)
    with (tmp_path / "metrics.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(rows)
    for line, row in zip(table, rows, strict=True):
        assert (line["scenario"], line["seed"], line["metric"]) == (row["scenario"], str(row["seed"]), row["metric"])
        assert line["unit"] == row["unit"]
        assert (line["value"] == "") == (row["value"] is None)
        if row["value"] is not None:
            assert float(line["value"]) == row["value"]


NIGHT = {"calendar": {"periods": 6}, "upper_orders": []}


def test_a_night_without_any_event(tmp_path):
    study = study_in(tmp_path, [tiny("night", **NIGHT)], seeds=(3,))
    assert study.parts[0].runs[0].book.events == []
    assert study.parts[0].values["completion"] == [None]
    html = write_report(study, tmp_path).read_text(encoding="utf-8")
    assert "No event was triggered" in html
    assert "No event is on a ledger" in html
    write_metrics(study, tmp_path)
    assert any(row["value"] is None for row in json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8")))


def test_three_scenarios_one_of_them_without_a_ledger(tmp_path):
    scenarios = [
        tiny("first", **NIGHT),
        tiny("second", ledger={"mode": "hashes"}, **NIGHT),
        tiny("third", ledger={"mode": "off"}, **NIGHT),
    ]
    study = study_in(tmp_path, scenarios, seeds=(0,), game="simultaneous")
    html = write_report(study, tmp_path).read_text(encoding="utf-8")
    assert "second less first" in html
    assert "third less first" in html
    assert study.parts[2].values["blocks"] == [None]
    assert sorted(path.name for path in (tmp_path / "ledgers").glob("*.sqlite")) == [
        "first_seed0.sqlite",
        "second_seed0.sqlite",
    ]


def test_numbers_read_well():
    assert number(None, "%") == "–"
    assert number(-0.0001, "¤") == "0.00"
    assert number(-3.456, "¤") == "−3.46"
    assert number(12345.0, "records") == "12\u202f345"
    assert number(3.0, "events") == "3"
    from evaluation.statistics import Estimate

    assert interval(Estimate(1.0, None, 1), "%") == "1.0"
    assert interval(Estimate(1.0, 0.25, 5), "¤") == "1.00 ± 0.25"
    assert clear(Estimate(1.0, 0.5, 5))
    assert not clear(Estimate(1.0, 1.5, 5))
    assert not clear(Estimate(0.0, 0.0, 5))
