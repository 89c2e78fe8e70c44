"""Who is due, whatever the rule: a lottery forgets, delegates keep a queue from block to block.

`draw` and `council` only look; `advance` takes a sealed block. Both a chain and a run without a ledger go through
here, so they name the same producers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum

from . import consensus
from .consensus.base import take_turn
from .params import Params

Weights = Mapping[bytes, int]  # address -> weight of everybody in good standing


class Conduct(IntEnum):
    """What a node makes of the turns of a height."""

    HONEST = 0
    FORGES = 1  # changes a record of somebody else in its block
    MISSTATES = 2  # signs another contract result, with the operator
    EQUIVOCATES = 3  # signs two blocks of one turn
    JUMPS = 4  # when it comes next, claims that the producer that is due did not turn up


class Turns:
    """The rule of a chain, and for delegates: queue, cycle, ballots, and who is barred until when."""

    def __init__(self, params: Params, rule: str) -> None:
        self.rule = consensus.rule(rule)
        self.params = params
        self.cycle = 0
        self.delegates: tuple[bytes, ...] = ()  # of the cycle
        self.queue: tuple[bytes, ...] = ()  # of them, those whose turn is to come
        self.ballots: dict[bytes, bytes] = {}
        self.barred_to: dict[bytes, int] = {}  # the last cycle for which an address may not stand

    def draw(
        self, seed: bytes, height: int, first_round: int, weights: Weights, refused: Sequence[bytes]
    ) -> consensus.Draw:
        """The producer due after those refused at this height; ValueError when nobody is left."""
        if self.rule.draw is not None:
            excluded = set(refused)
            addresses, shares = list(weights), list(weights.values())
            return self.rule.draw(seed, height, first_round, addresses, shares, self.params.gamma, excluded)
        line, _ = self._line(weights, refused)
        return take_turn(seed, height, first_round, line[0])

    def council(self, weights: Weights, refused: Sequence[bytes]) -> list[bytes] | None:
        """The delegates that vote on the coming block, by address; None where the rule has none."""
        if self.rule.elect is None:
            return None
        line, elected = self._line(weights, refused)
        return sorted(line if elected else (address for address in self.delegates if address in weights))

    def tenure(self, weights: Weights) -> int:
        """How many blocks the council of the coming one votes on, that one included, unless turns are refused: then
        fewer.
        """
        line, _ = self._line(weights, ())
        return len(line)

    def advance(self, weights: Weights, refused: Sequence[bytes]) -> None:
        """Take a block whose producer was the one due after `refused`."""
        if self.rule.elect is None:
            return
        line, elected = self._line(weights, refused)
        if elected:
            self.cycle += 1
            self.delegates = tuple(line)
        self.queue = tuple(line[1:])
        if self.rule.bars_refused:
            self.barred_to |= dict.fromkeys(refused, self.cycle + self.params.bar_cycles)

    def _line(self, weights: Weights, refused: Sequence[bytes]) -> tuple[list[bytes], bool]:
        """Those whose turn is to come, and whether they had to be elected for it."""
        assert self.rule.elect is not None
        standing = [address for address in weights if address not in refused]
        if not standing:
            raise ValueError("no address is left to draw from")
        line = [address for address in self.queue if address in weights and address not in refused]
        if line:
            return line, False
        free = [address for address in standing if self.barred_to.get(address, 0) <= self.cycle]
        weighty = [address for address in free if weights[address] > 0]
        candidates = weighty or free or standing  # rather a barred delegate than no block
        return self.rule.elect(weights, candidates, self.ballots, self.params.delegates), True
