"""The rules of single kinds of record: what a sound block may say, and the change that it makes.

A rule takes the examination so far, the record's position and the record; it refuses or notes the change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NoReturn

import numpy as np

from . import contracts
from .blocks import Block, block_digest, parse_header
from .change import Change, Event, Link
from .check_joining import check_admission, check_admitted, check_application, check_conditions
from .faults import Fault, FaultCode, LedgerFault
from .identity import Certificate, IdentityError, check_certificate, verify
from .joining import ALL_TYPES
from .kinds import PREDECESSOR, Kind
from .levels import PRODUCERS
from .params import Signing
from .records import Record
from .state import ChainState
from .weights import MAX_PERIOD_WH, MAX_SHARE_PPM, MAX_WINDOW_CELLS


@dataclass
class Examination:
    """A block under check and the change it would make so far."""

    state: ChainState
    block: Block
    change: Change = field(default_factory=Change)

    def refuse(self, code: FaultCode, detail: str, record: int | None = None) -> NoReturn:
        """Raise LedgerFault for this block, or for the record at a position of it.

        The block is named by its place in the chain: its header's height may be the lie.
        """
        state = self.state
        raise LedgerFault(Fault(code, state.height + 1, detail, record, state.label))

    def require(self, sound: bool, code: FaultCode, detail: str, record: int | None = None) -> None:
        """Refuse unless sound."""
        if not sound:
            self.refuse(code, detail, record)


def _check_genesis(work: Examination, position: int, record: Record) -> None:
    first = position == 0 and work.block.header.height == 0
    work.require(first, FaultCode.GENESIS, "GENESIS is the first record and the only one", position)


def _check_certificate(work: Examination, position: int, record: Record) -> None:
    state, change = work.state, work.change
    try:
        certificate = Certificate.from_body(record.body)
    except IdentityError as error:
        work.refuse(FaultCode.CERTIFICATE, str(error), position)
    sound = check_certificate(certificate, state.authority_key)
    work.require(sound, FaultCode.CERTIFICATE, "the authority did not sign this certificate", position)
    serials = {earlier.serial for earlier in change.certificates}
    fresh = certificate.serial not in state.serials and certificate.serial not in serials
    work.require(fresh, FaultCode.CERTIFICATE, f"serial {certificate.serial} is taken", position)
    address, known = certificate.address, {earlier.address for earlier in change.certificates}
    sole = address != state.authority and address not in known
    work.require(sole, FaultCode.CERTIFICATE, f"{address.hex()} is certified twice", position)
    old = state.certificates.get(address)
    renewal = old is None or (old.role == certificate.role and old.serial < certificate.serial)
    work.require(renewal, FaultCode.CERTIFICATE, "a renewal keeps the role and raises the serial", position)
    nodes = len(state.certificates) + len(change.certificates) + 1
    roomy = nodes * state.params.window_periods <= MAX_WINDOW_CELLS
    work.require(roomy, FaultCode.CERTIFICATE, f"{nodes} nodes are too many for the window", position)
    if old is None and state.conditions is not None:
        check_admitted(work, position, certificate)
    change.certificates.append(certificate)


def _check_revocation(work: Examination, position: int, record: Record) -> None:
    serial = record.body[0]
    open_serial = serial in work.state.serials and serial not in work.state.revoked | work.change.revoked
    work.require(open_serial, FaultCode.REVOKED, f"no valid certificate has serial {serial}", position)
    work.change.revoked.add(serial)


def _check_history(work: Examination, position: int, record: Record) -> None:
    work.require(work.block.header.height == 0, FaultCode.GENESIS, "HISTORY after genesis", position)
    site, generated, consumed = record.body
    known = {certificate.address for certificate in work.change.certificates}
    sound = (
        site in known
        and site not in work.change.histories
        and len(generated) == len(consumed) <= work.state.params.window_periods
        and max((*generated, *consumed), default=0) <= MAX_PERIOD_WH
    )
    work.require(sound, FaultCode.VERIFICATION, "a history is one a site, of equal lists inside the window", position)
    work.change.histories[site] = (np.array(generated, np.int64), np.array(consumed, np.int64))


def _check_verification(work: Examination, position: int, record: Record) -> None:
    state, change = work.state, work.change
    period, rows = record.body
    last = state.last_period if change.last_period is None else change.last_period
    work.require(period > last, FaultCode.VERIFICATION, f"period {period} was verified before", position)
    certificates = state.certificates
    energies_wh: dict[bytes, tuple[int, int]] = {}
    for site, generated_wh, consumed_wh, _, _ in rows:
        if site not in certificates or site in energies_wh:
            work.refuse(FaultCode.VERIFICATION, f"{site.hex()} is unknown or doubled", position)
        if generated_wh > MAX_PERIOD_WH or consumed_wh > MAX_PERIOD_WH:
            work.refuse(FaultCode.VERIFICATION, f"more than {MAX_PERIOD_WH} Wh in a period", position)
        energies_wh[site] = (generated_wh, consumed_wh)
    change.last_period = period
    change.verified.append(energies_wh)


def _check_reading(work: Examination, position: int, record: Record) -> None:
    """One reading a site and period: what was metered once can't be sold twice."""
    period, sender, readings = record.body[0], record.sender, work.change.readings
    last = readings[sender] if sender in readings else work.state.readings.get(sender, -1)
    if period <= last:
        detail = f"{sender.hex()} reported period {last} before, and now {period}"
        work.refuse(FaultCode.DOUBLE_READING, detail, position)
    readings[sender] = period


