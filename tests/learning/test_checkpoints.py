from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.learning.checkpoints import CARD, WEIGHTS, load_policy, require_game, save_policy
from agents.learning.networks import Actor
from agents.learning.settings import TrainingSettings
from agents.policy import make_policies, players_text, rule_policy
from envs.config import SettingsError
from envs.settings import Scenario, load_scenario


@pytest.fixture
def folder(tmp_path: Path, actor: Actor, settings: TrainingSettings) -> Path:
    save_policy(tmp_path / "prosumer", actor.export(), "prosumer", settings, iteration=3, periods=24)
    return tmp_path


def test_plays_what_the_network_says(folder: Path, actor: Actor, scenario: Scenario, observations: np.ndarray) -> None:
    policy = load_policy(folder, scenario, "prosumer")
    actions = policy.act(observations)
    with torch.no_grad():
        mean = actor(torch.from_numpy(observations))[..., : actions.shape[-1]].numpy()
    assert actions.dtype == np.float32
    assert actions.std() > 0.1
    np.testing.assert_allclose(actions, mean, atol=2e-6)


def test_a_world_in_a_batch_gets_the_bytes_of_that_world_alone(
    folder: Path, scenario: Scenario, observations: np.ndarray
) -> None:
    policy = load_policy(folder, scenario, "prosumer")
    batch = policy.act(observations)
    for world in range(len(observations)):
        assert policy.act(observations[world : world + 1]).tobytes() == batch[world].tobytes()


def test_the_roles_own_folder_and_its_parent_are_the_same(
    folder: Path, scenario: Scenario, observations: np.ndarray
) -> None:
    parent = make_policies(scenario, {"prosumer": str(folder)})["prosumer"]
    own = make_policies(scenario, {"prosumer": str(folder / "prosumer")})["prosumer"]
    np.testing.assert_array_equal(parent.act(observations), own.act(observations))


def test_who_plays_is_told_by_the_weights_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    told = players_text({"prosumer": f"zip,{folder}@2-3"}, "staged")
    assert told == players_text({"prosumer": f"zip,{folder / 'prosumer'}@2-3"}, "staged")
    card = json.loads((folder / "prosumer" / CARD).read_text())
    assert told == f"staged prosumer=zip,weights:{card['weights_sha256']}@2-3 aggregator=markup eno=planner"
    assert players_text({}, "simultaneous") == players_text({"eno": "planner"}, "simultaneous")
    with pytest.raises(SettingsError, match="no checkpoint of eno"):
        players_text({"eno": str(folder)}, "staged")


def test_a_checkpoint_plays_without_ray_and_torch(folder: Path) -> None:
    program = (
        "import sys; sys.modules['ray'] = sys.modules['torch'] = None\n"
        "from agents.learning.checkpoints import load_policy\n"
        "from envs.settings import load_scenario\n"
        f"print(load_policy({str(folder)!r}, load_scenario('tiny'), 'prosumer').game)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "simultaneous"


def test_a_world_with_other_columns_is_refused(folder: Path) -> None:
    wider = load_scenario("tiny", {"market": {"aggregators": 4}})
    with pytest.raises(SettingsError, match=r"observation columns differ.*only the scenario has subsidy_2"):
        load_policy(folder, wider, "prosumer")


def test_a_world_with_another_price_range_is_refused(folder: Path) -> None:
    dearer = load_scenario("tiny", {"market": {"max_price": 900_000}})
    with pytest.raises(SettingsError, match=r"opening_price was trained on the range 0 … 600000.*0 … 900000"):
        load_policy(folder, dearer, "prosumer")


def test_another_role_is_refused(folder: Path, scenario: Scenario) -> None:
    with pytest.raises(SettingsError, match="a checkpoint of prosumer cannot play eno"):
        load_policy(folder / "prosumer", scenario, "eno")
    with pytest.raises(SettingsError, match=r"no checkpoint of eno \(it holds: prosumer\)"):
        load_policy(folder, scenario, "eno")


def test_altered_weights_are_refused(folder: Path, scenario: Scenario, actor: Actor) -> None:
    weights = actor.export()
    weights["bias_0"][0] += 1e-3
    np.savez(folder / "prosumer" / WEIGHTS, **weights)
    with pytest.raises(SettingsError, match="digests differ"):
        load_policy(folder, scenario, "prosumer")


def test_missing_layers_and_broken_files_are_refused(folder: Path, scenario: Scenario, actor: Actor) -> None:
    weights = actor.export()
    del weights["bias_1"]
    np.savez(folder / "prosumer" / WEIGHTS, **weights)
    with pytest.raises(SettingsError, match="do not fit the card"):
        load_policy(folder, scenario, "prosumer")
    (folder / "prosumer" / WEIGHTS).write_bytes(b"not an archive")
    with pytest.raises(SettingsError, match="not readable"):
        load_policy(folder, scenario, "prosumer")


def test_an_unknown_format_is_refused(folder: Path, scenario: Scenario) -> None:
    card = folder / "prosumer" / CARD
    card.write_text(json.dumps({**json.loads(card.read_text()), "format": 2}))
    with pytest.raises(SettingsError, match="format = 2"):
        load_policy(folder, scenario, "prosumer")


def test_the_other_game_is_refused_unless_asked_for(folder: Path, scenario: Scenario) -> None:
    policy = load_policy(folder, scenario, "prosumer")
    require_game(policy, "simultaneous")
    require_game(policy, "staged", allow=True)
    with pytest.raises(SettingsError, match="trained on the simultaneous game"):
        require_game(policy, "staged")
    require_game(rule_policy(scenario, "prosumer", "truthful"), "staged")


def test_observations_of_another_width_are_named(folder: Path, scenario: Scenario, observations: np.ndarray) -> None:
    columns = observations.shape[-1]
    with pytest.raises(ValueError, match=f"observations of {columns - 1} columns, trained was on {columns}"):
        load_policy(folder, scenario, "prosumer").act(observations[..., :-1])
