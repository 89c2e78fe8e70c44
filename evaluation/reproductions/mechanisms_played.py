"""Every trading and every request mechanism played in the environment by the same agents, over the same seeds."""

from __future__ import annotations

from agents.policy import DEFAULT_RULES
from envs import plugins
from envs.settings import load_scenario
from evaluation.comparison import markdown, variants
from evaluation.runs import Job, play
from evaluation.study import Study, study_of

SCENARIO, SEEDS = "rural_day", 5
INTRODUCTION = f"""## Mechanisms in the environment

A day of scenario `{SCENARIO}` by the default rules, {SEEDS} seeds: mean ± half width of the 95 % interval; in brackets
the paired difference to the first row, bold where its interval leaves out zero. For any other setting and scenario:
`python evaluate.py {SCENARIO} --compare market.trading=two_stage_double,uniform_price`, whose report says what each
column is. † known to the evaluator only; the rest follows from the ledgers. *Trading efficiency* is the share of the
optimum at the declared limits; *matching efficiency* that of the optimum at the tariffs, period by period, with
hindsight of what was metered, which firm contracts on forecasts do not reach.
"""
TITLES = (
    "Welfare and efficiency",
    "Prices, and income against surplus power online",
    "Fairness and concentration",
    "Other sides and the grid",
)


def table(key: str, names: list[str], scenario: str = SCENARIO, seeds: int = SEEDS) -> str:
    """The comparison of some mechanisms in Markdown; the first is the one to compare with."""
    base = load_scenario(scenario, {"ledger": {"mode": "off"}})
    comparison, scenarios, _, called = variants([base], DEFAULT_RULES, f"{key}={','.join(names)}")
    runs = [
        play(Job(variant, DEFAULT_RULES, seed, "staged", None, name))
        for variant, name in zip(scenarios, called, strict=True)
        for seed in range(seeds)
    ]
    study: Study = study_of(scenarios, runs, range(seeds), "staged", DEFAULT_RULES)
    return markdown(comparison, study.parts, TITLES if key == "market.trading" else TITLES[-1:])


def _default_first(needs: str, first: str) -> list[str]:
    return [first, *(name for name in plugins.names("market", needs=needs) if name != first)]


def run() -> str:
    """Both tables in Markdown."""
    trading = table("market.trading", _default_first("clear", "two_stage_double"))
    request = table("market.request", _default_first("award", "fpsa")).split("\n", 2)[2]
    return f"{INTRODUCTION}\n{trading}\n\n**Sealed auctions for the operator's requests**\n\n{request}"
