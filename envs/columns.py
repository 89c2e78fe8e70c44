"""Entries of the vectors that agents see and set; resources declare their own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """One entry of an action or observation vector."""

    name: str
    meaning: str
    unit: str
    low: float
    high: float
