"""The table of misconduct against the runs it sums up."""

from __future__ import annotations

import pytest

from evaluation.misconduct import charges, consequences
from tests.evaluation.conftest import CHEATS, study_in, tiny


def test_each_behaviour_is_charged_once_for_what_it_touches(study):
    ((part, rows),) = charges(study)
    assert part.name == "cheated"
    assert [row.behaviour for row in rows] == [name.replace("_", " ") for name in CHEATS]
    for row in rows:
        assert 0 <= row.noticed <= row.attempts
        assert row.credit is not None
        assert row.gain is not None
    found = {row.behaviour: row for row in rows}
    assert found["forging producer"].verdict == "yes, always"
    assert found["false meter"].attempts == sum(part.values["false_readings"])
    assert found["forging producer"].attempts == sum(part.values["forged_blocks"])


def test_what_cheating_costs_adds_up_to_zero(study):
    honest, cheated = study.parts
    found = consequences(study, cheated)
    assert sum(estimate.mean for estimate in found.values()) == pytest.approx(0.0, abs=1e-9)
    assert found["operator"].mean == pytest.approx(study.difference("operator_balance", 1).mean)
    assert all(estimate.mean == 0.0 for estimate in consequences(study, honest).values())


def test_without_an_honest_scenario_nothing_is_compared(tmp_path):
    study = study_in(tmp_path, [tiny("only", malicious=CHEATS, calendar={"periods": 4})], seeds=(0,))
    ((part, rows),) = charges(study)
    assert all(row.gain is None for row in rows)
    assert consequences(study, part) == {}


def test_producers_that_sign_twice_or_too_early_are_charged(tmp_path):
    cheats = {"queue_jumper": {"count": 2}, "equivocating_producer": {"count": 2}}
    study = study_in(tmp_path, [tiny("turns", malicious=cheats, calendar={"periods": 24})], seeds=(0,))
    ((part, rows),) = charges(study)
    assert [row.behaviour for row in rows] == ["queue jumper", "equivocating producer"]
    for row in rows:
        assert row.attempts > 0
        assert row.verdict == "yes, always"
        assert row.credit < 100 * part.scenario.standing.initial_credit
    assert sum(row.attempts for row in rows) == sum(part.values["forged_blocks"]) == sum(part.values["blocks_refused"])
    assert not part.runs[0].chain.differing
