"""Rules that name a block's producer, one a file; the file's name is the rule's name.

A rule is a module with WEIGHT, what its nodes weigh in with ("energy", "stake", "score" or "one"), and either
- `draw(seed, height, first_round, addresses, weights, gamma, excluded) -> Draw`: a lottery at every height, or
- `elect(weights, candidates, ballots, seats) -> queue`, `enough(other_votes, seats)` and BARS_REFUSED: delegates that
  take turns until their queue is empty, and how many of them make a block stand.
All are pure functions of public values; `ledger/turns.py` keeps the queue.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from .base import Draw

WEIGHTS = ("energy", "stake", "score", "one")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by name: a lottery has `draw`, delegation has `elect` and `enough`."""

    name: str
    weight: str
    draw: Callable[..., Draw] | None
    elect: Callable[..., list[bytes]] | None
    enough: Callable[[int, int], bool] | None
    bars_refused: bool


@cache
def available() -> tuple[str, ...]:
    """The names of the rules, sorted."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(__path__) if info.name != "base"))


@cache
def rule(name: str) -> Rule:
    """The rule `name`; ValueError lists the rules there are, or names what a rule's file lacks."""
    if name not in available():
        raise ValueError(f"consensus rule {name!r} is unknown; allowed: {', '.join(available())}")
    module = importlib.import_module(f"{__name__}.{name}")
    found = Rule(
        name, module.WEIGHT, getattr(module, "draw", None), getattr(module, "elect", None),
        getattr(module, "enough", None), getattr(module, "BARS_REFUSED", False),
    )  # fmt: skip
    delegated = found.elect is not None and found.enough is not None
    if (found.draw is not None) == delegated or found.weight not in WEIGHTS:
        raise ValueError(f"consensus rule {name!r} needs WEIGHT of {WEIGHTS}, and draw or elect with enough")
    return found


__all__ = ["Draw", "Rule", "available", "rule"]
