from __future__ import annotations

import csv
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModule

from agents.learning.checkpoints import load_policy
from agents.learning.settings import load_training
from agents.policy import ROLES, make_policies
from envs.config import SettingsError
from envs.energy_market_v0 import vector_env
from envs.settings import Scenario

ROOT = Path(__file__).resolve().parents[2]
SHORT = ["overrides.calendar.periods=8", "ppo.train_batch_size=16", "ppo.minibatch_size=16", "ppo.epochs=2"]
SET = [part for pair in SHORT for part in ("--set", pair)]


def returns_of(folder: Path) -> list[list[float]]:
    with (folder / "curve.csv").open() as file:
        return [[float(row[f"return_{role}"]) for role in ROLES] for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def trained(train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "tiny"
    done = train("--out", str(out), "--set", "iterations=2", *SET, hash_seed="1")
    assert done.returncode == 0, done.stderr
    assert "2/2" in done.stdout
    return out


def test_writes_checkpoints_curve_and_picture(trained: Path) -> None:
    for role in ROLES:
        assert (trained / role / "policy.json").is_file()
        assert (trained / role / "weights.npz").is_file()
    assert len(returns_of(trained)) == 2
    assert (trained / "curve.svg").read_text().startswith("<?xml")


def test_the_checkpoint_plays_a_day(trained: Path, scenario: Scenario) -> None:
    world = vector_env(scenario, num_worlds=2, max_cycles=4)
    policies = make_policies(scenario, dict.fromkeys(ROLES, str(trained)))
    observations, _ = world.reset(0)
    over = False
    while not over:
        actions = {role: policies[role].act(observations[role]) for role in ROLES}
        assert all(np.abs(values).max() <= 1.0 for values in actions.values())
        observations, _, _, truncated, _ = world.step(actions)
        over = bool(truncated[0])


@pytest.mark.parametrize("role", ROLES)
def test_actions_are_those_of_rllibs_module(trained: Path, scenario: Scenario, role: str) -> None:
    module = MultiRLModule.from_checkpoint(str(trained / "rllib" / "learner_group" / "learner" / "rl_module"))[role]
    seen = vector_env(scenario, num_worlds=1).reset(11)[0][role]  # (1, agents, F)
    output = module.forward_inference({Columns.OBS: torch.from_numpy(seen[0])})
    distribution = module.get_inference_action_dist_cls().from_logits(output[Columns.ACTION_DIST_INPUTS])
    expected = np.clip(distribution.to_deterministic().sample().detach().numpy(), -1.0, 1.0)
    np.testing.assert_allclose(load_policy(trained, scenario, role).act(seen)[0], expected, atol=2e-6)


def test_same_seed_same_run_whatever_the_hash_seed(trained: Path, train, tmp_path: Path) -> None:
    done = train("--out", str(tmp_path / "again"), "--set", "iterations=2", *SET, hash_seed="2")
    assert done.returncode == 0, done.stderr
    assert returns_of(tmp_path / "again") == returns_of(trained)


def test_interrupt_saves_and_resume_goes_on(trained: Path) -> None:
    command = [sys.executable, "train.py", "tiny", "--out", str(trained), "--resume", "--set", "iterations=5000", *SET]
    before = returns_of(trained)
    with subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "3/5000" in line:
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert "saved" in rest
    after = returns_of(trained)
    assert after[:2] == before
    assert 3 <= len(after) < 5000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no such file"),
        (["tiny", "--set", "ppo.lrr=1"], "did you mean lr"),
        (["tiny", "--resume", "--out", "nowhere"], "no run to resume"),
        (["tiny", "--resume", "--overwrite"], "exclude each other"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: list[str], message: str, capsys) -> None:
    import train as program

    assert program.main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_said_before_training(tmp_path: Path, monkeypatch, capsys) -> None:
    import train as program

    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(program, "train", lambda *_: pytest.fail("trained for a folder that is none"))
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        assert program.main(["tiny", "--out", str(out)]) == 2
        captured = capsys.readouterr()
        assert f"--out {out}: " in captured.err
        assert captured.err.count("\n") == 1
    with pytest.raises(SystemExit) as stop:
        program.main(["tiny", "--out", ""])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_save_that_fails_is_one_line(tmp_path: Path) -> None:
    import train as program

    class Full:
        def save(self, folder: Path) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder))

    with pytest.raises(SettingsError, match=r"iteration 3 cannot be saved: .*No space left"):
        program.save(Full(), load_training("tiny"), tmp_path, [{"iteration": 3.0, "total_periods": 9.0}])  # type: ignore[arg-type]


def test_a_run_is_not_overwritten_unasked(trained: Path, capsys) -> None:
    import train as program

    assert program.main(["tiny", "--out", str(trained)]) == 2
    assert "--overwrite replaces it" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["ray", "torch"])
def test_a_missing_package_is_one_line(package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; import train; sys.exit(train.main(['tiny']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"{package} is not installed: run `make setup`" in done.stderr
    assert done.stderr.count("\n") == 1
