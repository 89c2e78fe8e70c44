"""Joining (paper 000): an applicant sends identity, location, energy type and generation data; nodes check them against
the preset conditions; who is accepted gets a unique id, and all of it stands on the chain.

    CONDITIONS   the authority's, at genesis or later: what an applicant must fulfil, in clear
    APPLICATION  signed by the applicant's own key, which nobody has certified yet, and brought by any member
    ADMISSION    the operator's, in a later block: accepted with an id, or the first condition that is broken
    CERTIFICATE  the authority's: admitted name, key and role, the id as its serial, at most the capacity applied for

Whether a condition is broken follows from the two records alone. So every validator that votes for the block of an
ADMISSION has come to the same decision, and a chain with conditions certifies nobody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, IntFlag
from hashlib import sha256
from typing import NamedTuple

from coincurve import PrivateKey

from .encoding import Body, encode
from .identity import MAX_CAPACITY_W, Role, address_of, sign, verify

_TAG = b"gridpact application"
SECONDS_PER_HOUR = 3600


class EnergyType(IntFlag):
    """What a site has behind its meter; a site may have several."""

    LOAD = 1
    PHOTOVOLTAIC = 2
    STORAGE = 4
    VEHICLE = 8
    THERMOSTAT = 16


FEEDING = EnergyType.PHOTOVOLTAIC | EnergyType.STORAGE | EnergyType.VEHICLE
ALL_TYPES = sum(EnergyType)


class Condition(IntEnum):
    """The conditions in the order in which they are checked; an ADMISSION names the first that is broken."""

    NONE = 0
    ROLE = 1
    CAPACITY = 2
    ENERGY_TYPE = 3
    LOCATION = 4
    DATA_LENGTH = 5
    GENERATION = 6
    CONSUMPTION = 7


class Conditions(NamedTuple):
    """A CONDITIONS record: capacity in W, energy types as a sum of EnergyType, bus numbers 0..buses-1, and how many
    periods of generation data an applicant must show.
    """

    roles: Sequence[int]
    least_capacity_w: int
    most_capacity_w: int
    energy_types: int
    buses: int
    least_periods: int


class Application(NamedTuple):
    """An APPLICATION record: energies of past periods in Wh, oldest first."""

    subject: bytes
    public_key: bytes
    role: int
    bus: int
    energy_types: int
    capacity_w: int
    generated_wh: Sequence[int]
    consumed_wh: Sequence[int]
    signature: bytes

    @property
    def address(self) -> bytes:
        """The 20-byte address of the applicant's key."""
        return address_of(self.public_key)

    def is_signed(self, ledger_id: bytes) -> bool:
        """Whether the applicant's own key signed these fields for this ledger."""
        return verify(self.public_key, self.signature, _digest(ledger_id, self))


class Admission(NamedTuple):
    """What became of an application: its id (0 where refused) and the first broken condition."""

    application: Application
    serial: int
    broken: Condition


def _digest(ledger_id: bytes, application: Application) -> bytes:
    return sha256(_TAG + ledger_id + encode(list(application[:-1]))).digest()


def apply_for(
    private_key: PrivateKey, ledger_id: bytes, subject: str, bus: int, energy_types: EnergyType, capacity_w: int,
    generated_wh: Sequence[int], consumed_wh: Sequence[int], role: Role = Role.PROSUMER,
) -> Body:  # fmt: skip
    """The body of an APPLICATION to the ledger with this 16-byte id, signed by the applicant."""
    draft = Application(
        subject.encode(), private_key.public_key.format(), int(role), bus, int(energy_types), capacity_w,
        list(generated_wh), list(consumed_wh), b"",
    )  # fmt: skip
    return list(draft._replace(signature=sign(private_key, _digest(ledger_id, draft))))


def first_broken(conditions: Conditions, application: Application, period_s: int) -> Condition:
    """The first preset condition that an application breaks; NONE where it fulfils all.

    Generation data are plausible when no period holds more than the capacity carries in its time, and none is generated
    where nothing could feed.
    """
    types, most_wh = application.energy_types, application.capacity_w * period_s // SECONDS_PER_HOUR
    generated_wh, consumed_wh = application.generated_wh, application.consumed_wh
    feeding_wh = most_wh if types & FEEDING else 0
    kept = {
        Condition.ROLE: application.role in conditions.roles,
        Condition.CAPACITY: conditions.least_capacity_w <= application.capacity_w <= conditions.most_capacity_w,
        Condition.ENERGY_TYPE: 0 < types == types & conditions.energy_types,
        Condition.LOCATION: application.bus < conditions.buses,
        Condition.DATA_LENGTH: conditions.least_periods <= len(generated_wh) == len(consumed_wh),
        Condition.GENERATION: max(generated_wh, default=0) <= feeding_wh,
        Condition.CONSUMPTION: max(consumed_wh, default=0) <= most_wh,
    }
    return next((condition for condition, sound in kept.items() if not sound), Condition.NONE)


def misfit_of_conditions(conditions: Conditions) -> str | None:
    """Why conditions cannot be met by anybody, or mean nothing; None where they can."""
    certifiable = {int(role) for role in Role} - {int(Role.AUTHORITY)}
    if not conditions.roles or not {*conditions.roles} <= certifiable:
        return f"roles {list(conditions.roles)} are not some of {sorted(certifiable)}"
    if not conditions.least_capacity_w <= conditions.most_capacity_w <= MAX_CAPACITY_W:
        capacities = f"{conditions.least_capacity_w}..{conditions.most_capacity_w}"
        return f"capacities {capacities} W are no range up to {MAX_CAPACITY_W}"
    if not 0 < conditions.energy_types <= ALL_TYPES:
        return f"energy types {conditions.energy_types} are no sum of 1, 2, .. {ALL_TYPES}"
    return None if conditions.buses else "a grid has a bus at least"
