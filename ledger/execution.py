"""What the validators execute themselves before they vote: do a block's contract results follow?

The ledger knows no market. Whoever seals hands the chain the results of its own execution; here they are compared
with what a candidate claims, record by record. The audit compares a finished ledger in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from .encoding import Body, Value
from .faults import Fault, FaultCode
from .fields import Field
from .kinds import SCHEMAS, Kind
from .records import Record

LINKS = frozenset(("previous", "trail"))  # record ids: filled in by the chain and checked by `verify`
SHOWN = 80  # characters of a value in a message
# What follows from other records. What the operator alone has measured (GRID, STATUS) is its word.
RESULTS = frozenset((
    Kind.REGISTRATION, Kind.TRADE, Kind.PATHS, Kind.TTX, Kind.DTX, Kind.VERIFICATION, Kind.VTX, Kind.ATX,
    Kind.SETTLEMENT, Kind.CREDIT,
))  # fmt: skip


class Expected(NamedTuple):
    """A record that re-execution leads to, and the contract that says so. Links may be left empty."""

    contract: str
    kind: Kind
    sender: bytes  # 20-byte address
    event: int
    body: Body


def result_fault(records: Sequence[Record], expected: Sequence[Expected], height: int) -> Fault | None:
    """The first contract result of a block that is not the expected one, in the order of the records."""
    recorded = [(position, record) for position, record in enumerate(records) if record.kind in RESULTS]
    for place, due in zip_longest(recorded, expected):
        if place is None:
            return Fault(FaultCode.EXECUTION, height, f"{due.contract}: {due.kind.name} is missing")
        position, record = place
        if due is None:
            return Fault(FaultCode.EXECUTION, height, f"{record.kind.name}: execution gives none", position)
        parts = parting(record, due)
        if parts is not None:
            name, mine, theirs = parts
            detail = f"{due.contract}: {record.kind.name} {name} is {mine}, execution gives {theirs}"
            return Fault(FaultCode.EXECUTION, height, detail, position)
    return None


def parting(record: Record, due: Expected) -> tuple[str, str, str] | None:
    """Name, recorded and executed value of the first field that differs."""
    if record.kind is not due.kind:
        return "kind", record.kind.name, due.kind.name
    for name, mine, theirs in (("sender", record.sender, due.sender), ("event", record.event, due.event)):
        if mine != theirs:
            return name, as_text(mine), as_text(theirs)
    for field, value, expected in zip(SCHEMAS[record.kind], record.body, due.body, strict=True):
        if value != expected and not (field.name in LINKS and not expected):
            return _narrow(field, value, expected)
    return None


def _narrow(field: Field, value: Any, expected: Any) -> tuple[str, str, str]:
    """Down to the first row and column that differ."""
    if not isinstance(value, list) or not isinstance(expected, list):
        return field.name, as_text(value), as_text(expected)
    for row, (mine, theirs) in enumerate(zip_longest(value, expected)):
        if mine == theirs:
            continue
        name = f"{field.name}[{row}]"
        if not field.columns or mine is None or theirs is None:
            return name, as_text(mine), as_text(theirs)
        column = next(c for c in range(len(field.columns)) if mine[c] != theirs[c])
        return f"{name}.{field.columns[column]}", as_text(mine[column]), as_text(theirs[column])
    raise AssertionError("two equal lists were compared as different")


def as_text(value: Value | str | None) -> str:
    """A value as a message shows it, at most SHOWN characters."""
    if value is None:
        return "missing"
    if isinstance(value, list):
        text = "[" + ", ".join(map(as_text, value)) + "]"
    elif isinstance(value, bytes):
        text = value.decode() if value.isascii() and value.decode().isprintable() and value else value.hex() or "empty"
    else:
        text = str(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