def _check_equivocation(work: Examination, position: int, record: Record) -> None:
    """Two headers of one height, both signed by their producer, convict it whoever brings them."""
    state = work.state
    producer, raw, signature, other_raw, other_signature = record.body
    try:
        header, other = parse_header(raw), parse_header(other_raw)
    except ValueError as error:
        work.refuse(FaultCode.EQUIVOCATION, str(error), position)
    place = (header.chain_id, producer, header.height)
    ours = header.chain_id in [chain.chain_id for chain in state.chains]
    two = ours and raw != other_raw and all((h.chain_id, h.producer, h.height) == place for h in (header, other))
    work.require(two, FaultCode.EQUIVOCATION, "not two blocks of one height by this producer", position)
    key = state.public_key(producer) if producer != state.authority else None
    if state.signing is Signing.NONE:  # nobody signs: the headers alone stand, as all records do
        signed = key is not None and not signature and not other_signature
    else:
        digests = [block_digest(sha256(each).digest()) for each in (raw, other_raw)]
        signed = key is not None and all(map(verify, (key, key), (signature, other_signature), digests))
    work.require(signed, FaultCode.EQUIVOCATION, "the producer did not sign both blocks", position)
    known = producer in state.equivocators | work.change.equivocators
    work.require(not known, FaultCode.EQUIVOCATION, f"{producer.hex()} was convicted before", position)
    work.change.equivocators.add(producer)


def _check_ballot(work: Examination, position: int, record: Record) -> None:
    candidate = record.body[0]
    role = work.state.role(candidate) if candidate else None
    sound = not candidate or role in PRODUCERS
    work.require(sound, FaultCode.BALLOT, f"{candidate.hex()} may not produce blocks", position)
    work.change.ballots[record.sender] = candidate


def _check_credit(work: Examination, position: int, record: Record) -> None:
    certificates, credits = work.state.certificates, work.change.credits
    for site, credit_ppm, _ in record.body[1]:
        if site not in certificates or credit_ppm > MAX_SHARE_PPM:
            work.refuse(FaultCode.CREDIT, f"{site.hex()}: unknown, or more than {MAX_SHARE_PPM} ppm", position)
        credits[site] = credit_ppm


