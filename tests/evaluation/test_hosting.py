"""Hosting capacity: the search finds the edge, the outcome is what was lived, plants scale alike."""

from __future__ import annotations

import numpy as np
import pytest

from agents.policy import DEFAULT_RULES
from envs.settings import load_scenario
from envs.world import build_world
from evaluation import hosting
from evaluation.hosting import CRITERIA, HALVINGS, LARGEST, SMALLEST, STEP, Outcome, capacity

IDLE = {**DEFAULT_RULES, "eno": "idle"}


def edged(edge: float):
    """Outcomes of a net that breaks its limits beyond a scale."""
    return lambda scale: Outcome(100.0 * scale, 0.5 if scale > edge else 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("edge", [0.06, 0.7, 1.0, 3.3])
def test_the_search_stops_just_below_the_edge(edge):
    found = capacity(edged(edge), CRITERIA[0])
    assert found.bounded
    assert found.hosted is not None
    assert edge * (1.0 - (STEP - 1.0) / 2**HALVINGS) - 1e-9 <= found.scale <= edge
    assert found.hosted.pv_kwp == pytest.approx(100.0 * found.scale)


def test_the_search_says_when_there_is_no_edge_or_nothing_is_hosted():
    assert capacity(edged(0.5 * SMALLEST), CRITERIA[0]) == hosting.Capacity(0.0, None, True)
    open_end = capacity(edged(np.inf), CRITERIA[0])
    assert not open_end.bounded
    assert LARGEST / STEP < open_end.scale <= LARGEST


def test_what_a_criterion_allows():
    calm, broken = Outcome(1.0, 0.0, 0.0, 0.0, 0.0), Outcome(1.0, 0.009, 0.0, 0.04, 0.0)
    assert all(calm.meets(criterion) for criterion in CRITERIA)
    assert [broken.meets(criterion) for criterion in CRITERIA] == [False, True, True]
    assert [Outcome(1.0, 0.0, 0.0, 0.5, 0.0).meets(c) for c in CRITERIA] == [True, True, False]
    assert not any(Outcome(1.0, 0.0, 0.002, 0.0, 0.0).meets(criterion) for criterion in CRITERIA)


def test_all_plants_scale_alike():
    one, half = (build_world("rural_day", {"sites": {"pv_scale": scale}}) for scale in (1.0, 0.5))
    assert np.array_equal(half.pv_rated_w, 0.5 * one.pv_rated_w)
    assert np.allclose(half.pv_w, 0.5 * one.pv_w, atol=1e-6)
    assert np.array_equal(half.load_w, one.load_w)
    assert half.site_names == one.site_names


def test_the_market_hosts_more_of_a_violated_day():
    scenario, seeds = load_scenario("six_node"), (0, 1, 2, 3)
    small, alone = (hosting.outcome(scenario, IDLE, seeds, scale) for scale in (0.5, 1.5))
    traded = hosting.outcome(scenario, DEFAULT_RULES, seeds, 1.5)
    assert (small.pv_kwp, alone.pv_kwp) == pytest.approx((40.0, 120.0))
    assert (small.violated, small.given_up, small.cut) == (0.0, 0.0, 0.0)
    assert alone.violated > 0.2
    assert alone.given_up == 0.0
    assert traded.violated == 0.0
    assert 0.2 < traded.given_up < 0.5
    assert traded.balance < alone.balance - 10.0


def test_the_command_prints_a_line_a_criterion(capsys, monkeypatch):
    monkeypatch.setattr(hosting, "LARGEST", 0.07)
    assert hosting.main(["tiny", "--seeds", "1", "--set", "calendar.periods=4"]) == 0
    text, told = capsys.readouterr()
    assert "sizes played: 4size" in told  # 0.05 and 0.06 with the market and without, whatever the criterion
    assert text.count("| over ") == 2 * len(CRITERIA)
    assert all(f"| {criterion.name} |" in text for criterion in CRITERIA)
    assert hosting.main(["nowhere"]) == 2
    assert "no such file" in capsys.readouterr().err
