"""The rules of the records by which a node joins; see `joining.py`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .encoding import Body
from .faults import FaultCode
from .identity import Certificate
from .joining import Admission, Application, Conditions, first_broken, misfit_of_conditions
from .records import Record

if TYPE_CHECKING:
    from .check_records import Examination
    from .state import ChainState


def check_conditions(work: Examination, position: int, record: Record) -> None:
    """Conditions that somebody can meet; they hold for what is decided in later blocks."""
    conditions = Conditions(*record.body)
    found = misfit_of_conditions(conditions)
    work.require(found is None, FaultCode.JOINING, found or "", position)
    work.change.conditions = conditions


def check_application(work: Examination, position: int, record: Record) -> None:
    """A stranger's own signature over a name and a key that nobody has, once."""
    state, change = work.state, work.change
    application = Application(*record.body)
    work.require(state.conditions is not None, FaultCode.JOINING, "the chain has no conditions for joining", position)
    signed = application.is_signed(state.ledger_id)
    work.require(signed, FaultCode.JOINING, "the applicant did not sign this application", position)
    address, name = application.address, application.subject.decode("utf-8", "backslashreplace")
    in_use = state.public_key(address) is not None or address in {each.address for each in change.certificates}
    work.require(not in_use, FaultCode.JOINING, f"the key of {name} is in use", position)
    names = {certificate.subject for certificate in (*state.certificates.values(), *change.certificates)}
    open_ones = (*state.applications.values(), *change.applications.values())
    admitted = [each.application for each in state.admissions.values() if each.serial]
    taken = application.subject in names | {each.subject for each in (*open_ones, *admitted)}
    work.require(bool(name) and not taken, FaultCode.JOINING, f"the name {name!r} is taken", position)
    doubled = address in {each.address for each in (*open_ones, *admitted)}
    work.require(not doubled, FaultCode.JOINING, f"{name} applies a second time", position)
    change.applications[record.id] = application


def check_admission(work: Examination, position: int, record: Record) -> None:
    """The decision that follows from the conditions and the application, once, with the next free id."""
    state, change = work.state, work.change
    application_id, serial, stated = record.body
    application = state.applications.get(application_id)
    if application is None or application_id in change.admissions:
        work.refuse(FaultCode.JOINING, f"no application {application_id.hex()} of an earlier block is open", position)
    certified = [each.serial for each in change.certificates]
    due = _decide(state, application, [*certified, *(each.serial for each in change.admissions.values())])
    name = application.subject.decode("utf-8", "backslashreplace")
    decision = f"{name} breaks {due.broken.name}" if due.broken else f"{name} keeps all conditions"
    work.require(stated == due.broken, FaultCode.JOINING, f"the decision is not the one due: {decision}", position)
    work.require(serial == due.serial, FaultCode.JOINING, f"id {serial} where {due.serial} is due", position)
    change.admissions[application_id] = due


def _decide(state: ChainState, application: Application, given: Iterable[int]) -> Admission:
    """What becomes of an application, with the lowest id above all that were ever given, here `given` or before."""
    assert state.conditions is not None  # else no application was let in
    broken = first_broken(state.conditions, application, state.params.period_s)
    earlier = [each.serial for each in state.admissions.values()]
    return Admission(application, 0 if broken else max((*state.serials, *earlier, *given), default=0) + 1, broken)


def decisions(state: ChainState) -> list[Body]:
    """The bodies of the ADMISSION records that the open applications lead to in the next block, oldest first."""
    bodies: list[Body] = []
    for application_id, application in state.applications.items():
        due = _decide(state, application, [body[1] for body in bodies])
        bodies.append([application_id, due.serial, int(due.broken)])
    return bodies


def check_admitted(work: Examination, position: int, certificate: Certificate) -> None:
    """A newcomer's certificate says what was admitted in an earlier block: name, key, role, id and capacity at most."""
    for admission in work.state.admissions.values():
        applied = admission.application
        if admission.serial and applied.public_key == certificate.public_key:
            same = (certificate.subject, certificate.role, certificate.serial)
            due = (applied.subject, applied.role, admission.serial)
            sound = same == due and certificate.capacity_w <= applied.capacity_w
            work.require(sound, FaultCode.JOINING, "the certificate is not what was admitted", position)
            return
    name = certificate.subject.decode("utf-8", "backslashreplace")
    work.refuse(FaultCode.JOINING, f"{name} was not admitted", position)
