"""What a sound block changes, and what others speak of too: turns that came to nothing, the records of an event."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .blocks import Block
from .contracts import Versions
from .faults import FaultCode
from .identity import Certificate
from .joining import Admission, Application, Conditions
from .kinds import Kind
from .weights import Int64Array


class Refusal(NamedTuple):
    """A producer's turn that came to nothing: its refused block, or its absence (both byte strings empty). Of the
    height before, the block of a producer that did not await its turn. In the order of a REFUSAL record's body.

    The evidence is the block's whole header: a hash would not tell of which chain, height and round it is.
    """

    height: int
    round: int
    producer: bytes
    fault: FaultCode
    header: bytes  # as encoded
    signature: bytes


class Link(NamedTuple):
    """A record of an event on the chain."""

    id: bytes
    height: int


Event = dict[Kind, Link]


def refused_producers(block: Block) -> list[bytes]:
    """The producers that were passed over in this block's draw: their turns came to nothing, or they had not awaited
    them at the height before.
    """
    return [record.body[2] for _, record in block.refusals]


@dataclass
class Change:
    """What a sound block does to the state."""

    nonces: dict[bytes, int] = field(default_factory=dict)
    events: dict[int, Event] = field(default_factory=dict)
    certificates: list[Certificate] = field(default_factory=list)
    histories: dict[bytes, tuple[Int64Array, Int64Array]] = field(default_factory=dict)
    revoked: set[int] = field(default_factory=set)
    verified: list[dict[bytes, tuple[int, int]]] = field(default_factory=list)  # a period each: site -> Wh
    last_period: int | None = None
    last_status: int | None = None
    credits: dict[bytes, int] = field(default_factory=dict)
    equivocators: set[bytes] = field(default_factory=set)
    ballots: dict[bytes, bytes] = field(default_factory=dict)
    readings: dict[bytes, int] = field(default_factory=dict)  # sender -> the last period that it reported
    contracts: dict[bytes, Versions] = field(default_factory=dict)
    conditions: Conditions | None = None
    applications: dict[bytes, Application] = field(default_factory=dict)
    admissions: dict[bytes, Admission] = field(default_factory=dict)
    closed: bool = False
