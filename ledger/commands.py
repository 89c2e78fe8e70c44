"""What the commands do: run, print, and the exit status. JSON answers are those of `answers.SCHEMAS`."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from . import show
from .access import AccessFault
from .answers import print_json, refuse
from .audit import Report, audit_rows, executor_of, load_factories
from .checkpoint import Checkpoint
from .consistency import compare
from .export import export_chain, import_chain
from .faults import printable
from .identity import display_address
from .params import DISPATCH
from .store import Store
from .twice import SameRows
from .verify import CORES, Verdict, verify_file, verify_rows
from .view import view

Command = Callable[[argparse.Namespace], int]
Parse = Callable[[str], bytes]
LAST: Final = object()  # the height of the last block; no number, so that none means it


def _assurance(verdict: Verdict) -> str:
    """Who answers for what is recorded, and whether the tail could be missing."""
    signed = "without signatures" if verdict.signing == "none" else f"signed by {verdict.signing}"
    return f"{signed}, {'closed' if verdict.closed else 'open'}"


def _judge(verdict: Verdict, as_json: bool, schema: str = "verdict", **more: str | None) -> int:
    if as_json:
        print_json(schema, {"sound": verdict.sound} | asdict(verdict) | more)
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
    return _judge(_verified(options), options.json)


def _verified(options: argparse.Namespace) -> Verdict:
    return verify_file(options.path, not options.open, options.head, _checkpoint(options), CORES)


def _checkpoint(options: argparse.Namespace) -> Checkpoint | None:
    return None if options.checkpoint is None else Checkpoint.read(options.checkpoint)


def _print_audit(verdict: Verdict, report: Report) -> None:
    found = report.difference
    view = {
        "sound": verdict.sound and found is None, "fault": verdict.fault,
        "difference": None if found is None else asdict(found), "blocks": report.blocks,
        "contracts": report.contracts, "findings": report.findings,
        "unfinished": report.unfinished, "head": verdict.head, "signing": verdict.signing, "closed": verdict.closed,
    }  # fmt: skip
    print_json("audit", view)


def _certified(findings: Sequence[Mapping[str, Any]]) -> str:
    """How many dispatches were found what: by outcome, and whether least cost was claimed and shown."""
    outcomes = Counter(str(found.get("outcome", "without outcome")) for found in findings)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    claimed = [found for found in findings if found.get("claimed")]
    shown_least = sum(bool(found.get("near_optimal")) for found in claimed)
    return f"{len(findings)} dispatches: {counts}; least cost shown for {shown_least} of {len(claimed)} that claim it"


def audited(options: argparse.Namespace) -> int:
    """Verify a file, then execute its rules again."""
    executors = [executor_of(factory, options.config, options.set) for factory in load_factories(options.executors)]
    with Store.open(options.path) as store:
        rows = SameRows(store.rows)
        verdict = verify_rows(rows.first(), not options.open, options.head, _checkpoint(options), CORES)
        if not verdict.sound:
            if options.json:
                _print_audit(verdict, Report(None, 0, ()))  # nothing was executed
            else:
                print(verdict.fault)
            return 1
        report = audit_rows(rows.again(), executors)
    difference = report.difference
    if options.json:
        _print_audit(verdict, report)
    elif difference is None:
        executed = f"{report.blocks} blocks executed again ({', '.join(report.contracts)})"
        print(f"follows: {executed}, {_assurance(verdict)}")
        if report.unfinished:
            print(f"{report.unfinished} blocks of the last height, which is not finished, are not executed")
        if report.findings:
            print(f"{_certified(report.findings)} (--json lists them)")
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
        print_json(schema, view)
    else:
        print(show.render(view))
    return 0


def viewed(options: argparse.Namespace) -> int:
    """A block or an event as one node may see it."""
    store = Store.open(options.path)
    try:
        seen = view(store, options.node, options.block, options.event)
    except AccessFault as fault:
        return refuse("view", "proven", fault, options.json)
    finally:
        store.close()
    if options.json:
        print_json("view", {"proven": True} | seen)
    else:
        print(show.render(seen))
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
        print_json("consistency", {"consistent": found.consistent} | asdict(found))
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
        print_json("export", {"blocks": blocks, "target": options.target})
    else:
        print(printable(f"{blocks} blocks written to {options.target}"))
    return 0


def imported(options: argparse.Namespace) -> int:
    """Verify an exported chain and store it."""
    anchor = _checkpoint(options)
    verdict = import_chain(options.source, options.target, not options.open, options.head, anchor, CORES)
    return _judge(verdict, options.json, "import", target=options.target if verdict.sound else None)
