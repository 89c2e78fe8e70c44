"""The check of a block against the state before it: everything is recomputed, nothing is taken from the
header.

`examine` returns the Change that a sound block makes, or raises `LedgerFault` naming the first fault. One
function a concern, called in the order in which a fault is worth naming: form, place, draw, roots,
signatures, records.
"""

from __future__ import annotations

from . import merkle
from .blocks import (
    MAX_RECORDS,
    Block,
    Submission,
    block_digest,
    records_root,
    rows_root,
    submission_digest,
    trade_root,
    vote_digest,
)
from .businesses import NO_HASH, business_of
from .change import Change, Refusal, refused_producers
from .check_period import SINGLE, due_periods
from .check_records import RULES, Examination
from .check_refusal import check_refusal
from .faults import FaultCode
from .identity import Role, verify
from .kinds import HIDDEN, SENDERS, Kind
from .params import Signing
from .records import Record
from .state import ChainState


def examine(state: ChainState, block: Block, signed: bool = True) -> Change:
    """The change that `block` makes to `state`, votes aside; LedgerFault names the first fault. `signed` False: for
    its producer, which looks before it signs.
    """
    work = Examination(state, block)
    _check_place(work)
    _check_draw(work)
    _check_roots(work)
    _check_submissions(work)
    if signed:
        _check_producer_signature(work)
    _check_records(work)
    _check_siblings(work)
    _check_common_end(work)
    return work.change


def check_votes(state: ChainState, block: Block) -> None:
    """LedgerFault unless enough of the committee signed the block: two thirds and more, or what a rule with delegates
    asks for; all of it for a closing block.
    """
    work = Examination(state, block)
    height = block.header.height
    if state.signing is Signing.NONE or height == 0:
        work.require(not block.votes, FaultCode.VOTE, "votes where none are cast")
        return
    committee = state.committee(height, refused_producers(block))
    validators = [vote.validator for vote in block.votes]
    work.require(validators == sorted(set(validators)), FaultCode.VOTE, "votes are not one a validator, by address")
    digest = vote_digest(block.hash)
    for vote in block.votes:
        key = state.public_key(vote.validator)
        sound = vote.validator in committee and key is not None and verify(key, vote.signature, digest)
        work.require(sound, FaultCode.VOTE, f"vote of {vote.validator.hex()} is not valid")
    closing = bool(block.records) and block.records[-1].kind is Kind.CLOSING
    quorum = state.due.turns.rule.enough
    if closing:
        enough = len(validators) == len(committee)
    elif quorum is not None:
        enough = quorum(len(set(validators) - {block.header.producer}), len(committee))
    else:
        enough = 3 * len(validators) > 2 * len(committee)
    work.require(enough, FaultCode.VOTE, f"{len(validators)} votes of a committee of {len(committee)} do not suffice")


def _check_place(work: Examination) -> None:
    state, header, chain = work.state, work.block.header, work.state.due
    work.require(not chain.closed, FaultCode.CLOSED, "the chain was closed before this block")
    if header.chain_id != chain.chain_id:
        sibling = business_of(header.chain_id, state.ledger_id)
        detail = "header of another chain" if sibling is None else f"header of the {sibling} chain"
        work.refuse(FaultCode.CHAIN_ID, detail)
    expected = state.height + 1
    work.require(header.height == expected, FaultCode.HEIGHT, f"height {header.height} where {expected} is due")
    work.require(header.previous == chain.head, FaultCode.PREVIOUS, "previous hash is not the head's")
    _check_links(work)
    work.require(header.votes_root == chain.votes_root, FaultCode.VOTES_ROOT, "root of the previous votes is wrong")
    sound = header.history_root == state.history_root
    work.require(sound, FaultCode.HISTORY_ROOT, "history root is not that of the main chain's earlier blocks")
    due_s = state.block_time_s(expected)
    work.require(header.time_s == due_s, FaultCode.TIME, f"time {header.time_s} s where {due_s} s is due")
    work.require(header.seed == chain.seed, FaultCode.SEED, "seed is not the hash of the previous seed and producer")


def _check_links(work: Examination) -> None:
    """A block binds the heads of its siblings: none of them can be rewritten or cut alone."""
    state, links = work.state, work.block.header.links
    others = [chain.name for chain in state.chains if chain is not state.due] if state.blocks else []
    work.require(len(links) == len(others), FaultCode.LINKED, f"{len(links)} links where {len(others)} are due")
    for name, link, head in zip(others, links, state.links(), strict=True):
        work.require(link == head, FaultCode.LINKED, f"the link to the {name} chain is not its head")


