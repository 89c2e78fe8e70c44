"""A chain as its network keeps it: drafts in, sealed blocks out, every block checked before it counts.

    chain = Chain.create(Params(), roster, history, store=Store.create(path))
    block = chain.seal(drafts)                          # draw, propose, check, votes, append
or, with producers that may cheat, step by step:
    draw = chain.draw(refusals)
    candidate = chain.propose(drafts, draw, refusals)
    fault = chain.check_candidate(chain.forge(candidate))
    refusals.append(chain.refuse(candidate, fault))     # and draw again
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from . import consensus, forgery, merkle
from .blocks import (
    BLOCK_VERSION,
    Block,
    Header,
    Submission,
    Vote,
    block_digest,
    rows_root,
    submission_digest,
    vote_digest,
)
from .blocks import trade_root as trades_root
from .check import check_votes, examine, submission_roots
from .encoding import Body, encode
from .faults import Fault, FaultCode, LedgerFault
from .identity import sign
from .params import Params, Signing, genesis_body
from .records import PREDECESSOR, Draft, Kind, Record
from .roster import AUTHORITY, Roster
from .state import NO_HASH, ChainState, Change, Event, Link, Refusal
from .weights import Int64Array

History = tuple[Int64Array, Int64Array]  # generated and consumed Wh, [nodes, periods], oldest first


class BlockStore(Protocol):
    """Where sealed blocks go."""

    def append(self, block: Block) -> None:
        """Keep a block for good before returning."""


class Chain:
    """One chain, its state, and the keys of its nodes."""

    def __init__(self, state: ChainState, roster: Roster, genesis: Block, store: BlockStore | None) -> None:
        self.state = state
        self.roster = roster
        self.genesis = genesis
        self.store = store

    @classmethod
    def create(
        cls,
        params: Params,
        roster: Roster,
        history: History | None = None,
        extra_records: Sequence[Draft] = (),
        time_s: int = 0,
        name: bytes = b"",
        store: BlockStore | None = None,
    ) -> Chain:
        """A chain with its genesis block: settings, certificates, the week before, further records of the
        authority.

        history: int64 arrays of Wh, [len(roster), <= window]. `name` tells chains with the same settings and
        time apart (scenario, seed, episode): it enters the chain id. LedgerFault when a record is not
        allowed.
        """
        body = genesis_body(params, name, time_s, roster.authority.public_key)
        drafts = [Draft(Kind.GENESIS, AUTHORITY, 0, body)]
        for member in roster.members:
            if member.certificate is not None:
                drafts.append(Draft(Kind.CERTIFICATE, AUTHORITY, 0, list(member.certificate.body())))
        drafts += _history_drafts(roster, history)
        drafts += extra_records
        state = ChainState(body)
        draw = consensus.Draw(roster.authority.address, 0, 0, NO_HASH)
        genesis = _assemble(state, roster, _make_records(state, roster, drafts, ()), draw)
        chain = cls(state, roster, genesis, store)
        chain.append(genesis)
        return chain

    @property
    def head(self) -> bytes:
        """Hash of the last block."""
        return self.state.head

    @property
    def height(self) -> int:
        """Height of the last block; 0 after genesis."""
        return self.state.height

    @property
    def chain_id(self) -> bytes:
        """16 bytes that every record and header of this chain holds."""
        return self.state.chain_id

    def event(self, event: int) -> Event:
        """The records of an event so far: kind -> (record id, height)."""
        return dict(self.state.events.get(event, {}))

    def draw(self, refusals: Sequence[Refusal] = ()) -> consensus.Draw:
        """The producer of the next block after the turns already refused at this height."""
        return self.state.draw(refusals)

    def propose(
        self, drafts: Sequence[Draft], draw: consensus.Draw | None = None, refusals: Sequence[Refusal] = ()
    ) -> Block:
        """The honest candidate: records from the drafts in their order, refusals first, signed, without
        votes.

        DTX, VTX and ATX drafts may leave body[0] empty (b"") and an ATX its trail ([]): the chain fills in
        the ids. Encoding or schema errors raise ValueError; whether the block is sound is for the check.
        """
        due = draw if draw is not None else self.draw(refusals)
        producer = self.roster.index_of[due.producer]
        turns = [
            Draft(Kind.REFUSAL, producer, 0, [
                self.height + 1, turn.round, turn.producer, int(turn.fault), turn.block_hash, turn.signature])
            for turn in refusals
        ]  # fmt: skip
        return _assemble(self.state, self.roster, _make_records(self.state, self.roster, drafts, turns), due)

    def check_candidate(self, block: Block, submitted: Block | None = None) -> Fault | None:
        """The first fault of a block before the vote. With signing "none" no signature can tell a forged
        record from its sender's; `submitted`, the honest candidate, then stands for what the senders know
        they submitted.
        """
        try:
            examine(self.state, block)
        except LedgerFault as refused:
            return refused.fault
        if submitted is not None:
            for position, (mine, theirs) in enumerate(zip(submitted.records, block.records, strict=False)):
                if mine.raw != theirs.raw:
                    detail = f"the record is not what {mine.sender.hex()} submitted"
                    return Fault(FaultCode.SUBMISSION, block.header.height, detail, position)
        return None

    def check(self, block: Block) -> Fault | None:
        """The first fault of a voted block as the next one of this chain; None when it is sound."""
        try:
            examine(self.state, block)
            check_votes(self.state, block)
        except LedgerFault as refused:
            return refused.fault
        return None

    def append(self, block: Block) -> None:
        """Check a block in full, store it, take it; LedgerFault when it is not sound (nothing changes
        then).
        """
        change = examine(self.state, block)
        check_votes(self.state, block)
        self._take(block, change)

    def seal(
        self, drafts: Sequence[Draft], draw: consensus.Draw | None = None, refusals: Sequence[Refusal] = ()
    ) -> Block:
        """Propose, check once, vote, store and take a block; LedgerFault when the drafts make no sound
        block.
        """
        return self.seal_candidate(self.propose(drafts, draw, refusals))

    def seal_candidate(self, candidate: Block) -> Block:
        """Check a candidate once, let the committee vote, store and take it."""
        change = examine(self.state, candidate)
        block = candidate.with_votes(self._votes(candidate))
        self._take(block, change)
        return block

    def close(self, sender: int, drafts: Sequence[Draft] = (), refusals: Sequence[Refusal] = ()) -> Block:
        """Seal the last block: `drafts`, then the ENO's CLOSING record. A chain without it may have lost its
        tail.
        """
        count = self.state.record_count + len(drafts) + len(refusals) + 1
        closing = Draft(Kind.CLOSING, sender, 0, [self.height + 2, count, self.head])
        return self.seal([*drafts, closing], None, refusals)

    def forge(self, block: Block, position: int | None = None, body: Body | None = None) -> Block:
        """A copy of a candidate in which its producer changed a record of somebody else in its own favour.

        It rebuilds every root and signs again all that it can sign itself: header and its own records.
        `position` and `body` choose the record and its new body; left out, see `forgery.in_own_favour`.
        """
        producer = block.header.producer
        if position is None:
            position, body = forgery.in_own_favour(block.records, producer)
        records = list(block.records)
        old = records[position]
        new_body = old.body if body is None else body
        records[position] = Record.create(
            old.chain_id, old.kind, old.sender, old.nonce, old.expiry, old.event, new_body
        )  # fmt: skip
        header = block.header
        draw = consensus.Draw(producer, header.round, header.nonce, header.draw_hash)
        return _assemble(self.state, self.roster, records, draw, kept=block.submissions)

    def refuse(self, block: Block, fault: Fault) -> Refusal:
        """The evidence of a refused candidate, for the next draw and the next producer's REFUSAL record."""
        header = block.header
        return Refusal(header.round, header.producer, fault.code, block.hash, block.producer_signature)

    def absence(self, draw: consensus.Draw) -> Refusal:
        """The evidence of a producer that made no block in its turn."""
        return Refusal(draw.round, draw.producer, FaultCode.ABSENT, b"", b"")

    def _votes(self, block: Block) -> list[Vote]:
        if self.state.signing is Signing.NONE:
            return []
        digest = vote_digest(block.hash)
        keys = self.roster.by_address
        return [
            Vote(address, sign(keys[address].private_key, digest))
            for address in self.state.committee(block.header.height)
        ]

    def _take(self, block: Block, change: Change) -> None:
        if self.store is not None:  # first to disk: a crash in between loses the block, never its record
            self.store.append(block)
        self.state.apply(block, change)


