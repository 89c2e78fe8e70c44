"""Node levels (paper 004): what a node of each level may read, and whether it produces blocks and votes on them.

RIGHTS is the one table: the committee, the draws and read access ask it. What a node may write goes by its role
(`records.SENDERS`). Paper 004 keeps light nodes out of the consensus, paper 000 draws every site by its energy: here
sites are drawn, but don't vote, and a node that is drawn gets the block's records from a node that may read them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from .identity import Role


class Level(IntEnum):
    """Dispatch centre, sub-centres, keepers of all data, and sites."""

    SUPER = 0
    CONSENSUS = 1
    FULL = 2
    LIGHT = 3


class Rights(NamedTuple):
    """What a level may do; whoever does not read all reads its own records and those that concern everybody."""

    reads_all: bool
    produces: bool
    votes: bool


RIGHTS = {
    Level.SUPER: Rights(reads_all=True, produces=True, votes=True),
    Level.CONSENSUS: Rights(reads_all=True, produces=True, votes=True),
    Level.FULL: Rights(reads_all=True, produces=False, votes=False),
    Level.LIGHT: Rights(reads_all=False, produces=True, votes=False),
}

LEVEL_OF = {
    Role.AUTHORITY: Level.FULL,  # it certifies and registers rules: not a party to the consensus on what it wrote
    Role.ENO: Level.SUPER,
    Role.AGGREGATOR: Level.CONSENSUS,
    Role.PROSUMER: Level.LIGHT,
    Role.COUNTERPARTY: Level.FULL,
}


def rights_of(role: Role) -> Rights:
    """What a node of this role may do."""
    return RIGHTS[LEVEL_OF[role]]


PRODUCERS = frozenset(role for role in Role if rights_of(role).produces)
VOTERS = frozenset(role for role in Role if rights_of(role).votes)
