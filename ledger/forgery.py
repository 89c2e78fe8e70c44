"""How a dishonest producer changes a record of somebody else in its own favour (for tests and attack
scenarios).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .encoding import Body
from .records import SCHEMAS, Kind, Record
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
    if Kind.CREDIT in kinds:
        return Kind.CREDIT, [height, [[producer, MAX_SHARE_PPM, MAX_SHARE_PPM]]]
    if Kind.TRADE in kinds:
        return Kind.TRADE, [height, operator, producer, BOOTY, BOOTY]
    return Kind.SETTLEMENT, [height, [[0, height, operator, producer, 0, 0, BOOTY]]]
