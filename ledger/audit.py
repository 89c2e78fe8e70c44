"""Audit: a verified ledger is executed again by the rules it was made under, height by height.

The ledger knows no market. Executors from outside (entry points of the group `gridpact.contracts`, or
`module:attribute`) say for every height which records the earlier ones and this one's orders and readings lead to;
here they are compared with what is recorded. The first difference ends the audit.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from itertools import groupby, zip_longest
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from .blocks import Block
from .businesses import business_of
from .execution import Expected, as_text, parting
from .faults import printable
from .kinds import Kind
from .params import params_of
from .records import Record
from .store import Store

GROUP = "gridpact.contracts"
DEFAULT = "envs.audit:executors"


class AuditError(ValueError):
    """The audit cannot be made: no such executors, or a scenario that they refuse."""


class Execution(NamedTuple):
    """All records of these kinds at a height, in their order: no other, none less."""

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
    business: str = ""  # whose chain, where there are several and the record is not missing

    def __str__(self) -> str:
        block = f"{self.business} block" if self.business else "block"
        place = f"{block} {self.block}" + ("" if self.record is None else f", record {self.record}")
        found = f"{self.kind} {self.field} is {self.recorded}, re-execution gives {self.executed}"
        return printable(f"{place}: {self.contract}: {found}")


class Impossible(Exception):
    """A block lacks what its re-execution needs; raised by executors, reported as a difference."""

    def __init__(self, contract: str, kind: Kind, recorded: str, needed: str) -> None:
        super().__init__(f"{contract}: {kind.name}: {recorded}, needed: {needed}")
        self.contract, self.kind, self.recorded, self.needed = contract, kind, recorded, needed


class Sealed(NamedTuple):
    """What was sealed at one height: the records of all chains, in the order of the chains."""

    height: int
    records: list[Record]
    places: list[tuple[str, int]]  # of each record: business ("" where there is one chain) and position in its block


class Executor(Protocol):
    """Executes what was sealed again, from genesis on, height by height."""

    contracts: tuple[str, ...]  # names of what it executes
    findings: list[dict[str, Any]]  # what it found out on the way, a certificate a dispatch; grows with `execute`

    def execute(self, sealed: Sealed) -> Iterable[Execution]:
        """What the blocks of a height must hold; Impossible where they hold too little to say."""


Factory = Callable[[str, Sequence[str]], Executor]  # (scenario, ["key=value", ...]); ValueError when there is none


@dataclass(frozen=True, slots=True)
class Report:
    """Result of an audit; `difference` is None where everything follows."""

    difference: Difference | None
    blocks: int  # executed without a difference
    contracts: tuple[str, ...]
    findings: tuple[dict[str, Any], ...] = ()
    unfinished: int = 0  # blocks of a last height that some chains have not sealed: not executed


def load_factories(name: str | None) -> list[Factory]:
    """The named factory, else all installed ones, else the default; AuditError when it cannot be imported."""
    found = [] if name is not None else [(point.value, point.load) for point in entry_points(group=GROUP)]
    if not found:
        wanted = name if name is not None else DEFAULT
        found = [(wanted, lambda: _imported(wanted))]
    factories = []
    for value, load in found:
        try:
            factory = load()
        except Exception as error:  # a foreign module may fail in any way while it is imported
            raise AuditError(f"executors {value!r} cannot be loaded (module:attribute is needed): {error}") from error
        if not callable(factory):
            raise AuditError(f"executors {value!r} cannot be called with a scenario and its overrides")
        factories.append(factory)
    return factories


def executor_of(factory: Factory, config: str, overrides: Sequence[str]) -> Executor:
    """What a factory makes of a scenario; AuditError when it refuses the scenario or makes no executor."""
    try:
        made = factory(config, overrides)
    except Exception as error:  # whatever a foreign factory raises: no audit was made, which is no difference
        raise AuditError(str(error) or type(error).__name__) from error
    lacking = [name for name in ("contracts", "findings", "execute") if not hasattr(made, name)]
    if lacking:
        raise AuditError(f"{factory!r} makes no executor: {made!r:.60} has no {', '.join(lacking)}")
    return made


def _imported(name: str) -> Any:
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise ValueError("no module or no attribute is named")
    return getattr(importlib.import_module(module), attribute)


def audit_file(path: str | Path, executors: Sequence[Executor]) -> Report:
    """Execute a verified ledger file again; StoreError when it is missing or no ledger."""
    with Store.open(path) as store:
        return audit_rows(store.rows(), executors)


def audit_rows(rows: Iterable[tuple[int, bytes]], executors: Sequence[Executor]) -> Report:
    """Execute verified blocks again. A writer that is at work, or was killed, leaves a last height that not all chains
    have sealed: what it lacks is no difference.
    """
    contracts = tuple(name for executor in executors for name in executor.contracts)
    blocks, chains = 0, 1
    for height, group in groupby((Block.from_bytes(data) for _, data in rows), key=lambda block: block.header.height):
        sealed_blocks = list(group)
        if len(sealed_blocks) < chains:
            return Report(None, blocks, contracts, _findings(executors), len(sealed_blocks))
        if height == 0:
            chains = len(params_of(sealed_blocks[0].records[0].body).businesses)
        sealed = _sealed(sealed_blocks)
        found = [each for executor in executors if (each := audit_height(sealed, executor)) is not None]
        if found:
            return Report(min(found, key=lambda each: each[0])[1], blocks, contracts, _findings(executors))
        blocks += len(sealed_blocks)
    return Report(None, blocks, contracts, _findings(executors))


def _findings(executors: Sequence[Executor]) -> tuple[dict[str, Any], ...]:
    return tuple(finding for executor in executors for finding in executor.findings)


def _sealed(blocks: Sequence[Block]) -> Sealed:
    """The blocks of one height; the last is the main chain's, which carries the ledger's id."""
    last = blocks[-1].header
    names = [(business_of(each.header.chain_id, last.chain_id) or "") if len(blocks) > 1 else "" for each in blocks]
    return Sealed(
        last.height,
        [record for block in blocks for record in block.records],
        [(name, place) for name, block in zip(names, blocks, strict=True) for place in range(len(block.records))],
    )


def audit_height(sealed: Sealed, executor: Executor) -> tuple[int, Difference] | None:
    """The first record of a height that does not follow from re-execution, and its place among all of them."""
    height, end, found = sealed.height, len(sealed.records), []
    try:
        for execution in executor.execute(sealed):
            difference = _compare(sealed, execution)
            if difference is not None:
                found.append(difference)
    except Impossible as lack:
        detail = (lack.contract, lack.kind.name, "records", lack.recorded, lack.needed)
        found.append((end, Difference(height, None, *detail)))
    except (ValueError, ArithmeticError) as error:  # numbers that no honest run of these rules can hold
        found.append((end, Difference(height, None, "execution", "block", "numbers", "not executable", str(error))))
    return min(found, key=lambda each: each[0], default=None)


def _compare(sealed: Sealed, execution: Execution) -> tuple[int, Difference] | None:
    recorded = [(n, record) for n, record in enumerate(sealed.records) if record.kind in execution.kinds]
    for place, due in zip_longest(recorded, execution.expected):
        if place is None:
            missing = (due.contract, due.kind.name, "record", "missing", as_text(due.body))
            return len(sealed.records), Difference(sealed.height, None, *missing)
        number, record = place
        business, position = sealed.places[number]
        if due is None:
            parts: tuple[str, str, str] | None = ("record", as_text(record.body), "none")
            contract = execution.contract
        else:
            parts, contract = parting(record, due), due.contract
        if parts is not None:
            return number, Difference(sealed.height, position, contract, record.kind.name, *parts, business)
    return None
