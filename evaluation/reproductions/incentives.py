"""What each role earns by its default rule, by sitting idle, by the truth, by greed; and what cheating earns a site.

A whole role changes its rule while the other two keep theirs; or one agent of it does, while all its rivals keep the
default; a single site cheats, while all other sites are honest. All are compared with the default run of the same
seed: the same weather, demand and errors of forecasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from agents.policy import DEFAULT_RULES, ROLES
from envs import plugins
from envs.config import merge
from envs.settings import Scenario, load_scenario
from envs.world import build_world
from evaluation.runs import Job, RunResult, play
from evaluation.statistics import Estimate, estimate, paired_difference

SEEDS = {"tiny": 10, "rural_day": 5}
CHOICES = {
    "prosumer": ("idle", "greedy"),
    "aggregator": ("idle", "truthful", "greedy", "generous"),
    "eno": ("idle", "truthful", "greedy", "strict", "generous"),
}
LONE_CHOICES = {"prosumer": ("idle", "greedy", "zip", "overdeclaring"), "aggregator": CHOICES["aggregator"]}
# What they alter is a block, so there has to be one.
ON_CHAIN = ("equivocating_producer", "false_settlement", "forging_producer", "queue_jumper")
NAMES = {"prosumer": "prosumers", "aggregator": "aggregators", "eno": "operator"}
UNDERCUT = 1e-3  # intensity of a false quote that is false in its price alone
REMEDIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("as shipped", {}),
    ("shortfalls cost 5 times the price", {"market": {"shortfall_factor": 5.0}}),
    ("credit follows delivery three times as fast", {"standing": {"learning_rate": 0.5}}),
    ("users below 75 % credit are not admitted", {"standing": {"admission_threshold": 0.75}}),
)


@dataclass(frozen=True)
class Cheat:
    """One site's misconduct."""

    name: str
    intensity: float = 1.0


def cheats() -> list[Cheat]:
    """The ways of a site to cheat."""
    return [Cheat(name) for name in plugins.names("behaviours") if name != "honest"]


def _scenario(name: str, cheat: Cheat | None, settings: Mapping[str, Any]) -> Scenario:
    malicious = {cheat.name: {"count": 1, "intensity": cheat.intensity}} if cheat else {}
    mode = "hashes" if cheat and cheat.name in ON_CHAIN else "off"
    return load_scenario(name, merge({"ledger": {"mode": mode}, "malicious": malicious}, settings))


def _plays(scenario: Scenario, policies: Mapping[str, str], seeds: int) -> list[RunResult]:
    return [play(Job(scenario, policies, seed, "staged", None)) for seed in range(seeds)]


@lru_cache(maxsize=1)
def default_runs(name: str, seeds: int) -> list[RunResult]:
    """Everybody honest and by the default rules, one run a seed."""
    return _plays(_scenario(name, None, {}), DEFAULT_RULES, seeds)


@lru_cache(maxsize=1)
def cheating_runs(name: str, cheat: Cheat, seeds: int) -> list[RunResult]:
    """One site cheats, all else is the default, one run a seed."""
    return _plays(_scenario(name, cheat, {}), DEFAULT_RULES, seeds)


def lone_site(name: str) -> int:
    """The first site with a plant and a battery: it can do all that a rule may think of."""
    world = build_world(_scenario(name, None, {}))
    return int(np.flatnonzero((world.pv_rated_w > 0) & (world.storage_wh > 0))[0])


def role_rewards(name: str, role: str, rule: str, seeds: int) -> list[float]:
    """Sum over the day, mean over the agents of ``role``, of the reward when all of them play ``rule``, by seed."""
    if rule == DEFAULT_RULES[role]:
        runs = default_runs(name, seeds)
    else:
        runs = _plays(_scenario(name, None, {}), {**DEFAULT_RULES, role: rule}, seeds)
    return [float(run.truth.rewards[role].sum(axis=0).mean()) for run in runs]


def lone_rewards(name: str, role: str, rule: str, seeds: int) -> tuple[list[float], list[float]]:
    """(default, deviating) reward of the day of one agent that alone of its role plays ``rule``, by seed.

    It is the first aggregator, or the site of `lone_site`.
    """
    agent = lone_site(name) if role == "prosumer" else 0
    policies = {**DEFAULT_RULES, role: f"{DEFAULT_RULES[role]},{rule}@{agent}"}
    runs = (default_runs(name, seeds), _plays(_scenario(name, None, {}), policies, seeds))
    usual, lone = ([float(run.truth.rewards[role][:, agent].sum()) for run in each] for each in runs)
    return usual, lone


def cheat_rewards(
    name: str, cheat: Cheat, seeds: int, settings: Mapping[str, Any] | None = None
) -> tuple[list[float], list[float]]:
    """(honest, cheating) reward of the day of the site that cheats, by seed, under further ``settings``."""
    changes = settings or {}
    honest_runs = _plays(_scenario(name, None, changes), DEFAULT_RULES, seeds) if changes else default_runs(name, seeds)
    honest, cheating = [], []
    runs = (
        _plays(_scenario(name, cheat, changes), DEFAULT_RULES, seeds) if changes else cheating_runs(name, cheat, seeds)
    )
    for run, twin in zip(runs, honest_runs, strict=True):
        who = int(np.flatnonzero(run.truth.malicious >= 0)[0])
        cheating.append(float(run.truth.rewards["prosumer"][:, who].sum()))
        honest.append(float(twin.truth.rewards["prosumer"][:, who].sum()))
    return honest, cheating


