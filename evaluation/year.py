"""`python -m evaluation.year SCENARIO`: every day of the profile year of a real net, played, counted and balanced.

Each day is a world of its own that starts like the scenario's day (batteries at their initial charge), under the seed
FIRST + day. All days run in batches without a ledger; every n-th is played again alone with the full ledger, which is
verified from its file and executed again by the audit, and must end with the same balances.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from agents.policy import make_policies
from envs.settings import Scenario
from envs.types import Ints
from envs.world import build_world
from evaluation.command import (
    Parser,
    add_players,
    add_scenario,
    answered,
    policies_of,
    print_or_write,
    scenario_of,
    whole,
)
from evaluation.days import COUNTS, Audited, Counts, audit_day, play_days
from evaluation.figures.style import picture_kind
from evaluation.figures.year import MONTHS, month_of, write_picture
from evaluation.kernels import say_compiling
from evaluation.measures.base import kwh
from evaluation.words import number

BATCH = 46  # days in a batch: eight batches a year


@dataclass(frozen=True)
class Year:
    """All days of a profile year."""

    days: Ints  # (D,)
    counts: Counts
    balance: Ints  # (D, K) of the batches
    audited: list[Audited]


def play_year(
    scenario: Scenario,
    policies: Mapping[str, str],
    game: str = "staged",
    first_seed: int = 0,
    days: Sequence[int] | None = None,
    audit_every: int = 30,
    workers: int = 2,
) -> Year:
    """Play ``days`` (all of the profile by default) and audit every ``audit_every``-th of them.

    Raises:
        SettingsError: a setting or policy that cannot be.
    """
    world = build_world(scenario)
    make_policies(scenario, policies)
    chosen = np.arange(world.days) if days is None else np.array(days, np.int64)
    audits = chosen[::audit_every].tolist()
    parts = [chosen[k : k + BATCH] for k in range(0, len(chosen), BATCH)]
    batch = partial(play_days, scenario, policies, game, first_seed)
    audit = partial(audit_day, scenario, policies, game, first_seed)
    say_compiling()
    found: dict[int, Any] = {}
    work = [partial(batch, part) for part in parts] + [partial(audit, day) for day in audits]
    for k, result in tqdm(_spread(work, workers), total=len(work), desc="batches and audits", unit="job"):
        found[k] = result
    played = [found[k] for k in range(len(parts))]
    counts = {name: np.concatenate([part[0][name] for part in played]) for name in COUNTS}
    audited = [found[len(parts) + k] for k in range(len(audits))]
    return Year(chosen, counts, np.concatenate([part[1] for part in played]), audited)


def _spread(work: Sequence[partial[Any]], workers: int) -> Iterable[tuple[int, Any]]:
    if workers == 1:
        yield from ((k, call()) for k, call in enumerate(work))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(call): k for k, call in enumerate(work)}
        for future in as_completed(futures):
            yield futures[future], future.result()


COLUMNS = {
    "events": "events",
    "violated_without": "violated without",
    "violated_with": "violated with",
    "own_without": "own limits without",
    "own_with": "own limits with",
    "ordered_wh": "ordered (kWh)",
    "verified_wh": "verified (kWh)",
    "cut_wh": "cut by force (kWh)",
}


def _cells(counts: Counts, who: np.ndarray) -> str:
    cells = []
    for name in COLUMNS:
        total = int(counts[name][who].sum())
        cells.append(number(kwh(total), "kWh") if name.endswith("_wh") else number(float(total), "events"))
    return " | ".join(cells)


def table(year: Year, year_days: int) -> list[str]:
    """A line a month, and the sum."""
    month = month_of(year.days, year_days)
    lines = ["| month | days | " + " | ".join(COLUMNS.values()) + " |", "| --- | ---: |" + " ---: |" * len(COLUMNS)]
    for k in np.unique(month).tolist():
        lines.append(f"| {MONTHS[k]} | {(month == k).sum()} | {_cells(year.counts, month == k)} |")
    return [*lines, f"| all | {len(month)} | {_cells(year.counts, np.ones(len(month), np.bool_))} |"]


def findings(year: Year) -> list[str]:
    """Convergence, balances and audits in words."""
    total = {name: int(value.sum()) for name, value in year.counts.items()}
    day = {int(d): k for k, d in enumerate(year.days)}
    sound = sum(each.sound and not each.difference for each in year.audited)
    same = sum(each.balance == year.balance[day[each.day]].tolist() for each in year.audited)
    count = len(year.audited)
    return [
        f"Of {total['periods']} periods {total['converged']} have a solution of the power flow. Transfers that do",
        f"not add up to zero: {total['money_off']} periods; sites paid for other Wh than were accepted:",
        f"{total['paid_off']}; losses, by the transformer's flow and the accepted readings, that are not those of the",
        f"power flow of what was injected, or are below zero: {total['losses_off']} periods.",
        f"Of {count} days played again with the full ledger, {sound} are sound, every figure derived again, without a",
        f"difference in the audit; {same} end with the same balances, to the last micro-currency, as in the batch.",
        *(f"Day {each.day}: {each.difference}" for each in year.audited if each.difference),
    ]


def study(scenario: Scenario, year: Year) -> str:
    """The table and the findings in Markdown."""
    world = build_world(scenario)
    head = f"Scenario `{scenario.name}` ({scenario.grid.net}), {len(year.days)} days of the profile year."
    return "\n".join([head, "", *table(year, world.days), "", *findings(year)])


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = Parser(prog="python -m evaluation.year", description=__doc__)
    add_scenario(made, "rural_day")
    made.add_argument(
        "--first-seed", type=whole(0, 2**62), default=0, metavar="K", help="day d is played under K + d (default 0)"
    )
    made.add_argument("--days", type=whole(1, 366), metavar="N", help="play only the first N days of the profile")
    made.add_argument(
        "--audit-every", type=whole(1, 366), default=30, metavar="N", help="one day in N with a ledger (default 30)"
    )
    made.add_argument("--workers", type=whole(1, 256), default=2, metavar="N", help="processes (default 2)")
    add_players(made)
    made.add_argument("--out", type=Path, metavar="FILE", help="write the table to this file, not to the screen")
    made.add_argument("--picture", type=Path, metavar="FILE", help="draw the months to this file, .svg or .png")
    return made


def main(words: Sequence[str] | None = None) -> int:
    """Command line; 0, or 2 where the command or a setting cannot be."""
    asked = parser().parse_args(words)

    def work() -> None:
        scenario = scenario_of(asked)
        world = build_world(scenario)
        if asked.picture is not None:
            picture_kind(asked.picture)
        days, policies = range(min(asked.days or world.days, world.days)), policies_of(asked.policy)
        first = int(asked.first_seed)
        year = play_year(scenario, policies, asked.game, first, days, asked.audit_every, asked.workers)
        print_or_write(study(scenario, year), asked.out)
        if asked.picture is not None:
            write_picture(year.days, year.counts, world.days, scenario.name, asked.picture)

    return answered("python -m evaluation.year", work)


if __name__ == "__main__":
    sys.exit(main())
