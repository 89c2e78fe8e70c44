"""What a node knows after a block: the chains' heads, certificates, open events, weights.

Facts are common to all chains of the ledger, whichever chain holds the record; what only one chain needs is its own
(`businesses.py`). Blocks come one by one in a fixed order, and `due` is the chain whose block is next.
`ChainState` answers questions and takes a `Change`; it never checks. Checking (`check.py`) reads the state
and makes a Change, so a refused block leaves no trace.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import consensus, merkle
from .blocks import Block
from .businesses import BusinessChain, chains_of
from .change import Change, Event, Refusal, refused_producers
from .contracts import Versions
from .encoding import Body
from .faults import FaultCode
from .identity import Certificate, Role, address_of
from .joining import Admission, Application, Conditions
from .levels import PRODUCERS, VOTERS
from .params import Signing, chain_id_of, params_of
from .turns import Weights
from .weights import WeightWindow


class ChainState:
    """State after the head; starts empty from a GENESIS body and takes the genesis block as its first
    change.
    """

    def __init__(self, genesis: Body) -> None:
        self.params = params_of(genesis)
        self.signing = self.params.signing_mode
        self.ledger_id = chain_id_of(genesis)
        self.time_s: int = genesis[1]
        self.authority_key: bytes = genesis[2]
        self.authority = address_of(self.authority_key)
        self.chains = chains_of(self.params, genesis)
        self.place = len(self.chains) - 1  # of the chain that is due; the main chain begins
        self.blocks = 0
        self._history = merkle.Frontier()  # of the main chain's blocks
        self.history_root = self._history.root()  # that the blocks of the coming height state, in all chains alike
        self.certificates: dict[bytes, Certificate] = {}  # in the order of certification, which orders the window
        self.serials: set[int] = set()
        self.revoked: set[int] = set()
        self.events: dict[int, Event] = {}
        self.last_period = -1
        self.last_status = -1
        self._index: dict[bytes, int] = {}
        self.window = WeightWindow(
            np.zeros(0, np.int64), self.params.window_periods, self.params.alpha_ppm, self.params.beta_ppm,
            self.params.credit_threshold_ppm,
        )  # fmt: skip
        self._sealed: list[Change] = []  # of the height that is being sealed
        self.handed_in: dict[str, dict[bytes, bytes]] = {}  # to its blocks so far, by business: sender -> root
        self._waiting: list[Change] = []  # the last height's energies and credits: weights lag two heights
        self.equivocators: set[bytes] = set()  # they neither produce nor vote
        self.readings: dict[bytes, int] = {}
        self.contracts: dict[bytes, Versions] = {}  # rules by name, with every version so far
        self.conditions: Conditions | None = None  # for joining; a chain without them has a closed roster
        self.applications: dict[bytes, Application] = {}  # undecided, by record id
        self.admissions: dict[bytes, Admission] = {}  # decided, by the application's record id
        self._since: dict[bytes, int] = {}  # height of a node's first certificate
        self._draws: dict[tuple[Refusal, ...], consensus.Draw] = {}
        self._weights: Weights | None = None  # of the block that is due

    @property
    def main(self) -> BusinessChain:
        """The dispatch chain, whose head is the ledger's."""
        return self.chains[-1]

    @property
    def due(self) -> BusinessChain:
        """The chain whose block is next."""
        return self.chains[self.place]

    @property
    def label(self) -> str:
        """What a fault calls the chain that is due: nothing where there is only one."""
        return self.due.name if len(self.chains) > 1 else ""

    @property
    def height(self) -> int:
        """The last height that all chains have sealed."""
        return self.main.height

    @property
    def head(self) -> bytes:
        """Hash of the main chain's last block: it binds all chains."""
        return self.main.head

    @property
    def record_count(self) -> int:
        """Records of all chains."""
        return sum(chain.record_count for chain in self.chains)

    @property
    def closed(self) -> bool:
        """Whether every chain has its closing record."""
        return all(chain.closed for chain in self.chains)

    @property
    def other_roots(self) -> int:
        """How many roots a submission states besides its own: a period's signature covers all chains."""
        return len(self.chains) - 1 if self.signing is Signing.PERIOD else 0

    def links(self) -> tuple[bytes, ...]:
        """What the block that is due links: the other chains' heads; nothing before genesis."""
        return tuple(chain.head for chain in self.chains if chain is not self.due) if self.blocks else ()

    def block_time_s(self, height: int) -> int:
        """The time that a block of this height must state, in seconds."""
        return self.time_s + self.params.period_s * height

    def public_key(self, address: bytes) -> bytes | None:
        """The key of the authority or of a certified node, whatever its validity."""
        if address == self.authority:
            return self.authority_key
        certificate = self.certificates.get(address)
        return None if certificate is None else certificate.public_key

    def role(self, address: bytes) -> Role | None:
        """What a node is certified as; None for a stranger."""
        if address == self.authority:
            return Role.AUTHORITY
        certificate = self.certificates.get(address)
        return None if certificate is None else certificate.role

    def standing(self, address: bytes, height: int) -> FaultCode | None:
        """Why `address` may not act at `height`; None when it may."""
        if address == self.authority:
            return None
        certificate = self.certificates.get(address)
        if certificate is None:
            return FaultCode.UNKNOWN_SENDER
        if certificate.serial in self.revoked:
            return FaultCode.REVOKED
        return None if certificate.is_valid_at(height) else FaultCode.CERTIFICATE

    def committee(self, height: int, refused: Sequence[bytes] = ()) -> list[bytes]:
        """The validators of the block that is due, by address: the delegates where its chain's rule has some, else
        ENO and aggregators in good standing.
        """
        if self.due.turns.rule.elect is not None:
            return self.due.turns.council(self.weights(), refused) or []
        return self.standing_committee(height)

    def standing_committee(self, height: int) -> list[bytes]:
        """The validators of chains without delegates: ENO and aggregators in good standing, by address."""
        return sorted(
            address
            for address, certificate in self.certificates.items()
            if certificate.role in VOTERS
            and address not in self.equivocators
            and self.standing(address, height) is None
        )

    def validators(self) -> tuple[list[bytes], int | None]:
        """Who votes on the main chain's coming blocks, by address, and up to which height: delegates for the rest of
        their cycle, which refused turns make shorter; without delegates None, as long as their certificates last.
        """
        turns = self.main.turns
        if turns.rule.elect is None:
            return self.standing_committee(self.height + 1), None
        weights = self._weigh(self.main)
        return turns.council(weights, ()) or [], self.height + turns.tenure(weights)

    def weights(self) -> Weights:
        """What everybody that may produce the block that is due weighs under its chain's rule, in the order of
        certification.
        """
        if self._weights is None:
            self._weights = self._weigh(self.due)
        return self._weights

    def _weigh(self, chain: BusinessChain) -> Weights:
        height, revoked, equivocators = self.height + 1, self.revoked, self.equivocators
        nodes = [
            (address, certificate)
            for address, certificate in self.certificates.items()
            if certificate.role in PRODUCERS
            and address not in equivocators
            and certificate.serial not in revoked
            and certificate.is_valid_at(height)
        ]
        match chain.turns.rule.weight:
            case "energy":
                energy = self.window.weights().tolist()
                return {address: energy[self._index[address]] for address, _ in nodes}
            case "score":
                scores = self.window.scores()
                return {address: scores[self._index[address]] for address, _ in nodes}
            case "stake":
                held = {address: height - self._since[address] for address, _ in nodes}
                longest = self.params.window_periods
                return {address: node.capacity_w * min(held[address], longest) for address, node in nodes}
            case _:
                return dict.fromkeys((address for address, _ in nodes), 1)

    def draw(self, refusals: Sequence[Refusal] = ()) -> consensus.Draw:
        """The producer of the block that is due after those refused at this height, and without those that did not
        await their turn at the last one; ValueError when nobody is left.
        """
        key = tuple(refusals)
        if key not in self._draws:
            first_round = max((each.round + 1 for each in refusals if each.height > self.height), default=0)
            refused = [refusal.producer for refusal in refusals]
            due = self.due
            self._draws[key] = due.turns.draw(due.seed, self.height + 1, first_round, self.weights(), refused)
        return self._draws[key]

    def apply(self, block: Block, change: Change) -> None:
        """Take a checked block of the chain that is due."""
        due = self.due
        if self.blocks and due.turns.rule.elect is not None:
            due.turns.advance(self.weights(), refused_producers(block))
        self._sealed.append(change)
        self.handed_in[due.name] = {each.sender: each.root for each in block.submissions}
        if due is self.main:  # the height is complete
            self._ripen()
            self._sealed, self._waiting = [], self._sealed
            self.handed_in = {}
        self._certify(change.certificates)
        for address, (generated_wh, consumed_wh) in change.histories.items():
            self.window.fill(self._index[address], generated_wh, consumed_wh)
        self.revoked |= change.revoked
        self.events.update(change.events)
        if change.last_period is not None:
            self.last_period = change.last_period
        if change.last_status is not None:
            self.last_status = change.last_status
        self.equivocators |= change.equivocators
        for chain in self.chains:  # a ballot counts wherever there are delegates
            chain.turns.ballots |= change.ballots
        self.readings |= change.readings
        self.contracts |= change.contracts
        self.conditions = change.conditions or self.conditions
        self.admissions |= change.admissions
        undecided = self.applications | change.applications
        self.applications = {key: each for key, each in undecided.items() if key not in self.admissions}
        due.take(block, change.nonces, change.closed)
        if due is self.main:
            self._history.append(merkle.leaf_hash(block.hash))
            self.history_root = self._history.root()
        if not self.blocks:
            for chain in self.chains[:-1]:
                chain.branch_off(block)
        self.blocks += 1
        self.place = (self.place + 1) % len(self.chains)
        self._draws, self._weights = {}, None

    def _certify(self, certificates: list[Certificate]) -> None:
        newcomers = [each for each in certificates if each.address not in self._index]
        if newcomers:
            self.window.grow(np.array([each.capacity_w for each in newcomers], np.int64))
        for certificate in certificates:
            address = certificate.address
            self.serials.add(certificate.serial)
            self.certificates[address] = certificate  # a renewal keeps its place
            self._since.setdefault(address, self.height + 1)
            node = self._index.setdefault(address, len(self._index))
            self.window.set_capacity(node, certificate.capacity_w)

    def _ripen(self) -> None:
        """Let the height before the last one count for the draws after the coming height."""
        nodes = len(self._index)
        for period in (period for change in self._waiting for period in change.verified):
            energy_wh = np.zeros((2, nodes), np.int64)
            if period:
                energy_wh[:, [self._index[address] for address in period]] = list(zip(*period.values(), strict=True))
            self.window.roll(energy_wh)
        credits_ppm = {address: value for change in self._waiting for address, value in change.credits.items()}
        if credits_ppm:
            credit_ppm = self.window.credit_ppm.copy()
            credit_ppm[[self._index[address] for address in credits_ppm]] = list(credits_ppm.values())
            self.window.set_credit(credit_ppm)
