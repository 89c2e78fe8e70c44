"""A ledger file in words: an overview, a block with its records by field name, an event with its four
records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .blocks import Block
from .businesses import business_of
from .contracts import Versions, in_force, version_of
from .encoding import Body
from .faults import FaultCode
from .identity import Role, address_of, display_address
from .joining import Application, Condition
from .kinds import PREDECESSOR, SCHEMAS, Kind
from .params import DISPATCH, params_of
from .records import Record
from .store import Store, StoreError

Names = dict[bytes, str]


@dataclass(frozen=True, slots=True)
class _Found:
    """A record and where it stands."""

    business: str
    height: int
    position: int
    record: Record


def node_names(blocks: list[Block]) -> Names:
    """Address → name of the authority and of everybody who was ever certified."""
    names: Names = {}
    for block in blocks:
        for record in block.records:
            if record.kind is Kind.GENESIS:
                names[address_of(record.body[2])] = "authority"
            elif record.kind is Kind.CERTIFICATE:
                names[address_of(record.body[1])] = _readable(record.body[0], "bytes", {})
    return names


def _readable(value: Any, type_name: str, names: Names) -> Any:
    if type(value) is not bytes:
        return [_readable(item, type_name, names) for item in value] if type(value) is list else value
    if type_name == "address":
        text = display_address(value)
        return f"{names[value]} ({text})" if value in names else text
    if type_name == "bytes" and value.isascii() and value.decode("ascii").isprintable():
        return value.decode("ascii")
    return value.hex()


def body_fields(kind: Kind, body: Body, names: Names) -> dict[str, Any]:
    """A body by the names of the table of fields; rows become one dictionary each."""
    fields: dict[str, Any] = {}
    for field, value in zip(SCHEMAS[kind], body, strict=True):
        if field.columns:
            types = field.column_types
            fields[field.name] = [
                {
                    name: _readable(item, type_name, names)
                    for name, type_name, item in zip(field.columns, types, row, strict=True)
                }
                for row in value
            ]
        else:
            fields[field.name] = _readable(value, field.type_name, names)
    return fields


def _record_view(found: _Found, names: Names) -> dict[str, Any]:
    record = found.record
    return {
        "kind": record.kind.name,
        "chain": found.business,
        "block": found.height,
        "position": found.position,
        "id": record.id.hex(),
        "sender": _readable(record.sender, "address", names),
        "nonce": record.nonce,
        "expiry": record.expiry,
        "event": record.event,
        "blinding": record.blinding.hex(),
        "fields": body_fields(record.kind, record.body, names),
    }


def business_of_block(blocks: list[Block], block: Block) -> str:
    """Whose chain a block is of; genesis, which is common, counts as the main chain's."""
    return business_of(block.header.chain_id, blocks[0].header.chain_id) or "unknown"


def _all_records(blocks: list[Block]) -> Iterator[_Found]:
    for block in blocks:
        business = business_of_block(blocks, block)
        for position, record in enumerate(block.records):
            yield _Found(business, block.header.height, position, record)


def _chain_view(blocks: list[Block], business: str, rule: str) -> dict[str, Any]:
    """One business's chain: rule, height, records, and its share of the kinds."""
    mine = [block for block in blocks if business_of_block(blocks, block) == business]
    kinds = Counter(record.kind.name for block in mine for record in block.records)
    return {
        "business": business,
        "consensus": rule,
        "height": mine[-1].header.height if mine else 0,
        "head": mine[-1].hash.hex() if mine else blocks[0].hash.hex(),
        "records": dict(kinds),
    }


def _refused_view(found: _Found, names: Names) -> dict[str, Any]:
    """A turn that came to nothing: the height it was for, and the fault by name."""
    height, round_number, producer, fault, *_ = found.record.body
    known = fault in FaultCode.__members__.values()
    return {
        "chain": found.business, "block": height, "round": round_number,
        "producer": _readable(producer, "address", names), "fault": FaultCode(fault).name if known else str(fault),
        "recorded_in": found.height,
    }  # fmt: skip


def overview(store: Store) -> dict[str, Any]:
    """Settings, nodes by role, counts, events, refused turns and convicted nodes of a ledger, unverified."""
    blocks = load_blocks(store)
    first = blocks[0].records[0].body
    roles: Counter[str] = Counter()
    events: dict[int, list[str]] = {}
    kinds: Counter[str] = Counter()
    names, refused, convicted = node_names(blocks), [], []
    for found in _all_records(blocks):
        record = found.record
        kinds[record.kind.name] += 1
        if record.kind is Kind.REFUSAL:
            refused.append(_refused_view(found, names))
        elif record.kind is Kind.EQUIVOCATION:
            convicted.append({"producer": _readable(record.body[0], "address", names), "block": found.height})
        if record.kind is Kind.CERTIFICATE and record.body[2] in Role.__members__.values():
            roles[Role(record.body[2]).name] += 1
        if record.kind in PREDECESSOR:
            events.setdefault(record.event, []).append(f"{record.kind.name}@{found.height}")
    try:
        settings = params_of(first)
    except ValueError as error:
        raise StoreError(f"{store.path} has settings that are not allowed: {error}") from error
    chains = [_chain_view(blocks, business, rule) for business, rule in settings.businesses]
    return {
        "ledger": blocks[0].header.chain_id.hex(),
        "name": _readable(first[0], "bytes", {}),
        "authority": first[2].hex(),
        "time_s": blocks[-1].header.time_s,
        "chains": chains,
        "gamma": settings.gamma,
        "signing": settings.signing,
        "nodes": dict(roles),
        "blocks": len(blocks),
        "head": chains[-1]["head"],
        "records": dict(kinds),
        "events": {str(event): steps for event, steps in events.items()},
        "refused": refused,
        "convicted": convicted,
    }