def _check_common_end(work: Examination) -> None:
    first, due = work.state.chains[0], work.state.due
    together = due is first or first.closed == work.change.closed
    work.require(together, FaultCode.CLOSING, "the chains of a ledger are closed at one height")


def _check_draw(work: Examination) -> None:
    state, header = work.state, work.block.header
    stated = (header.producer, header.round, header.nonce, header.draw_hash)
    if header.height == 0:
        work.require(stated == (state.authority, 0, 0, NO_HASH), FaultCode.DRAW, "genesis is not the authority's")
        return
    refusals: list[Refusal] = []
    for position, record in work.block.refusals:
        refusals.append(check_refusal(work, position, record, refusals))
    try:
        due = state.draw(refusals)
    except ValueError as error:
        work.refuse(FaultCode.DRAW, str(error))
    work.require(stated == tuple(due), FaultCode.DRAW, f"producer or draw is not the one due ({due.producer.hex()})")


def _check_roots(work: Examination) -> None:
    header, block = work.block.header, work.block
    stated, held = header.record_count, len(block.records)
    work.require(stated == held, FaultCode.RECORDS_ROOT, f"{held} records where the header states {stated}")
    work.require(held <= MAX_RECORDS, FaultCode.ENCODING, f"{held} records; a block holds at most {MAX_RECORDS}")
    if header.records_root != records_root(block.records):
        position, whose = _first_changed(work)
        work.refuse(FaultCode.RECORDS_ROOT, f"root of the records is wrong{whose}", position)
    work.require(header.trade_root == trade_root(block.records), FaultCode.TRADE_ROOT, "root of the trades is wrong")
    submissions_root = rows_root(block.submissions)
    work.require(header.submissions_root == submissions_root, FaultCode.SUBMISSIONS_ROOT, "root is wrong")


def _first_changed(work: Examination) -> tuple[int | None, str]:
    """Where records are not what their senders submitted: (the sender's first record, a remark), if one can tell."""
    stated = {submission.sender: submission.root for submission in work.block.submissions}
    if work.state.signing is not Signing.PERIOD:
        stated_roots = [submission.root for submission in work.block.submissions]
        ids = [record.id for record in work.block.records]
        pairs = enumerate(zip(ids, stated_roots, strict=False))
        return next((k for k, (mine, theirs) in pairs if mine != theirs), None), ""
    for sender, root in submission_roots(work.block.records, work.state.signing):
        if stated.get(sender) != root:
            position = next(k for k, record in enumerate(work.block.records) if record.sender == sender)
            return position, f": the records of {sender.hex()} are not what it submitted"
    return None, ""


def submission_roots(records: tuple[Record, ...], signing: Signing) -> list[tuple[bytes, bytes]]:
    """What is to be signed: (sender, root) a sender in order of appearance, or a record, or nothing."""
    if signing is Signing.NONE:
        return []
    if signing is Signing.RECORD:  # the root of one record is its id
        return [(record.sender, record.id) for record in records]
    by_sender: dict[bytes, list[bytes]] = {}
    for record in records:
        by_sender.setdefault(record.sender, []).append(record.id)
    return [(sender, merkle.remembered_root(tuple(ids))) for sender, ids in by_sender.items()]


def signed_digest(state: ChainState, height: int, submission: Submission) -> bytes:
    """What a submission in a block of the chain that is due must be signed over."""
    return submission_digest(state.ledger_id, height, submission.signed_root(state.place))


def _check_submissions(work: Examination) -> None:
    """Every record is covered by its sender's signature; a changed record breaks the changed sender's."""
    state, header = work.state, work.block.header
    due = submission_roots(work.block.records, state.signing)
    stated, others = [submission.sender for submission in work.block.submissions], state.other_roots
    work.require(stated == [sender for sender, _ in due], FaultCode.SUBMISSION, "submissions are not the senders'")
    for submission, (sender, root) in zip(work.block.submissions, due, strict=True):
        key = state.public_key(sender)
        if key is None:
            work.refuse(FaultCode.UNKNOWN_SENDER, f"{sender.hex()} has no certificate")
        if len(submission.siblings) != others:
            work.refuse(FaultCode.SUBMISSION, f"the signature of {sender.hex()} is not over {others + 1} roots")
        digest = signed_digest(state, header.height, submission)
        if submission.root != root or not verify(key, submission.signature, digest):
            position = next(i for i, record in enumerate(work.block.records) if record.sender == sender)
            detail = f"the records of {sender.hex()} are not what it signed"
            work.refuse(FaultCode.SUBMISSION_SIGNATURE, detail, position)


