"""The businesses of a ledger and their chains (paper 002's combined chain).

Dispatch is the main chain. It begins with the genesis block, in which all chains root, keeps what is common
(identities, contracts, evidence) and is sealed last at every height: its block links the heads of the others, so its
hash, the ledger's head, binds all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from .blocks import Block, rows_root
from .consensus.base import first_seed, next_seed
from .encoding import Body
from .kinds import Kind
from .params import BUSINESSES, DISPATCH, Params, chain_id_of
from .turns import Turns

NO_HASH = bytes(32)
_BUSINESS_TAG = b"gridpact business"

OWN_KINDS = {
    "trading": frozenset((Kind.ORDER, Kind.TRADE, Kind.PATHS)),
    "credit": frozenset((Kind.REGISTRATION, Kind.CREDIT)),
}  # dispatch keeps the rest, and the kinds of a business that has no chain
EVERYWHERE = frozenset((Kind.REFUSAL, Kind.CLOSING))  # what a chain says of itself


@dataclass
class BusinessChain:
    """One business's chain: its rule and the state that no other chain shares."""

    name: str
    chain_id: bytes  # 16 bytes
    kinds: frozenset[Kind]  # that it may hold
    turns: Turns
    seed: bytes  # of the next block's draw
    height: int = -1
    head: bytes = NO_HASH
    before_head: bytes = NO_HASH
    producer: bytes = b""  # of the head
    round: int = 0  # in which the head's producer was drawn
    votes_root: bytes = rows_root(())
    record_count: int = 0
    refused: int = 0  # producers' turns that came to nothing
    producers: set[bytes] = field(default_factory=set)  # who has sealed a block after genesis
    nonces: dict[bytes, int] = field(default_factory=dict)
    closed: bool = False

    def take(self, block: Block, nonces: dict[bytes, int], closed: bool) -> None:
        """Make a checked block the head."""
        self.height, self.head, self.before_head = block.header.height, block.hash, block.header.previous
        self.producer, self.round = block.header.producer, block.header.round
        self.votes_root = rows_root(block.votes)
        self.record_count += len(block.records)
        self.refused += len(block.refusals)
        if block.header.height:
            self.producers.add(block.header.producer)
        self.nonces.update(nonces)
        self.seed = next_seed(self.seed, block.header.producer)
        self.closed = closed

    def branch_off(self, genesis: Block) -> None:
        """Begin after the common genesis block."""
        self.height, self.head = 0, genesis.hash
        self.seed = next_seed(self.seed, genesis.header.producer)


def business_chain_id(ledger_id: bytes, business: str) -> bytes:
    """16 bytes: the main chain carries the ledger's own id, a record of one business is foreign to every other."""
    return ledger_id if business == DISPATCH else sha256(_BUSINESS_TAG + ledger_id + business.encode()).digest()[:16]


def chains_of(params: Params, genesis: Body) -> tuple[BusinessChain, ...]:
    """The chains of a ledger in the order in which they are sealed, dispatch last, before the genesis block."""
    name, time_s, ledger_id = genesis[0], genesis[1], chain_id_of(genesis)
    present = [business for business, _ in params.businesses]
    elsewhere = frozenset[Kind]().union(*(OWN_KINDS.get(business, ()) for business in present))
    return tuple(
        BusinessChain(
            business,
            business_chain_id(ledger_id, business),
            (OWN_KINDS[business] if business != DISPATCH else frozenset(Kind) - elsewhere) | EVERYWHERE,
            Turns(params, rule),
            first_seed(name, time_s, business_salt(business)),
        )
        for business, rule in params.businesses
    )


def business_salt(business: str) -> bytes:
    """What tells the draws of one business from another's; the main chain's are those of a ledger with one chain."""
    return b"" if business == DISPATCH else business.encode()


def business_of(chain_id: bytes, ledger_id: bytes) -> str | None:
    """The business whose chain has this id; None for a foreign one."""
    return next((name for name in BUSINESSES if business_chain_id(ledger_id, name) == chain_id), None)
