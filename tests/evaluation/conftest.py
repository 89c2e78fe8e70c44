from __future__ import annotations

from pathlib import Path

import pytest

from envs.settings import load_scenario
from evaluation.runs import plan_jobs, play_all
from evaluation.study import Study, study_of

POLICIES = {"prosumer": "truthful", "aggregator": "markup", "eno": "planner"}
CHEATS = {
    "false_quote": {"count": 1, "intensity": 1.0},
    "false_meter": {"count": 2, "intensity": 0.5},
    "non_delivery": {"count": 1, "intensity": 1.0},
    "forging_producer": {"count": 1, "intensity": 1.0},
}


def tiny(name: str, **changes: object):
    return load_scenario("tiny", {"name": name, **changes})


def study_in(out: Path, scenarios, seeds=(0, 1), workers=1, game="staged") -> Study:
    jobs = plan_jobs(scenarios, POLICIES, seeds, game, out)
    done = dict(play_all(jobs, workers))
    return study_of(scenarios, [done[k] for k in range(len(jobs))], seeds, game, POLICIES)


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A tiny day, honest and with five cheating sites of six, under two seeds, with signed ledgers."""
    out = tmp_path_factory.mktemp("study")
    return study_in(out, [tiny("honest"), tiny("cheated", malicious=CHEATS)])
