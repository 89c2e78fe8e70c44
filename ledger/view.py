"""A ledger file as one of its nodes may see it: what its level reads in clear, the rest as ids, under a proven root.

The answer of a full node proves itself: with one trusted head the reader checks that the ids are all records of the
block, in their order, and what it reads in clear is what they name (`check_answer`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .access import AccessFault, Shown, check_shown, show_records
from .blocks import MAX_RECORDS, Block
from .businesses import business_of
from .encoding import EncodingError
from .identity import Certificate, IdentityError, Role, display_address, parse_address
from .kinds import Kind
from .levels import LEVEL_OF, RIGHTS, Level
from .proof_parts import Place, ProofError, check_place, get, need, to_bytes
from .proofs import prove_place
from .records import Record
from .show import Names, body_fields, business_of_block, load_blocks, node_names
from .store import Store, StoreError


class Reader(NamedTuple):
    """The node that asks: its 20-byte address, name and level."""

    address: bytes
    name: str
    level: Level


def _reader(blocks: Sequence[Block], names: Names, wanted: str) -> Reader:
    """The node of that name or Base58Check address; StoreError for a stranger, or one whose certificate is revoked."""
    certificates: dict[bytes, Certificate] = {}
    revoked: set[int] = set()
    for record in (record for block in blocks for record in block.records):
        if record.kind is Kind.CERTIFICATE:
            certificate = _certificate(record)
            certificates[certificate.address] = certificate
        elif record.kind is Kind.REVOCATION:
            revoked.add(record.body[0])
    try:
        address: bytes | None = parse_address(wanted)
    except IdentityError:
        named = [known for known, name in names.items() if name == wanted]
        if len(named) > 1:
            alike = ", ".join(map(display_address, named))
            raise StoreError(f"{len(named)} nodes are certified as {wanted!r}: ask by address ({alike})") from None
        address = named[0] if named else None
    if address is None or address not in names:
        raise StoreError(f"no node {wanted!r} (allowed: an address, or one of {', '.join(sorted(names.values()))})")
    if address in certificates and certificates[address].serial in revoked:
        raise StoreError(f"{wanted} may not read: its certificate is revoked")
    role = certificates[address].role if address in certificates else Role.AUTHORITY
    return Reader(address, names[address], LEVEL_OF[role])


def _certificate(record: Record) -> Certificate:
    try:
        return Certificate.from_body(record.body)
    except IdentityError as error:
        raise StoreError(f"a certificate cannot be read: {error}") from error


def _block_as_seen(block: Block, business: str, reader: Reader, names: Names, event: int | None) -> dict[str, Any]:
    """A block's records for a reader, of one event or all; the proof runs over all of them. AccessFault if it fails."""
    shown = show_records(block, reader.level, reader.address)
    readable = {record.id: record for record in check_shown(block.header, shown)}
    records = []
    for position, item in enumerate(shown):
        if event is None or block.records[position].event == event:
            entry: dict[str, Any] = {"position": position, "id": item.id.hex()}
            if item.id in readable:
                record = readable[item.id]
                sender = names.get(record.sender, display_address(record.sender))
                entry |= {"kind": record.kind.name, "sender": sender, "raw": item.raw.hex()}
                entry["fields"] = body_fields(record.kind, record.body, names)
            records.append(entry)
    return {
        "chain": business,
        "block": block.header.height,
        "hash": block.hash.hex(),
        "records_root": block.header.records_root.hex(),
        "ids": [item.id.hex() for item in shown],
        "proven": True,
        "readable": len(readable),
        "hidden": len(shown) - len(readable),
        "records": records,
    }


