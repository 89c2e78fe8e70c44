"""`python -m evaluation.hosting SCENARIO`: how much PV a net can host until limits break, with and without the market.

All plants are scaled alike (``sites.pv_scale``), from little upward, on the scenario's day under many seeds; nothing
comes from the upper level. A size is hosted when the days as lived keep 0.95–1.05 pu at every bus and every line and
transformer within its rating, by the criterion's allowance. The operator plans for limits that are tighter by a
margin, since it knows forecasts only. *Without* it asks for nothing; *with* the market it does, and a size at which
more than a thousandth of the generation is cut by force is not hosted. What stands is the largest size below which all
tried sizes are hosted. Where nothing is asked for nothing is cut (``grid.last_resort: asked``), so that *without* shows
the net as it would be.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from agents.policy import make_policies
from envs.core import Core
from envs.settings import Scenario, load_scenario
from envs.types import Bools, Trace
from envs.world import build_world
from evaluation.command import study_command
from evaluation.measures.base import LOAD_FLOOR, VOLT_FLOOR, currency
from evaluation.playing import periods
from evaluation.words import number

BAND_PU, LOADING = (0.95, 1.05), 1.0
MARGIN_PU, MARGIN_LOADING = 0.005, 0.05
SMALLEST, LARGEST = 0.05, 8.0  # of the scenario's plants
STEP = 1.2  # from one size tried to the next
HALVINGS = 5  # of the last step


MOST_CUT = 0.001  # of the generation, by force: a few Wh are what is left after the check's last loop


class Criterion(NamedTuple):
    """What a hosted size may show, as shares over all days played."""

    name: str
    violated: float  # of the periods
    given_up: float  # of the generation, on order or by force


CRITERIA = (
    Criterion("until the first violated period", 0.0, 1.0),
    Criterion("1 % of the periods may be violated", 0.01, 1.0),
    Criterion("the same, and 5 % of the generation given up", 0.01, 0.05),
)


@dataclass(frozen=True)
class Outcome:
    """Days at one size of the plants."""

    pv_kwp: float
    violated: float  # share of the periods
    cut: float  # share of what the sun allowed
    given_up: float  # share of what the sun allowed
    balance: float  # of the operator, ¤ a day

    def meets(self, criterion: Criterion) -> bool:
        """Whether this size is hosted."""
        return self.violated <= criterion.violated and self.cut <= MOST_CUT and self.given_up <= criterion.given_up


@dataclass(frozen=True)
class Capacity:
    """The largest size hosted: its scale and outcome, None where not even the smallest tried is hosted."""

    scale: float
    hosted: Outcome | None
    bounded: bool  # a larger size failed


def planned(scenario: Scenario, scale: float) -> Scenario:
    """The scenario with its plants scaled, planned with the margins, without orders from above or a ledger."""
    low, high = BAND_PU
    band: dict[str, Any] = {
        "band_low_pu": low + MARGIN_PU,
        "band_high_pu": high - MARGIN_PU,
        "loading_limit": LOADING - MARGIN_LOADING,
    }
    band["last_resort"] = "asked"
    quiet = {"upper_orders": [], "ledger": {"mode": "off"}}
    return load_scenario(scenario, {"grid": band, "sites": {"pv_scale": scale}, **quiet})


def _violated(trace: Trace) -> Bools:
    """(B,) worlds in which the period breaks a limit as lived."""
    voltage, loading = trace.energy.voltage_pu[:, 1:], trace.energy.loading[:, 1:]
    outside = (voltage > BAND_PU[1] + VOLT_FLOOR) | (voltage < BAND_PU[0] - VOLT_FLOOR)
    return np.asarray(outside.any(axis=1) | (loading > LOADING + LOAD_FLOOR).any(axis=1) | ~trace.energy.converged)


def outcome(
    scenario: Scenario, policies: Mapping[str, str], seeds: Sequence[int], scale: float, game: str = "staged"
) -> Outcome:
    """Play the day under all seeds as one batch."""
    world = build_world(planned(scenario, scale))
    core = Core(world)
    core.reset(np.array(seeds, np.uint64))
    violated = cut = used = available = money = 0
    for trace in periods(core, make_policies(world.scenario, policies), game):
        violated += int(_violated(trace).sum())
        cut += int(-np.minimum(trace.energy.cut_wh, 0).sum())
        used += int(trace.energy.generated_wh.sum())
        available += int(trace.energy.available_wh.sum())
        money += int(trace.payments.change[:, world.eno_account].sum())
    return Outcome(
        float(world.pv_rated_w.sum()) / 1000.0,
        violated / (len(seeds) * core.max_cycles),
        cut / max(available, 1),
        (available - used) / max(available, 1),
        currency(money) / len(seeds),
    )


def capacity(played: Callable[[float], Outcome], criterion: Criterion) -> Capacity:
    """Walk up until a size fails, then halve the last step; ``played`` gives the outcome at a scale."""
    good, bad, scale = 0.0, 0.0, SMALLEST
    while bad == 0.0 and scale <= LARGEST:
        if played(scale).meets(criterion):
            good, scale = scale, scale * STEP
        else:
            bad = scale
    if good == 0.0 or bad == 0.0:
        return Capacity(good, played(good) if good else None, bad > 0.0)
    for _ in range(HALVINGS):
        middle = 0.5 * (good + bad)
        good, bad = (middle, bad) if played(middle).meets(criterion) else (good, middle)
    return Capacity(good, played(good), True)


def _size(found: Capacity) -> str:
    if found.hosted is None:
        return "–"
    return ("" if found.bounded else "over ") + number(found.hosted.pv_kwp, "kWp")


def study(scenario: Scenario, policies: Mapping[str, str], seeds: Sequence[int], game: str = "staged") -> str:
    """The table in Markdown."""
    known: dict[tuple[bool, float], Outcome] = {}

    def played(scale: float, market: bool) -> Outcome:
        if (market, scale) not in known:
            chosen = policies if market else {**policies, "eno": "idle"}
            known[market, scale] = outcome(scenario, chosen, seeds, scale, game)
            bar.update()
        return known[market, scale]

    world = build_world(scenario)
    lines = [
        f"Scenario `{scenario.name}`, {world.pv_rated_w.sum() / 1000.0:.0f} kWp as it is, its day under {len(seeds)} "
        "seeds.",
        "",
        "| criterion | without (kWp) | with the market (kWp) | given up there (%) | cost to the operator (¤ a day) |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    with tqdm(desc="sizes played", unit="size") as bar:  # how many the search needs is not known before
        return "\n".join([*lines, *(_line(criterion, played) for criterion in CRITERIA)])


def _line(criterion: Criterion, played: Callable[[float, bool], Outcome]) -> str:
    """A criterion's line; ``played`` gives the outcome at a scale, with the market or without."""
    without = capacity(lambda scale: played(scale, False), criterion)
    market = capacity(lambda scale: played(scale, True), criterion)
    given_up, cost = "–", "–"
    if market.hosted is not None:
        given_up = number(100.0 * market.hosted.given_up, "%")
        cost = number(played(market.scale, False).balance - market.hosted.balance, "¤")
    return f"| {criterion.name} | {_size(without)} | {_size(market)} | {given_up} | {cost} |"


def main(words: Sequence[str] | None = None) -> int:
    """Command line; 0, or 2 where the command or a setting cannot be."""
    return study_command(
        "python -m evaluation.hosting", __doc__, study, 16, "days played at each size, together", words
    )


if __name__ == "__main__":
    sys.exit(main())
