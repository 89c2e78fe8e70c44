"""The table of incentives: what a role or a cheating site earns against the default, seed by seed."""

import pytest

from agents.policy import DEFAULT_RULES, ROLES
from evaluation.reproductions import incentives

SEEDS = 3


@pytest.mark.parametrize("role", ROLES)
def test_defaults_beat_sitting_idle_and_greed_under_every_seed(role):
    usual = incentives.role_rewards(role, DEFAULT_RULES[role], SEEDS)
    for rule in incentives.CHOICES:
        other = incentives.role_rewards(role, rule, SEEDS)
        assert all(mine < default for mine, default in zip(other, usual, strict=True))


def test_a_cheat_is_compared_with_itself_when_honest():
    runs = incentives.default_runs(SEEDS)
    assert "honest" not in incentives.cheats()
    for cheat in ("false_meter", "non_delivery"):
        honest, cheating = incentives.cheat_rewards(cheat, SEEDS)
        for seed, reward in enumerate(honest):
            rewards = runs[seed].truth.rewards["prosumer"].sum(axis=0)
            assert any(reward == pytest.approx(value) for value in rewards)
        assert sum(cheating) < sum(honest)
