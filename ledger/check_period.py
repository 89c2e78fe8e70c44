"""One clock for all records: which period a block speaks of, and how often each node may.

Block t + 1 (the genesis block is block 0) holds what is promised for period t and what was metered, accepted and paid
in period t - 1, so that a promise is sealed before it is delivered. Nobody says a thing twice, so no meter reading,
order or offer has a second version to choose from.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from .kinds import Kind

PROMISED = frozenset((
    Kind.FORECAST, Kind.ESTIMATE, Kind.ORDER, Kind.OFFER, Kind.REGISTRATION, Kind.TRADE, Kind.PATHS,
))  # fmt: skip
LIVED = frozenset((Kind.READING, Kind.VERIFICATION, Kind.SETTLEMENT, Kind.CREDIT, Kind.GRID, Kind.STATUS))
SINGLE = (PROMISED | LIVED) - {Kind.TRADE}  # one a sender and period


@lru_cache(maxsize=16)  # a block is checked by its producer and by those who receive it
def due_periods(height: int) -> Mapping[Kind, int]:
    """The period that the records of a block must state in their first field, by kind; -1 where none has passed."""
    return dict.fromkeys(PROMISED, height - 1) | dict.fromkeys(LIVED, height - 2)
