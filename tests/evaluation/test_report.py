"""The report: whole, self-contained, and there for every shape of study."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from envs.types import PASSED, VERDICTS
from evaluation import provenance
from evaluation.event_table import _check
from evaluation.measures import METRICS
from evaluation.provenance import command_line, commit
from evaluation.report import write_report
from evaluation.story import passes
from evaluation.study import COLUMNS, write_metrics
from evaluation.words import clear, interval, number, outside
from tests.evaluation.conftest import study_in, tiny

ROOT = Path(__file__).resolve().parents[2]
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


def test_what_is_outside_a_limit_reads_outside():
    assert outside(1.0501, 0.95, 1.05, 3) == "1.0501"
    assert outside(1.050004, 0.95, 1.05, 4) == "1.050004"
    assert outside(0.949996, 0.95, 1.05, 4) == "0.949996"
    assert outside(1.0534, 0.95, 1.05, 3) == "1.053"
    assert outside(1.04999, 0.95, 1.05, 3) == "1.050"
    assert outside(1.050002, 0.95, 1.05, 4, 2e-6) == "1.0500"
    assert outside(100.03, 0.0, 100.0, 0) == "100.03"


def test_the_checks_of_an_event_say_where_they_are_at_once_and_how_far_out(study):
    """A check that found a bus broken shows a voltage beyond the band; only what passed did so at once."""
    part = study.parts[0]
    low, high = part.scenario.grid.band_low_pu, part.scenario.grid.band_high_pu
    page = next(page for page in part.runs[0].book.events if len(page.passes))
    row = page.passes[0].copy()
    row[3:6] = [round(1.02 * 1e6), round(high * 1e6) + 1, 500_000]
    bus = np.array([[0, 1]])
    line = passes(part, replace(page, passes=row[None], broken=bus))[0]
    assert f"1.0200–{high + 1e-6:.6f} pu, loading 50.0 %, broken: bus" in line
    kept = passes(part, replace(page, passes=row[None], broken=bus[:0]))[0]
    assert f"1.0200–{high:.4f} pu, loading 50.0 %, no limit broken" in kept
    assert low < 1.02 < high
    run, loops = part.runs[0], np.stack([row, row])
    said = {
        (verdict, len(rows)): _check(run, replace(page, verdict=verdict, passes=rows, cuts=[]))
        for verdict in range(len(VERDICTS))
        for rows in (row[None], loops)
    }
    assert [key for key, text in said.items() if text.endswith("at once")] == [(PASSED, 1)]
    assert all(("after 1 loop" in text) == (loops == 2) for (_, loops), text in said.items())


def test_the_report_names_its_command_and_commit_without_paths_of_the_machine(study, tmp_path):
    words = [
        "tiny",
        f"--out={ROOT / 'results' / 'a b'}",
        "--policy",
        "prosumer=/home/me/run@0-2",
        "--set",
        "plugins=[/x/my2]",
    ]
    command = command_line("evaluate.py", [*words, str(ROOT / "configs"), "1/2"])
    assert command == (
        "python evaluate.py tiny '--out=results/a b' --policy prosumer=run@0-2 --set 'plugins=[my2]' configs 1/2"
    )
    html = write_report(study, tmp_path, command="python evaluate.py tiny").read_text(encoding="utf-8")
    assert "<dt>Command</dt><dd><code>python evaluate.py tiny</code></dd>" in html
    said = commit()
    if said is not None:
        assert f"<dt>Commit</dt><dd>{said}</dd>" in html
        words = ["git", "rev-parse", f"{said.removesuffix('-dirty')}^{{commit}}", "HEAD"]
        named, head = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        assert named == head


def test_without_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert commit() is None
