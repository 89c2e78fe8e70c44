"""Audit: a verified chain is executed again by the rules it was made under, block by block.

The ledger knows no market. Executors from outside (entry points of the group `gridpact.contracts`, or
`module:attribute`) say for every block which records the earlier ones and this one's orders and readings lead to;
here they are compared with what is recorded. The first difference ends the audit.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from .blocks import Block
from .encoding import Body, Value
from .records import SCHEMAS, Field, Kind, Record
from .store import Store

GROUP = "gridpact.contracts"
DEFAULT = "envs.audit:executors"
LINKS = frozenset(("previous", "trail"))  # record ids: filled in by the chain and checked by `verify`
SHOWN = 80  # characters of a value in a message


class AuditError(ValueError):
    """The audit cannot be made: no such executors, or a scenario that they refuse."""


class Expected(NamedTuple):
    """A record that re-execution leads to, and the contract that says so. Links may be left empty."""

    contract: str
    kind: Kind
    sender: bytes  # 20-byte address
    event: int
    body: Body


class Execution(NamedTuple):
    """All records of these kinds in a block, in their order: no other, none less."""

    contract: str  # named when a record is missing or too many
    kinds: frozenset[Kind]
    expected: Sequence[Expected]


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the chain and its re-execution part; `record` is None when a record is missing."""

    block: int
    record: int | None
    contract: str
    kind: str
    field: str
    recorded: str
    executed: str

    def __str__(self) -> str:
        place = f"block {self.block}" + ("" if self.record is None else f", record {self.record}")
        return (
            f"{place}: {self.contract}: {self.kind} {self.field} is {self.recorded}, re-execution gives {self.executed}"
        )


class Impossible(Exception):
    """A block lacks what its re-execution needs; raised by executors, reported as a difference."""

    def __init__(self, contract: str, kind: Kind, recorded: str, needed: str) -> None:
        super().__init__(f"{contract}: {kind.name}: {recorded}, needed: {needed}")
        self.contract, self.kind, self.recorded, self.needed = contract, kind, recorded, needed


class Executor(Protocol):
    """Executes blocks again, from genesis on in their order."""

    contracts: tuple[str, ...]  # names of what it executes

    def execute(self, block: Block) -> Iterable[Execution]:
        """What the block must hold; Impossible where it holds too little to say."""


Factory = Callable[[str, Sequence[str]], Executor]  # (scenario, ["key=value", ...]); ValueError when there is none


@dataclass(frozen=True, slots=True)
class Report:
    """Result of an audit; `difference` is None where everything follows."""

    difference: Difference | None
    blocks: int  # executed without a difference
    contracts: tuple[str, ...]


def load_factories(name: str | None) -> list[Factory]:
    """The named factory, else all installed ones, else the default; AuditError when it cannot be imported."""
    found = [] if name is not None else [(point.value, point.load) for point in entry_points(group=GROUP)]
    if not found:
        wanted = name if name is not None else DEFAULT
        found = [(wanted, lambda: _imported(wanted))]
    factories = []
    for value, load in found:
        try:
            factories.append(load())
        except (ImportError, AttributeError, ValueError) as error:
            raise AuditError(f"executors {value!r} cannot be loaded (module:attribute is needed): {error}") from error
    return factories


def _imported(name: str) -> Any:
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise ValueError("no module or no attribute is named")
    return getattr(importlib.import_module(module), attribute)


def audit_file(path: str | Path, executors: Sequence[Executor]) -> Report:
    """Execute a verified ledger file again; StoreError when it is missing or no ledger."""
    contracts = tuple(name for executor in executors for name in executor.contracts)
    blocks = 0
    with Store.open(path) as store:
        for block in store.blocks():
            found = [each for executor in executors if (each := audit_block(block, executor)) is not None]
            if found:
                first = min(found, key=lambda each: len(block.records) if each.record is None else each.record)
                return Report(first, blocks, contracts)
            blocks += 1
    return Report(None, blocks, contracts)


def audit_block(block: Block, executor: Executor) -> Difference | None:
    """The first record of a block that does not follow from re-execution."""
    height, found = block.header.height, []
    try:
        for execution in executor.execute(block):
            difference = _compare(block, execution)
            if difference is not None:
                found.append(difference)
    except Impossible as lack:
        found.append(Difference(height, None, lack.contract, lack.kind.name, "records", lack.recorded, lack.needed))
    except (ValueError, OverflowError) as error:  # numbers that no honest run of these rules can hold
        found.append(Difference(height, None, "execution", "block", "numbers", "not executable", str(error)))
    return min(found, key=lambda each: len(block.records) if each.record is None else each.record, default=None)


def _compare(block: Block, execution: Execution) -> Difference | None:
    height = block.header.height
    recorded = [(n, record) for n, record in enumerate(block.records) if record.kind in execution.kinds]
    for place, due in zip_longest(recorded, execution.expected):
        if place is None:
            return Difference(height, None, due.contract, due.kind.name, "record", "missing", _text(due.body))
        position, record = place
        if due is None:
            return Difference(
                height, position, execution.contract, record.kind.name, "record", _text(record.body), "none"
            )
        parts = _parting(record, due)
        if parts is not None:
            return Difference(height, position, due.contract, record.kind.name, *parts)
    return None


def _parting(record: Record, due: Expected) -> tuple[str, str, str] | None:
    """Name, recorded and executed value of the first field that differs."""
    for name, mine, theirs in (
        ("kind", record.kind.name, due.kind.name),
        ("sender", record.sender, due.sender),
        ("event", record.event, due.event),
    ):
        if mine != theirs:
            return name, _text(mine), _text(theirs)
    for field, value, expected in zip(SCHEMAS[record.kind], record.body, due.body, strict=True):
        if value != expected and not (field.name in LINKS and not expected):
            return _narrow(field, value, expected)
    return None


def _narrow(field: Field, value: Any, expected: Any) -> tuple[str, str, str]:
    """Down to the first row and column that differ."""
    if not isinstance(value, list) or not isinstance(expected, list):
        return field.name, _text(value), _text(expected)
    for row, (mine, theirs) in enumerate(zip_longest(value, expected)):
        if mine == theirs:
            continue
        name = f"{field.name}[{row}]"
        if not field.columns or mine is None or theirs is None:
            return name, _text(mine), _text(theirs)
        column = next(c for c in range(len(field.columns)) if mine[c] != theirs[c])
        return f"{name}.{field.columns[column]}", _text(mine[column]), _text(theirs[column])
    raise AssertionError("two equal lists were compared as different")


def _text(value: Value | str | None) -> str:
    if value is None:
        return "missing"
    if isinstance(value, list):
        text = "[" + ", ".join(map(_text, value)) + "]"
    elif isinstance(value, bytes):
        text = value.decode() if value.isascii() and value.decode().isprintable() and value else value.hex() or "empty"
    else:
        text = str(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
