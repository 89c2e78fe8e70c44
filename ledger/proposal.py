"""How drafts become a block: nonces, links, submissions, header, signatures.

What is built here is a proposal; `check.py` decides whether it is sound. A sender signs once a height, over the roots
of what it gives to each chain, so the records of all chains are made before the first chain's block is proposed: a
sheet a chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from coincurve import PrivateKey

from . import consensus, merkle
from .blocks import BLOCK_VERSION, Block, Header, Submission, block_digest, records_root, rows_root
from .blocks import trade_root as trades_root
from .businesses import BusinessChain
from .change import Event, Link
from .check import signed_digest, submission_roots
from .encoding import Body, encode
from .identity import blinding_secret, sign
from .kinds import PREDECESSOR, Kind
from .params import Signing
from .records import Draft, Record, Row, write_records
from .roster import AUTHORITY, Roster
from .state import ChainState
from .weights import Int64Array

History = tuple[Int64Array, Int64Array]  # generated and consumed Wh, [nodes, periods], oldest first


def history_drafts(roster: Roster, history: History | None) -> list[Draft]:
    """HISTORY drafts of the sites that had any energy; ValueError for arrays of the wrong shape."""
    if history is None:
        return []
    generated_wh, consumed_wh = (np.asarray(side, np.int64) for side in history)
    if generated_wh.shape != consumed_wh.shape or generated_wh.shape[:1] != (len(roster),):
        raise ValueError(f"a history is two arrays of shape [{len(roster)}, periods], not {generated_wh.shape}")
    return [
        Draft(Kind.HISTORY, AUTHORITY, 0, [member.address, generated_wh[i].tolist(), consumed_wh[i].tolist()])
        for i, member in enumerate(roster.members)
        if generated_wh[i].any() or consumed_wh[i].any()
    ]


def _fill_links(kind: Kind, number: int, draft: Body, events: dict[int, Event], state: ChainState) -> Body:
    """The draft's body with the ids of its event's earlier records where it left them out."""
    body = list(draft)
    event = events.get(number, state.events.get(number, {}))
    predecessor = PREDECESSOR[kind]
    if predecessor is not None and body and body[0] == b"" and predecessor in event:
        body[0] = event[predecessor].id
    if kind is Kind.ATX and len(body) > 1 and not body[1]:
        body[1] = [event[kind].id for kind in (Kind.TTX, Kind.DTX, Kind.VTX) if kind in event]
    return body


def make_records(
    state: ChainState, chain: BusinessChain, roster: Roster, drafts: Sequence[Draft]
) -> list[Record]:  # fmt: skip
    """Records of a chain's block of the coming height; ValueError where a body is not allowed."""
    height = state.height + 1
    chain_id, expiry = chain.chain_id, height + state.params.record_lifetime_blocks
    nonces = dict(chain.nonces)
    addresses = {index: roster.member(index).address for index in {draft.sender for draft in drafts}}
    secrets = None
    if state.signing is not Signing.NONE:  # without keys there is nothing that only the sender knows
        secrets = {
            address: blinding_secret(roster.member(index).private_key.secret, chain_id)
            for index, address in addresses.items()
        }
    events: dict[int, Event] = {}
    records: list[Record] = []
    rows: list[Row] = []  # not written yet
    for kind, index, event, draft in drafts:
        sender = addresses[index]
        nonces[sender] = nonce = nonces.get(sender, 0) + 1
        if kind not in PREDECESSOR:
            rows.append((kind, sender, nonce, event, [*draft]))
            continue
        body = _fill_links(kind, event, draft, events, state)
        records += write_records(chain_id, expiry, [*rows, (kind, sender, nonce, event, body)], secrets)
        rows = []
        known = events.get(event, state.events.get(event, {}))
        events[event] = known | {kind: Link(records[-1].id, height)}
    return records + write_records(chain_id, expiry, rows, secrets)


