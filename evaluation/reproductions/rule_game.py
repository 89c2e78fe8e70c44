"""The market as a game of rules: each role chooses one of the shipped rules, payoffs are played, regrets are counted.

An empirical game (Wellman): all profiles of a few rules a role on one world and the same seeds, whole roles at a
time. NashConv within it is the sum over roles of what the role would gain by another of its rules; a profile without
regret is an equilibrium among these rules, which says nothing of a rule that is not in the list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from agents.policy import DEFAULT_RULES, ROLES
from envs.settings import load_scenario
from evaluation.runs import Job, play
from evaluation.statistics import Estimate, estimate

SCENARIO, SEEDS = "tiny", 10
CHOICES: dict[str, tuple[str, ...]] = {
    "prosumer": ("truthful", "zip", "greedy"),
    "aggregator": ("markup", "equilibrium", "greedy"),
    "eno": ("planner", "truthful", "strict"),
}
Profile = tuple[str, ...]  # a rule a role, in the order of ROLES


def payoffs(choices: Mapping[str, Sequence[str]], seeds: int = SEEDS) -> dict[Profile, np.ndarray]:
    """(seeds, roles) reward of the day, mean over a role's agents, of every profile."""
    scenario = load_scenario(SCENARIO, {"ledger": {"mode": "off"}})
    table = {}
    for profile in product(*(choices[role] for role in ROLES)):
        policies = dict(zip(ROLES, profile, strict=True))
        runs = [play(Job(scenario, policies, seed, "staged", None)) for seed in range(seeds)]
        rewards = [[float(run.truth.rewards[role].sum(axis=0).mean()) for role in ROLES] for run in runs]
        table[profile] = np.array(rewards)
    return table


def regrets(table: Mapping[Profile, np.ndarray], profile: Profile) -> np.ndarray:
    """(roles,) what each role would gain, on the mean over the seeds, by the best of its rules; 0 for its best."""
    found = np.zeros(len(profile))
    for k in range(len(profile)):
        rivals = [other for other in table if other[:k] + other[k + 1 :] == profile[:k] + profile[k + 1 :]]
        found[k] = max(table[other][:, k].mean() for other in rivals) - table[profile][:, k].mean()
    return found


def regret_estimates(table: Mapping[Profile, np.ndarray], profile: Profile) -> list[Estimate]:
    """A role's gain by the rule that is its best on the mean over the seeds, paired seed by seed, with its interval."""
    found = []
    for k in range(len(profile)):
        rivals = [other for other in table if other[:k] + other[k + 1 :] == profile[:k] + profile[k + 1 :]]
        best = max(rivals, key=lambda other: (table[other][:, k].mean(), other == profile))
        found.append(estimate((table[best][:, k] - table[profile][:, k]).tolist()))
    return found


def run() -> str:
    """The table in Markdown."""
    table = payoffs(CHOICES)
    default = tuple(DEFAULT_RULES[role] for role in ROLES)
    conv = {profile: float(regrets(table, profile).sum()) for profile in table}
    least = sorted(conv, key=lambda profile: (conv[profile], profile))[:5]
    shown = [default, *(profile for profile in least if profile != default)]
    lines = [
        "## The market as a game of rules",
        "",
        f"Every role as a whole chooses a rule; mean reward of a day of scenario `{SCENARIO}` over {SEEDS} seeds and",
        f"its agents. {len(table)} profiles were played; NashConv is the sum of what the three would gain by another",
        "rule of the list. Shown are the defaults and the profiles with the least of it. Regrets have the 95 %",
        "interval of the paired difference between the best rule and the one played; the best rule itself has none.",
        "",
        "| prosumers | aggregators | operator | rewards | regrets | NashConv |",
        "| --- | --- | --- | --- | --- | ---: |",
    ]
    for profile in shown:
        earned = ", ".join(f"{value:.2f}" for value in table[profile].mean(axis=0))
        missed = ", ".join(f"{gain.mean:.2f} ± {gain.half_width:.2f}" for gain in regret_estimates(table, profile))
        rules = " | ".join(f"`{name}`" for name in profile)
        lines.append(f"| {rules} | {earned} | {missed} | {conv[profile]:.3f} |")
    return "\n".join(lines)
