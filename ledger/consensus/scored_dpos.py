"""DPoS with scores (paper 003, 3.3.2): delegates are elected by composite score and check the period's path list.

Every node votes with its score; the scores of those that named nobody go to the N nodes with the best scores, an equal
part each. The N delegates with most votes form the queue Q_block and take turns. A delegate's vote signs the header,
which holds the root H_block of the period's trades, and it votes only for the root that it computed itself: N/2 votes
of the others are N/2 delegates with H_veri = H_block. A refused producer loses its turn and may not stand for K
cycles; the next in the queue takes over. A new election is held only when the queue is empty.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .base import seated

WEIGHT = "score"
BARS_REFUSED = True


def elect(
    weights: Mapping[bytes, int], candidates: Collection[bytes], ballots: Mapping[bytes, bytes], seats: int
) -> list[bytes]:
    """At most `seats` of the candidates in the order of their turns.

    weights: scores by voter (`WeightWindow.scores`); ballots: whom a voter named (the latest on the chain).
    """
    votes = dict.fromkeys(candidates, 0)
    abstained = 0
    for voter, score in weights.items():
        choice = ballots.get(voter)
        if choice in votes:
            votes[choice] += score
        else:
            abstained += score
    best = seated({address: weights[address] for address in candidates}, seats)
    for address in best:
        votes[address] += abstained // len(best)
    return seated(votes, seats)


def enough(other_votes: int, seats: int) -> bool:
    """Whether a block stands: N/2 votes of the others, or all of them where there are fewer."""
    return 2 * other_votes >= min(seats, 2 * (seats - 1))
