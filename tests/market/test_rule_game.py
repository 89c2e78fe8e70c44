"""The empirical game of rules: regrets by hand, and payoffs that are those of a run."""

import numpy as np
import pytest

from agents.policy import DEFAULT_RULES, ROLES
from evaluation.reproductions import incentives, rule_game


def test_regrets_of_a_game_by_hand():
    """A prisoners' dilemma between two roles, a third that does not matter."""
    paid = {("c", "c"): (3, 3), ("c", "d"): (0, 5), ("d", "c"): (5, 0), ("d", "d"): (1, 1)}
    table = {(*moves, "x"): np.array([[a, b, 7.0], [a, b, 7.0]]) for moves, (a, b) in paid.items()}
    assert rule_game.regrets(table, ("d", "d", "x")) == pytest.approx([0, 0, 0])
    assert rule_game.regrets(table, ("c", "c", "x")) == pytest.approx([2, 2, 0])
    assert rule_game.regrets(table, ("c", "d", "x")) == pytest.approx([1, 0, 0])


def test_a_regret_has_the_interval_of_the_paired_difference():
    """The prisoners' dilemma under two seeds that pay all moves alike, and one where temptation pays twice."""
    paid = {("c", "c"): (3, 3), ("c", "d"): (0, 5), ("d", "c"): (5, 0), ("d", "d"): (1, 1)}
    table = {moves: np.array([[a, b], [a + 1, b + 1], [a + 2, b + 2]], float) for moves, (a, b) in paid.items()}
    table["d", "c"][0, 0] += 5.0
    first, second = rule_game.regret_estimates(table, ("c", "c"))
    differences = np.array([7.0, 2.0, 2.0])
    assert first.mean == pytest.approx(rule_game.regrets(table, ("c", "c"))[0]) == pytest.approx(differences.mean())
    assert first.half_width == pytest.approx(4.3027 * differences.std(ddof=1) / np.sqrt(3), rel=1e-3)
    assert (second.mean, second.half_width) == (2.0, 0.0)
    assert [gain.mean for gain in rule_game.regret_estimates(table, ("d", "d"))] == [0.0, 0.0]


def test_payoffs_are_those_of_the_runs():
    choices = {role: (DEFAULT_RULES[role],) for role in ROLES} | {"eno": ("planner", "idle")}
    table = rule_game.payoffs(choices, seeds=2)
    usual = table["truthful", "markup", "planner"]
    for k, role in enumerate(ROLES):
        assert usual[:, k] == pytest.approx(incentives.role_rewards("tiny", role, DEFAULT_RULES[role], 2))
    assert rule_game.regrets(table, ("truthful", "markup", "idle"))[2] > 0.0
    assert rule_game.regrets(table, ("truthful", "markup", "planner"))[2] == 0.0
