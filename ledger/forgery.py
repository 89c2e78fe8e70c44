"""What dishonest producers sign, past any `Signer` (for tests and attack scenarios): another's record changed in their
own favour, with the operator's help or without, two blocks of one turn, a block before its turn.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise

from . import merkle
from .blocks import Block, Submission, block_digest
from .check import signed_digest, submission_roots
from .check_period import due_periods
from .consensus import Draw
from .encoding import Body
from .execution import RESULTS
from .identity import Role, sign
from .kinds import SCHEMAS, Kind
from .params import Signing
from .proposal import Sheets, assemble, make_records
from .records import Draft, Record
from .roster import Roster
from .state import ChainState
from .weights import MAX_SHARE_PPM

_COLUMNS = SCHEMAS[Kind.SETTLEMENT][-1].columns
PAYEE, AMOUNT = _COLUMNS.index("payee"), _COLUMNS.index("amount_micro")
BOOTY = 1_000_000  # micro-currency, or Wh * 1000 where a record holds no money


def _payments_to(producer: bytes, transfers: Body) -> Body:
    """The transfers with the booty added to the first payment to the producer; without one it becomes a
    payee.
    """
    changed = [list(transfer) for transfer in transfers]
    mine = next((transfer for transfer in changed if transfer[PAYEE] == producer), None)
    if mine is None:
        mine = changed[0]
        mine[PAYEE] = producer
    mine[AMOUNT] += BOOTY
    return changed


def _last_number(body: Body) -> Body | None:
    """The body with its last plain number raised; None when it has none."""
    for index in range(len(body) - 1, -1, -1):
        if type(body[index]) is int:
            return [*body[:index], body[index] + BOOTY // 1000, *body[index + 1 :]]
    return None


def in_own_favour(records: Sequence[Record], producer: bytes) -> tuple[int, Body] | None:
    """Position and new body: a payment to the producer if a settlement can be bent, else another node's
    number; None when the block holds no record of another node with a number in it.
    """
    order = {Kind.SETTLEMENT: 0, Kind.ATX: 0, Kind.READING: 1}
    for position in sorted(range(len(records)), key=lambda i: order.get(records[i].kind, 2)):
        record = records[position]
        if record.sender == producer:
            continue
        if record.kind in (Kind.SETTLEMENT, Kind.ATX) and record.body[-1]:
            return position, [*record.body[:-1], _payments_to(producer, record.body[-1])]
        body = _last_number(record.body)
        if body is not None:
            return position, body
    return None


def invented(kinds: Collection[Kind], height: int, producer: bytes, operator: bytes) -> tuple[Kind, Body]:
    """A record that the operator never wrote, for a block of a chain of these kinds: credit, a sale or a payment."""
    due = due_periods(height)
    last = max(due[Kind.CREDIT], 0)
    if Kind.CREDIT in kinds:
        return Kind.CREDIT, [last, [[producer, MAX_SHARE_PPM, MAX_SHARE_PPM]]]
    if Kind.TRADE in kinds:
        return Kind.TRADE, [due[Kind.TRADE], operator, producer, BOOTY, BOOTY]
    return Kind.SETTLEMENT, [last, [[0, last, operator, producer, 0, 0, BOOTY]]]


def forge(
    state: ChainState, roster: Roster, block: Block, position: int | None = None, body: Body | None = None
) -> Block:  # fmt: skip
    """A copy of a candidate in which its producer changed a record of somebody else in its own favour.

    It rebuilds every root and signs again all that it can sign itself: header and its own records. `position` and
    `body` choose the record and its new body; left out, see `in_own_favour`; where none can be changed, it invents one.
    ValueError where the producer is the only node.
    """
    producer, records = block.header.producer, list(block.records)
    if position is None:
        found = in_own_favour(records, producer)
        if found is None:
            records.append(_invention(state, roster, producer))
        else:
            position, body = found
    if position is not None:
        old = records[position]
        records[position] = _rewritten(old, old.body if body is None else body, old.nonce)
    draw = Draw(producer, block.header.round, block.header.nonce, block.header.draw_hash)
    submissions = _submissions(state, roster, records, block.submissions, producer)
    return assemble(state, roster, records, draw, submissions)


def misstate(state: ChainState, roster: Roster, block: Block, sheets: Sheets | None) -> Block:
    """A copy of a candidate in which producer and operator agreed on another contract result: every signature holds.

    A payment, a credit or a trade is raised in the producer's favour, or invented where there is none. `sheets` hold
    what everybody gives the other chains. ValueError where the producer is the only node.
    """
    producer, records = block.header.producer, list(block.records)
    kinds = (Kind.SETTLEMENT, Kind.ATX, Kind.CREDIT, Kind.TRADE)
    places = [n for n, record in enumerate(records) if record.kind in kinds and record.sender != producer]
    found = in_own_favour([records[n] for n in places], producer)
    if found is None:
        made = _invention(state, roster, producer)
        nonce = max((record.nonce + 1 for record in records if record.sender == made.sender), default=made.nonce)
        records.append(_rewritten(made, made.body, nonce))
    else:
        place = places[found[0]]
        records[place] = _rewritten(records[place], found[1], records[place].nonce)
    draw = Draw(producer, block.header.round, block.header.nonce, block.header.draw_hash)
    return assemble(state, roster, records, draw, sheets=sheets)


def equivocate(state: ChainState, roster: Roster, block: Block, sheets: Sheets | None) -> tuple[Block, Block]:
    """A draft signed, and another block of the same turn, as sound: two neighbouring records of different senders
    change places. Where no two can (results stand in their order), the other block is a forged one.
    """
    records = list(block.records)
    for place, (one, two) in enumerate(pairwise(records)):
        kinds = {one.kind, two.kind}
        if one.sender != two.sender and not kinds <= RESULTS and kinds.isdisjoint((Kind.REFUSAL, Kind.CLOSING)):
            records[place : place + 2] = two, one
            draw = Draw(block.header.producer, block.header.round, block.header.nonce, block.header.draw_hash)
            return signed_anyway(state, roster, block), assemble(state, roster, records, draw, sheets=sheets)
    return signed_anyway(state, roster, block), forge(state, roster, block)


def signed_anyway(state: ChainState, roster: Roster, block: Block) -> Block:
    """A draft with its producer's signature, whatever it signed before."""
    if state.signing is Signing.NONE:
        return block
    key = roster.by_address[block.header.producer].private_key
    return replace(block, producer_signature=sign(key, block_digest(block.hash)))


