"""Every trading and every request mechanism played in the environment by the same agents, over the same seeds."""

from __future__ import annotations

from collections.abc import Mapping

from agents.policy import DEFAULT_RULES
from envs import plugins
from envs.settings import load_scenario
from evaluation.comparison import markdown, variants
from evaluation.runs import Job, play
from evaluation.statistics import estimate, paired_difference
from evaluation.study import Study, study_of
from evaluation.words import clear, interval, signed

SCENARIO, SEEDS = "rural_day", 5
INTRODUCTION = f"""## Mechanisms in the environment

A day of scenario `{SCENARIO}` by the default rules, {SEEDS} seeds: mean ± half width of the 95 % interval; in brackets
the paired difference to the first row, bold where its interval leaves out zero. For any other setting and scenario:
`python evaluate.py {SCENARIO} --compare market.trading=two_stage_double,uniform_price`, whose report says what each
column is. † known to the evaluator only; the rest follows from the ledgers. *Trading efficiency* is the share of the
optimum at the declared limits; *matching efficiency* that of the optimum at the tariffs, period by period, with
hindsight of what was metered, which firm contracts on forecasts do not reach.
"""
TIES = """By default everybody quotes a truth that is one of three prices: feed-in for a surplus, retail for a need and
what it saves later for a charge. So in most books all sells are alike and nearly all buys: *fairness and concentration*
below tell which of equal quotes each mechanism serves first (mostly the lower site's), not how it treats different
ones, and mechanisms that differ in how quotes meet, such as `bilateral` and `two_stage_double`, come out the same. The
second set of tables has quotes that differ.
"""
DIFFERING = {**DEFAULT_RULES, "prosumer": "zero_intelligence"}
DIFFERENT = """**The same with quotes that differ**

Prosumers play `zero_intelligence`: each draws its quote between its own valuation and the other side's tariff, so
hardly two are alike and sites' numbers no longer decide; limits stay the valuations. Where the last accepted order is
cut its own price is the only one that clears the book, so `second_price` and `uniform_price` still agree.
"""
LONE_RULES = ("markup", "truthful", "equilibrium")
LONE = """Reward of a day while the other aggregators play `markup`. `truthful` offers all it has at cost: where winners
are paid what they offered it earns nothing, where they are paid the best refused offer it pays most of the three.
`equilibrium` is the best answer to rivals who play it, too, with costs of their own, uniform up to the reserve price.
These rivals have one cost in common and add an eighth to it: where less injection is asked for, the usual case here,
they offer at 0.135 to 0.139 ¤/kWh, `equilibrium` a quarter of the way to the reserve price, 0.158. It gets what the
others cannot deliver, at the smaller subsidy with fewer users. Where all play it, on `tiny`, it earns more than
`markup` does.
"""
TITLES = (
    "Welfare and efficiency",
    "Prices, and income against surplus power online",
    "Fairness and concentration",
    "Other sides and the grid",
)


def table(
    key: str,
    names: list[str],
    scenario: str = SCENARIO,
    seeds: int = SEEDS,
    policies: Mapping[str, str] = DEFAULT_RULES,
) -> str:
    """The comparison of some mechanisms in Markdown; the first is the one to compare with."""
    base = load_scenario(scenario, {"ledger": {"mode": "off"}})
    comparison, scenarios, _, called = variants([base], policies, f"{key}={','.join(names)}")
    runs = [
        play(Job(variant, policies, seed, "staged", None, name))
        for variant, name in zip(scenarios, called, strict=True)
        for seed in range(seeds)
    ]
    study: Study = study_of(scenarios, runs, range(seeds), "staged", policies)
    return markdown(comparison, study.parts, TITLES if key == "market.trading" else TITLES[-1:])


def lone_rewards(request: str, rule: str, scenario: str = SCENARIO, seeds: int = SEEDS) -> list[float]:
    """Reward of the first aggregator by ``rule`` while the others keep their default, by seed."""
    played = load_scenario(scenario, {"ledger": {"mode": "off"}, "market": {"request": request}})
    policies = {**DEFAULT_RULES, "aggregator": f"{DEFAULT_RULES['aggregator']},{rule}@0"}
    runs = [play(Job(played, policies, seed, "staged", None)) for seed in range(seeds)]
    return [float(run.truth.rewards["aggregator"][:, 0].sum()) for run in runs]


def lone_table() -> str:
    """What one aggregator's way to offer earns under each sealed auction."""
    lines = ["| market.request | " + " | ".join(f"`{rule}`" for rule in LONE_RULES) + " |"]
    lines.append("| --- |" + " ---: |" * len(LONE_RULES))
    for request in _default_first("award", "fpsa"):
        usual, *others = (lone_rewards(request, rule) for rule in LONE_RULES)
        cells = [interval(estimate(usual), "1")]
        for other in others:
            change = paired_difference(usual, other)
            text = signed(change, "1")
            cells.append(f"{interval(estimate(other), '1')} ({f'**{text}**' if clear(change) else text})")
        lines.append(f"| {request} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _default_first(needs: str, first: str) -> list[str]:
    return [first, *(name for name in plugins.names("market", needs=needs) if name != first)]


def run() -> str:
    """The tables in Markdown."""
    mechanisms = _default_first("clear", "two_stage_double")
    trading, differing = (table("market.trading", mechanisms, policies=who) for who in (DEFAULT_RULES, DIFFERING))
    request = table("market.request", _default_first("award", "fpsa")).split("\n", 2)[2]
    return (
        f"{INTRODUCTION}\n{TIES}\n{trading}\n\n{DIFFERENT}\n{differing}\n\n"
        f"**Sealed auctions for the operator's requests**\n\n{request}\n\n"
        f"**What one aggregator earns by its way to offer**\n\n{LONE}\n{lone_table()}"
    )
