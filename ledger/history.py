"""A proof that one block's chain is the beginning of another's: two headers and log n hashes.

Every header roots the main chain's earlier blocks in an RFC 6962 tree. So somebody who keeps nothing but an old head
can be shown that a new one continues it, without the blocks between: the old tree is the beginning of the new one (its
consistency proof), and the old block itself stands in the new one's history, at its height. The genesis block has the
empty tree before it, which begins every other and so shows nothing (RFC 6962 has no such proof): its place suffices.

It shows what the two blocks commit to. That the later one is sound is what its network checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from . import merkle
from .answers import answer, schema_name
from .blocks import Header, header_in
from .proof_parts import Hashed, ProofError, get, path_texts, require_earlier, to_header, to_path
from .store import Store, StoreError


class Continued(NamedTuple):
    """What a sound proof shows: `old` is `new`, or the chain of `new` goes on from it."""

    old: Header
    new: Header


def height_of(mains: Sequence[bytes], wanted: int | bytes | None) -> int:
    """The height of the main chain's block with that height or hash, the last one's for None; ProofError where none is.

    mains: hashes of the main chain's blocks from genesis on.
    """
    if wanted is None:
        return len(mains) - 1
    if isinstance(wanted, bytes):
        if wanted not in mains:
            raise ProofError(f"no main block has the hash {wanted.hex()}: it is of a fork, or later than all of them")
        return mains.index(wanted)
    if not 0 <= wanted < len(mains):
        raise ProofError(f"there is no block {wanted}; the main chain has blocks 0..{len(mains) - 1}")
    return wanted


def history_path(mains: Sequence[bytes], earlier: int, later: int) -> list[str]:
    """What shows block `earlier` under the history root of block `later`; empty for a block and itself."""
    if earlier == later:
        return []
    return path_texts(merkle.inclusion_proof([merkle.leaf_hash(each) for each in mains[:later]], earlier))


def prove_history(headers: Sequence[bytes], mains: Sequence[bytes], old: int, new: int) -> dict[str, Any]:
    """The proof as JSON-ready values that the main chain's block `new` continues block `old`.

    headers, mains: the main chain's headers as bytes and their hashes, from genesis on. ProofError where `old` is
    later than `new`.
    """
    if old > new:
        raise ProofError(f"block {new} does not continue block {old}, which is later")
    leaves = [merkle.leaf_hash(each) for each in mains[:new]]
    values = {
        "from": headers[old].hex(),
        "to": headers[new].hex(),
        "inclusion": history_path(mains, old, new),
        "consistency": path_texts(merkle.consistency_proof(leaves, old)) if 0 < old < new else [],
    }
    return answer("history", values)


def prove_history_in_store(store: Store, old: int | bytes, new: int | bytes | None) -> dict[str, Any]:
    """The proof between two blocks of a ledger file, named by height or hash; `new` is the last one for None.

    ProofError where the file has no such block; StoreError where it cannot be read or holds no proof that would hold.
    """
    headers: list[bytes] = []
    mains: list[bytes] = []
    main_id: bytes | None = None
    for number, data in store.rows():
        try:
            header, raw, digest = header_in(data)
        except ValueError as error:
            raise StoreError(f"{store.path}: block {number} cannot be read: {error}") from error
        main_id = header.chain_id if main_id is None else main_id
        if header.chain_id == main_id:
            headers.append(raw)
            mains.append(digest)
    if not mains:
        raise StoreError(f"{store.path} holds no block")
    first, last = height_of(mains, old), height_of(mains, new)
    proof = prove_history(headers, mains, first, last)
    try:
        check_history(proof, mains[first], mains[last])
    except ProofError as error:
        raise StoreError(f"{store.path} holds the blocks, but not what proves it: {error}") from error
    return proof


def check_history(proof: Any, old_hash: bytes, new_hash: bytes) -> Continued:
    """What `proof` shows of two header hashes; ProofError names the part that fails.

    `proof` may be anything that JSON can hold.
    """
    if get(proof, "schema", str) != schema_name("history"):
        raise ProofError(f"schema {proof['schema'][:40]!r} is not {schema_name('history')}")
    old, new = to_header(proof.get("from"), "from"), to_header(proof.get("to"), "to")
    for name, found, trusted in (("from", old, old_hash), ("to", new, new_hash)):
        if found.digest != trusted:
            raise ProofError(f"{name}: the header's hash is {found.digest.hex()}, not {trusted.hex()}")
    require_earlier(old, new, proof.get("inclusion"), "inclusion")
    _require_consistent(old, new, to_path(proof.get("consistency"), "consistency"))
    return Continued(old.header, new.header)


def _require_consistent(old: Hashed, new: Hashed, path: Sequence[bytes]) -> None:
    before, after = old.header, new.header
    if old.digest == new.digest or before.height == 0:
        if path:
            raise ProofError("consistency: a path where the old tree is empty or the new one")
        return
    roots = before.history_root, after.history_root
    if not merkle.check_consistency(before.height, roots[0], after.height, roots[1], path):
        raise ProofError(
            f"consistency: block {after.height}'s history does not begin with that of block {before.height}"
        )
