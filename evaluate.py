"""Play scenarios with policies over seeds; write the report, the metrics and one ledger file a run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from envs.config import parse_overrides
from envs.settings import CONFIG_ROOT, Scenario, load_scenario
from evaluation.command import Parser, add_players, add_seeds, answered, folder, policies_of, ready, seeds_of, whole
from evaluation.comparison import variants, write_comparison
from evaluation.kernels import say_compiling
from evaluation.outputs import begin
from evaluation.provenance import command_line
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
  comparison.md, .json with --compare: its tables, and the same numbers with their intervals
  metrics.json, .csv   one row a scenario, seed and metric, with its unit
  outputs.json         which files these are: the next run with this OUT removes them first, and nothing else
  ledgers/*.sqlite     the ledger of each run; check one with: python -m ledger verify FILE
  ledgers/*.checkpoint.json, *.checkpoint-HEIGHT.json
                       its authority's signature for the whole ledger, and for genesis and the end of each day
"""
EXAMPLES = """\
examples:
  python evaluate.py
  python evaluate.py configs/scenarios/tiny.yaml --seeds 3 --out results/tiny
  python evaluate.py --policy prosumer=zero_intelligence --set market.feed_in=60000
  python evaluate.py --policy prosumer=truthful,zip@0-7 --policy aggregator=markup,greedy@0
  python evaluate.py rural_day --compare market.trading=two_stage_double,uniform_price,feed_in
  python evaluate.py rural_day_malicious --compare standing.meter_tolerance=0.02,0.05,0.2
  python evaluate.py tiny --compare policy.prosumer=truthful,zip,stackelberg_follower
  python evaluate.py tiny --compare 'malicious.false_meter=null,{count: 1},{count: 3}'
  python evaluate.py tiny --game simultaneous --policy prosumer=checkpoints/tiny
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = Parser(
        prog="evaluate.py", description=HELP, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "scenarios",
        nargs="*",
        metavar="SCENARIO",
        help=f"YAML file, or name under configs/scenarios (default: {' '.join(DEFAULT_SCENARIOS)})",
    )
    add_seeds(made, 5, "runs of each scenario")
    add_players(made)
    made.add_argument(
        "--allow-other-game",
        action="store_true",
        help="play a checkpoint in a game that it was not trained on (refused otherwise)",
    )
    made.add_argument(
        "--compare",
        metavar="KEY=VALUE,VALUE",
        help="play every scenario once for each value of this setting (YAML; null for the default or for nothing of "
        "it), or with each of these policies of a role (policy.ROLE), and compare: welfare, efficiency, prices, "
        "income, fairness, rewards, conduct",
    )
    made.add_argument(
        "--workers",
        type=whole(1, 256),
        default=2,
        metavar="N",
        help="processes to play in (default 2); results do not depend on it",
    )
    made.add_argument(
        "--out", type=folder, default=Path("results"), metavar="OUT", help="folder for the outputs (default results)"
    )
    return made


def _scenarios(names: Sequence[str], overrides: Sequence[str]) -> list[Scenario]:
    paths = names or [str(CONFIG_ROOT / "scenarios" / name) for name in DEFAULT_SCENARIOS]
    changes = parse_overrides(overrides)
    return [load_scenario(path, changes) for path in paths]


def evaluate(arguments: argparse.Namespace, command: str) -> Path:
    """Run the study of a parsed command line; the path of its report, which names the command.

    Raises:
        SettingsError: a scenario, override or policy that cannot be; nothing has been played then.
    """
    scenarios, policies = _scenarios(arguments.scenarios, arguments.overrides), policies_of(arguments.policy)
    seeds = seeds_of(arguments)
    ready(arguments.out)
    comparison, names, players = None, [scenario.name for scenario in scenarios], [policies] * len(scenarios)
    if arguments.compare is not None:
        comparison, scenarios, players, names = variants(scenarios, policies, arguments.compare)
        policies = comparison.players(policies)
    jobs = plan_jobs(scenarios, players, seeds, arguments.game, arguments.out, arguments.allow_other_game, names)
    begin(arguments.out, jobs, comparison is not None)
    say_compiling()
    done: dict[int, RunResult] = {}
    for index, result in tqdm(play_all(jobs, arguments.workers), total=len(jobs), desc="runs", unit="run"):
        done[index] = result
    study: Study = study_of(scenarios, [done[k] for k in range(len(jobs))], seeds, arguments.game, policies)
    write_metrics(study, arguments.out)
    if comparison is not None:
        write_comparison(comparison, study, arguments.out)
    return write_report(study, arguments.out, comparison, command)


def main(words: Sequence[str] | None = None) -> int:
    """Command line; 0, or 2 where the command or a setting cannot be."""
    words = sys.argv[1:] if words is None else words
    arguments, command = parser().parse_args(words), command_line("evaluate.py", words)
    return answered("evaluate.py", lambda: print(f"The report is in {evaluate(arguments, command).resolve()}"))


if __name__ == "__main__":
    sys.exit(main())
