"""Verification of a ledger file by somebody who trusts nothing in it.

All chains are rebuilt from genesis by the same check that the network runs: hashes, Merkle roots, signatures,
certificates, links, draws. What a chain cannot show by itself is that it is the whole one, or the right one:
a chain without its CLOSING record may have lost its tail, and a wholly different chain may be sound too. The
head hash, kept elsewhere, tells both; a checkpoint signed by the authority tells it up to its height.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .ahead import Ahead
from .blocks import Block
from .check import check_votes, examine
from .checkpoint import Checkpoint
from .faults import Fault, FaultCode, LedgerFault
from .kinds import Kind
from .state import ChainState
from .store import Store, StoreError

CORES = min(os.cpu_count() or 1, 8)


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """One business's chain as far as it was found sound; hashes in hexadecimal."""

    business: str
    rule: str
    height: int
    records: int
    producers: int  # different ones
    refused: int  # turns that came to nothing
    head: str
    closed: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verification found; `fault` is None for a sound ledger. Counts cover the blocks before the fault, all
    chains together; `block` is the height of the faulty one in the chain `business`; `head` is the main chain's.
    """

    fault: str | None
    block: int | None
    record: int | None
    head: str
    blocks: int
    records: int
    events: int
    closed: bool
    signing: str
    business: str | None = None
    chains: tuple[ChainVerdict, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether no fault was found."""
        return self.fault is None


def next_state(state: ChainState | None, row: int, data: bytes) -> ChainState:
    """The state after the stored block `data`, the `row`-th of the ledger; LedgerFault names its first fault."""
    number, expected = (0, 0) if state is None else (state.blocks, state.height + 1)
    business = "" if state is None else state.label
    if row != number:
        detail = f"row {row} stands where row {number} is due"
        raise LedgerFault(Fault(FaultCode.HEIGHT, expected, detail, None, business))
    try:
        block = Block.from_bytes(data)
    except ValueError as error:
        raise LedgerFault(Fault(FaultCode.ENCODING, expected, str(error), None, business)) from error
    if state is None:
        state = _blank_state(block)
    change = examine(state, block)
    check_votes(state, block)
    state.apply(block, change)
    return state


def _blank_state(block: Block) -> ChainState:
    if not block.records or block.records[0].kind is not Kind.GENESIS:
        raise LedgerFault(Fault(FaultCode.GENESIS, 0, "the first record is no GENESIS"))
    try:
        return ChainState(block.records[0].body)
    except ValueError as error:
        raise LedgerFault(Fault(FaultCode.GENESIS, 0, str(error), 0)) from error


def _meet(checkpoint: Checkpoint, state: ChainState, ended: bool) -> None:
    """LedgerFault where the chain is not the checkpoint's, or has ended before it."""
    if ended and state.height < checkpoint.height:
        detail = f"the chain ends before the checkpoint of block {checkpoint.height}: its tail was cut"
        raise LedgerFault(Fault(FaultCode.CHECKPOINT, state.height + 1, detail))
    if state.height == 0 and (
        checkpoint.chain_id != state.ledger_id or not checkpoint.is_signed_by(state.authority_key)
    ):
        raise LedgerFault(Fault(FaultCode.CHECKPOINT, 0, "the checkpoint is of another chain or authority"))
    if state.height == checkpoint.height and state.head != checkpoint.block_hash:
        detail = f"{state.head.hex()} is not the checkpoint's {checkpoint.block_hash.hex()}: history was rewritten"
        raise LedgerFault(Fault(FaultCode.CHECKPOINT, state.height, detail))


def verify_rows(
    rows: Iterable[tuple[int, bytes]], closed: bool = True, head: bytes | None = None,
    checkpoint: Checkpoint | None = None, cores: int = 1,
) -> Verdict:  # fmt: skip
    """Check stored blocks in order. `closed`: the chain must end with its CLOSING record. `head`: the hash it
    must have. `checkpoint`: what it must pass through. `cores`: how many may verify signatures.
    """
    state: ChainState | None = None
    try:
        with Ahead(cores) as ahead:
            for row, data in ahead.rows(rows):
                ahead.state = state = next_state(state, row, data)
                if checkpoint is not None:
                    _meet(checkpoint, state, ended=False)
        if checkpoint is not None and state is not None:
            _meet(checkpoint, state, ended=True)
    except LedgerFault as refused:
        fault = refused.fault
        return _verdict(state, str(fault), fault.height, fault.record, fault.business or None)
    except StoreError as error:
        due = 0 if state is None else state.height + 1
        return _verdict(state, str(Fault(FaultCode.ENCODING, due, str(error))), due, None)
    if state is None:
        return _verdict(state, "block 0: GENESIS: the file holds no block", 0, None)
    if head is not None and head != state.head:
        detail = f"head is {state.head.hex()}, not {head.hex()}"
        return _verdict(state, str(Fault(FaultCode.CHECKPOINT, state.height, detail)), state.height, None)
    if closed and not state.closed:
        detail = "CLOSING: the chain is open: later blocks may be missing (--open accepts a running chain)"
        return _verdict(state, f"block {state.height + 1}: {detail}", state.height + 1, None)
    return _verdict(state, None, None, None)


def verify_file(
    path: str | Path, closed: bool = True, head: bytes | None = None, checkpoint: Checkpoint | None = None,
    cores: int = 1,
) -> Verdict:  # fmt: skip
    """Check a ledger file, arguments as `verify_rows`; StoreError when it is missing or no ledger."""
    store = Store.open(path)
    try:
        return verify_rows(store.rows(), closed, head, checkpoint, cores)
    finally:
        store.close()


def _verdict(
    state: ChainState | None, fault: str | None, block: int | None, record: int | None, business: str | None = None
) -> Verdict:
    if state is None:
        return Verdict(fault, block, record, "", 0, 0, 0, False, "")
    chains = tuple(
        ChainVerdict(
            each.name,
            each.turns.rule.name,
            each.height,
            each.record_count,
            len(each.producers),
            each.refused,
            each.head.hex(),
            each.closed,
        )
        for each in state.chains
    )
    return Verdict(
        fault, block, record, state.head.hex(), state.blocks, state.record_count, len(state.events),
        state.closed, state.params.signing, business, chains,
    )  # fmt: skip
