"""Train policies for the market by PPO: settings in, one visible loop, checkpoints and curves out."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.learning.checkpoints import CARD, read_card, save_policy
from agents.learning.curves import Row, draw_curve, read_curve, write_curve
from agents.learning.settings import TrainingSettings, check_resumable, load_training
from agents.policy import ROLES
from envs.config import SettingsError, parse_overrides, validate
from evaluation.command import Parser, folder, ready
from evaluation.kernels import say_compiling

if TYPE_CHECKING:
    from agents.learning.rllib import Trainer

DESCRIPTION = """\
Train policies for the market by proximal policy optimisation (RLlib): one policy for all prosumers, one for all
aggregators, one for the operator. A role may be played by a rule or an earlier checkpoint instead.
"""
EPILOG = """\
examples:
  python train.py configs/training/tiny.yaml                         two minutes: shows that the whole path works
  python train.py configs/training/rural_day.yaml --out checkpoints/summer
  python train.py tiny --set ppo.lr=0.0003 --set policies.eno=planner single settings; a rule plays the operator
  python train.py tiny --set iterations=60 --resume                  go on with checkpoints/tiny up to iteration 60
  python evaluate.py tiny --game simultaneous --policy prosumer=checkpoints/tiny    play it against the rules

what is written to the --out folder:
  prosumer/ aggregator/ eno/   a checkpoint for each role that learns (policy.json, weights.npz); needs no ray to play
  curve.csv, curve.svg         mean return by role, one row an iteration
  rllib/                       the trainer's own state, for --resume

Ctrl-C ends the run after the iteration that is under way and saves it; a second one ends it at once.
Exit codes: 0 done (also after one Ctrl-C), 2 a setting that cannot be or a missing package, 130 stopped at once.
A resumed run goes on with new episodes; rllib/ holds pickles, so resume only what you trained yourself.
"""


def parse_args(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog="train.py", description=DESCRIPTION, epilog=EPILOG, formatter_class=raw)
    parser.add_argument("config", help="training settings: a YAML file, or a name under configs/training")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="replace a single setting")
    parser.add_argument("--out", type=folder, metavar="FOLDER", help="where checkpoints go (default: checkpoints/NAME)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the --out folder")
    parser.add_argument("--overwrite", action="store_true", help="replace the run in the --out folder")
    return parser.parse_args(arguments)


def train(settings: TrainingSettings, out: Path, resume: bool) -> None:
    """The whole training run."""
    from agents.learning.rllib import Trainer

    rows = load_progress(settings, out) if resume else []
    first = len(rows) + 1
    if first > settings.iterations:
        raise SettingsError(f"{out}: iteration {first - 1} is done; --set iterations=N with a larger N goes on")
    total_periods = rows[-1]["total_periods"] if rows else 0.0
    interrupted = stop_on_interrupt()
    trainer = Trainer(settings, out / "rllib" if resume else None, stream=len(rows))
    learned = ", ".join(settings.policies.learned)
    print(f"learning: {learned}; {settings.game} game of {settings.scenario}; checkpoints go to {out}", flush=True)
    say_compiling()
    try:
        for iteration in range(first, settings.iterations + 1):
            started = time.perf_counter()
            # Plays whole episodes, then updates each role's policy from the steps of its own agents.
            result = trainer.train()
            seconds = time.perf_counter() - started
            total_periods += result["periods"]
            row = {"iteration": iteration, "total_periods": total_periods, "seconds": seconds, **result}
            rows.append(row)
            print(progress(row, settings.iterations), flush=True)
            if iteration % settings.save_every == 0 or iteration == settings.iterations or interrupted:
                save(trainer, settings, out, rows)
            if interrupted:
                print(f"stopped after iteration {iteration}, saved; --resume goes on")
                break
    finally:
        trainer.close()


def progress(row: Row, iterations: int) -> str:
    """One line: iteration, speed, mean return by role."""
    speed = row["periods"] / row["seconds"]
    returns = "  ".join(f"{role} {row[f'return_{role}']:+8.3f}" for role in ROLES)
    return f"{row['iteration']:4.0f}/{iterations}  {row['total_periods']:9.0f} periods  {speed:6.0f}/s   {returns}"


def save(trainer: Trainer, settings: TrainingSettings, out: Path, rows: list[Row]) -> None:
    """Checkpoints of all learning roles, the trainer's state and the curve.

    Raises:
        SettingsError: the folder can no longer be written.
    """
    iteration, periods = int(rows[-1]["iteration"]), int(rows[-1]["total_periods"])
    try:
        trainer.save(out / "rllib")
        for role, weights in trainer.weights().items():
            save_policy(out / role, weights, role, settings, iteration, periods)
        write_curve(out / "curve.csv", rows)
        draw_curve(out / "curve.svg", rows, f"{settings.name}: {settings.game} game")
    except OSError as error:
        raise SettingsError(f"--out {out}: iteration {iteration} cannot be saved: {error}") from None


def load_progress(settings: TrainingSettings, out: Path) -> list[Row]:
    """What was reached before: the rows of the curve up to the last checkpoint."""
    role = settings.policies.learned[0]
    for part in (out / role / CARD, out / "rllib", out / "curve.csv"):
        if not part.exists():
            raise SettingsError(f"{out}: no run to resume ({part} is missing)")
    card = read_card(out / role)
    check_resumable(validate(TrainingSettings, card.training, str(out / role / CARD)), settings, out)
    return read_curve(out / "curve.csv", card.iteration)


def stop_on_interrupt() -> list[int]:
    """The first Ctrl-C fills the list that is returned, the second one works as usual."""
    interrupted: list[int] = []

    def note(number: int, frame: Any) -> None:
        interrupted.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print("\nstopping after this iteration (Ctrl-C again: at once)", flush=True)

    signal.signal(signal.SIGINT, note)
    return interrupted


def prepare(out: Path, resume: bool, overwrite: bool) -> None:
    """Never write over a run unless it is asked for, and train only for a folder that can be written.

    Raises:
        SettingsError: a run is there, or the folder is none to write to.
    """
    there = any(out.glob(f"*/{CARD}"))
    if resume and overwrite:
        raise SettingsError("--resume and --overwrite exclude each other")
    if there and not resume and not overwrite:
        raise SettingsError(f"{out}: holds a training run; --resume goes on with it, --overwrite replaces it")
    if not resume or out.is_dir():  # what is to be resumed is there, or missed by name later
        ready(out)
    if there and overwrite:
        for part in (*ROLES, "rllib"):
            shutil.rmtree(out / part, ignore_errors=True)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code."""
    args = parse_args(arguments)
    try:
        settings = load_training(args.config, parse_overrides(args.set))
        out = args.out or Path("checkpoints") / settings.name
        import agents.learning.rllib  # noqa: F401  a missing package shows before anything is replaced

        prepare(out, args.resume, args.overwrite)
        train(settings, out, args.resume)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; what was saved last stays", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("ray", "torch"):
            raise
        print(f"training needs ray and torch, and {error.name} is not installed: run `make setup`", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    # RLlib iterates over sets of agent names, so results depend on the hash seed; and two small networks gain
    # nothing from many threads. Both have to be set before Python and torch start. The rest keeps ray quiet.
    fixed = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "RAY_USAGE_STATS_ENABLED": "0"}
    if any(os.environ.get(key) != value for key, value in fixed.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **fixed})
    sys.exit(main())
