"""A proof of one record that stands alone: who signed it, in which block it is, and under which later header.

The proof carries the record, its Merkle path to the block's header, its path to the root that its sender signed, the
sender's certificate, the GENESIS body (the ledger's id is its hash, so it fixes the authority's key), and the headers
of the main chain from the block's height to a later one. The first of them is the record's block or links it. The
checker needs nothing else but one header hash that it trusts: of the record's block or of any main block in the proof.
O(log n) hashes and two signatures (paper 000, Fig. 8b).

It shows that the record stands in its block on the chain of that header and that its sender signed it. It doesn't show
at which position: a root doesn't bind the number of its leaves, so one path leads to it from several pairs of index and
count. Nor does it show that the chain is sound or that the certificate was not revoked: that is what the trusted
header's network checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from . import merkle
from .answers import answer, schema_name
from .blocks import Block, Header, Submission, parse_header, submission_digest
from .businesses import business_of
from .check import submission_roots
from .encoding import Body, EncodingError, decode, encode
from .identity import Certificate, IdentityError, address_of, check_certificate, verify
from .params import Signing, chain_id_of, params_of
from .records import Kind, Record, validate_body
from .store import Store, StoreError

MAX_PATH = 64
MAX_HEADERS = 1 << 20


class ProofError(ValueError):
    """A proof that proves nothing; the message says which part."""


@dataclass(frozen=True, slots=True)
class Proven:
    """What a sound proof shows. `signed` is false on a chain without signatures."""

    record: Record
    height: int
    signed: bool
    trusted_height: int
    business: str  # whose chain holds the record


def _path(leaves: Sequence[bytes], index: int) -> dict[str, Any]:
    proof = merkle.inclusion_proof(leaves, index)
    return {"index": index, "count": len(leaves), "path": [digest.hex() for digest in proof]}


def find_record(blocks: Sequence[Block], record_id: bytes) -> tuple[int, int]:
    """(index of the block, position of the record); ProofError where no block holds it."""
    for number, block in enumerate(blocks):
        for position, record in enumerate(block.records):
            if record.id == record_id:
                return number, position
    raise ProofError(f"no record has the id {record_id.hex()}")


def prove(blocks: Sequence[Block], record_id: bytes) -> dict[str, Any]:
    """The proof of a record as JSON-ready values.

    `blocks` are all chains' in the order of sealing, from genesis on; headers reach to the main chain's last.
    ProofError where none of them holds the record, or the main chain has not linked its block yet.
    """
    number, position = find_record(blocks, record_id)
    block, genesis = blocks[number], blocks[0].records[0]
    ledger_id, first = chain_id_of(genesis.body), block.header.height
    headers = [each for each in blocks[number:] if each.header.chain_id == ledger_id and each.header.height >= first]
    if not headers:
        raise ProofError(f"no main block links the block of record {record_id.hex()} yet")
    values = {
        "record": block.records[position].raw.hex(),
        "genesis": encode(genesis.body).hex(),
        "block": block.header_raw.hex(),
        "headers": [each.header_raw.hex() for each in headers],
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


def prove_in_store(store: Store, record_id: bytes) -> dict[str, Any]:
    """The proof of a record of a ledger file; StoreError where the file cannot be read or its proof does not hold."""
    try:
        blocks = list(store.blocks())
        if not blocks or not blocks[0].records or blocks[0].records[0].kind is not Kind.GENESIS:
            raise StoreError(f"{store.path} does not begin with a genesis block")
        proof = prove(blocks, record_id)
    except (ProofError, StoreError):
        raise
    except (ValueError, IndexError) as error:
        raise StoreError(f"{store.path} holds a block that cannot be read: {error}") from error
    try:  # what is no proof is not handed out: the file was altered
        check_proof(proof, sha256(bytes.fromhex(proof["headers"][-1])).digest())
    except ProofError as error:
        raise StoreError(f"{store.path} holds the record, but not what proves it: {error}") from error
    return proof


def _need(value: Any, kind: type, name: str) -> Any:
    if type(value) is not kind:
        raise ProofError(f"{name} is no {kind.__name__}")
    return value


def _get(table: Any, key: str, kind: type) -> Any:
    if type(table) is not dict or key not in table:
        raise ProofError(f"the proof has no {key}")
    return _need(table[key], kind, key)


def _bytes(text: Any, name: str) -> bytes:
    try:
        return bytes.fromhex(_need(text, str, name))
    except ValueError as error:
        raise ProofError(f"{name} is no hexadecimal text") from error


def _record(text: Any) -> Record:
    try:
        return Record.from_bytes(_bytes(text, "record"))
    except EncodingError as error:
        raise ProofError(f"record: {error}") from error


def _body(text: Any, kind: Kind) -> Body:
    """A body alone: what is around it in its record is not bound by anything that the proof shows."""
    name = kind.name.lower()
    try:
        body = decode(_bytes(text, name))
        validate_body(kind, _need(body, list, name))
    except EncodingError as error:
        raise ProofError(f"{name}: {error}") from error
    return list(body)


def _require_path(leaf: bytes, part: Any, root: bytes, what: str) -> None:
    index, count = _get(part, "index", int), _get(part, "count", int)
    texts = _get(part, "path", list)
    if len(texts) > MAX_PATH:
        raise ProofError(f"{what}: a path of {len(texts)} hashes; at most {MAX_PATH}")
    path = [_bytes(text, "path") for text in texts]
    if any(len(digest) != 32 for digest in path) or not merkle.check_inclusion(leaf, index, count, path, root):
        raise ProofError(f"{what}: the Merkle path does not lead to the root")


def _headers(texts: list[Any]) -> tuple[list[Header], list[bytes]]:
    """Headers that link, and their hashes."""
    if not 0 < len(texts) <= MAX_HEADERS:
        raise ProofError(f"headers: {len(texts)} of them; allowed: 1..{MAX_HEADERS}")
    raws = [_bytes(text, "headers") for text in texts]
    try:
        headers = [parse_header(raw) for raw in raws]
    except ValueError as error:
        raise ProofError(f"headers: {error}") from error
    hashes = [sha256(raw).digest() for raw in raws]
    for before, digest, after in zip(headers, hashes, headers[1:], strict=False):
        if (after.previous, after.height, after.chain_id) != (digest, before.height + 1, before.chain_id):
            raise ProofError(f"headers: block {after.height} does not follow block {before.height}")
    return headers, hashes


def check_proof(proof: Any, trusted: bytes) -> Proven:
    """What `proof` shows under the header hash `trusted`; ProofError names the part that fails.

    `proof` may be anything that JSON can hold: a foreign file is refused, it never crashes the checker.
    """
    if _get(proof, "schema", str) != schema_name("proof"):
        raise ProofError(f"schema {proof['schema'][:40]!r} is not {schema_name('proof')}")
    record, genesis = _record(proof.get("record")), _body(proof.get("genesis"), Kind.GENESIS)
    headers, hashes = _headers(_get(proof, "headers", list))
    header, digest = _linked_block(proof.get("block"), headers[0], hashes[0])
    if trusted not in (digest, *hashes):
        raise ProofError(f"no header of the proof has the trusted hash {trusted.hex()}")
    try:
        params, ledger_id = params_of(genesis), chain_id_of(genesis)
    except ValueError as error:
        raise ProofError(f"genesis: {error}") from error
    business, names = business_of(header.chain_id, ledger_id), [name for name, _ in params.businesses]
    if business not in names or headers[0].chain_id != ledger_id:
        raise ProofError("genesis: the chain id is not this record's")
    if record.chain_id != header.chain_id:
        raise ProofError("record: it belongs to another chain")
    _require_path(record.id, _get(proof, "inclusion", dict), header.records_root, "inclusion")
    signed = params.signing_mode is not Signing.NONE
    if signed:
        _check_signature(_get(proof, "signature", dict), record, header, genesis, names.index(business))
    elif proof.get("signature") is not None:
        raise ProofError("signature: this chain has none")
    height = headers[hashes.index(trusted)].height if trusted in hashes else header.height
    return Proven(record, header.height, signed, height, business)


def _linked_block(text: Any, first: Header, first_hash: bytes) -> tuple[Header, bytes]:
    """The header of the record's block and its hash: the first main header's, or one that it links."""
    raw = _bytes(text, "block")
    digest = sha256(raw).digest()
    try:
        header = parse_header(raw)
    except ValueError as error:
        raise ProofError(f"block: {error}") from error
    if digest not in (first_hash, *first.links) or header.height != first.height:
        raise ProofError("block: the first of the headers neither is it nor links it")
    return header, digest


def _check_signature(part: dict[str, Any], record: Record, header: Header, genesis: Body, place: int) -> None:
    """`place`: of the record's chain among those of the ledger."""
    root, signature = _bytes(part.get("root"), "root"), _bytes(part.get("signature"), "signature")
    siblings = tuple(_bytes(text, "siblings") for text in _get(part, "siblings", list))
    submission = Submission(record.sender, root, signature, siblings)
    _require_path(record.id, part.get("inclusion"), root, "signature: inclusion")
    leaf = merkle.leaf_hash(encode(tuple(submission)))
    _require_path(leaf, part.get("submission"), header.submissions_root, "signature: submission")
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
