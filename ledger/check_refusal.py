"""The check of a REFUSAL: who was due, and the header that it signed in that turn, or before its turn had come.

What a REFUSAL states is compared here with the ledger alone. Whether it is what happened is for the validators, who
were there: they vote for no block whose refusals are not those that they hold (`candidate.check_witnessed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from .blocks import Header, block_digest, parse_header
from .change import Refusal
from .check_records import Examination
from .faults import FaultCode
from .identity import verify
from .params import Signing
from .records import Record


def check_refusal(work: Examination, position: int, record: Record, earlier: Sequence[Refusal]) -> Refusal:
    """A refusal names the producer that was due after the earlier refusals, and holds what it signed in that turn; or
    one that at the height before signed a block although the turn before its own had not come to nothing.
    """
    turn = Refusal(*record.body)
    own = record.sender == work.block.header.producer
    work.require(own, FaultCode.REFUSAL, "a refusal is by this block's producer", position)
    known = turn.fault in FaultCode.__members__.values()
    work.require(known, FaultCode.REFUSAL, f"unknown fault {turn.fault}", position)
    if turn.height == work.state.height:
        _check_unawaited(work, position, turn, earlier)
    else:
        _check_turn(work, position, turn, earlier)
    return turn._replace(fault=FaultCode(turn.fault))


def _check_turn(work: Examination, position: int, turn: Refusal, earlier: Sequence[Refusal]) -> None:
    """A turn of this height that came to nothing."""
    this = turn.height == work.block.header.height
    work.require(this, FaultCode.REFUSAL, "a refusal is for this height or the one before", position)
    try:
        due = work.state.draw(earlier)
    except ValueError as error:
        work.refuse(FaultCode.REFUSAL, str(error), position)
    in_turn = (due.producer, due.round) == (turn.producer, turn.round)
    work.require(in_turn, FaultCode.REFUSAL, "the refused producer was not due", position)
    if turn.fault == FaultCode.ABSENT:
        empty = not turn.header and not turn.signature
        work.require(empty, FaultCode.REFUSAL, "an absence has no block", position)
    else:
        _check_evidence(work, position, turn)


def _check_unawaited(work: Examination, position: int, turn: Refusal, earlier: Sequence[Refusal]) -> None:
    """A block of the height before, in the place of the one that was sealed but of a later turn: it can only be there
    because its producer claimed of the sealed block's that its turn had come to nothing.
    """
    chain = work.state.due
    later = chain.height > 0 and turn.round > chain.round and turn.producer != chain.producer
    work.require(later, FaultCode.REFUSAL, "no turn after the one in which the last block was sealed", position)
    named = turn.fault == FaultCode.UNWITNESSED and turn.producer not in [each.producer for each in earlier]
    work.require(named, FaultCode.REFUSAL, "of the height before, one claim a producer that nobody witnessed", position)
    header = _check_evidence(work, position, turn)
    there = header.previous == chain.before_head
    work.require(there, FaultCode.REFUSAL, "the refused block is not in the place of the last one", position)


def _check_evidence(work: Examination, position: int, turn: Refusal) -> Header:
    """The refused header is of this very turn: a signature on a block of another one says nothing about it."""
    state = work.state
    try:
        header = parse_header(turn.header)
    except ValueError as error:
        work.refuse(FaultCode.REFUSAL, f"not a refused block: {error}", position)
    stated = (header.chain_id, header.height, header.producer, header.round)
    due = (state.due.chain_id, turn.height, turn.producer, turn.round)
    work.require(stated == due, FaultCode.REFUSAL, "the refused block is not of the turn that was due", position)
    if state.signing is Signing.NONE:
        work.require(not turn.signature, FaultCode.REFUSAL, "a signature where none is made", position)
        return header
    key = state.public_key(turn.producer)
    signed = key is not None and verify(key, turn.signature, block_digest(sha256(turn.header).digest()))
    work.require(signed, FaultCode.REFUSAL, "the refused block is not signed by its producer", position)
    return header
