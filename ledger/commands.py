"""What the commands do: run, print, and the exit status. Every JSON answer names its schema."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from . import show
from .access import AccessFault
from .audit import AuditError, Report, audit_file, load_factories
from .checkpoint import Checkpoint
from .consistency import compare
from .export import export_chain, import_chain
from .identity import display_address
from .params import DISPATCH
from .proofs import FORMAT, ProofError, check_proof, prove_in_store
from .store import Store, StoreError
from .verify import CORES, Verdict, verify_file
from .view import view

Command = Callable[[argparse.Namespace], int]
Parse = Callable[[str], bytes]
LAST: Final = object()  # the height of the last block; no number, so that none means it


VERSIONS = {
    "verdict": 2,
    "audit": 2,
    "overview": 2,
    "block": 2,
    "event": 2,
    "proof-verdict": 3,
    "consistency": 2,
}


def _print_json(schema: str, values: dict[str, Any]) -> None:
    print(json.dumps({"schema": f"gridpact/{schema}/{VERSIONS.get(schema, 1)}"} | values))


def _assurance(verdict: Verdict) -> str:
    """Who answers for what is recorded, and whether the tail could be missing."""
    signed = "without signatures" if verdict.signing == "none" else f"signed by {verdict.signing}"
    return f"{signed}, {'closed' if verdict.closed else 'open'}"


def _judge(verdict: Verdict, as_json: bool) -> int:
    if as_json:
        _print_json("verdict", {"sound": verdict.sound} | asdict(verdict))
    elif verdict.sound:
        counts = f"{verdict.blocks} blocks, {verdict.records} records, {verdict.events} events"
        print(f"sound: {counts}, {_assurance(verdict)}")
        for chain in verdict.chains if len(verdict.chains) > 1 else ():
            counts = f"{chain.records} records, {chain.producers} producers, {chain.refused} refused"
            print(f"{chain.business}: {chain.rule}, height {chain.height}, {counts}, head {chain.head}")
        print(f"head {verdict.head}")
    else:
        print(verdict.fault)
    return 0 if verdict.sound else 1


def verify(options: argparse.Namespace) -> int:
    """Check a whole file."""
    checkpoint = None if options.checkpoint is None else Checkpoint.read(options.checkpoint)
    return _judge(verify_file(options.path, not options.open, options.head, checkpoint, CORES), options.json)


def _print_audit(verdict: Verdict, report: Report) -> None:
    difference = None if report.difference is None else asdict(report.difference)
    view = {"sound": verdict.sound and difference is None, "fault": verdict.fault, "difference": difference}
    view |= {"blocks": report.blocks, "head": verdict.head, "signing": verdict.signing, "closed": verdict.closed}
    _print_json("audit", view | {"contracts": list(report.contracts), "findings": list(report.findings)})


def audited(options: argparse.Namespace) -> int:
    """Verify a file, then execute its rules again."""
    try:
        executors = [factory(options.config, options.set) for factory in load_factories(options.executors)]
    except AuditError:
        raise
    except ValueError as error:  # the scenario is refused by the executors' own settings
        raise AuditError(str(error)) from error
    verdict = verify_file(options.path, not options.open, options.head, cores=CORES)
    if not verdict.sound:
        if options.json:
            _print_audit(verdict, Report(None, 0, ()))  # nothing was executed
        else:
            print(verdict.fault)
        return 1
    report = audit_file(options.path, executors)
    difference = report.difference
    if options.json:
        _print_audit(verdict, report)
    elif difference is None:
        executed = f"{report.blocks} blocks executed again ({', '.join(report.contracts)})"
        print(f"follows: {executed}, {_assurance(verdict)}")
        if report.findings:
            print(f"{len(report.findings)} dispatches certified: limits and least cost (--json lists them)")
        print(f"head {verdict.head}")
    else:
        print(difference)
    return 0 if difference is None else 1


def shown(options: argparse.Namespace) -> int:
    """An overview, a block or an event."""
    store = Store.open(options.path)
    try:
        if options.event is not None:
            schema, view = "event", show.event_view(store, options.event)
        elif options.joining:
            schema, view = "joining", show.joining_view(store)
        elif options.contracts is not None:
            at = None if options.contracts is LAST else options.contracts
            schema, view = "contracts", show.contracts_view(store, at)
        elif options.block is not None:
            schema, view = "block", show.block_view(store, options.block, options.chain or DISPATCH)
        else:
            schema, view = "overview", show.overview(store)
    finally:
        store.close()
    if options.json:
        _print_json(schema, view)
    else:
        print(show.render(view))
    return 0


def viewed(options: argparse.Namespace) -> int:
    """A block or an event as one node may see it."""
    store = Store.open(options.path)
    try:
        seen = view(store, options.node, options.block, options.event)
    except AccessFault as fault:
        if options.json:
            _print_json("view", {"proven": False, "fault": str(fault)})
        else:
            print(f"not proven: {fault}")
        return 1
    finally:
        store.close()
    if options.json:
        _print_json("view", seen)
    else:
        print(show.render(seen))
    return 0


def proof(options: argparse.Namespace) -> int:
    """The proof of a record, JSON with or without --json."""
    store = Store.open(options.path)
    try:
        print(json.dumps(prove_in_store(store, options.record)))
    except ProofError as error:  # the ledger can be read, but it has no such record
        raise StoreError(f"{options.path}: {error}") from error
    finally:
        store.close()
    return 0


def _trusted(options: argparse.Namespace) -> bytes:
    if options.checkpoint is None:
        head: bytes = options.head
        return head
    checkpoint = Checkpoint.read(options.checkpoint)
    if not checkpoint.is_signed_by(options.authority):
        raise ProofError("the authority did not sign this checkpoint")
    return checkpoint.block_hash


def checked_proof(options: argparse.Namespace) -> int:
    """Whether a proof holds under a trusted header."""
    try:
        value = json.loads(Path(options.file).read_bytes())
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{options.file} is no proof of format {FORMAT}: {type(error).__name__}") from error
    try:
        proven = check_proof(value, _trusted(options))
    except ProofError as error:
        if options.json:
            _print_json("proof-verdict", {"proven": False, "fault": str(error)})
        else:
            print(f"not proven: {error}")
        return 1
    record = proven.record
    view = {
        "proven": True, "fault": None, "id": record.id.hex(), "kind": record.kind.name, "block": proven.height,
        "sender": display_address(record.sender), "signed": proven.signed, "trusted_block": proven.trusted_height,
        "chain": proven.business,
        "fields": show.body_fields(record.kind, record.body, {}),
    }  # fmt: skip
    if options.json:
        _print_json("proof-verdict", view)
    else:
        signed = f"signed by {view['sender']}" if proven.signed else f"said, unsigned, by {view['sender']}"
        print(f"proven: {record.kind.name} {record.id.hex()} is in {proven.business} block {proven.height}")
        print(f"{signed}; trusted through block {proven.trusted_height}")
    return 0


def consistency(options: argparse.Namespace) -> int:
    """Whether one file is the beginning of the other."""
    store = Store.open(options.path)
    try:
        other = Store.open(options.other)
        try:
            found = compare(store, other)
        finally:
            other.close()
    finally:
        store.close()
    if options.json:
        _print_json("consistency", {"consistent": found.consistent} | asdict(found))
    else:
        where = f"{found.fork_business or 'unknown'} block {found.fork_height}"
        place = "" if found.fork_height is None else f", first difference in {where}"
        print(f"{found.relation}: {found.common_blocks} blocks in common{place}")
        if found.equivocator is not None:
            print(f"{display_address(bytes.fromhex(found.equivocator))} signed both blocks of that height")
    return 0 if found.consistent else 1


def exported(options: argparse.Namespace) -> int:
    """Write the canonical file."""
    store = Store.open(options.path)
    try:
        blocks = export_chain(store, options.target)
    finally:
        store.close()
    if options.json:
        _print_json("export", {"blocks": blocks, "target": options.target})
    else:
        print(f"{blocks} blocks written to {options.target}")
    return 0


def imported(options: argparse.Namespace) -> int:
    """Verify an exported chain and store it."""
    verdict = import_chain(options.source, options.target, closed=not options.open, head=options.head, cores=CORES)
    return _judge(verdict, options.json)
