"""Where misconduct enters a period: policies emit intentions, behaviours corrupt them for the sites that play them.

A behaviour is a file in ``agents/behaviours`` with any of seven functions; what it does not define stays honest. Each
gets
``who``, the (B, N) mask of its players, and its ``intensity``; arrays are changed in place.

    quote(quotes: Quotes, who, intensity)       what is offered to the market
    deliver(fraction: Floats, who, intensity)   share of an ordered change that is carried out
    meter(claims: Claims, who, intensity)       what the meter reports
    forge(who, intensity) -> Bools              who alters the block when it is their turn to seal one
    misstate(who, intensity) -> Bools           who does so with the operator, so that every signature holds
    equivocate(who, intensity) -> Bools         who signs two blocks when it is their turn to seal one
    jump(who, intensity) -> Bools               who claims, when they come next, that the one who is due is absent
"""

from __future__ import annotations

import numpy as np

from envs.mechanisms import Mechanisms
from envs.types import Bools, Claims, Energy, Floats, Ints, Quotes, State
from ledger.turns import Conduct

# What a behaviour makes of its turns, by hook; of several the last counts.
TURNS = {
    "jump": Conduct.JUMPS, "equivocate": Conduct.EQUIVOCATES, "forge": Conduct.FORGES, "misstate": Conduct.MISSTATES,
}  # fmt: skip


def _players(mechanisms: Mechanisms, state: State, hook: str) -> list[tuple[int, Bools]]:
    return [
        (index, state.malicious == index) for index, module in enumerate(mechanisms.behaviours) if hasattr(module, hook)
    ]


def corrupt_quotes(mechanisms: Mechanisms, state: State, quotes: Quotes) -> None:
    """False quotation and its relatives; quantities and prices stay integers of at least 0.

    Raises:
        ValueError: a behaviour that left something else; names it.
    """
    for index, who in _players(mechanisms, state, "quote"):
        module = mechanisms.behaviours[index]
        module.quote(quotes, who, mechanisms.intensities[index])
        for name in ("block_wh", "block_price", "opening_price", "limit_price"):
            values = getattr(quotes, name)
            if values.dtype != np.int64 or values.min() < 0:
                raise ValueError(f"behaviour {module.__name__}: {name} must stay integers of at least 0")


def delivered_fraction(mechanisms: Mechanisms, state: State) -> Floats:
    """(B, N) share of an ordered change that each site carries out; 1 for the honest."""
    fraction = np.ones(state.malicious.shape)
    for index, who in _players(mechanisms, state, "deliver"):
        mechanisms.behaviours[index].deliver(fraction, who, mechanisms.intensities[index])
    return fraction


def claimed(mechanisms: Mechanisms, state: State, energy: Energy) -> Claims:
    """What the meters report: the truth, but for those who falsify it."""
    claims = Claims(energy.generated_wh.copy(), energy.consumed_wh.copy(), energy.storage_wh.copy())
    for index, who in _players(mechanisms, state, "meter"):
        mechanisms.behaviours[index].meter(claims, who, mechanisms.intensities[index])
    return claims


def conduct_of(mechanisms: Mechanisms, state: State) -> Ints:
    """(B, N) ``ledger.turns.Conduct``: what each site makes of its turns to seal a block."""
    conduct = np.zeros(state.malicious.shape, np.int64)
    for hook, kind in TURNS.items():
        for index, who in _players(mechanisms, state, hook):
            conduct[getattr(mechanisms.behaviours[index], hook)(who, mechanisms.intensities[index])] = kind
    return conduct
