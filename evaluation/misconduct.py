"""The table of misconduct: what each behaviour tried, whether the market noticed, what it cost whom, what stopped it.

A behaviour is judged by the parts of a period that it touches, so one added later gets its rows too. What it earned is
compared with the same sites under the same seeds in the scenario where nobody cheats, if that was played.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.money import USER_SHORTFALL
from evaluation.daybook import AMOUNT, FLOW, PAYER
from evaluation.measures.base import currency, kwh
from evaluation.measures.conduct import deliveries, forged_turns, readings
from evaluation.runs import RunResult
from evaluation.statistics import Estimate, estimate
from evaluation.study import Part, Study


@dataclass
class Charge:
    """A behaviour and one part of a period that it touches, over all seeds."""

    behaviour: str
    tried: str
    attempts: int
    noticed: int
    cost: str
    stopped_by: str
    credit: float | None  # % at the end, mean over its players
    gain: float | None  # ¤ a site, against the same site when it was honest

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.attempts == 0:
            return "never tried"
        if self.noticed == self.attempts:
            return "yes, always"
        return "no" if self.noticed == 0 else f"{100.0 * self.noticed / self.attempts:.0f} % of the time"


def _players(run: RunResult, index: int) -> np.ndarray:
    return np.asarray(run.truth.malicious == index)


def _metering(part: Part, index: int) -> tuple[str, int, int, str, str]:
    standing = part.scenario.standing
    false = caught = slipped = 0
    for run in part.runs:
        who, found = _players(run, index), readings(part.world, run)
        false += int(found.false[:, who].sum())
        caught += int((found.false & found.caught)[:, who].sum())
        slipped += int(found.slipped_wh[:, who].sum())
    return (
        "report more generation and less consumption than there was",
        false,
        caught,
        f"Believed wrongly: {_each(part, kwh(slipped)):.2f} kWh a run, within the tolerance; the operator paid for "
        "it as losses.",
        f"Witnesses. A reading more than {100 * standing.meter_tolerance:g} % and {standing.meter_tolerance_wh} Wh "
        f"off is replaced by theirs; credit falls by {100 * standing.false_meter_penalty:g} points each time.",
    )


def _orders(part: Part, index: int) -> tuple[int, int, float, float]:
    """(orders, short ones, undelivered kWh a run, ¤ a run paid by the users for it) of a behaviour's players."""
    orders = short = missing = paid = 0
    for run in part.runs:
        who, done = _players(run, index), deliveries(run.book)
        orders += int(done.orders[who].sum())
        short += int(done.short[who].sum())
        missing += int((done.ordered_wh - done.verified_wh)[who].sum())
        rows = run.book.payments[run.book.payments[:, FLOW] == USER_SHORTFALL]
        paid += int(rows[who[rows[:, PAYER]], AMOUNT].sum())
    return orders, short, _each(part, kwh(missing)), _each(part, currency(paid))


def _delivering(part: Part, index: int) -> tuple[str, int, int, str, str]:
    orders, short, missing, paid = _orders(part, index)
    factor = part.scenario.market.shortfall_factor
    return (
        "take orders and not act on them",
        orders,
        short,
        f"Not delivered: {missing:.2f} kWh a run. The cheating sites paid {paid:.2f} ¤ for it ({factor:g} times the "
        f"subsidy), their aggregators {factor:g} times their offers; the grid got less relief.",
        "Verification. Delivery is metered energy against a baseline filed before the order was known; what is "
        "missing is paid back and credit follows what was delivered.",
    )


def _quoting(part: Part, index: int) -> tuple[str, int, int, str, str]:
    orders, short, missing, paid = _orders(part, index)
    return (
        "offer more flexibility than there is, at a low price",
        orders,
        short,
        f"Not delivered: {missing:.2f} kWh a run. The cheating sites paid {paid:.2f} ¤ for it; their aggregators, "
        "who vouched for the offer, paid too.",
        "Verification of what was delivered. A false offer that wins no more than the site can do does no harm and "
        "is not noticed.",
    )


def _forging(part: Part, index: int) -> tuple[str, int, int, str, str]:
    tried = refused = 0
    for run in part.runs:
        turns = forged_turns(run)
        tried, refused = tried + turns[0], refused + turns[1]
    return (
        "alter another node's record in a block of one's own",
        tried,
        refused,
        "Nobody: a turn was lost and the next producer drawn; no money moved.",
        "The other nodes' check. An altered record no longer carries its sender's signature; the block is refused, the "
        f"refusal is sealed and credit falls by {100 * part.scenario.standing.forged_block_penalty:g} points.",
    )


