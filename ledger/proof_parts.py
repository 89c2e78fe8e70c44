"""What proofs are made of: values of JSON that may be anything, headers with their hashes, Merkle paths.

A proof comes from a stranger. Whatever is no proof ends in a `ProofError` that names the part.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from . import merkle
from .blocks import Header, parse_header

MAX_PATH = 64


class ProofError(ValueError):
    """A proof that proves nothing; the message says which part."""


class Hashed(NamedTuple):
    """A header and the hash that names its block (32 bytes)."""

    header: Header
    digest: bytes


def need(value: Any, kind: type, name: str) -> Any:
    """The value, which must be of this kind."""
    if type(value) is not kind:
        raise ProofError(f"{name} is no {kind.__name__}")
    return value


def get(table: Any, key: str, kind: type) -> Any:
    """A table's value of this kind."""
    if type(table) is not dict or key not in table:
        raise ProofError(f"the proof has no {key}")
    return need(table[key], kind, key)


def to_bytes(text: Any, name: str) -> bytes:
    """The bytes that a hexadecimal text stands for."""
    try:
        return bytes.fromhex(need(text, str, name))
    except ValueError as error:
        raise ProofError(f"{name} is no hexadecimal text") from error


def to_header(text: Any, name: str) -> Hashed:
    """The header in a hexadecimal text."""
    raw = to_bytes(text, name)
    try:
        return Hashed(parse_header(raw), sha256(raw).digest())
    except ValueError as error:
        raise ProofError(f"{name}: {error}") from error


def to_path(texts: Any, what: str) -> list[bytes]:
    """The hashes of a Merkle path."""
    if len(need(texts, list, what)) > MAX_PATH:
        raise ProofError(f"{what}: a path of {len(texts)} hashes; at most {MAX_PATH}")
    path = [to_bytes(text, what) for text in texts]
    if any(len(digest) != 32 for digest in path):
        raise ProofError(f"{what}: the Merkle path holds what is no hash")
    return path


def path_texts(path: Sequence[bytes]) -> list[str]:
    """What `to_path` takes back."""
    return [digest.hex() for digest in path]


def require_path(leaf: bytes, part: Any, root: bytes, what: str) -> None:
    """ProofError unless the part's path leads from the leaf to the root."""
    index, count = get(part, "index", int), get(part, "count", int)
    if not merkle.check_inclusion(leaf, index, count, to_path(get(part, "path", list), what), root):
        raise ProofError(f"{what}: the Merkle path does not lead to the root")


class Place(NamedTuple):
    """Where a proof puts a block: its header, the main chain's of the same height, the header that is trusted."""

    block: Header
    main: Header
    trusted: Header
    main_bound: bool  # whether the trusted hash binds `main`, too: another chain's block says nothing of it
    hash: bytes  # of the block
    height_hashes: tuple[bytes, ...]  # of the blocks of its height, all chains


def check_place(proof: Any, trusted: bytes) -> Place:
    """The headers `block`, `main` and `head` of a proof, if they hang together and one has the hash `trusted`.

    The main chain's block of that height is the block itself or links it, and stands in the history of `head`.
    """
    block, main, head = (to_header(get(proof, name, str), name) for name in ("block", "main", "head"))
    if block.digest not in (main.digest, *main.header.links) or block.header.height != main.header.height:
        raise ProofError("block: the main header neither is it nor links it")
    require_earlier(main, head, proof.get("history"), "history")
    if trusted not in (block.digest, main.digest, head.digest):
        raise ProofError(f"no header of the proof has the trusted hash {trusted.hex()}")
    through = (head if trusted == head.digest else main).header
    hashes = (*main.header.links, main.digest)
    return Place(block.header, main.header, through, trusted in (main.digest, head.digest), block.digest, hashes)


def require_earlier(earlier: Hashed, later: Hashed, path: Any, what: str) -> None:
    """ProofError unless `later` is the main chain's block `earlier` or has it in its history.

    Where a block stands in a history is its height and how many there are is the later one's, so the path need not say.
    """
    digests = to_path(path, what)
    if earlier.digest == later.digest:
        if digests:
            raise ProofError(f"{what}: a path from a block to itself")
        return
    (before, digest), after = earlier, later.header
    leaf = merkle.leaf_hash(digest)
    if before.chain_id != after.chain_id or not merkle.check_inclusion(
        leaf, before.height, after.height, digests, after.history_root
    ):
        raise ProofError(f"{what}: block {before.height} is not in the history of block {after.height}")