def _rewritten(old: Record, body: Body, nonce: int) -> Record:
    return Record.create(old.chain_id, old.kind, old.sender, nonce, old.expiry, old.event, body, old.blinding)


def _invention(state: ChainState, roster: Roster, producer: bytes) -> Record:
    """A record in the operator's name, or in another's where the operator itself forges."""
    others = [node for node, member in enumerate(roster.members) if member.address != producer]
    if not others:
        raise ValueError("there is no other node in whose name a record could be forged")
    victim = next((node for node in others if roster.members[node].role is Role.ENO), others[0])
    kind, body = invented(state.due.kinds, state.height + 1, producer, roster.members[victim].address)
    return make_records(state, state.due, roster, [Draft(kind, victim, 0, body)])[0]


def _submissions(
    state: ChainState, roster: Roster, records: Sequence[Record], kept: Sequence[Submission], forger: bytes
) -> tuple[Submission, ...]:  # fmt: skip
    """Submissions of altered records: the others' signatures are kept as they were, the forger has only its own key."""
    submissions = []
    key = roster.by_address[forger].private_key
    for position, (sender, root) in enumerate(submission_roots(tuple(records), state.signing)):
        if position < len(kept) and sender != forger:
            submissions.append(kept[position]._replace(root=root))
            continue
        siblings = kept[position].siblings if position < len(kept) else (merkle.EMPTY_ROOT,) * state.other_roots
        forged = Submission(sender, root, b"", siblings)
        submissions.append(forged._replace(signature=sign(key, signed_digest(state, state.height + 1, forged))))
    return tuple(submissions)
