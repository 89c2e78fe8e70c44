"""The table of incentives: what a role, one agent of it or a cheating site earns against the default, seed by seed."""

import pytest

from agents.policy import DEFAULT_RULES, ROLES
from envs.world import build_world
from evaluation.reproductions import incentives
from evaluation.statistics import paired_difference

SEEDS = 3


@pytest.mark.parametrize("role", ROLES)
def test_defaults_beat_sitting_idle_and_greed_under_every_seed(role):
    usual = incentives.role_rewards("tiny", role, DEFAULT_RULES[role], SEEDS)
    for rule in ("idle", "greedy"):
        other = incentives.role_rewards("tiny", role, rule, SEEDS)
        assert all(mine < default for mine, default in zip(other, usual, strict=True))


def test_a_lone_aggregator_gains_nothing_by_idleness_greed_or_giving_all_away():
    for rule in ("idle", "greedy", "generous"):
        usual, lone = incentives.lone_rewards("tiny", "aggregator", rule, SEEDS)
        assert sum(lone) < sum(usual)


def test_a_cheat_is_compared_with_itself_when_honest():
    runs = incentives.default_runs("tiny", SEEDS)
    names = [cheat.name for cheat in incentives.cheats()]
    assert "honest" not in names
    for name in ("false_meter", "non_delivery"):
        honest, cheating = incentives.cheat_rewards("tiny", incentives.Cheat(name), SEEDS)
        for seed, reward in enumerate(honest):
            rewards = runs[seed].truth.rewards["prosumer"].sum(axis=0)
            assert any(reward == pytest.approx(value) for value in rewards)
        assert sum(cheating) < sum(honest)


def test_no_block_that_a_site_falsified_alone_or_with_the_operator_is_sealed():
    """Both cost credit alike and gain nothing; the operator's signature does not help it."""
    forging, settling = (
        incentives.cheat_rewards("tiny", incentives.Cheat(name), SEEDS)
        for name in ("forging_producer", "false_settlement")
    )
    assert sum(forging[1]) < sum(forging[0])
    assert settling == forging
    usual, helping, refused = incentives.helping_operator("tiny", SEEDS)
    assert refused > 0
    assert sum(helping) < sum(usual)


def test_a_lone_site_is_one_that_can_do_all_and_compared_with_itself():
    site = incentives.lone_site("tiny")
    world = build_world("tiny")
    assert world.storage_wh[site] > 0
    assert world.pv_w[:, site].max() > 0
    usual, idle = incentives.lone_rewards("tiny", "prosumer", "idle", SEEDS)
    runs = incentives.default_runs("tiny", SEEDS)
    assert usual == [float(run.truth.rewards["prosumer"][:, site].sum()) for run in runs]
    assert all(mine < default for mine, default in zip(idle, usual, strict=True))
    assert sum(incentives.lone_rewards("tiny", "prosumer", "greedy", SEEDS)[1]) < sum(usual)


def test_a_false_quote_does_not_pay_beyond_its_interval():
    """Reopened awards take all that is quoted: who is too cheap is ordered more, and what it has not is shortfall."""
    undercut = incentives.Cheat("false_quote", incentives.UNDERCUT)
    alone = paired_difference(*incentives.cheat_rewards("tiny", undercut, SEEDS))
    both = paired_difference(*incentives.cheat_rewards("tiny", incentives.Cheat("false_quote"), SEEDS))
    stricter = dict(incentives.REMEDIES)["shortfalls cost 5 times the price"]
    dearer = paired_difference(*incentives.cheat_rewards("tiny", undercut, SEEDS, stricter))
    assert alone.mean < alone.half_width
    assert both.mean < alone.mean
    assert dearer.mean <= alone.mean
