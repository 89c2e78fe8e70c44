"""What the commands answer under `--json`: one schema each, with the same fields whatever is found. Checkpoint files
have theirs here, too.

A field that does not apply is null. The number behind a schema's name changes when a field goes or comes to mean
something else; a new field leaves it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple


class Schema(NamedTuple):
    """The fields of an answer."""

    version: int
    fields: tuple[str, ...]


_VERDICT = (
    "sound", "fault", "block", "record", "business", "head", "blocks", "records", "events", "closed", "signing",
    "chains",
)  # fmt: skip

SCHEMAS = {
    "verdict": Schema(2, _VERDICT),
    "audit": Schema(
        2, ("sound", "fault", "difference", "blocks", "contracts", "findings", "unfinished", "head", "signing",
            "closed")
    ),
    "overview": Schema(
        2, ("ledger", "name", "authority", "time_s", "chains", "gamma", "signing", "nodes", "blocks", "head",
            "records", "events", "refused", "convicted")
    ),
    "block": Schema(2, ("chain", "hash", "header", "votes", "records")),
    "event": Schema(2, ("event", "records")),
    "contracts": Schema(1, ("height", "contracts")),
    "joining": Schema(1, ("conditions", "applications")),
    "view": Schema(1, ("proven", "fault", "node", "level", "reads", "produces", "votes", "height", "event", "blocks")),
    "view-verdict": Schema(1, ("proven", "fault", "height", "event", "blocks")),
    "proof": Schema(4, ("record", "genesis", "block", "main", "head", "history", "inclusion", "signature")),
    "proof-verdict": Schema(
        3,
        ("proven", "fault", "id", "kind", "chain", "block", "position", "sender", "signed", "trusted_block", "fields"),
    ),
    "history": Schema(1, ("from", "to", "inclusion", "consistency")),
    "history-verdict": Schema(1, ("proven", "fault", "from_block", "to_block", "chain_id")),
    "consistency": Schema(
        2,
        ("consistent", "relation", "common_blocks", "fork_height", "fork_business", "equivocator", "blocks_a",
         "blocks_b", "head_a", "head_b"),
    ),
    "export": Schema(1, ("blocks", "target")),
    "import": Schema(1, (*_VERDICT, "target")),
    "light": Schema(
        1,
        ("followed", "fault", "ledger", "from_block", "block", "head", "voted", "validators", "now_s",
         "trusted_until_s", "blocks", "proof"),
    ),
    "checkpoint": Schema(2, ("height", "committee", "valid_to", "chain_id", "block_hash", "signature")),
    "error": Schema(1, ("command", "error")),
}  # fmt: skip


def schema_name(schema: str) -> str:
    """What an answer of this schema calls itself."""
    return f"gridpact/{schema}/{SCHEMAS[schema].version}"


def answer(schema: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """All fields of the schema, null where `values` holds none; ValueError for a field that the schema lacks."""
    fields = SCHEMAS[schema].fields
    foreign = [name for name in values if name not in fields]
    if foreign:
        raise ValueError(f"{schema_name(schema)} has no field {', '.join(foreign)}")
    return {"schema": schema_name(schema)} | dict.fromkeys(fields) | dict(values)


def refuse(schema: str, claim: str, fault: Exception, as_json: bool) -> int:
    """Say that what was claimed ("proven", "followed") does not hold, and why; the exit status of it."""
    if as_json:
        print_json(schema, {claim: False, "fault": str(fault)})
    else:
        print(f"not {claim}: {fault}")
    return 1


def print_json(schema: str, values: Mapping[str, Any]) -> None:
    """Print an answer on one line."""
    print(json.dumps(answer(schema, values)))
