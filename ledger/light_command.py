"""The command that runs a light node against a ledger file, which plays the full node.

The node believes nothing of the file but what follows from its checkpoint: headers by votes and history proofs, what
it is shown by their roots.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from .access import AccessFault
from .answers import print_json, refuse
from .blocks import Block
from .checkpoint import Checkpoint
from .history import height_of, prove_history
from .light import DAY_S, LightFault, LightNode
from .proof_commands import as_proven, proven_text, proven_view, read_json
from .proof_parts import ProofError
from .proofs import Proven
from .show import load_blocks, render
from .store import Store, StoreError
from .view import check_answer, view


def _main_blocks(blocks: Sequence[Block]) -> list[Block]:
    return [block for block in blocks if block.header.chain_id == blocks[0].header.chain_id]


def _history(mains: Sequence[Block], old: bytes, new: bytes) -> dict[str, Any]:
    """What the full node answers when it is asked to show that block `new` continues block `old`, by their hashes."""
    hashes = [block.hash for block in mains]
    first, last = height_of(hashes, old), height_of(hashes, new)
    return prove_history([block.header_raw for block in mains], hashes, first, last)


def _started(options: argparse.Namespace, mains: Sequence[Block], first: Checkpoint) -> LightNode:
    """The node at its first checkpoint; LightFault where it is not of the ledger or authority that the user trusts."""
    genesis = mains[0].records[0].body
    try:
        node = LightNode(genesis, first, options.now, options.trusting_days * DAY_S)
    except LightFault:
        raise
    except ValueError as error:
        raise StoreError(f"{options.path} has settings that are not allowed: {error}") from error
    if options.authority is not None and genesis[2] != options.authority:
        raise LightFault(f"the ledger's authority is {genesis[2].hex()}")
    if options.ledger is not None and node.chain_id != options.ledger:
        raise LightFault(f"the ledger's id is {node.chain_id.hex()}")
    return node


def _follow(options: argparse.Namespace, node: LightNode, mains: Sequence[Block], later: Sequence[Checkpoint]) -> bool:
    """Take the later checkpoints, then the headers up to the last one; LightFault or ProofError where they don't
    follow. Whether votes were counted: where the last block is a checkpoint's own, there are none to count.
    """
    for checkpoint in later:
        between = sorted(((node.height, node.head), (checkpoint.height, checkpoint.block_hash)))
        node.trust(checkpoint, options.now, _history(mains, between[0][1], between[1][1]))
    last = mains[-1]
    if last.hash == node.head:
        node.require_stated(last.header)
        return False
    if options.headers:
        raws = [block.header_raw for block in mains if block.header.height > node.height]
        node.extend(raws, last.votes, options.now)
    else:
        node.skip(_history(mains, node.head, last.hash), last.hash, last.votes, options.now)
    return True


def _read_own(options: argparse.Namespace, node: LightNode, store: Store) -> list[dict[str, Any]] | None:
    """What the full node shows of a block or an event, as far as it is proven; None where nothing was asked."""
    if options.node is None:
        return None
    answer = view(store, options.node, options.block, options.event)
    for part in answer["blocks"]:
        node.read(part)
    return list(map(as_proven, check_answer(answer, node.head)))


def light(options: argparse.Namespace) -> int:
    """Follow a ledger file from checkpoints, then read or check a proof under the headers taken."""
    checkpoints = sorted((Checkpoint.read(path) for path in options.checkpoint), key=lambda each: each.height)
    proof = None if options.proof is None else read_json(options.proof, "proof")
    store = Store.open(options.path)
    try:
        mains = _main_blocks(load_blocks(store))
        node = _started(options, mains, checkpoints[0])
        voted = _follow(options, node, mains, checkpoints[1:])
        blocks = _read_own(options, node, store)
        proven = None if proof is None else node.check(proof)
    except (LightFault, ProofError, AccessFault) as fault:
        return refuse("light", "followed", fault, options.json)
    finally:
        store.close()
    _tell(options, node, checkpoints[0].height, voted, blocks, proven)
    return 0


def _reason(first: int, last: int, voted: bool, validators: int) -> str:
    """Why a light node takes the last block."""
    continues, word = f"continues the checkpoint of block {first}", "the authority's word, no votes were counted"
    if voted:
        return f"{continues}, more than two thirds of {validators} validators voted for it"
    return f"is the checkpoint's own: {word}" if first == last else f"{continues} and is a later one's own: {word}"


def _tell(
    options: argparse.Namespace, node: LightNode, first: int, voted: bool, blocks: list[dict[str, Any]] | None,
    proven: Proven | None,
) -> None:  # fmt: skip
    seen = {
        "followed": True, "ledger": node.chain_id.hex(), "from_block": first, "block": node.height,
        "head": node.head.hex(), "voted": voted, "validators": len(node.checkpoint.committee), "now_s": options.now,
        "trusted_until_s": node.trusted_until_s, "blocks": blocks,
        "proof": None if proven is None else proven_view(proven),
    }  # fmt: skip
    if options.json:
        print_json("light", seen)
        return
    print(f"followed: block {node.height} {_reason(first, node.height, voted, seen['validators'])}")
    print(f"head {seen['head']}")
    print(f"the checkpoint of block {node.checkpoint.height} is trusted until {node.trusted_until_s} s")
    if proven is not None:
        print(proven_text(proven))
    if blocks is not None:
        print(render({"blocks": blocks}))
