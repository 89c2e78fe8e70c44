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


def test_payoffs_are_those_of_the_runs():
    choices = {role: (DEFAULT_RULES[role],) for role in ROLES} | {"eno": ("planner", "idle")}
    table = rule_game.payoffs(choices, seeds=2)
    usual = table["truthful", "markup", "planner"]
    for k, role in enumerate(ROLES):
        assert usual[:, k] == pytest.approx(incentives.role_rewards("tiny", role, DEFAULT_RULES[role], 2))
    assert rule_game.regrets(table, ("truthful", "markup", "idle"))[2] > 0.0
    assert rule_game.regrets(table, ("truthful", "markup", "planner"))[2] == 0.0
