"""Command line: `python -m ledger verify PATH` and `python -m ledger show PATH`.

Exit status: 0 sound or shown, 1 a fault in the ledger, 2 no such file, no ledger, or a wrong command.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from . import show
from .store import Store, StoreError
from .verify import verify_file


def _hash(text: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != 32:
        raise argparse.ArgumentTypeError("a head is 64 hexadecimal digits")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ledger", description="Verify or show a ledger file.")
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="check every hash, signature, link and draw from genesis on")
    verify.add_argument("path")
    verify.add_argument("--json", action="store_true", help="print the verdict as JSON")
    verify.add_argument("--open", action="store_true", help="accept a chain that has not been closed yet")
    verify.add_argument("--head", type=_hash, help="the head hash that the chain must have")
    shown = commands.add_parser("show", help="print an overview, a block or an event (nothing is verified)")
    shown.add_argument("path")
    shown.add_argument("--json", action="store_true", help="print JSON")
    what = shown.add_mutually_exclusive_group()
    what.add_argument("--event", type=int, help="the records of one dispatch event")
    what.add_argument("--block", type=int, help="one block with its records")
    return parser


def _verify(options: argparse.Namespace) -> int:
    verdict = verify_file(options.path, closed=not options.open, head=options.head)
    if options.json:
        print(json.dumps({"sound": verdict.sound} | asdict(verdict)))
    elif verdict.sound:
        ending = "closed" if verdict.closed else "open"
        print(f"sound: {verdict.blocks} blocks, {verdict.records} records, {verdict.events} events, {ending}")
        print(f"head {verdict.head}")
    else:
        print(verdict.fault)
    return 0 if verdict.sound else 1


def _show(options: argparse.Namespace) -> int:
    store = Store.open(options.path)
    try:
        if options.event is not None:
            view = show.event_view(store, options.event)
        elif options.block is not None:
            view = show.block_view(store, options.block)
        else:
            view = show.overview(store)
    finally:
        store.close()
    print(json.dumps(view) if options.json else show.render(view))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _verify(options) if options.command == "verify" else _show(options)
    except StoreError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
