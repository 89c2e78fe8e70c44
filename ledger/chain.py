"""A chain as its network keeps it: drafts in, sealed blocks out, every block checked before it counts.

    chain = Chain.create(Params(), roster, history, store=Store.create(path))
    block = chain.seal(drafts)                          # draw, propose, check, votes, append
or, with producers that may cheat, step by step:
    draw = chain.draw(refusals)
    forged = chain.forge(chain.draft(drafts, draw, refusals))
    fault = chain.check_candidate(forged, witnessed=refusals)
    refusals.append(chain.refuse(forged, fault))        # and draw again

A ledger may have several chains (`businesses.py`), sealed in turn at every height: `seal` and the steps above concern
the chain that is due, with the drafts of the whole height given each time; `seal_height` seals a block of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from . import consensus, forgery
from .blocks import Block, Vote
from .businesses import NO_HASH, BusinessChain
from .candidate import PathList, check_paths, check_results, check_single, check_submitted, check_witnessed
from .change import Change, Event, Refusal, refused_producers
from .check import check_votes, examine
from .checkpoint import Checkpoint
from .encoding import Body
from .faults import Fault, FaultCode, LedgerFault
from .kinds import Kind
from .params import Params, Signing, genesis_body
from .proposal import History, Sheets, assemble, history_drafts, make_records
from .records import Draft
from .roster import AUTHORITY, Roster
from .signer import Signer
from .state import ChainState


class BlockStore(Protocol):
    """Where sealed blocks go."""

    def append(self, block: Block) -> None:
        """Keep a block for good before returning."""


class Chain:
    """One ledger's chains, their state, and the keys of its nodes."""

    def __init__(self, state: ChainState, roster: Roster, genesis: Block, store: BlockStore | None) -> None:
        self.state = state
        self.roster = roster
        self.genesis = genesis
        self.store = store
        self.path_list: PathList | None = None  # how trades are routed, where the delegates know the feeder
        self._signers: dict[tuple[str, bytes], Signer] = {}  # a key signs one block a height and chain
        self._sealed: list[Block] = []  # of the height that is being sealed
        self._sheets: Sheets | None = None

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
        time apart (scenario, seed, episode): it enters the chain id, and the draws up to a "#". LedgerFault when a
        record is not allowed.
        """
        body = genesis_body(params, name, time_s, roster.authority.public_key)
        drafts = [Draft(Kind.GENESIS, AUTHORITY, 0, body)]
        for member in roster.members:
            if member.certificate is not None:
                drafts.append(Draft(Kind.CERTIFICATE, AUTHORITY, 0, list(member.certificate.body())))
        drafts += history_drafts(roster, history)
        drafts += extra_records
        state = ChainState(body)
        draw = consensus.Draw(roster.authority.address, 0, 0, NO_HASH)
        sheets = Sheets(state, roster, drafts, ())
        genesis = assemble(state, roster, sheets.records[state.due.name], draw, sheets=sheets)
        chain = cls(state, roster, genesis, store)
        chain.append(genesis)
        return chain

    @property
    def head(self) -> bytes:
        """Hash of the main chain's last block: it binds all chains."""
        return self.state.head

    @property
    def height(self) -> int:
        """The last height that all chains have sealed; 0 after genesis."""
        return self.state.height

    @property
    def chain_id(self) -> bytes:
        """16 bytes: the ledger's id, which every record and header of its main chain holds."""
        return self.state.ledger_id

    @property
    def due(self) -> BusinessChain:
        """The chain whose block is next."""
        return self.state.due

    def event(self, event: int) -> Event:
        """The records of an event so far: kind -> (record id, height)."""
        return dict(self.state.events.get(event, {}))

    def draw(self, refusals: Sequence[Refusal] = ()) -> consensus.Draw:
        """The producer of the block that is due after the turns already refused for it."""
        return self.state.draw(refusals)

    def propose(
        self, drafts: Sequence[Draft], draw: consensus.Draw | None = None, refusals: Sequence[Refusal] = (),
        closing: Draft | None = None,
    ) -> Block:  # fmt: skip
        """The honest candidate of the chain that is due: `draft`, signed by its producer; DoubleSignError where the
        producer signed another block of this height and chain.
        """
        return self._sign(self.draft(drafts, draw, refusals, closing))

    def draft(
        self, drafts: Sequence[Draft], draw: consensus.Draw | None = None, refusals: Sequence[Refusal] = (),
        closing: Draft | None = None,
    ) -> Block:  # fmt: skip
        """The block that an honest producer would sign: records from those of the drafts that the chain keeps, in
        their order, refusals first, a closing record last, signed by their senders, without votes.

        DTX, VTX and ATX drafts may leave body[0] empty (b"") and an ATX its trail ([]): the chain fills in
        the ids. Encoding or schema errors raise ValueError; whether the block is sound is for the check.
        """
        due = draw if draw is not None else self.draw(refusals)
        producer = self.roster.index_of[due.producer]
        turns = [Draft(Kind.REFUSAL, producer, 0, [*turn[:3], int(turn.fault), *turn[4:]]) for turn in refusals]
        state, sheets = self.state, self._sheets_of(drafts)
        records = sheets.records[state.due.name]
        if turns or closing is not None:
            last = [] if closing is None else [closing]
            mine = [draft for draft in drafts if draft.kind in state.due.kinds]
            records = make_records(state, state.due, self.roster, [*turns, *mine, *last])
        return assemble(state, self.roster, records, due, sheets=sheets, signed=False)

    def _sign(self, block: Block) -> Block:
        if self.state.signing is Signing.NONE:
            return block
        signature = self._signer(block.header.producer).propose(block.header.height, block.hash)
        return replace(block, producer_signature=signature)

    def _sheets_of(self, drafts: Sequence[Draft]) -> Sheets:
        """The height's records by chain, made once for the same drafts."""
        found = self._sheets
        if found is None or found.height != self.height + 1 or found.drafts != tuple(drafts):
            found = self._sheets = Sheets(self.state, self.roster, drafts, self._sealed)
        return found

    def check_candidate(
        self, block: Block, submitted: Block | None = None, executed: Sequence[Draft] | None = None,
        witnessed: Sequence[Refusal] = (), shown: Sequence[Block] = (),
    ) -> Fault | None:  # fmt: skip
        """The first fault of a block before the vote. With signing "none" no signature can tell a forged
        record from its sender's; `submitted`, the honest candidate, then stands for what the senders know
        they submitted. `executed` holds the contract results of the height as the validators execute them,
        `witnessed` the turns that they saw come to nothing, `shown` the other candidates that any of them was shown.
        """
        try:
            examine(self.state, block)
            self._hold_against(block, executed, witnessed, submitted)
            check_single(self.state, block, shown)
        except LedgerFault as refused:
            return refused.fault
        return None

    def _hold_against(
        self, block: Block, executed: Sequence[Draft] | None, witnessed: Sequence[Refusal],
        submitted: Block | None = None,
    ) -> None:  # fmt: skip
        """LedgerFault where a candidate is not what the validators know beside the ledger."""
        check_paths(self.state, block, self.path_list)
        check_witnessed(self.state, block, witnessed)
        if submitted is not None:
            check_submitted(self.state, block, submitted)
        if executed is not None:
            check_results(self.state, block, self.roster, executed)

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
        self, drafts: Sequence[Draft], draw: consensus.Draw | None = None, refusals: Sequence[Refusal] = (),
        executed: Sequence[Draft] | None = None, witnessed: Sequence[Refusal] | None = None,
    ) -> Block:  # fmt: skip
        """Draft, check once, sign, vote, store and take the block that is due; LedgerFault when the drafts make no
        sound block, other contract results than those `executed`, or refusals that were not `witnessed` (by default
        the producer states what all witnessed). An honest producer signs nothing that fails the check.
        """
        return self._seal(self.draft(drafts, draw, refusals), executed, refusals if witnessed is None else witnessed)

    def _seal(self, own: Block, executed: Sequence[Draft] | None, witnessed: Sequence[Refusal]) -> Block:
        """Seal a draft, which its producer signs and the committee votes for once it is found sound."""
        change = examine(self.state, own, signed=False)
        self._hold_against(own, executed, witnessed)
        candidate = self._sign(own)
        block = candidate.with_votes(self._votes(candidate))
        self._take(block, change)
        return block

    def seal_height(self, drafts: Sequence[Draft], executed: Sequence[Draft] | None = None) -> list[Block]:
        """Seal a block of every chain, the main chain's last."""
        return [self.seal(drafts, executed=executed) for _ in self.state.chains]

    def close(self, sender: int, drafts: Sequence[Draft] = (), refusals: Sequence[Refusal] = ()) -> Block:
        """Seal the last block of every chain: `drafts`, then the ENO's CLOSING record; the main chain's block. A
        chain without it may have lost its tail. `refusals` are those of the first chain.
        """
        for turned_away in (refusals, *[()] * (len(self.state.chains) - 1)):
            due = self.due
            mine = sum(draft.kind in due.kinds for draft in drafts)
            count = due.record_count + mine + len(turned_away) + 1
            closing = Draft(Kind.CLOSING, sender, 0, [self.height + 2, count, due.head])
            block = self._seal(self.draft(drafts, None, turned_away, closing), None, turned_away)
        return block

    def forge(self, block: Block, position: int | None = None, body: Body | None = None) -> Block:
        """A copy of a candidate that its producer changed in its own favour; see `forgery.forge`."""
        return forgery.forge(self.state, self.roster, block, position, body)

    def misstate(self, block: Block) -> Block:
        """A copy of a candidate in which producer and operator signed another result; see `forgery.misstate`."""
        return forgery.misstate(self.state, self.roster, block, self._sheets)

    def equivocate(self, block: Block) -> tuple[Block, Block]:
        """A draft signed by its producer, and another sound block of the turn; see `forgery.equivocate`."""
        return forgery.equivocate(self.state, self.roster, block, self._sheets)

    def jump(self, drafts: Sequence[Draft], draw: consensus.Draw, refusals: Sequence[Refusal] = ()) -> Block | None:
        """What the next in line after `draw` signs when it claims that the producer that is due did not turn up; None
        where nobody comes next.
        """
        gone = [*refusals, self.absence(draw)]
        try:
            following = self.draw(gone)
        except ValueError:
            return None
        return forgery.signed_anyway(self.state, self.roster, self.draft(drafts, following, gone))

    def refuse(self, block: Block, fault: Fault) -> Refusal:
        """The evidence of a refused candidate, for the next draw and the next producer's REFUSAL record."""
        header = block.header
        return Refusal(
            header.height, header.round, header.producer, fault.code, block.header_raw, block.producer_signature
        )

    def absence(self, draw: consensus.Draw) -> Refusal:
        """The evidence of a producer that made no block in its turn."""
        return Refusal(self.height + 1, draw.round, draw.producer, FaultCode.ABSENT, b"", b"")

    def checkpoint(self) -> Checkpoint:
        """The authority's signature for the head, and for the main chain's committee of the blocks to come while its
        certificates last, delegates' until the next election.
        """
        state = self.state
        committee, last = state.validators()
        members = [state.certificates[address] for address in committee]
        ends = [certificate.valid_to for certificate in members] + ([] if last is None else [last])
        valid_to = min(ends, default=0)
        keys = [certificate.public_key for certificate in members]
        return Checkpoint.issue(
            self.roster.authority.private_key, self.chain_id, self.height, self.head, keys, valid_to
        )  # fmt: skip

    def accuse(self, block: Block, other: Block) -> Body:
        """The body of an EQUIVOCATION record: two signed blocks of one height by one producer."""
        return [
            block.header.producer, block.header_raw, block.producer_signature, other.header_raw,
            other.producer_signature,
        ]  # fmt: skip

    def _votes(self, block: Block) -> list[Vote]:
        if self.state.signing is Signing.NONE:
            return []
        height = block.header.height
        committee = self.state.committee(height, refused_producers(block))
        return [Vote(address, self._signer(address).vote(height, block.hash)) for address in committee]

    def _signer(self, address: bytes) -> Signer:
        key = (self.due.name, address)
        if key not in self._signers:
            self._signers[key] = Signer(self.roster.by_address[address].private_key)
        return self._signers[key]

    def _take(self, block: Block, change: Change) -> None:
        if self.store is not None:  # first to disk: a crash in between loses the block, never its record
            self.store.append(block)
        name, complete = self.due.name, self.due is self.state.main
        self.state.apply(block, change)
        self._sealed = [] if complete else [*self._sealed, block]
        if self._sheets is not None:
            self._sheets.seal(name, block)