def _check_link(work: Examination, position: int, record: Record) -> None:
    """One successor a kind, each naming the record before it, in blocks that rise as paper 000's cycle
    does.
    """
    state, height, kind = work.state, work.block.header.height, record.kind
    event: Event = work.change.events.get(record.event, state.events.get(record.event, {}))
    work.require(record.event > 0, FaultCode.LINK, f"{kind.name} without an event", position)
    work.require(kind not in event, FaultCode.LINK, f"a second {kind.name} for event {record.event}", position)
    predecessor = PREDECESSOR[kind]
    if predecessor is None:
        work.require(record.body[0] == b"", FaultCode.LINK, "TTX has no record before it", position)
        begins, due = record.body[2], height - 1
        work.require(begins == due, FaultCode.PERIOD, f"TTX of period {begins} where {due} is due", position)
    else:
        before = event.get(predecessor)
        if before is None:
            work.refuse(FaultCode.LINK, f"{kind.name} without {predecessor.name} in event {record.event}", position)
        same = record.body[0] == before.id
        work.require(same, FaultCode.LINK, f"{kind.name} does not name its {predecessor.name}", position)
        later = height > before.height or (kind is Kind.DTX and height == before.height)
        work.require(later, FaultCode.LINK, f"{kind.name} in the block of its {predecessor.name}", position)
    if kind is Kind.ATX:
        trail = [event[earlier].id for earlier in (Kind.TTX, Kind.DTX, Kind.VTX)]
        work.require(list(record.body[1]) == trail, FaultCode.LINK, "ATX does not list its event's records", position)
    work.change.events[record.event] = event | {kind: Link(record.id, height)}


def _check_site(work: Examination, position: int, record: Record) -> None:
    """What stands behind a certified node's meter; a later record replaces the earlier one."""
    site, _, energy_types, *_ = record.body
    known = site in work.state.certificates or site in {each.address for each in work.change.certificates}
    work.require(known, FaultCode.STATUS, f"{site.hex()} has no certificate", position)
    sound = 0 < energy_types <= ALL_TYPES
    work.require(sound, FaultCode.STATUS, f"energy types {energy_types} are no sum of 1, 2, .. {ALL_TYPES}", position)


def _check_status(work: Examination, position: int, record: Record) -> None:
    period, change = record.body[0], work.change
    last = work.state.last_status if change.last_status is None else change.last_status
    work.require(period > last, FaultCode.STATUS, f"the status of period {period} was stated before", position)
    change.last_status = period


def _check_contract(work: Examination, position: int, record: Record) -> None:
    """One version after the other, each in force after the block that announces it."""
    name, change = record.body[0], work.change
    earlier = change.contracts.get(name, work.state.contracts.get(name, ()))
    found = contracts.misfit(earlier, record.body, work.block.header.height)
    work.require(found is None, FaultCode.CONTRACT, found or "", position)
    change.contracts[name] = (*earlier, contracts.version_of(record.body))


def _check_closing(work: Examination, position: int, record: Record) -> None:
    height, chain = work.block.header.height, work.state.due
    due = [height + 1, chain.record_count + len(work.block.records), chain.head]
    last = position == len(work.block.records) - 1
    work.require(
        last and list(record.body) == due,
        FaultCode.CLOSING,
        "closing record is not the chain's last word",
        position,
    )
    if work.state.due is work.state.main:
        events = work.state.events | work.change.events
        owing = next((number for number in sorted(events) if Kind.ATX not in events[number]), None)
        work.require(owing is None, FaultCode.CLOSING, f"closed before the ATX of event {owing}", position)
    work.change.closed = True


RULES: dict[Kind, Callable[[Examination, int, Record], None]] = {
    Kind.GENESIS: _check_genesis,
    Kind.CERTIFICATE: _check_certificate,
    Kind.REVOCATION: _check_revocation,
    Kind.HISTORY: _check_history,
    Kind.VERIFICATION: _check_verification,
    Kind.CREDIT: _check_credit,
    Kind.READING: _check_reading,
    Kind.EQUIVOCATION: _check_equivocation,
    Kind.BALLOT: _check_ballot,
    Kind.SITE: _check_site,
    Kind.STATUS: _check_status,
    Kind.CONTRACT: _check_contract,
    Kind.CONDITIONS: check_conditions,
    Kind.APPLICATION: check_application,
    Kind.ADMISSION: check_admission,
    Kind.CLOSING: _check_closing,
    **dict.fromkeys(PREDECESSOR, _check_link),
}