class Sheets:
    """The records of the height that is being sealed, a sheet a chain, and what each sender signs of all of them."""

    def __init__(self, state: ChainState, roster: Roster, drafts: Sequence[Draft], sealed: Sequence[Block]) -> None:
        """`sealed`: this height's blocks so far; `drafts` are sorted to the chains that are still to seal theirs."""
        self.height, self.drafts = state.height + 1, tuple(drafts)
        self._signing = state.signing
        self.records: dict[str, list[Record]] = {
            chain.name: list(block.records) for chain, block in zip(state.chains, sealed, strict=False)
        }
        for chain in state.chains[len(sealed) :]:
            sole = len(state.chains) == 1  # it keeps all kinds
            mine = self.drafts if sole else [draft for draft in self.drafts if draft.kind in chain.kinds]
            self.records[chain.name] = make_records(state, chain, roster, mine)
        self._roots: dict[str, dict[bytes, bytes]] = {}
        self._signatures: dict[tuple[bytes, bytes], bytes] = {}

    def siblings(self, name: str, sender: bytes) -> tuple[bytes, ...]:
        """Roots of the sender's records on the other chains' sheets, in the order of the chains."""
        if self._signing is not Signing.PERIOD:
            return ()
        return tuple(self._root(other, sender) for other in self.records if other != name)

    def _root(self, name: str, sender: bytes) -> bytes:
        if name not in self._roots:
            self._roots[name] = dict(submission_roots(tuple(self.records[name]), self._signing))
        return self._roots[name].get(sender, merkle.EMPTY_ROOT)

    def sign(self, sender: bytes, key: PrivateKey, digest: bytes) -> bytes:
        """The sender's signature; made once for all chains where its digest is the same."""
        if (sender, digest) not in self._signatures:
            self._signatures[sender, digest] = sign(key, digest)
        return self._signatures[sender, digest]

    def seal(self, name: str, block: Block) -> None:
        """Take a chain's records as they were sealed: refusals are among them."""
        self.records[name] = list(block.records)
        self._roots.pop(name, None)


def _submissions(
    state: ChainState, roster: Roster, records: Sequence[Record], sheets: Sheets
) -> tuple[Submission, ...]:  # fmt: skip
    """The senders' signatures."""
    submissions, name, height = [], state.due.name, state.height + 1
    for sender, root in submission_roots(tuple(records), state.signing):
        siblings = sheets.siblings(name, sender)
        digest = signed_digest(state, height, Submission(sender, root, b"", siblings))
        signature = sheets.sign(sender, roster.by_address[sender].private_key, digest)
        submissions.append(Submission(sender, root, signature, siblings))
    return tuple(submissions)


def assemble(
    state: ChainState, roster: Roster, records: Sequence[Record], draw: consensus.Draw,
    submissions: Sequence[Submission] | None = None, sheets: Sheets | None = None, signed: bool = True,
) -> Block:  # fmt: skip
    """A block of the chain that is due, signed by its senders (where `submissions` are not given) and, if `signed`, by
    its producer's bare key: for genesis, and for those who guard their keys by no `Signer`.
    """
    if submissions is None:
        submissions = _submissions(state, roster, records, sheets or Sheets(state, roster, (), ()))
    height, chain = state.height + 1, state.due
    header = Header(
        BLOCK_VERSION, chain.chain_id, height, chain.head, len(records), records_root(records),
        trades_root(records), rows_root(submissions), chain.votes_root, state.history_root, state.block_time_s(height),
        draw.producer, chain.seed, draw.round, draw.nonce, draw.hash, state.links(),
    )  # fmt: skip
    block = Block(header, encode(tuple(header)), b"", (), tuple(submissions), tuple(records))
    if state.signing is Signing.NONE or not signed:
        return block
    key = roster.by_address[draw.producer].private_key
    return replace(block, producer_signature=sign(key, block_digest(block.hash)))
