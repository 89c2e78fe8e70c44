"""Every public figure can be derived again from the ledger file alone."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from evaluation.ledger_figures import read_daybook
from evaluation.measures import METRICS, differing_figures, public_figures
from ledger.store import StoreError


def runs(study):
    return [(part, run) for part in study.parts for run in part.runs]


def test_the_day_book_read_from_the_ledger_is_the_one_that_was_played(study):
    for _, run in runs(study):
        read = read_daybook(run.chain.path)
        for field in fields(read):
            played, found = getattr(run.book, field.name), getattr(read, field.name)
            if field.name == "events":
                assert [page.event for page in played] == [page.event for page in found]
                for a, b in zip(played, found, strict=True):
                    for name in (f.name for f in fields(a)):
                        assert np.array_equal(getattr(a, name), getattr(b, name)), (name, a.event)
            else:
                assert np.array_equal(played, found), field.name


def test_every_public_metric_agrees_to_the_last_digit(study):
    for part, run in runs(study):
        read = read_daybook(run.chain.path)
        assert differing_figures(part.world, run.book, read) == []
        assert run.chain.sound
        assert run.chain.differing == []
        figures = public_figures(part.world, read)
        assert all(figures[name] == part.values[name][part.runs.index(run)] for name in figures)


def test_a_changed_figure_is_named(study):
    part, run = runs(study)[0]
    read = read_daybook(run.chain.path)
    read.payments[0, -1] += 1
    read.technical_wh[0] += 1
    differing = differing_figures(part.world, run.book, read)
    assert {"technical_losses", "unaccounted_losses"} <= set(differing)
    assert any(name.endswith("_balance") for name in differing)


def test_public_metrics_never_touch_what_only_the_evaluator_knows(study):
    for metric in METRICS:
        assert (metric.public is None) != (metric.private is None), metric.name


def test_a_missing_ledger_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"nowhere\.sqlite"):
        read_daybook(tmp_path / "nowhere.sqlite")