def _misstating(part: Part, index: int) -> tuple[str, int, int, str, str]:
    turns = [forged_turns(run, "misstate") for run in part.runs]
    return (
        "with the operator, sign another result of a contract in a block of one's own",
        sum(tried for tried, _ in turns),
        sum(refused for _, refused in turns),
        "Nobody: a turn was lost and the next producer drawn; no money moved.",
        "The validators execute the contracts themselves. All signatures hold, the result does not; the block is "
        f"refused and credit falls by {100 * part.scenario.standing.forged_block_penalty:g} points.",
    )


def _equivocating(part: Part, index: int) -> tuple[str, int, int, str, str]:
    turns = [forged_turns(run, "equivocate") for run in part.runs]
    return (
        "sign two blocks of one turn and show them to different validators",
        sum(tried for tried, _ in turns),
        sum(refused for _, refused in turns),
        "Nobody: a turn was lost and the next producer drawn; no money moved.",
        "Validators compare headers before they vote. Both signed headers are sealed as evidence by the next producer; "
        "from then on the site neither produces nor votes. Credit falls by "
        f"{100 * part.scenario.standing.forged_block_penalty:g} points.",
    )


def _jumping(part: Part, index: int) -> tuple[str, int, int, str, str]:
    turns = [forged_turns(run, "jump") for run in part.runs]
    return (
        "seal before one's turn, by the claim that the producer before did not turn up",
        sum(tried for tried, _ in turns),
        sum(refused for _, refused in turns),
        "Nobody: the block of the producer before was sealed; no money moved.",
        "The validators hold that producer's block and vote for no refusal that they did not witness. The early block "
        "is sealed as evidence, its producer passed over in the next draw, and credit falls by "
        f"{100 * part.scenario.standing.forged_block_penalty:g} points.",
    )


_JUDGES = {
    "meter": _metering, "deliver": _delivering, "quote": _quoting, "forge": _forging, "misstate": _misstating,
    "equivocate": _equivocating, "jump": _jumping,
}  # fmt: skip


def _each(part: Part, total: float) -> float:
    return total / len(part.runs)


def _gain(part: Part, index: int, honest: Part | None) -> float | None:
    """Mean over runs and players of the money made beyond the same site's when it was honest."""
    if honest is None:
        return None
    differences: list[float] = []
    for run, twin in zip(part.runs, honest.runs, strict=True):
        who = _players(run, index)
        change = run.book.balance[: run.book.sites] - twin.book.balance[: run.book.sites]
        differences += [currency(value) for value in change[who]]
    return float(np.mean(differences)) if differences else None


def _final_credit(part: Part, index: int) -> float | None:
    values = [run.book.credit_ppm[-1, : run.book.sites][_players(run, index)] for run in part.runs]
    together = np.concatenate(values)
    return 100.0 * float(together.mean()) / 1e6 if len(together) else None


def honest_twin(study: Study, part: Part) -> Part | None:
    """The scenario that differs in nothing but that nobody cheats; else the first, if it has the same sites and nobody
    cheats in it.
    """
    own = {"name", "malicious"}
    for other in study.parts:
        same = other.scenario.model_dump(exclude=own) == part.scenario.model_dump(exclude=own)
        if same and not other.scenario.malicious:
            return other
    first = study.parts[0]
    if first.scenario.malicious or first.world.site_names != part.world.site_names:
        return None
    return first if first.world.aggregators == part.world.aggregators else None


def consequences(study: Study, part: Part) -> dict[str, Estimate]:
    """What each side has at the end, ¤ a run, less what the same accounts had, same seed, when nobody cheated.

    The sides add up to zero. Empty where there is no honest twin.
    """
    twin = honest_twin(study, part)
    if twin is None:
        return {}
    found: dict[str, list[float | None]] = {}
    for run, honest in zip(part.runs, twin.runs, strict=True):
        change, sites = run.book.balance - honest.book.balance, run.book.sites
        eno, bad = sites + run.book.aggregators, run.truth.malicious >= 0
        for name, micro in (
            ("cheating prosumers", change[:sites][bad].sum()),
            ("honest prosumers", change[:sites][~bad].sum()),
            ("aggregators", change[sites:eno].sum()),
            ("operator", change[eno]),
            ("supplier", change[eno + 1]),
            ("upper level", change[eno + 2]),
        ):
            found.setdefault(name, []).append(currency(micro))
    return {name: estimate(values) for name, values in found.items()}


def charges(study: Study) -> list[tuple[Part, list[Charge]]]:
    """The scenarios with malicious sites, and a row for each behaviour and part of a period it touches."""
    tables = []
    for part in study.parts:
        honest = honest_twin(study, part)
        rows = [
            Charge(
                behaviour.name.replace("_", " "),
                *_JUDGES[hook](part, index),
                _final_credit(part, index),
                _gain(part, index, honest),
            )
            for index, behaviour in enumerate(part.runs[0].behaviours)
            for hook in behaviour.hooks
        ]
        if rows:
            tables.append((part, rows))
    return tables
