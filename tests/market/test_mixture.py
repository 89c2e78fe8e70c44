"""Agents of one role that do not all play alike."""

import numpy as np
import pytest

from agents.policy import make_policies, rule_policy
from envs.config import SettingsError
from envs.settings import load_scenario
from envs.sights import observation_tables

TINY = load_scenario("tiny")


def _observations(agents=6):
    width = len(observation_tables(TINY)["prosumer"])
    return np.random.default_rng(0).uniform(0.0, 1.0, (2, agents, width)).astype(np.float32)


def test_each_agent_plays_its_part():
    seen = _observations()
    mixed = make_policies(TINY, {"prosumer": "truthful,idle@1-2,greedy@4"})["prosumer"]
    mixed.reset(0)
    got = mixed.act(seen)
    own = {name: rule_policy(TINY, "prosumer", name).act(seen) for name in ("truthful", "idle", "greedy")}
    for agent, name in enumerate(("truthful", "idle", "idle", "truthful", "greedy", "truthful")):
        assert np.array_equal(got[:, agent], own[name][:, agent])
    assert not np.array_equal(own["truthful"][:, 1], own["idle"][:, 1])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("truthful,zip", "names no agents"),
        ("truthful,zip@4-2", "runs backward"),
        ("zip@1", "begins with a rule for everybody"),
        ("truthful,telepath@1", "telepath"),
    ],
)
def test_what_cannot_be_is_refused(text, says):
    with pytest.raises(SettingsError, match=says):
        make_policies(TINY, {"prosumer": text})


def test_an_agent_that_does_not_exist_is_refused():
    mixed = make_policies(TINY, {"prosumer": "truthful,idle@9"})["prosumer"]
    with pytest.raises(SettingsError, match="no agent 9"):
        mixed.act(_observations())
