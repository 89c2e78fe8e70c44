"""Delegated Proof of Stake: nodes vote with their verified energy, the delegates take turns by votes.

A node that named nobody on the chain votes for itself. A delegate whose block is refused loses its turn, no more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .base import seated

WEIGHT = "energy"
BARS_REFUSED = False


def elect(
    weights: Mapping[bytes, int], candidates: Collection[bytes], ballots: Mapping[bytes, bytes], seats: int
) -> list[bytes]:
    """At most `seats` of the candidates in the order of their turns.

    weights: what each voter's vote counts; ballots: whom a voter named (the latest on the chain).
    """
    votes = dict.fromkeys(candidates, 0)
    for voter, weight in weights.items():
        choice = ballots.get(voter) or voter  # an empty ballot takes the vote back
        if choice in votes:
            votes[choice] += weight
    return seated(votes, seats)


def enough(other_votes: int, seats: int) -> bool:
    """Whether a block stands: with the producer's own vote more than two thirds of the delegates."""
    return 3 * (other_votes + 1) > 2 * seats