def block_view(store: Store, height: int, business: str = DISPATCH) -> dict[str, Any]:
    """A block's header, votes and records; StoreError when a business's chain has none of that height."""
    blocks = load_blocks(store)
    names = node_names(blocks)
    heights = {block.header.height: block for block in blocks if business_of_block(blocks, block) == business}
    if height not in heights:
        held = f"blocks {min(heights)}..{max(heights)}" if heights else "no chain"
        raise StoreError(f"{store.path} holds {held} of {business}, not {height}")
    block = heights[height]
    header = block.header
    values = {
        name: value.hex() if type(value) is bytes and name != "producer" else value
        for name, value in header._asdict().items()
    }
    values["producer"] = _readable(header.producer, "address", names)
    values["links"] = [link.hex() for link in header.links]
    found = [_Found(business, height, position, record) for position, record in enumerate(block.records)]
    return {
        "chain": business,
        "hash": block.hash.hex(),
        "header": values,
        "votes": [_readable(vote.validator, "address", names) for vote in block.votes],
        "records": [_record_view(each, names) for each in found],
    }


def contracts_view(store: Store, height: int | None) -> dict[str, Any]:
    """The rules in force at a height (the last one where None): name, version, hash of parameters, since when.

    StoreError where the chain has no such height.
    """
    blocks = load_blocks(store)
    first, last = blocks[0].header.height, blocks[-1].header.height
    at = last if height is None else height
    if not first <= at <= last:
        raise StoreError(f"{store.path} holds blocks {first}..{last}, not {at}")
    versions: dict[bytes, Versions] = {}
    for found in _all_records(blocks):
        if found.record.kind is Kind.CONTRACT:
            name = found.record.body[0]
            versions[name] = (*versions.get(name, ()), version_of(found.record.body))
    rules = []
    for name, registered in versions.items():
        rule = in_force(registered, at)
        if rule is not None:
            values = rule._asdict() | {"parameter_hash": rule.parameter_hash.hex()}
            rules.append({"name": _readable(name, "bytes", {})} | values)
    return {"height": at, "contracts": rules}


def _application_view(body: Body, height: int) -> dict[str, Any]:
    applied = Application(*body)
    return {
        "subject": _readable(applied.subject, "bytes", {}), "address": display_address(applied.address),
        "role": applied.role, "bus": applied.bus, "energy_types": applied.energy_types,
        "capacity_w": applied.capacity_w, "periods": len(applied.generated_wh), "applied_in": height,
        "decision": "open", "decided_in": None, "id": None, "certified_in": None,
    }  # fmt: skip


def joining_view(store: Store) -> dict[str, Any]:
    """The conditions for joining, and what became of every application: id or broken condition, certified or not."""
    conditions: dict[str, Any] | None = None
    applications: dict[bytes, dict[str, Any]] = {}
    for found in _all_records(load_blocks(store)):
        kind, body, height = found.record.kind, found.record.body, found.height
        if kind is Kind.CONDITIONS:
            conditions = {"since_block": height} | body_fields(kind, body, {})
        elif kind is Kind.APPLICATION:
            applications[found.record.id] = _application_view(body, height)
        elif kind is Kind.ADMISSION and body[0] in applications:
            broken = Condition(body[2]).name if body[2] in Condition.__members__.values() else str(body[2])
            decision = f"refused: {broken}" if body[2] else "accepted"
            applications[body[0]] |= {"decision": decision, "decided_in": height, "id": body[1] or None}
        elif kind is Kind.CERTIFICATE:
            address = display_address(address_of(body[1]))
            for row in applications.values():
                if row["id"] == body[3] and row["address"] == address:
                    row["certified_in"] = height
    return {"conditions": conditions, "applications": list(applications.values())}


def event_view(store: Store, event: int) -> dict[str, Any]:
    """An event's linked records with their blocks, and whatever else names the event."""
    blocks = load_blocks(store)
    names = node_names(blocks)
    found = [_record_view(each, names) for each in _all_records(blocks) if event and each.record.event == event]
    if not found:
        raise StoreError(f"{store.path} holds no event {event}")
    return {"event": event, "records": found}


def load_blocks(store: Store) -> list[Block]:
    """The blocks of a file, unverified; StoreError where they cannot be read or do not begin with a genesis block."""
    try:
        blocks = list(store.blocks())
    except StoreError:
        raise
    except ValueError as error:
        raise StoreError(f"{store.path} holds a block that cannot be read: {error}") from error
    if not blocks or not blocks[0].records or blocks[0].records[0].kind is not Kind.GENESIS:
        raise StoreError(f"{store.path} does not begin with a genesis block")
    return blocks


def render(view: Any, indent: int = 0) -> str:
    """A view as indented text."""
    pad = "  " * indent
    if isinstance(view, dict):
        lines = []
        for key, value in view.items():
            if isinstance(value, dict | list) and value:
                lines += [f"{pad}{key}:", render(value, indent + 1)]
            else:
                lines.append(f"{pad}{key}: {value}")
        return "\n".join(lines)
    if isinstance(view, list):
        if all(not isinstance(item, dict | list) for item in view):
            return pad + " ".join(map(str, view))
        return "\n".join(_render_item(item, indent) for item in view)
    return f"{pad}{view}"


def _render_item(item: Any, indent: int) -> str:
    """An item of a list: a flat row on one line, anything else as a block behind a dash."""
    pad = "  " * indent
    if isinstance(item, dict) and not any(isinstance(value, dict | list) for value in item.values()):
        return pad + ", ".join(f"{name} {value}" for name, value in item.items())
    return f"{pad}- {render(item, indent + 1)[len(pad) + 2 :]}"
