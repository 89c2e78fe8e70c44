"""What validators hold a candidate against before they vote, beyond what the ledger itself shows.

Their own execution of the contracts and the path list, what the senders submitted to them, and what they witnessed of
the height's turns: whose block they refused, whose never came, who signed two. An outsider who verifies the ledger
later has none of it; for the outsider the votes stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest

from .blocks import Block
from .change import Refusal
from .check_records import Examination
from .encoding import Body
from .execution import RESULTS, Expected, result_fault
from .faults import Fault, FaultCode, LedgerFault
from .kinds import Kind
from .records import Draft
from .roster import Roster
from .state import ChainState

PathList = Callable[[Sequence[Body]], Body | None]  # bodies of a block's TRADE records → body of its PATHS, if any


def check_paths(state: ChainState, block: Block, path_list: PathList | None) -> None:
    """LedgerFault unless H_block = H_veri (paper 003, 3.3.2): each delegate routes the block's trades itself and
    votes for its own root alone. All compute the same here, so it is done once.
    """
    if path_list is None or Kind.PATHS not in state.due.kinds:
        return
    try:
        body = path_list([record.body for record in block.records if record.kind is Kind.TRADE])
    except ValueError as error:  # trades that cannot be routed, as those of nodes that are no sites
        raise LedgerFault(Fault(FaultCode.PATHS, block.header.height, str(error))) from error
    listed = [(n, record) for n, record in enumerate(block.records) if record.kind is Kind.PATHS]
    if [record.body for _, record in listed] == ([] if body is None else [body]):
        return  # the records are alike, and so are their roots
    position = listed[0][0] if listed else None
    detail = "the path list is not the one that the delegates compute from the trades"
    Examination(state, block).refuse(FaultCode.PATHS, detail, position)


def check_submitted(state: ChainState, block: Block, submitted: Block) -> None:
    """LedgerFault where the records are not those of `submitted`, which stands for what the senders know."""
    mine, theirs = ([record.raw for record in each.records] for each in (submitted, block))
    for position, (due, found) in enumerate(zip_longest(mine, theirs)):
        if due != found:
            detail = "the records are not what their senders submitted"
            Examination(state, block).refuse(FaultCode.SUBMISSION, detail, position)


def check_results(state: ChainState, block: Block, roster: Roster, executed: Sequence[Draft]) -> None:
    """LedgerFault at the first contract result that is not what the validators executed."""
    kinds = state.due.kinds & RESULTS
    expected = [
        Expected("contract", Kind(kind), roster.members[sender].address, event, body)
        for kind, sender, event, body in executed
        if kind in kinds
    ]
    fault = result_fault(block.records, expected, block.header.height)
    if fault is not None:
        raise LedgerFault(replace(fault, business=state.label))


def check_witnessed(state: ChainState, block: Block, witnessed: Sequence[Refusal]) -> None:
    """LedgerFault where the REFUSAL records are not, one by one, the turns that the validators saw come to nothing.

    A later producer can't talk an earlier one away: who was there in its turn has no refusal among these, and who was
    refused has it for what was wrong with the very header that was shown.
    """
    work = Examination(state, block)
    stated = [(position, Refusal(*record.body)) for position, record in block.refusals]
    for place, seen in zip_longest(stated, witnessed):
        if place is None:
            work.refuse(FaultCode.UNWITNESSED, f"the refusal of {seen.producer.hex()} is missing")
        position, turn = place
        if turn != seen:
            claim = f"{turn.producer.hex()} in round {turn.round} is refused as {FaultCode(turn.fault).name}"
            work.refuse(FaultCode.UNWITNESSED, f"{claim}: no validator witnessed it", position)


def check_single(state: ChainState, block: Block, shown: Sequence[Block]) -> None:
    """LedgerFault where its producer showed another block of the height to other validators, who compare headers before
    they vote.
    """
    header = block.header
    mine = (header.chain_id, header.height, header.producer)
    for other in shown:
        theirs = (other.header.chain_id, other.header.height, other.header.producer)
        if mine == theirs and other.header_raw != block.header_raw:
            detail = f"its producer showed another block of this height, {other.hash.hex()}"
            Examination(state, block).refuse(FaultCode.EQUIVOCATION, detail)
