"""Play scenarios with policies over seeds; write the report, the metrics and one ledger file a run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from agents.policy import DEFAULT_RULES, ROLES
from envs.config import SettingsError, parse_overrides
from envs.energy_market_v0 import GAMES
from envs.settings import CONFIG_ROOT, Scenario, load_scenario
from evaluation.report import write_report
from evaluation.runs import RunResult, plan_jobs, play_all
from evaluation.study import Study, study_of, write_metrics

DEFAULT_SCENARIOS = ("rural_day.yaml", "rural_day_malicious.yaml")
HELP = """\
Plays every scenario once for each seed, from the first period to the last, with rules or trained checkpoints, and
compares what came of it. Scenarios are played under the same seeds: weather, demand and forecast errors are the same,
so a difference between two of them is due to the scenarios. The first scenario is the one to compare with.

Written to the folder OUT (default results):
  report.html          everything in words, tables and pictures; opens without a network
  metrics.json, .csv   one row a scenario, seed and metric, with its unit
  ledgers/*.sqlite     the ledger of each run; check one with: python -m ledger verify FILE
"""
EXAMPLES = """\
examples:
  python evaluate.py
  python evaluate.py configs/scenarios/tiny.yaml --seeds 3 --out results/tiny
  python evaluate.py --policy prosumer=zero_intelligence --set market.feed_in=60000
  python evaluate.py tiny --game simultaneous --policy prosumer=checkpoints/tiny
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line, exit code 2."""
        self.exit(2, f"evaluate.py: {message} (see --help)\n")


def _whole(least: int, most: int) -> type[int]:
    """An argparse type: an integer within bounds."""

    class Whole(int):
        def __new__(cls, text: str) -> Whole:
            try:
                value = int(text)
            except ValueError:
                value = least - 1
            if not least <= value <= most:
                raise argparse.ArgumentTypeError(f"{text!r}: a whole number from {least} to {most} is needed")
            return super().__new__(cls, value)

    return Whole


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = _Parser(
        prog="evaluate.py", description=HELP, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "scenarios",
        nargs="*",
        metavar="SCENARIO",
        help=f"YAML file, or name under configs/scenarios (default: {' '.join(DEFAULT_SCENARIOS)})",
    )
    made.add_argument("--seeds", type=_whole(1, 1000), default=5, metavar="N", help="runs of each scenario (default 5)")
    made.add_argument(
        "--first-seed", type=_whole(0, 2**62), default=0, metavar="K", help="seeds are K, K+1, … (default 0)"
    )
    rules = ", ".join(f"{role}={name}" for role, name in DEFAULT_RULES.items())
    made.add_argument(
        "--policy",
        action="append",
        default=[],
        metavar="ROLE=NAME",
        help=f"a rule of agents/rules or a checkpoint folder for a role; repeatable (default: {rules})",
    )
    made.add_argument(
        "--game",
        choices=GAMES[::-1],
        default="staged",
        help="staged: each role sees what the roles before it said; simultaneous: only the last period's "
        "announcements (default staged)",
    )
    made.add_argument(
        "--allow-other-game",
        action="store_true",
        help="play a checkpoint in a game that it was not trained on (refused otherwise)",
    )
    made.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="override a setting of every scenario, for example market.feed_in=90000; repeatable",
    )
    made.add_argument(
        "--workers",
        type=_whole(1, 256),
        default=2,
        metavar="N",
        help="processes to play in (default 2); results do not depend on it",
    )
    made.add_argument(
        "--out", type=Path, default=Path("results"), metavar="OUT", help="folder for the outputs (default results)"
    )
    return made


def _policies(pairs: Sequence[str]) -> dict[str, str]:
    chosen = dict(DEFAULT_RULES)
    for pair in pairs:
        role, equals, name = pair.partition("=")
        if not equals or role not in ROLES or not name:
            raise SettingsError(f"--policy {pair!r}: write ROLE=NAME with a role of {', '.join(ROLES)}")
        chosen[role] = name
    return chosen


def _scenarios(names: Sequence[str], overrides: Sequence[str]) -> list[Scenario]:
    paths = names or [str(CONFIG_ROOT / "scenarios" / name) for name in DEFAULT_SCENARIOS]
    changes = parse_overrides(overrides)
    return [load_scenario(path, changes) for path in paths]


def evaluate(arguments: argparse.Namespace) -> Path:
    """Run the study of a parsed command line; the path of its report.

    Raises:
        SettingsError: a scenario, override or policy that cannot be; nothing has been played then.
    """
    scenarios, policies = _scenarios(arguments.scenarios, arguments.overrides), _policies(arguments.policy)
    seeds = [int(arguments.first_seed) + k for k in range(arguments.seeds)]
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"--out {arguments.out}: {error.strerror}: a folder to write to is needed") from None
    jobs = plan_jobs(scenarios, policies, seeds, arguments.game, arguments.out, arguments.allow_other_game)
    done: dict[int, RunResult] = {}
    for index, result in tqdm(play_all(jobs, arguments.workers), total=len(jobs), desc="runs", unit="run"):
        done[index] = result
    study: Study = study_of(scenarios, [done[k] for k in range(len(jobs))], seeds, arguments.game, policies)
    write_metrics(study, arguments.out)
    return write_report(study, arguments.out)


def main(words: Sequence[str] | None = None) -> int:
    """Command line; 0, or 2 where the command or a setting cannot be."""
    arguments = parser().parse_args(words)
    try:
        report = evaluate(arguments)
    except SettingsError as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    print(f"The report is in {report.resolve()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
