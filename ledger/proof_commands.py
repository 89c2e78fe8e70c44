"""The commands around proofs: make one, check one under a hash that is trusted."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from . import show
from .answers import print_json, refuse, schema_name
from .checkpoint import Checkpoint
from .history import check_history, prove_history_in_store
from .identity import display_address
from .proof_parts import ProofError, get
from .proofs import Proven, check_proof, prove_in_store
from .store import Store, StoreError
from .view import Seen, check_answer


def proof(options: argparse.Namespace) -> int:
    """The proof of a record, JSON with or without --json."""
    store = Store.open(options.path)
    try:
        print(json.dumps(prove_in_store(store, options.record, options.to)))
    except ProofError as error:  # the ledger can be read, but it has no such record or block
        raise StoreError(f"{options.path}: {error}") from error
    finally:
        store.close()
    return 0


def history(options: argparse.Namespace) -> int:
    """The proof that one block continues another, JSON with or without --json."""
    store = Store.open(options.path)
    try:
        print(json.dumps(prove_history_in_store(store, options.old, options.new)))
    except ProofError as error:  # the ledger can be read, but it has no such blocks
        raise StoreError(f"{options.path}: {error}") from error
    finally:
        store.close()
    return 0


def read_json(path: str, schema: str) -> Any:
    """What a file holds as JSON; StoreError where it holds none."""
    try:
        return json.loads(Path(path).read_bytes())
    except (FileNotFoundError, IsADirectoryError) as error:
        raise StoreError(f"{path} is no file") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is no {schema_name(schema)}: {type(error).__name__}") from error


def checked_history(options: argparse.Namespace) -> int:
    """Whether a proof shows that one trusted header's chain continues another's."""
    value = read_json(options.file, "history")
    try:
        old, new = check_history(value, options.old, options.new)
    except ProofError as error:
        return refuse("history-verdict", "proven", error, options.json)
    if options.json:
        view = {"proven": True, "from_block": old.height, "to_block": new.height, "chain_id": new.chain_id.hex()}
        print_json("history-verdict", view)
    else:
        print(f"proven: block {new.height} continues block {old.height} of ledger {new.chain_id.hex()}")
    return 0


def as_proven(seen: Seen) -> dict[str, Any]:
    """What one block of a view shows, in the words of its bytes."""
    return {
        "chain": seen.business,
        "block": seen.place.block.height,
        "trusted_block": seen.place.trusted.height,
        "readable": len(seen.records),
        "hidden": seen.hidden,
        "records": [
            {
                "position": position, "id": record.id.hex(), "kind": record.kind.name,
                "sender": display_address(record.sender), "fields": show.body_fields(record.kind, record.body, {}),
            }
            for position, record in seen.records.items()
        ],
    }  # fmt: skip


def checked_view(options: argparse.Namespace) -> int:
    """Whether what a full node shows of its blocks is theirs, under a trusted header."""
    value = read_json(options.file, "view")
    try:
        if get(value, "schema", str) != schema_name("view"):
            raise ProofError(f"schema {value['schema'][:40]!r} is not {schema_name('view')}")
        seen = check_answer(value, _trusted(options))
        asked = {name: value.get(name) for name in ("height", "event")}
        view = {"proven": True} | asked | {"blocks": list(map(as_proven, seen))}
    except ProofError as error:
        return refuse("view-verdict", "proven", error, options.json)
    if options.json:
        print_json("view-verdict", view)
    else:
        print(show.render(view))
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
    value = read_json(options.file, "proof")
    try:
        proven = check_proof(value, _trusted(options))
    except ProofError as error:
        return refuse("proof-verdict", "proven", error, options.json)
    if options.json:
        print_json("proof-verdict", proven_view(proven))
    else:
        print(proven_text(proven))
    return 0


def proven_view(proven: Proven) -> dict[str, Any]:
    """What a proof shows, by the fields of its verdict."""
    record = proven.record
    return {
        "proven": True, "id": record.id.hex(), "kind": record.kind.name, "block": proven.height,
        "position": proven.position,
        "sender": display_address(record.sender), "signed": proven.signed, "trusted_block": proven.trusted_height,
        "chain": proven.business,
        "fields": show.body_fields(record.kind, record.body, {}),
    }  # fmt: skip


def proven_text(proven: Proven) -> str:
    """The same in two lines."""
    record, sender = proven.record, display_address(proven.record.sender)
    signed = f"signed by {sender}" if proven.signed else f"said, unsigned, by {sender}"
    return (
        f"proven: {record.kind.name} {record.id.hex()} is in {proven.business} block {proven.height}\n"
        f"{signed}; record {proven.position}; trusted through block {proven.trusted_height}"
    )
