"""What the command lines of this room share: arguments, and one line with exit code 2 for what cannot be."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from agents.policy import DEFAULT_RULES, ROLES
from envs.config import SettingsError, parse_overrides
from envs.energy_market_v0 import GAMES
from envs.settings import Scenario, load_scenario
from evaluation.kernels import say_compiling


class Parser(argparse.ArgumentParser):
    """Answers a wrong command in one line."""

    def error(self, message: str) -> NoReturn:
        """One line, exit code 2."""
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def whole(least: int, most: int) -> type[int]:
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


def folder(text: str) -> Path:
    """An argparse type: where output goes; an empty word would be the working directory."""
    if not text:
        raise argparse.ArgumentTypeError("a folder to write to is needed")
    return Path(text)


def ready(out: Path) -> None:
    """Make the folder of ``--out``, and try to write there before hours of work are done for it.

    Raises:
        SettingsError: it cannot be made, or nothing can be written to it.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise SettingsError(f"--out {out}: {error.strerror}: a folder to write to is needed") from None


def add_seeds(parser: argparse.ArgumentParser, default: int, what: str) -> None:
    """``--seeds`` and ``--first-seed``."""
    parser.add_argument(
        "--seeds", type=whole(1, 1000), default=default, metavar="N", help=f"{what} (default {default})"
    )
    parser.add_argument(
        "--first-seed", type=whole(0, 2**62), default=0, metavar="K", help="seeds are K, K+1, … (default 0)"
    )


def add_players(parser: argparse.ArgumentParser) -> None:
    """``--policy``, ``--game`` and ``--set``."""
    rules = ", ".join(f"{role}={name}" for role, name in DEFAULT_RULES.items())
    parser.add_argument(
        "--policy",
        action="append",
        default=[],
        metavar="ROLE=NAME",
        help="a rule of agents/rules or a checkpoint folder for a role, or a mixture: the first plays all whom no "
        f"later NAME@agents names (truthful,zip@0-7,greedy@12); repeatable (default: {rules})",
    )
    parser.add_argument(
        "--game",
        choices=GAMES[::-1],
        default="staged",
        help="staged: each role sees what the roles before it said; simultaneous: only the last period's "
        "announcements (default staged)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="override a setting of every scenario, for example market.feed_in=90000; repeatable",
    )


def add_scenario(parser: argparse.ArgumentParser, default: str) -> None:
    """One positional scenario."""
    parser.add_argument(
        "scenario",
        nargs="?",
        default=default,
        metavar="SCENARIO",
        help=f"YAML file, or name under configs/scenarios (default {default})",
    )


def seeds_of(arguments: argparse.Namespace) -> list[int]:
    """The seeds asked for."""
    return [int(arguments.first_seed) + k for k in range(arguments.seeds)]


def policies_of(pairs: Sequence[str], default: Mapping[str, str] = DEFAULT_RULES) -> dict[str, str]:
    """Role → rule or checkpoint, the default where nothing was said.

    Raises:
        SettingsError: not of the form ROLE=NAME.
    """
    chosen = dict(default)
    for pair in pairs:
        role, equals, name = pair.partition("=")
        if not equals or role not in ROLES or not name:
            raise SettingsError(f"--policy {pair!r}: write ROLE=NAME with a role of {', '.join(ROLES)}")
        chosen[role] = name
    return chosen


def scenario_of(arguments: argparse.Namespace) -> Scenario:
    """The scenario asked for, overrides applied. Raises SettingsError for a setting that cannot be."""
    return load_scenario(arguments.scenario, parse_overrides(arguments.overrides))


def print_or_write(text: str, out: Path | None) -> None:
    """Markdown to the screen or to a file. Raises SettingsError where the file cannot be written."""
    if out is None:
        print(text)
        return
    try:
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--out {out}: {error.strerror}: a file to write to is needed") from None


def answered(prog: str, work: Callable[[], None]) -> int:
    """Do the work; 0, or 2 and one line where a setting cannot be."""
    try:
        work()
    except SettingsError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    return 0


Study = Callable[[Scenario, Mapping[str, str], Sequence[int], str], str]  # scenario, policies, seeds, game → Markdown


def study_command(
    prog: str, about: str | None, study: Study, seeds: int, of_what: str, words: Sequence[str] | None
) -> int:
    """The command of a study that prints its tables; 0, or 2 where the command or a setting cannot be."""
    made = Parser(prog=prog, description=about)
    add_scenario(made, "rural_day")
    add_seeds(made, seeds, of_what)
    add_players(made)
    made.add_argument("--out", type=Path, metavar="FILE", help="write the tables to this file, not to the screen")
    asked = made.parse_args(words)

    def work() -> None:
        scenario, policies = scenario_of(asked), policies_of(asked.policy)
        say_compiling()
        print_or_write(study(scenario, policies, seeds_of(asked), asked.game), asked.out)

    return answered(prog, work)