def _history_drafts(roster: Roster, history: History | None) -> list[Draft]:
    if history is None:
        return []
    generated_wh, consumed_wh = (np.asarray(side, np.int64) for side in history)
    if generated_wh.shape != consumed_wh.shape or generated_wh.shape[:1] != (len(roster),):
        raise ValueError(
            f"a history is two arrays of shape [{len(roster)}, periods], not {generated_wh.shape}"
        )
    return [
        Draft(Kind.HISTORY, AUTHORITY, 0, [member.address, generated_wh[i].tolist(), consumed_wh[i].tolist()])
        for i, member in enumerate(roster.members)
        if generated_wh[i].any() or consumed_wh[i].any()
    ]


def _fill_links(draft: Draft, events: dict[int, Event], state: ChainState) -> Body:
    """The draft's body with the ids of its event's earlier records where it left them out."""
    body = list(draft.body)
    event = events.get(draft.event, state.events.get(draft.event, {}))
    predecessor = PREDECESSOR[draft.kind]
    if predecessor is not None and body and body[0] == b"" and predecessor in event:
        body[0] = event[predecessor].id
    if draft.kind is Kind.ATX and len(body) > 1 and not body[1]:
        body[1] = [event[kind].id for kind in (Kind.TTX, Kind.DTX, Kind.VTX) if kind in event]
    return body


