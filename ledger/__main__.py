"""Command line: `python -m ledger verify | audit | show | view | check-view | proof | check-proof | history |
check-history | light | consistency | export | import`.

Exit status: 0 sound, proven, consistent or shown; 1 a fault in the ledger, a proof that fails, two chains that fork;
2 no such file, no ledger, or a wrong command. Errors are one line. With `--json` every answer is JSON on standard
output, errors too (`gridpact/error`).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from . import commands, light_command, proof_commands
from .answers import print_json
from .audit import AuditError
from .checkpoint import CheckpointError
from .faults import printable
from .params import BUSINESSES
from .store import StoreError


class _WrongCommand(Exception):
    """Arguments that a parser refuses."""

    def __init__(self, parser: argparse.ArgumentParser, message: str) -> None:
        super().__init__(message)
        self.parser = parser


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Leave it to `main` to say it as text or as JSON."""
        raise _WrongCommand(self, message)


def _hex(size: int, what: str) -> commands.Parse:
    def parse(text: str) -> bytes:
        try:
            value = bytes.fromhex(text)
        except ValueError:
            value = b""
        if len(value) != size:
            raise argparse.ArgumentTypeError(f"{what} is {2 * size} hexadecimal digits")
        return value

    return parse


_hash = _hex(32, "a hash")


def _whole(text: str) -> int:
    """An unsigned integer."""
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    raise argparse.ArgumentTypeError(f"an integer from 0 on is needed, not {text!r}")


def _positive(text: str) -> int:
    """An integer from 1 to 100 years' days."""
    number = _whole(text)
    if not 1 <= number <= 36_525:
        raise argparse.ArgumentTypeError(f"1..36525 days, not {text!r}")
    return number