def helping_operator(name: str, seeds: int) -> tuple[list[float], list[float], int]:
    """(honest, helping) reward of an operator that signs one site's false results, and how many blocks were refused.

    Raises:
        ValueError: a block of the site passed; then a reward without it would say nothing.
    """
    runs = cheating_runs(name, Cheat("false_settlement"), seeds)
    refused = 0
    for run in runs:
        who = int(np.flatnonzero(run.truth.malicious >= 0)[0])
        if np.any(run.book.producers == who):
            raise ValueError(f"{name}, seed {run.seed}: a block with a false result was sealed")
        refused += int((run.book.refusals[:, 1] == who).sum())
    usual, helping = (
        [float(run.truth.rewards["eno"].sum()) for run in each] for each in (default_runs(name, seeds), runs)
    )
    return usual, helping, refused


def pays(change: Estimate) -> bool:
    """Whether a gain is larger than its interval."""
    return change.mean is not None and change.half_width is not None and change.mean > change.half_width


def _interval(found: Estimate | None) -> str:
    if found is None or found.mean is None:
        return "–"
    return f"{found.mean:.2f}" + (f" ± {found.half_width:.2f}" if found.half_width is not None else "")


def _row(*cells: str | Estimate | None) -> str:
    return "| " + " | ".join(cell if isinstance(cell, str) else _interval(cell) for cell in cells) + " |"


def _roles(name: str, seeds: int) -> list[str]:
    lines = []
    for role in ROLES:
        usual = role_rewards(name, role, DEFAULT_RULES[role], seeds)
        lines.append(_row(NAMES[role], f"`{DEFAULT_RULES[role]}` (default)", estimate(usual), None))
        for rule in CHOICES[role]:
            other = role_rewards(name, role, rule, seeds)
            lines.append(_row(NAMES[role], f"`{rule}`", estimate(other), paired_difference(usual, other)))
    return lines


def _lone(name: str, seeds: int) -> tuple[list[str], list[str]]:
    lines, profitable = [], []
    for role, rules in LONE_CHOICES.items():
        who = "one aggregator" if role == "aggregator" else f"one site ({lone_site(name)})"
        for rule in rules:
            before, after = lone_rewards(name, role, rule, seeds)
            change = paired_difference(before, after)
            if pays(change):
                profitable.append(f"{who} `{rule}`")
            lines.append(_row(who, f"`{rule}`", estimate(after), change))
    return lines, profitable


def _cheating(name: str, seeds: int) -> tuple[list[str], list[str]]:
    lines, profitable = [], []
    for cheat in cheats():
        honest, cheating = cheat_rewards(name, cheat, seeds)
        change = paired_difference(honest, cheating)
        if pays(change):
            profitable.append(f"`{cheat.name}`")
        lines.append(_row("one site", f"cheats: `{cheat.name}`", estimate(cheating), change))
        if cheat.name == "false_settlement":
            usual, helping, refused = helping_operator(name, seeds)
            doing = f"signs that site's false results ({refused} blocks, all refused)"
            lines.append(_row("operator", doing, estimate(helping), paired_difference(usual, helping)))
    return lines, profitable


def _remedies(name: str, seeds: int) -> list[str]:
    """A false quote under stricter rules, beside one that is false in its price alone."""
    lines = [
        "| rule | twice the volume at half the price | the true volume at half the price |",
        "| --- | ---: | ---: |",
    ]
    for label, settings in REMEDIES:
        both = [
            paired_difference(*cheat_rewards(name, Cheat("false_quote", intensity), seeds, settings))
            for intensity in (1.0, UNDERCUT)
        ]
        lines.append(_row(label, *both))
    return lines


def run() -> str:
    """The tables in Markdown."""
    lines = [
        "## Incentives",
        "",
        "Reward of a day with its 95 % interval over the seeds. A whole role plays the rule, or one agent of it, while",
        "the others keep their defaults; the one site has a plant and a battery. One site alone cheats, compared with",
        "itself when honest. All aggregators `greedy` are a cartel at the reserve price.",
        "",
        "What an operator or an aggregator may say is what the action columns allow, so no action of theirs is a lie.",
        "But an operator signs, and `false_settlement` has it sign results that a site altered in its own favour, when",
        "that site is drawn to produce the block: every signature holds, the validators' own execution contradicts it,",
        "and no such block is sealed. Neither gains: the site loses credit, and the operator, which has none to lose,",
        "is short of flexibility once the site is no longer admitted. `forging_producer` alters other nodes' records",
        "alone. Both are played on a real chain (`hashes`) and earn the same, since a refused block costs the same",
        "whatever was false in it. So are `equivocating_producer`, which is caught once and then produces no more, and",
        "`queue_jumper`, which signs whenever it comes next in the draw.",
        "",
        "Truth is no dominant strategy of a double auction at the mean of two quotes, nor is an honest schedule where",
        "a baseline trusts it a little: one site alone may gain by `greedy`, `zip` or `overdeclaring`.",
    ]
    for name, seeds in SEEDS.items():
        cheating, profitable = _cheating(name, seeds)
        lone, better = _lone(name, seeds)
        lines += [
            "",
            f"Scenario `{name}`, {seeds} seeds:",
            "",
            "| who | plays | reward | less default, same seeds |",
            "| --- | --- | ---: | ---: |",
            *_roles(name, seeds),
            *lone,
            *cheating,
            "",
            f"Leaving the default alone that pays beyond the interval: {', '.join(better) or 'none'}.",
            f"Cheating that pays beyond the interval: {', '.join(profitable) or 'none'}.",
        ]
    lines += [
        "",
        "Which rule stops a false quote? What it gains a day on `tiny`, less the same site when honest:",
        "",
        *_remedies("tiny", SEEDS["tiny"]),
        "",
        "Users are paid the public subsidy, not their quote: a price below cost wins orders from the neighbours",
        "and risks nothing while the subsidy covers the cost. That is competition, which no penalty for shortfalls",
        "touches; it can only take what the false volume adds.",
    ]
    return "\n".join(lines)