def _make_records(
    state: ChainState, roster: Roster, drafts: Sequence[Draft], first: Sequence[Draft]
) -> list[Record]:
    height = state.height + 1
    expiry = height + state.params.record_lifetime_blocks
    nonces: dict[bytes, int] = {}
    events: dict[int, Event] = {}
    records = []
    for draft in map(Draft._make, (*first, *drafts)):
        sender = roster.member(draft.sender).address
        nonce = nonces.get(sender, state.nonces.get(sender, 0)) + 1
        nonces[sender] = nonce
        linked = draft.kind in PREDECESSOR
        body = _fill_links(draft, events, state) if linked else list(draft.body)
        record = Record.create(state.chain_id, Kind(draft.kind), sender, nonce, expiry, draft.event, body)
        if linked:
            known = events.get(draft.event, state.events.get(draft.event, {}))
            events[draft.event] = known | {record.kind: Link(record.id, height)}
        records.append(record)
    return records


def _submissions(
    state: ChainState, roster: Roster, records: Sequence[Record], signers: set[bytes] | None,
    kept: Sequence[Submission],
) -> tuple[Submission, ...]:  # fmt: skip
    """Senders' signatures; with `signers` given the others keep the signature that they made before."""
    height = state.height + 1
    submissions = []
    for position, (sender, root) in enumerate(submission_roots(tuple(records), state.signing)):
        if signers is None or sender in signers:
            key = roster.by_address[sender].private_key
            signature = sign(key, submission_digest(state.chain_id, height, root))
        else:
            signature = kept[position].signature
        submissions.append(Submission(sender, root, signature))
    return tuple(submissions)


def _assemble(
    state: ChainState, roster: Roster, records: Sequence[Record], draw: consensus.Draw,
    kept: Sequence[Submission] | None = None,
) -> Block:  # fmt: skip
    """A block on top of the state, signed by its senders (or by the producer alone, the rest `kept`) and
    producer.
    """
    signers = None if kept is None else {draw.producer}
    submissions = _submissions(state, roster, records, signers, kept or ())
    height = state.height + 1
    header = Header(
        BLOCK_VERSION, state.chain_id, height, state.head, merkle.root([record.id for record in records]),
        trades_root(records), rows_root(submissions), state.votes_root, state.block_time_s(height),
        draw.producer, state.seed, draw.round, draw.nonce, draw.hash,
    )  # fmt: skip
    block = Block(header, encode(tuple(header)), b"", (), submissions, tuple(records))
    if state.signing is Signing.NONE:
        return block
    signature = sign(roster.by_address[draw.producer].private_key, block_digest(block.hash))
    return Block(header, block.header_raw, signature, (), submissions, block.records)
