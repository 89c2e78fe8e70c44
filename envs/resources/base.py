"""What every resource declares, all in one form: its state, what agents set and see, its adjustable range, its cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from envs.columns import Column
from envs.types import Energy, Ints


def times(amount: Any, price: int) -> Any:
    """What most things cost: the price of a thousand times the amount, in thousandths of micro-currency."""
    return amount * price


@dataclass(frozen=True)
class Cost:
    """What using a resource costs its owner: an amount of the lived period times a price of the settings."""

    name: str  # of the amount, as reports call it
    unit: str  # of a thousand of it: Wh are kWh, mK·h are K·h
    amount: Callable[[Energy], Ints]  # (B, N)
    price: str  # section and key of the settings
    meaning: str
    of: Callable[[Any, int], Any] = times  # (amount, price) → thousandths of micro-currency
    settled: bool = False  # the market's payments have it already: a reward does not count it again


@dataclass(frozen=True)
class Resource:
    """A resource's declaration; the functions are those that the kernels call."""

    state: tuple[str, ...]  # fields of `envs.types.State`; none where nothing lasts from period to period
    actions: tuple[Column, ...]
    observations: tuple[Column, ...]
    range_w: Mapping[int, Callable[..., float]]  # by direction, UP or DOWN: adjustable W for a quotation
    costs: tuple[Cost, ...]