def _block(text: str) -> int | bytes:
    """A block of the main chain by its height or its hash."""
    if text.isascii() and text.isdigit() and len(text) < 20:
        return int(text)
    try:
        return _hash(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(
            f"a block is a height, or a hash of 64 hexadecimal digits, not {text!r}"
        ) from error


def _add_what(shown: argparse.ArgumentParser) -> None:
    """What of a ledger `show` prints."""
    shown.add_argument("path")
    what = shown.add_mutually_exclusive_group()
    what.add_argument("--event", type=int, help="the records of one dispatch event")
    what.add_argument("--block", type=int, help="one block with its records")
    what.add_argument("--joining", action="store_true", help="the conditions for joining, and every application")
    what.add_argument(
        "--contracts", type=int, nargs="?", const=commands.LAST, metavar="HEIGHT",
        help="the rules in force at a height (the last one)",
    )  # fmt: skip
    shown.add_argument("--chain", choices=BUSINESSES, help="of which business the --block is (dispatch)")


def _add_trusted(check: argparse.ArgumentParser) -> None:
    """What a proof is held against."""
    check.add_argument("file")
    trusted = check.add_mutually_exclusive_group(required=True)
    trusted.add_argument("--head", type=_hash, help="hash of the record's block or a later one")
    trusted.add_argument("--checkpoint", help="a checkpoint file; needs --authority")
    check.add_argument("--authority", type=_hex(33, "a public key"), help="the authority's public key")


Add = Callable[[str, commands.Command, str], argparse.ArgumentParser]  # name, what it does, help → its parser


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m ledger", description="Verify, show and prove a ledger file.")
    subparsers = parser.add_subparsers(dest="command", required=True)

    def command(name: str, run: commands.Command, text: str) -> argparse.ArgumentParser:
        added = subparsers.add_parser(name, help=text)
        added.set_defaults(run=run)
        added.add_argument("--json", action="store_true", help="print JSON")
        return added

    _add_judging(command)
    _add_showing(command)
    _add_proving(command)
    return parser


def _add_judging(command: Add) -> None:
    """Commands that say whether a whole chain is sound."""
    verify = command("verify", commands.verify, "check every hash, signature, link and draw from genesis on")
    verify.add_argument("path")
    audit = command(
        "audit", commands.audited, "verify, then execute the rules again from the recorded orders and readings"
    )
    audit.add_argument("path")
    audit.add_argument("--config", required=True, help="the scenario that the chain claims to follow")
    audit.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting that differs from it")
    audit.add_argument("--executors", metavar="MODULE:ATTRIBUTE", help="where the rules are, if not where installed")
    imported = command("import", commands.imported, "verify an exported chain and write it as a ledger file")
    imported.add_argument("source")
    imported.add_argument("target")
    for judging in (verify, audit, imported):
        judging.add_argument("--open", action="store_true", help="accept a chain that has not been closed yet")
        judging.add_argument("--head", type=_hash, help="the head hash that the chain must have")
        judging.add_argument("--checkpoint", help="a checkpoint file that the chain must pass through")


def _add_showing(command: Add) -> None:
    """Commands that read a file and verify nothing but what they show."""
    _add_what(command("show", commands.shown, "print an overview, a block or an event (nothing is verified)"))
    view = command("view", commands.viewed, "show what one node may read of a block or an event, the rest as ids")
    view.add_argument("path")
    view.add_argument("--as", dest="node", required=True, metavar="NODE", help="the node's name or address")
    seen = view.add_mutually_exclusive_group(required=True)
    seen.add_argument("--block", type=int, help="the blocks of this height")
    seen.add_argument("--event", type=int, help="the records of one dispatch event")
    consistency = command("consistency", commands.consistency, "whether one ledger file begins the other")
    consistency.add_argument("path")
    consistency.add_argument("other")
    export = command("export", commands.exported, "write a chain as one canonical file")
    export.add_argument("path")
    export.add_argument("target")


def _add_proving(command: Add) -> None:
    """Commands that make a proof for somebody without the ledger, and check one."""
    proof = command("proof", proof_commands.proof, "print a stand-alone proof of one record (always JSON)")
    proof.add_argument("record", type=_hash, help="the record's id")
    proof.add_argument("path")
    proof.add_argument("--to", type=_block, metavar="BLOCK", help="the main block to be trusted, height or hash (last)")
    _add_trusted(command("check-proof", proof_commands.checked_proof, "check a proof against a hash that you trust"))
    _add_trusted(command("check-view", proof_commands.checked_view, "check what `view --json` showed, in the same way"))
    made = command("history", proof_commands.history, "print a proof that one block continues another (always JSON)")
    made.add_argument("path")
    checked = command(
        "check-history", proof_commands.checked_history, "check such a proof against two hashes that you trust"
    )
    checked.add_argument("file")
    made.add_argument(
        "--from", dest="old", type=_block, required=True, metavar="BLOCK", help="the old head, height or hash"
    )
    made.add_argument("--to", dest="new", type=_block, metavar="BLOCK", help="the new one (the file's last main block)")
    checked.add_argument("--from", dest="old", type=_hash, required=True, metavar="HASH", help="the head you knew")
    checked.add_argument("--to", dest="new", type=_hash, required=True, metavar="HASH", help="the head you are told")
    _add_light(command("light", light_command.light, "run a light node that follows a ledger file from a checkpoint"))


def _add_light(light: argparse.ArgumentParser) -> None:
    """What a light node trusts and asks for."""
    light.add_argument("path", help="the ledger file, which plays the full node")
    light.add_argument(
        "--checkpoint", action="append", required=True, help="a checkpoint file to start from; again for later ones"
    )
    trusted = light.add_mutually_exclusive_group(required=True)
    trusted.add_argument("--authority", type=_hex(33, "a public key"), help="the public key of who signs checkpoints")
    trusted.add_argument("--ledger", type=_hex(16, "a ledger's id"), help="the ledger's id, which `show` prints")
    light.add_argument("--now", type=_whole, required=True, metavar="SECONDS", help="the time by the ledger's clock")
    light.add_argument("--trusting-days", type=_positive, default=30, help="how long a checkpoint is believed (30)")
    light.add_argument("--headers", action="store_true", help="take every header, skip none by its history root")
    light.add_argument("--as", dest="node", metavar="NODE", help="read what this node may, of --block or --event")
    light.add_argument("--proof", metavar="FILE", help="check this proof under the headers taken")
    asked = light.add_mutually_exclusive_group()
    asked.add_argument("--block", type=int, help="the blocks of this height")
    asked.add_argument("--event", type=int, help="the records of one dispatch event")


def _parse(words: Sequence[str]) -> argparse.Namespace:
    """The options; the process ends with status 2 where they are none."""
    parser = _parser()
    try:
        options = parser.parse_args(words)
        held = options.command in ("check-proof", "check-view")
        if held and (options.checkpoint is None) != (options.authority is None):
            parser.error("--checkpoint and --authority go together")
        if options.command == "light" and (options.node is None) != (options.block is None and options.event is None):
            parser.error("--as says who reads: it goes with --block or --event")
        if options.command == "show" and options.chain is not None and options.block is None:
            parser.error("--chain says of which business a block is: it goes with --block")
    except _WrongCommand as wrong:
        named = next((word for word in words if not word.startswith("-")), None)
        _complain(named, f"{wrong.parser.prog}: {wrong} (--help tells what is allowed)", "--json" in words)
        raise SystemExit(2) from wrong
    return options


def _complain(command: str | None, message: str, as_json: bool) -> None:
    """Say why a command did nothing, in one line; on standard error where standard output takes no JSON."""
    if as_json:
        with suppress(OSError):
            print_json("error", {"command": command, "error": message})
            sys.stdout.flush()
            return
    print(printable(message.replace("\n", " ")), file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    try:
        status: int = options.run(options)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (StoreError, CheckpointError, AuditError, OSError) as error:
        _complain(options.command, str(error), options.json)
        return 2
    return status


if __name__ == "__main__":
    sys.exit(main())
