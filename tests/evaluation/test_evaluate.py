"""The command: same results on any number of workers, one line for what cannot be."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import evaluate
from ledger.checkpoint import Checkpoint
from ledger.verify import verify_file

ROOT = Path(__file__).resolve().parents[2]
SHORT = ["tiny", "--set", "calendar.periods=10"]


KEPT = ("checkpoint-0.json", "checkpoint.json", "sqlite")


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".html"
    }


def test_one_worker_equals_two_and_old_outputs_are_replaced(tmp_path, capsys):
    one, two = tmp_path / "one", tmp_path / "two"
    (one / "ledgers").mkdir(parents=True)
    (one / "ledgers" / "tiny_seed7.sqlite").write_bytes(b"left by somebody")
    (one / "ledgers" / "tiny_seed7.checkpoint-3.json").write_bytes(b"of an older run")
    (one / "ledgers" / "tiny_seed8.sqlite.part").write_bytes(b"left by an interrupted run")
    common = [*SHORT, "--seeds", "2", "--first-seed", "7"]
    assert evaluate.main([*common, "--workers", "1", "--out", str(one)]) == 0
    assert evaluate.main([*common, "--workers", "2", "--out", str(two)]) == 0
    assert digests(one) == digests(two)
    assert sorted(digests(one)) == [
        *(f"ledgers/tiny_seed{seed}.{kind}" for seed in (7, 8) for kind in KEPT), "metrics.csv", "metrics.json",
        "outputs.json",
    ]  # fmt: skip
    checkpoint = Checkpoint.read(two / "ledgers" / "tiny_seed8.checkpoint.json")
    assert verify_file(one / "ledgers" / "tiny_seed8.sqlite", checkpoint=checkpoint).sound
    assert verify_file(one / "ledgers" / "tiny_seed7.sqlite").sound
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last.endswith(str(two / "report.html"))


def test_policies_and_games_change_the_run(tmp_path):
    heads = set()
    for k, extra in enumerate((["--game", "staged"], ["--game", "simultaneous"], ["--policy", "prosumer=idle"])):
        out = tmp_path / str(k)
        words = ["tiny", "--set", "calendar.periods=40", "--seeds", "1", "--out", str(out), *extra]
        assert evaluate.main(words) == 0
        heads.add(verify_file(out / "ledgers" / "tiny_seed0.sqlite").head)
    assert len(heads) == 3


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["no_such_scenario"], "no_such_scenario.yaml: no such file"),
        (["configs/scenarios"], "configs/scenarios: is a folder (allowed: a .yaml file, or a name under"),
        (["README.md"], "README.md: is no .yaml file"),
        (["configs/scenarios/tiny"], "configs/scenarios/tiny: no such file (allowed: a .yaml file"),
        (["tiny", "--policy", "eno=checkpoints/nope"], "eno = 'checkpoints/nope': no such folder"),
        (["tiny", "--policy", "eno=configs/../README.md"], "is no folder"),
        (["tiny", "--set", "grid.net=case:nope"], "allowed: ring, six_node, ties33, tiny"),
        (["tiny", "--set", "market.feed_in=-1"], "market.feed_in"),
        (["tiny", "--set", "market.fed_in=1"], "did you mean feed_in?"),
        (["tiny", "--set", "nonsense"], "--set"),
        (["tiny", "--set", "grid.net=simbench:nowhere"], "grid.net"),
        (["tiny", "--policy", "prosumer=telepath"], "telepath"),
        (["tiny", "--policy", "king=truthful"], "--policy"),
        (["tiny", "--policy", "prosumer"], "ROLE=NAME"),
        (["tiny", "tiny"], "two scenarios are named 'tiny'"),
        (["tiny", "--set", "malicious.false_meter.count=7"], "malicious"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line_and_exit_code_2(words, names, tmp_path, capsys):
    assert evaluate.main([*words, "--out", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert names in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert "report" not in captured.out


@pytest.mark.parametrize(
    "words",
    [
        ["--seeds", "0"],
        ["--seeds", "many"],
        ["--workers", "0"],
        ["--first-seed", "-1"],
        ["--game", "chess"],
        ["--out", ""],
        ["--nonsense"],
    ],
)
def test_a_command_line_that_cannot_be_is_one_line_and_exit_code_2(words, capsys):
    with pytest.raises(SystemExit) as stop:
        evaluate.main(words)
    assert stop.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_an_output_that_is_no_folder(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert evaluate.main(["tiny", "--out", str(tmp_path / "file")]) == 2
    assert "--out" in capsys.readouterr().err


def test_from_a_shell_there_is_no_traceback():
    done = subprocess.run(
        [sys.executable, "evaluate.py", "tiny", "--set", "sites.initial_charge=2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "initial_charge" in done.stderr


def test_a_checkpoint_of_the_other_game_is_refused_unless_asked_for(tmp_path, capsys):
    """A trained policy plays beside the rules; what it was trained on is checked before anything is played."""
    import numpy as np

    from agents.learning.checkpoints import save_policy
    from agents.learning.settings import load_training, scenario_of
    from envs.actions import action_tables
    from envs.sights import observation_tables

    training = load_training("tiny")
    scenario = scenario_of(training)
    sizes = [
        len(observation_tables(scenario)["prosumer"]),
        *training.ppo.hidden,
        len(action_tables(scenario)["prosumer"]),
    ]
    rng = np.random.default_rng(0)
    weights = {}
    for k in range(len(sizes) - 1):
        weights[f"weight_{k}"] = rng.normal(0, 0.3, (sizes[k], sizes[k + 1])).astype(np.float32)
        weights[f"bias_{k}"] = np.zeros(sizes[k + 1], np.float32)
    save_policy(tmp_path / "run" / "prosumer", weights, "prosumer", training, 1, 96)
    words = ["configs/scenarios/tiny.yaml", "--seeds", "1", "--policy", f"prosumer={tmp_path / 'run'}"]
    words += ["--set", "calendar.periods=4", "--out", str(tmp_path / "out")]
    assert evaluate.main([*words, "--game", "staged"]) == 2
    refusal = capsys.readouterr().err
    assert "trained on the simultaneous game" in refusal
    assert "use --game simultaneous, or --allow-other-game" in refusal
    assert evaluate.main([*words, "--game", "simultaneous"]) == 0
    assert evaluate.main([*words, "--game", "staged", "--allow-other-game"]) == 0
    assert (tmp_path / "out" / "report.html").is_file()


def test_who_waits_for_the_compiler_is_told(tmp_path, monkeypatch, capsys):
    """An index on disk that is as new as its source; numba says where, so NUMBA_CACHE_DIR counts."""
    from types import SimpleNamespace

    from evaluation import kernels

    source = tmp_path / "settle.py"
    source.write_text("def amount_of(wh, price):\n    return wh * price\n")
    names = {}
    exec(compile(source.read_text(), str(source), "exec"), names)
    stats = SimpleNamespace(cache_path=str(tmp_path / "elsewhere"))
    kernel = SimpleNamespace(py_func=names["amount_of"], __name__="amount_of", stats=stats)
    assert not kernels.compiled(kernel)
    index = tmp_path / "elsewhere" / f"settle.amount_of-1.py3{sys.version_info.minor}.nbi"
    index.parent.mkdir()
    index.write_bytes(b"")
    assert kernels.compiled(kernel)
    os.utime(index, (0, 0))
    assert not kernels.compiled(kernel)
    assert kernels.compiled(names["amount_of"])  # plain Python: nothing to compile
    monkeypatch.setattr(kernels, "compiled", lambda: False)
    kernels.say_compiling()
    assert capsys.readouterr().err == kernels.COMPILING + "\n"


def test_numba_keeps_kernels_where_it_is_looked_for(tmp_path):
    """In a folder of its own, nothing compiled; after the first call the kernel is there."""
    call = "from evaluation.kernels import compiled, amount_of as f; print(compiled(), f(1500, 200_000), compiled())"
    done = subprocess.run(
        [sys.executable, "-c", call],
        cwd=ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["False", "300000", "True"]


def test_nothing_of_an_earlier_run_stays_beside_a_new_report(tmp_path, capsys):
    """What the first run listed goes, what others put there stays, and what is no list of ours is not followed."""
    out = tmp_path / "out"
    words = ["tiny", "--set", "calendar.periods=4", "--workers", "1", "--out", str(out)]
    assert evaluate.main([*words, "--seeds", "2", "--compare", "market.trading=feed_in,uniform_price"]) == 0
    first = set(digests(out))
    assert {"comparison.md", "comparison.json", "ledgers/tiny_trading_feed_in_seed1.checkpoint.json"} <= first
    (out / "ledgers" / "tiny_trading_feed_in_seed1.sqlite.part").write_bytes(b"of a run that was interrupted")
    for other in ("bench.json", "ledgers/mine.sqlite", "ledgers/mine.checkpoint.json"):
        (out / other).write_text("somebody's own")
    assert evaluate.main([*words, "--seeds", "1"]) == 0
    own = {"metrics.csv", "metrics.json", "outputs.json", *(f"ledgers/tiny_seed0.{kind}" for kind in KEPT)}
    assert set(digests(out)) == own | {"bench.json", "ledgers/mine.sqlite", "ledgers/mine.checkpoint.json"}
    outside = tmp_path / "kept.sqlite"
    outside.write_text("not in the folder")
    capsys.readouterr()
    for files in ('["../kept.sqlite"]', '["ledgers/../../kept.sqlite"]', f'["{outside}"]', "7", '["bench.json"]'):
        (out / "outputs.json").write_text('{"schema": "gridpact/outputs/1", "files": ' + files + "}")
        assert evaluate.main([*words, "--seeds", "1"]) == 2
        assert "outputs.json: not a list of this program's outputs" in capsys.readouterr().err
    assert outside.exists()
    assert (out / "report.html").exists()
