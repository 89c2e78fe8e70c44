"""How drafts become a block: nonces, links, submissions, header, signatures.

What is built here is a proposal; `check.py` decides whether it is sound.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import consensus
from .blocks import BLOCK_VERSION, Block, Header, Submission, block_digest, records_root, rows_root, submission_digest
from .blocks import trade_root as trades_root
from .check import submission_roots
from .encoding import Body, encode
from .identity import sign
from .params import Signing
from .records import PREDECESSOR, Draft, Kind, Record
from .roster import AUTHORITY, Roster
from .state import ChainState, Event, Link
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


def make_records(state: ChainState, roster: Roster, drafts: Sequence[Draft], first: Sequence[Draft]) -> list[Record]:
    """Records of the next block, `first` before the drafts; ValueError where a body is not allowed."""
    height = state.height + 1
    expiry = height + state.params.record_lifetime_blocks
    chain_id, create = state.chain_id, Record.create
    nonces: dict[bytes, int] = {}
    events: dict[int, Event] = {}
    records = []
    for kind, index, event, draft in (*first, *drafts):
        sender = roster.member(index).address
        nonce = nonces.get(sender) or state.nonces.get(sender, 0)
        nonces[sender] = nonce = nonce + 1
        if kind in PREDECESSOR:
            body = _fill_links(kind, event, draft, events, state)
            record = create(chain_id, kind, sender, nonce, expiry, event, body)
            known = events.get(event, state.events.get(event, {}))
            events[event] = known | {kind: Link(record.id, height)}
        else:
            record = create(chain_id, kind, sender, nonce, expiry, event, list(draft))
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


def assemble(
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
        BLOCK_VERSION, state.chain_id, height, state.head, records_root(records),
        trades_root(records), rows_root(submissions), state.votes_root, state.block_time_s(height),
        draw.producer, state.seed, draw.round, draw.nonce, draw.hash,
    )  # fmt: skip
    block = Block(header, encode(tuple(header)), b"", (), submissions, tuple(records))
    if state.signing is Signing.NONE:
        return block
    signature = sign(roster.by_address[draw.producer].private_key, block_digest(block.hash))
    return Block(header, block.header_raw, signature, (), submissions, block.records)
