"""The check of a turn that came to nothing: who was due, and the header that it signed in that turn."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from .blocks import block_digest, parse_header
from .change import Refusal
from .check_records import Examination
from .consensus import Draw
from .faults import FaultCode
from .identity import verify
from .params import Signing
from .records import Record


def check_refusal(work: Examination, position: int, record: Record, earlier: Sequence[Refusal]) -> Refusal:
    """A refusal names the producer that was due after the earlier refusals, and holds what it signed in that turn."""
    height, round_number, producer, fault, header, signature = record.body
    work.require(
        height == work.block.header.height and record.sender == work.block.header.producer,
        FaultCode.REFUSAL, "a refusal is for this height and by this block's producer", position,
    )  # fmt: skip
    work.require(fault in FaultCode.__members__.values(), FaultCode.REFUSAL, f"unknown fault {fault}", position)
    try:
        due = work.state.draw(earlier)
    except ValueError as error:
        work.refuse(FaultCode.REFUSAL, str(error), position)
    work.require(
        (due.producer, due.round) == (producer, round_number),
        FaultCode.REFUSAL, "the refused producer was not due", position,
    )  # fmt: skip
    if fault == FaultCode.ABSENT:
        work.require(not header and not signature, FaultCode.REFUSAL, "an absence has no block", position)
    else:
        _check_evidence(work, position, due, header, signature)
    return Refusal(round_number, producer, FaultCode(fault), header, signature)


def _check_evidence(work: Examination, position: int, due: Draw, raw: bytes, signature: bytes) -> None:
    """The refused header is of this very turn: a signature on a block of another one says nothing about it."""
    state = work.state
    try:
        header = parse_header(raw)
    except ValueError as error:
        work.refuse(FaultCode.REFUSAL, f"not a refused block: {error}", position)
    stated = (header.chain_id, header.height, header.producer, header.round)
    turn = (state.due.chain_id, state.height + 1, due.producer, due.round)
    work.require(stated == turn, FaultCode.REFUSAL, "the refused block is not of the turn that was due", position)
    if state.signing is Signing.NONE:
        work.require(not signature, FaultCode.REFUSAL, "a signature where none is made", position)
        return
    key = state.public_key(due.producer)
    signed = key is not None and verify(key, signature, block_digest(sha256(raw).digest()))
    work.require(signed, FaultCode.REFUSAL, "the refused block is not signed by its producer", position)
