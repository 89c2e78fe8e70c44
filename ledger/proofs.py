"""A proof of one record that stands alone: who signed it, in which block it is, and under which later header.

The proof carries the record, its Merkle path to the block's header, its path to the root that its sender signed, the
sender's certificate, the GENESIS body (the ledger's id is its hash, so it fixes the authority's key), the main header
of the block's height, which is the block's own or links it, and a later main header with the path that shows the first
in its history. The checker needs nothing else but one hash that it trusts, of any of the three headers: the later one
is a head that was published, and one head proves every record before it.
O(log n) hashes and two signatures (paper 000, Fig. 8b).

It shows that the record stands in its block, at its position, on the chain of that header and that its sender signed
it. (A root alone doesn't bind the number of its leaves, so one path leads to it from several pairs of index and count:
the header states the number.) It doesn't show that the chain is sound or that the certificate was not revoked: that is
what the trusted header's network checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import merkle
from .answers import answer, schema_name
from .blocks import Block, Header, Submission, submission_digest
from .businesses import business_of
from .check import submission_roots
from .encoding import Body, EncodingError, decode, encode
from .history import height_of, history_path
from .identity import Certificate, IdentityError, address_of, check_certificate, verify
from .kinds import Kind, validate_body
from .params import Signing, chain_id_of, params_of
from .proof_parts import ProofError, check_place, get, need, path_texts, require_path, to_bytes, to_header
from .records import Record
from .store import Store, StoreError


@dataclass(frozen=True, slots=True)
class Proven:
    """What a sound proof shows. `signed` is false on a chain without signatures."""

    record: Record
    height: int
    position: int  # among the records of its block
    signed: bool
    trusted_height: int
    business: str  # whose chain holds the record


def _path(leaves: Sequence[bytes], index: int) -> dict[str, Any]:
    proof = merkle.inclusion_proof(leaves, index)
    return {"index": index, "count": len(leaves), "path": path_texts(proof)}


def find_record(blocks: Sequence[Block], record_id: bytes) -> tuple[int, int]:
    """(index of the block, position of the record); ProofError where no block holds it."""
    for number, block in enumerate(blocks):
        for position, record in enumerate(block.records):
            if record.id == record_id:
                return number, position
    raise ProofError(f"no record has the id {record_id.hex()}")


def prove_place(blocks: Sequence[Block], block: Block, to: int | bytes | None) -> dict[str, Any]:
    """What `check_place` takes: the headers around a block and the path; arguments and errors as `prove`."""
    chain = [each for each in blocks if each.header.chain_id == blocks[0].header.chain_id]
    mains, first = [each.hash for each in chain], block.header.height
    last = height_of(mains, to)
    if first > last:
        raise ProofError(f"no main block up to {last} links block {first} of this chain yet")
    return {
        "block": block.header_raw.hex(),
        "main": chain[first].header_raw.hex(),
        "head": chain[last].header_raw.hex(),
        "history": history_path(mains, first, last),
    }


def prove(blocks: Sequence[Block], record_id: bytes, to: int | bytes | None = None) -> dict[str, Any]:
    """The proof of a record as JSON-ready values, under the main chain's block `to` (height or hash; the last one).

    `blocks` are all chains' in the order of sealing, from genesis on. ProofError where none of them holds the record,
    there is no such main block, or it neither links the record's block nor comes later.
    """
    number, position = find_record(blocks, record_id)
    block, genesis = blocks[number], blocks[0].records[0]
    values = prove_place(blocks, block, to) | {
        "record": block.records[position].raw.hex(),
        "genesis": encode(genesis.body).hex(),
        "inclusion": _path([record.id for record in block.records], position),
        "signature": _signature_part(blocks[: number + 1], position, params_of(genesis.body).signing_mode),
    }
    return answer("proof", values)


def _signature_part(blocks: Sequence[Block], position: int, signing: Signing) -> dict[str, Any] | None:
    """The sender's submission, the record's place under it, its place in the header, the certificate."""
    block = blocks[-1]
    if signing is Signing.NONE:
        return None
    record = block.records[position]
    if signing is Signing.RECORD:
        number, mine, place = position, [record.id], 0
    else:
        senders = [sender for sender, _ in submission_roots(block.records, signing)]
        number = senders.index(record.sender)
        same = [index for index, other in enumerate(block.records) if other.sender == record.sender]
        mine, place = [block.records[index].id for index in same], same.index(position)
    submission = block.submissions[number]
    leaves = [merkle.leaf_hash(encode(tuple(row))) for row in block.submissions]
    certificates = [
        encode(each.body).hex()
        for earlier in blocks
        for each in earlier.records
        if each.kind is Kind.CERTIFICATE and address_of(each.body[1]) == record.sender
    ]
    return {
        "root": submission.root.hex(),
        "signature": submission.signature.hex(),
        "inclusion": _path(mine, place),
        "siblings": [root.hex() for root in submission.siblings],
        "submission": _path(leaves, number),
        "certificate": certificates[-1] if certificates else None,  # the authority has none
    }


def prove_in_store(store: Store, record_id: bytes, to: int | bytes | None = None) -> dict[str, Any]:
    """The proof of a record of a ledger file; StoreError where the file cannot be read or its proof does not hold."""
    try:
        blocks = list(store.blocks())
        if not blocks or not blocks[0].records or blocks[0].records[0].kind is not Kind.GENESIS:
            raise StoreError(f"{store.path} does not begin with a genesis block")
        proof = prove(blocks, record_id, to)
    except (ProofError, StoreError):
        raise
    except (ValueError, IndexError) as error:
        raise StoreError(f"{store.path} holds a block that cannot be read: {error}") from error
    try:  # what is no proof is not handed out: the file was altered
        check_proof(proof, to_header(proof["head"], "head").digest)
    except ProofError as error:
        raise StoreError(f"{store.path} holds the record, but not what proves it: {error}") from error
    return proof


def _record(text: Any) -> Record:
    try:
        return Record.from_bytes(to_bytes(text, "record"))
    except EncodingError as error:
        raise ProofError(f"record: {error}") from error


def _body(text: Any, kind: Kind) -> Body:
    """A body alone: what is around it in its record is not bound by anything that the proof shows."""
    name = kind.name.lower()
    try:
        body = decode(to_bytes(text, name))
        validate_body(kind, need(body, list, name))
    except EncodingError as error:
        raise ProofError(f"{name}: {error}") from error
    return list(body)


def check_proof(proof: Any, trusted: bytes) -> Proven:
    """What `proof` shows under the header hash `trusted`; ProofError names the part that fails.

    `proof` may be anything that JSON can hold: a foreign file is refused, it never crashes the checker.
    """
    if get(proof, "schema", str) != schema_name("proof"):
        raise ProofError(f"schema {proof['schema'][:40]!r} is not {schema_name('proof')}")
    record, genesis = _record(proof.get("record")), _body(proof.get("genesis"), Kind.GENESIS)
    header, main, through, *_ = check_place(proof, trusted)  # of which ledger it is, the genesis body tells
    try:
        params, ledger_id = params_of(genesis), chain_id_of(genesis)
    except ValueError as error:
        raise ProofError(f"genesis: {error}") from error
    business, names = business_of(header.chain_id, ledger_id), [name for name, _ in params.businesses]
    if business not in names or main.chain_id != ledger_id:
        raise ProofError("genesis: the chain id is not this record's")
    if record.chain_id != header.chain_id:
        raise ProofError("record: it belongs to another chain")
    inclusion = get(proof, "inclusion", dict)
    require_path(record.id, inclusion, header.records_root, "inclusion")
    if (
        inclusion["count"] != header.record_count
    ):  # with the number of records, which the header binds, the path fixes its place
        raise ProofError(f"inclusion: {inclusion['count']} records where the header states {header.record_count}")
    signed = params.signing_mode is not Signing.NONE
    if signed:
        _check_signature(get(proof, "signature", dict), record, header, genesis, names.index(business))
    elif proof.get("signature") is not None:
        raise ProofError("signature: this chain has none")
    return Proven(record, header.height, inclusion["index"], signed, through.height, business)


def _check_signature(part: dict[str, Any], record: Record, header: Header, genesis: Body, place: int) -> None:
    """`place`: of the record's chain among those of the ledger."""
    root, signature = to_bytes(part.get("root"), "root"), to_bytes(part.get("signature"), "signature")
    siblings = tuple(to_bytes(text, "siblings") for text in get(part, "siblings", list))
    submission = Submission(record.sender, root, signature, siblings)
    require_path(record.id, part.get("inclusion"), root, "signature: inclusion")
    leaf = merkle.leaf_hash(encode(tuple(submission)))
    require_path(leaf, part.get("submission"), header.submissions_root, "signature: submission")
    key = _sender_key(part.get("certificate"), record.sender, header.height, genesis[2])
    digest = submission_digest(chain_id_of(genesis), header.height, submission.signed_root(place))
    if not verify(key, signature, digest):
        raise ProofError("signature: the sender did not sign this root")


def _sender_key(text: Any, sender: bytes, height: int, authority_key: bytes) -> bytes:
    if text is None:
        key = authority_key
    else:
        try:
            certificate = Certificate.from_body(_body(text, Kind.CERTIFICATE))
        except IdentityError as error:
            raise ProofError(f"certificate: {error}") from error
        if not check_certificate(certificate, authority_key) or not certificate.is_valid_at(height):
            raise ProofError("certificate: not signed by the authority, or not valid at the record's height")
        key = certificate.public_key
    if address_of(key) != sender:
        raise ProofError("certificate: it is not the sender's")
    return key
