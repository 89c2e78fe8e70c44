"""Learners reach the known answers of the one-shot games."""

import numpy as np
import pytest

from agents.learning.one_shot import Training, train
from envs.games.cournot import Cournot
from envs.games.first_price import FirstPrice
from evaluation.games import Search, draws, nash_conv

QUICK = Training(steps=250, worlds=256)


def test_a_best_response_by_training_earns_what_the_equilibrium_does():
    game, points = FirstPrice(2), draws(4096, 2)
    learned = train(game, [0], game.equilibrium, QUICK)
    said, usual = learned(points), game.equilibrium(points)
    assert np.array_equal(said[:, 1], usual[:, 1])
    assert game.payoffs(points, said)[:, 0].mean() == pytest.approx(1 / 6, abs=2e-3)
    assert np.abs(said[:, 0] - points[:, 0] / 2).mean() < 0.03


def test_against_the_truth_it_learns_to_bid_half():
    """The best response to a truthful rival is v/2 and not what it was before."""
    game, points = FirstPrice(2), draws(4096, 2)
    learned = train(game, [0], lambda types: types, QUICK)
    assert np.abs(learned(points)[:, 0] - points[:, 0] / 2).mean() < 0.03


def test_self_play_finds_cournot():
    game = Cournot(3)
    learned = train(game, range(3), settings=QUICK)
    assert learned(np.zeros((1, 3))) == pytest.approx(game.equilibrium(np.zeros((1, 3))), abs=0.01)
    assert nash_conv(game, learned, Search(types=3, actions=81, draws=50)) < 1e-3


def test_same_seed_same_strategy():
    short = Training(steps=5, worlds=32)
    points = draws(16, 2)
    twice = [train(FirstPrice(2), range(2), settings=short)(points) for _ in range(2)]
    assert np.array_equal(*twice)
    other = train(FirstPrice(2), range(2), settings=Training(steps=5, worlds=32, seed=1))(points)
    assert not np.array_equal(twice[0], other)


def test_who_does_not_learn_needs_a_strategy():
    with pytest.raises(ValueError, match="don't learn"):
        train(FirstPrice(2), [0])
