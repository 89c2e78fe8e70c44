"""The draw of producers without a chain: who would have sealed, when no ledger is kept.

A draw depends on the first seed, the verified energies and the credits alone, so a run without a ledger names (and
punishes) the same producers as a run with one. The lag is the chains': what height h holds weighs in from height h + 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .businesses import business_salt
from .consensus.base import first_seed, next_seed
from .levels import PRODUCERS
from .params import Params
from .proposal import History
from .roster import Roster
from .turns import Conduct, Turns, Weights
from .weights import Int64Array, WeightWindow

_Results = tuple[Int64Array, Int64Array, Int64Array]  # generated Wh, consumed Wh, credit ppm, by node


@dataclass
class _Draws:
    """What one business's chain draws by."""

    turns: Turns
    seed: bytes
    unawaited: list[int] = field(default_factory=list)  # nodes that signed before their turn at the last height


class Lottery:
    """Seeds and weights of one run; ``produce`` and ``push`` alternate, a period each."""

    def __init__(self, params: Params, roster: Roster, history: History, name: bytes, time_s: int) -> None:
        self.params, self.roster = params, roster
        certificates = [member.certificate for member in roster.members if member.certificate is not None]
        self.addresses = [member.address for member in roster.members]
        self.stands = [certificate.role in PRODUCERS for certificate in certificates]
        self.capacity_w = [certificate.capacity_w for certificate in certificates]
        capacity_w = np.array(self.capacity_w, np.int64)
        self.window = WeightWindow(
            capacity_w, params.window_periods, params.alpha_ppm, params.beta_ppm, params.credit_threshold_ppm
        )
        for node in range(len(roster)):
            self.window.fill(node, history[0][node], history[1][node])
        genesis = roster.authority.address  # the authority made the genesis block
        self.chains = [
            _Draws(Turns(params, rule), next_seed(first_seed(name, time_s, business_salt(business)), genesis))
            for business, rule in params.businesses
        ]
        self.height = 0
        self._accused: set[int] = set()  # equivocators of the last height: the coming dispatch block has the evidence
        self._lived: _Results | None = None  # to be held by the coming block
        self._sealed: _Results | None = None  # held by the head, not weighed yet

    def produce(self, conduct: Sequence[int]) -> tuple[int, list[int]]:
        """Draw in every chain until a node is due that seals an honest block; (index of the main chain's producer, the
        nodes refused, in the order of the chains).

        conduct: `Conduct` by node index; shorter than the roster where the rest is honest.
        """
        conduct = [*conduct, *[Conduct.HONEST] * (len(self.roster) - len(conduct))]
        refused: list[int] = []
        for chain in self.chains:
            producer, turned_away = self._draw(chain, conduct)
            refused += turned_away
        self._seal([node for node in refused if conduct[node] == Conduct.EQUIVOCATES])
        return producer, refused

    def _draw(self, chain: _Draws, conduct: Sequence[int]) -> tuple[int, list[int]]:
        refused: list[int] = []
        first_round = 0
        weights = self._weights(chain.turns.rule.weight)
        while True:
            passed_over = [self.addresses[node] for node in (*chain.unawaited, *refused)]
            draw = chain.turns.draw(chain.seed, self.height + 1, first_round, weights, passed_over)
            node = self.roster.index_of[draw.producer]
            first_round = draw.round + 1
            if conduct[node] in (Conduct.HONEST, Conduct.JUMPS):
                break
            refused.append(node)
        impatient: list[int] = []
        if Conduct.JUMPS in conduct:
            following = self._next_in_line(chain, weights, first_round, [*passed_over, draw.producer])
            impatient = [each for each in following if conduct[each] == Conduct.JUMPS]
        chain.turns.advance(weights, passed_over)
        chain.seed = next_seed(chain.seed, draw.producer)
        chain.unawaited = impatient
        return node, [*refused, *impatient]

    def _next_in_line(self, chain: _Draws, weights: Weights, first_round: int, passed_over: list[bytes]) -> list[int]:
        """Who would be due if the producer that is due were absent; nobody where nobody is left."""
        try:
            draw = chain.turns.draw(chain.seed, self.height + 1, first_round, weights, passed_over)
        except ValueError:
            return []
        return [self.roster.index_of[draw.producer]]

    def _weights(self, measure: str) -> Weights:
        """As `ChainState.weights` for a roster that is certified at genesis."""
        if measure == "energy":
            values = self.window.weights().tolist()
        elif measure == "score":
            values = self.window.scores()
        elif measure == "stake":
            held = min(self.height + 1, self.params.window_periods)
            values = [capacity_w * held for capacity_w in self.capacity_w]
        else:
            values = [1] * len(self.addresses)
        everybody = zip(self.addresses, values, self.stands, strict=True)
        return {address: value for address, value, stands in everybody if stands}

    def push(self, generated_wh: Int64Array, consumed_wh: Int64Array, credit_ppm: Int64Array) -> None:
        """Results of the period just lived, of the first nodes of the roster; the others keep what they have."""
        energy = np.zeros((2, len(self.roster)), np.int64)
        energy[:, : len(generated_wh)] = generated_wh, consumed_wh
        credit = self.window.credit_ppm.copy()
        credit[: len(credit_ppm)] = credit_ppm
        self._lived = (energy[0], energy[1], credit)

    def _seal(self, accused: Sequence[int]) -> None:
        if self._sealed is not None:
            self.window.push(*self._sealed)
        self._sealed, self._lived = self._lived, None
        for node in self._accused:
            self.stands[node] = False
        self._accused = set(accused)
        self.height += 1