def _check_siblings(work: Examination) -> None:
    """What a sender signs for the chains that are sealed at this height is what they sealed from it. Of those that are
    still to be sealed it states what it has handed in by now, which binds nobody: whoever states a root and withholds
    the records would else keep their block from being sealed.
    """
    state = work.state
    if not state.other_roots or not state.handed_in:
        return
    others = [chain.name for chain in state.chains if chain is not state.due]
    sealed = [(place, name, state.handed_in[name]) for place, name in enumerate(others) if name in state.handed_in]
    for sender, _, _, siblings in work.block.submissions:
        for place, name, roots in sealed:
            if siblings[place] != roots.get(sender, merkle.EMPTY_ROOT):
                position = next(i for i, record in enumerate(work.block.records) if record.sender == sender)
                detail = f"{sender.hex()} states another root for the {name} chain than it sealed from it"
                work.refuse(FaultCode.SUBMISSION, detail, position)


def _check_producer_signature(work: Examination) -> None:
    state, block = work.state, work.block
    if state.signing is Signing.NONE:
        work.require(not block.producer_signature, FaultCode.PRODUCER_SIGNATURE, "a signature where none is made")
        return
    key = state.public_key(block.header.producer)
    sound = key is not None and verify(key, block.producer_signature, block_digest(block.hash))
    work.require(sound, FaultCode.PRODUCER_SIGNATURE, "the producer did not sign this header")


def _check_records(work: Examination) -> None:
    """Record by record: chain, sender, nonce, expiry, what is particular to its kind, and the period it speaks of."""
    chain, height, nonces = work.state.due, work.block.header.height, work.change.nonces
    chain_id, kinds, earlier = chain.chain_id, chain.kinds, chain.nonces
    senders, rules, single, due = SENDERS, RULES, SINGLE, due_periods(height)
    said: set[tuple[Kind, bytes]] = set()
    last_expiry = height + work.state.params.record_lifetime_blocks
    hidden = [False] * len(HIDDEN) if work.state.signing is Signing.NONE else HIDDEN
    roles: dict[bytes, Role | None] = {}  # of the senders met so far
    for position, record in enumerate(work.block.records):
        own_chain_id, kind, sender, nonce, expiry, _, body, _, _, blinding = record
        if own_chain_id != chain_id:
            work.refuse(FaultCode.CHAIN_ID, "record of another chain", position)
        if kind not in kinds:
            work.refuse(FaultCode.FOREIGN, f"{kind.name} is not for the {chain.name} chain", position)
        if sender not in roles:
            roles[sender] = _role_in_good_standing(work, position, sender)
            nonces[sender] = earlier.get(sender, 0)
        if roles[sender] not in senders[kind]:
            work.refuse(FaultCode.ROLE, f"{kind.name} is not for {sender.hex()} to write", position)
        last = nonces[sender]
        if nonce <= last:
            work.refuse(FaultCode.NONCE, f"nonce {nonce} after {last}: a replay or out of order", position)
        nonces[sender] = nonce
        if expiry < height:
            work.refuse(FaultCode.EXPIRED, f"expired at height {expiry}", position)
        if expiry > last_expiry:
            work.refuse(FaultCode.LIFETIME, f"expires at height {expiry}; {last_expiry} is the latest", position)
        if kind in rules:
            rules[kind](work, position, record)
        if kind in due and body[0] != due[kind]:
            work.refuse(FaultCode.PERIOD, f"{kind.name} of period {body[0]} where {due[kind]} is due", position)
        if kind in single:
            if (kind, sender) in said:
                work.refuse(FaultCode.DOUBLE, f"a second {kind.name} of {sender.hex()} for one period", position)
            said.add((kind, sender))
        if (not blinding) is hidden[kind]:
            detail = (
                f"{kind.name} with{'' if blinding else 'out'} a blinding value: what is not public has one, if signed"
            )
            work.refuse(FaultCode.SCHEMA, detail, position)


def _role_in_good_standing(work: Examination, position: int, sender: bytes) -> Role | None:
    height = work.block.header.height
    standing = work.state.standing(sender, height)
    if standing is not None:
        work.refuse(standing, f"{sender.hex()} may not write at height {height}", position)
    return work.state.role(sender)
