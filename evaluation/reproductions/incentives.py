"""What each role earns by its default rule, by sitting idle, by greed; and what a site earns by cheating.

A whole role changes its rule while the other two keep theirs; a single site cheats, while all other sites are honest.
Both are compared with the default run of the same seed: the same weather, demand and errors of forecasts.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from agents.policy import DEFAULT_RULES, ROLES
from envs import plugins
from envs.settings import Scenario, load_scenario
from evaluation.runs import Job, RunResult, play
from evaluation.statistics import Estimate, estimate, paired_difference

SCENARIO, SEEDS = "tiny", 10
CHOICES = ("idle", "greedy")
NAMES = {"prosumer": "prosumers", "aggregator": "aggregators", "eno": "operator"}


def cheats() -> list[str]:
    """The ways of a site to cheat."""
    return [name for name in plugins.names("behaviours") if name != "honest"]


def _scenario(cheat: str | None) -> Scenario:
    malicious = {cheat: {"count": 1, "intensity": 1.0}} if cheat else {}
    return load_scenario(SCENARIO, {"ledger": {"mode": "off"}, "malicious": malicious})


@lru_cache(maxsize=1)
def default_runs(seeds: int = SEEDS) -> list[RunResult]:
    """Everybody honest and by the default rules, one run a seed."""
    return [play(Job(_scenario(None), DEFAULT_RULES, seed, "staged", None)) for seed in range(seeds)]


def role_rewards(role: str, rule: str, seeds: int = SEEDS) -> list[float]:
    """Sum over the day, mean over the agents of ``role``, of the reward when all of them play ``rule``, by seed."""
    if rule == DEFAULT_RULES[role]:
        runs = default_runs(seeds)
    else:
        policies = {**DEFAULT_RULES, role: rule}
        runs = [play(Job(_scenario(None), policies, seed, "staged", None)) for seed in range(seeds)]
    return [float(run.truth.rewards[role].sum(axis=0).mean()) for run in runs]


def cheat_rewards(cheat: str, seeds: int = SEEDS) -> tuple[list[float], list[float]]:
    """(honest, cheating) reward of the day of the site that cheats, by seed."""
    honest, cheating = [], []
    for seed in range(seeds):
        run = play(Job(_scenario(cheat), DEFAULT_RULES, seed, "staged", None))
        who = int(np.flatnonzero(run.truth.malicious >= 0)[0])
        cheating.append(float(run.truth.rewards["prosumer"][:, who].sum()))
        honest.append(float(default_runs(seeds)[seed].truth.rewards["prosumer"][:, who].sum()))
    return honest, cheating


def _row(who: str, what: str, own: Estimate, change: Estimate | None) -> str:
    cells = [who, what, *(_interval(e) for e in (own, change))]
    return "| " + " | ".join(cells) + " |"


def _interval(found: Estimate | None) -> str:
    if found is None or found.mean is None:
        return "–"
    return f"{found.mean:.2f}" + (f" ± {found.half_width:.2f}" if found.half_width is not None else "")


def run() -> str:
    """The table in Markdown."""
    lines = [
        "## Incentives",
        "",
        f"Reward of a day of scenario `{SCENARIO}`, mean over {SEEDS} seeds with its 95 % interval. A whole role plays",
        "the rule while the others keep their defaults; one site alone cheats, compared with itself when honest.",
        "",
        "| who | plays | reward | less default, same seeds |",
        "| --- | --- | ---: | ---: |",
    ]
    for role in ROLES:
        usual = role_rewards(role, DEFAULT_RULES[role])
        lines.append(_row(NAMES[role], f"`{DEFAULT_RULES[role]}` (default)", estimate(usual), None))
        for rule in CHOICES:
            other = role_rewards(role, rule)
            lines.append(_row(NAMES[role], f"`{rule}`", estimate(other), paired_difference(usual, other)))
    pays = []
    for cheat in cheats():
        honest, cheating = cheat_rewards(cheat)
        change = paired_difference(honest, cheating)
        if change.mean is not None and change.half_width is not None and change.mean > change.half_width:
            pays.append(f"`{cheat}`")
        lines.append(_row("one site", f"cheats: `{cheat}`", estimate(cheating), change))
    return "\n".join([*lines, "", f"Cheating that pays beyond the interval: {', '.join(pays) or 'none'}."])
