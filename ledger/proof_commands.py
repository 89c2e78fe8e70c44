"""The commands around proofs: make one, check one under a hash that is trusted."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from . import show
from .answers import print_json, schema_name
from .checkpoint import Checkpoint
from .identity import display_address
from .proofs import ProofError, check_proof, prove_in_store
from .store import Store, StoreError


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
        raise StoreError(f"{options.file} is no {schema_name('proof')}: {type(error).__name__}") from error
    try:
        proven = check_proof(value, _trusted(options))
    except ProofError as error:
        if options.json:
            print_json("proof-verdict", {"proven": False, "fault": str(error)})
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
        print_json("proof-verdict", view)
    else:
        signed = f"signed by {view['sender']}" if proven.signed else f"said, unsigned, by {view['sender']}"
        print(f"proven: {record.kind.name} {record.id.hex()} is in {proven.business} block {proven.height}")
        print(f"{signed}; trusted through block {proven.trusted_height}")
    return 0
