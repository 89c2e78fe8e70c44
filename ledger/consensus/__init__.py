"""Rules that draw a block's producer, one a file; the file's name is the rule's name.

A rule is a module with `draw(seed, height, first_round, addresses, weights, gamma, excluded) -> Draw`. Every
rule is a pure function of public values, so it can be used and tested without a chain.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache

from .base import Draw


@cache
def available() -> tuple[str, ...]:
    """The names of the rules, sorted."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(__path__) if info.name != "base"))


@cache
def rule(name: str) -> Callable[..., Draw]:
    """The draw function of the rule `name`; ValueError lists the rules there are."""
    if name not in available():
        raise ValueError(f"consensus rule {name!r} is unknown; allowed: {', '.join(available())}")
    draw: Callable[..., Draw] = importlib.import_module(f"{__name__}.{name}").draw
    return draw


__all__ = ["Draw", "available", "rule"]
