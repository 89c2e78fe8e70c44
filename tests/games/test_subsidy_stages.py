"""The subsidy game with users as players: the face, and the closed form of its equilibrium."""

import numpy as np
import pytest
from pettingzoo.test import api_test, seed_test

from envs.games import GameError, SubsidyStages


def _play(game, subsidy, quantity):
    """Rewards by agent of one round through the face."""
    game.reset()
    shares = [subsidy / game.rules.value, *(quantity / game.most)]
    seen, rewards = {}, {}
    for agent in game.agent_iter():
        observation, reward, over, cut, _ = game.last()
        if over or cut:
            rewards[agent] = reward
            game.step(None)
            continue
        seen[agent] = observation
        game.step(np.array([2.0 * shares[game.possible_agents.index(agent)] - 1.0], np.float32))
    return seen, rewards


def test_face():
    api_test(SubsidyStages(), num_cycles=30)
    seed_test(SubsidyStages, num_cycles=30)


def test_users_see_the_subsidy_before_they_answer_and_all_are_paid():
    game = SubsidyStages()
    quantity = np.array([0.4, 0.1, 0.05])
    seen, rewards = _play(game, 0.5, quantity)
    assert not seen["leader"].any()
    assert seen["user_1"] == pytest.approx([0.5, 0.5, 0.2])
    assert rewards["leader"] == pytest.approx(0.5 * 0.55, abs=1e-6)
    assert rewards["user_0"] == pytest.approx(0.5 * 0.4 - 0.4**2 / 2 - 0.1 * 0.4, abs=1e-6)


def test_closed_form_is_subgame_perfect():
    """No user gains by another quantity at any subsidy, no leader by another subsidy when users answer so."""
    game = SubsidyStages()
    grid = np.linspace(0.0, 1.0, 401)
    for subsidy in (0.0, 0.15, 0.4, 0.9):
        best = game.rules.answer(np.array(subsidy))
        for user in range(3):
            tried = np.repeat(best[None], len(grid), axis=0)
            tried[:, user] = grid * game.most[user]
            gain = game.payoffs(np.full(len(grid), subsidy), tried)[:, 1 + user]
            assert gain.max() <= game.payoffs(np.array(subsidy), best)[1 + user] + 1e-12
    profit = game.payoffs(grid, game.rules.answer(grid))[:, 0]
    star = game.rules.best_subsidy()
    assert game.payoffs(np.array(star), game.rules.answer(np.array(star)))[0] >= profit.max()
    weight = 1.0 / game.rules.a
    mean = (game.rules.b * weight).sum() / weight.sum()
    assert profit.max() == pytest.approx((1.0 - mean) ** 2 / 4 * weight.sum(), abs=1e-5)


def test_bad_settings_are_refused():
    with pytest.raises(GameError, match="slopes > 0"):
        SubsidyStages(slopes=(0.0,), starts=(0.1,))