def view(store: Store, node: str, height: int | None, event: int | None) -> dict[str, Any]:
    """The blocks of a height, or those that hold an event's records, as `node` (name or address) may see them.

    StoreError where there is no such node, block or event; AccessFault where a block's records are not its root's.
    """
    blocks = load_blocks(store)
    names = node_names(blocks)
    reader = _reader(blocks, names, node)
    wanted = [
        block
        for block in blocks
        if block.header.height == height or (event and any(record.event == event for record in block.records))
    ]
    if not wanted:
        what = f"block {height}" if event is None else f"event {event}"
        raise StoreError(f"{store.path} holds no {what}")
    rights = RIGHTS[reader.level]
    return {
        "node": f"{reader.name} ({display_address(reader.address)})",
        "level": reader.level.name.lower(),
        "reads": "all records" if rights.reads_all else "its own records and those that concern everybody",
        "produces": rights.produces,
        "votes": rights.votes,
        "height": height,
        "event": event,
        "blocks": [
            _block_as_seen(each, business_of_block(blocks, each), reader, names, event)
            | {"place": _place(blocks, each)}
            for each in wanted
        ],
    }


def _place(blocks: Sequence[Block], block: Block) -> dict[str, Any] | None:
    """What shows the block under the file's last main block; None while no main block links it."""
    try:
        return prove_place(blocks, block, None)
    except ProofError:
        return None


class Seen(NamedTuple):
    """What a full node's answer shows of one block: where it stands, its chain, what is in clear by position."""

    place: Place
    business: str
    records: dict[int, Record]
    hidden: int


def check_answer(answer: Any, trusted: bytes) -> list[Seen]:
    """What a view shows, block by block, under the header hash `trusted`; ProofError names the part that fails.

    Of a height the main header names the blocks of all chains, so none is left out unseen. Which blocks hold records of
    an event no header tells: of those shown, each is whole.
    """
    parts, height, event = get(answer, "blocks", list), answer.get("height"), answer.get("event")
    if not parts:
        raise ProofError("blocks: the answer shows none")
    asked = [type(each) for each in (height, event) if each is not None]
    if asked != [int]:
        raise ProofError("height, event: one of them is the number that was asked for")
    seen = [check_seen(part, trusted) for part in parts]
    hashes = [each.place.hash for each in seen]
    if len(set(hashes)) < len(hashes):
        raise ProofError("blocks: one is shown twice")
    if height is not None:
        if any(each.place.block.height != height for each in seen):
            raise ProofError(f"blocks: one is not of height {height}")
        missing = len(set(seen[0].place.height_hashes) - set(hashes))
        if missing:
            raise ProofError(f"blocks: {missing} of height {height} are left out")
    return seen


def check_seen(part: Any, trusted: bytes) -> Seen:
    """What one of the `blocks` of a view shows under the header hash `trusted`; ProofError names the part that fails.

    `part` may be anything that JSON can hold. Of a record only the bytes count, not the words beside them.
    """
    place = check_place(get(part, "place", dict), trusted)
    if not place.main_bound:
        raise ProofError("block: its own hash does not tell of which business it is; a main block's hash is needed")
    texts = get(part, "ids", list)
    if len(texts) > MAX_RECORDS:
        raise ProofError(f"ids: {len(texts)} of them; at most {MAX_RECORDS}")
    raws: dict[int, bytes] = {}
    for entry in get(part, "records", list):
        position = get(entry, "position", int)
        if not 0 <= position < len(texts):
            raise ProofError(f"records: position {position} of {len(texts)} ids")
        if "raw" in entry:
            raws[position] = to_bytes(need(entry["raw"], str, "raw"), "raw")
    shown = [Shown(to_bytes(text, "ids"), raws.get(position, b"")) for position, text in enumerate(texts)]
    try:
        readable = check_shown(place.block, shown)
    except (AccessFault, EncodingError) as error:
        raise ProofError(f"records: {error}") from error
    business = business_of(place.block.chain_id, place.main.chain_id)
    if business is None:
        raise ProofError("block: it is of no business of this ledger")
    clear = [position for position, item in enumerate(shown) if item.raw]
    return Seen(place, business, dict(zip(clear, readable, strict=True)), len(shown) - len(readable))
