"""What can be wrong with a block, by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class FaultCode(IntEnum):
    """The numbers stand in REFUSAL records: add, never renumber."""

    ABSENT = 1
    ENCODING = 2
    SCHEMA = 3
    GENESIS = 4
    CHAIN_ID = 5
    HEIGHT = 6
    PREVIOUS = 7
    TIME = 8
    SEED = 9
    DRAW = 10
    RECORDS_ROOT = 11
    TRADE_ROOT = 12
    SUBMISSIONS_ROOT = 13
    VOTES_ROOT = 14
    SUBMISSION = 15
    SUBMISSION_SIGNATURE = 16
    PRODUCER_SIGNATURE = 17
    UNKNOWN_SENDER = 18
    ROLE = 19
    CERTIFICATE = 20
    REVOKED = 21
    NONCE = 22
    EXPIRED = 23
    LINK = 24
    VERIFICATION = 25
    CREDIT = 26
    REFUSAL = 27
    VOTE = 28
    CLOSED = 29
    CLOSING = 30
    EQUIVOCATION = 31
    DOUBLE_READING = 32
    BALLOT = 33
    CHECKPOINT = 34
    LINKED = 35
    FOREIGN = 36
    CONTRACT = 37
    JOINING = 38
    STATUS = 39
    PATHS = 40
    EXECUTION = 41
    HISTORY_ROOT = 42
    UNWITNESSED = 43
    PERIOD = 44
    DOUBLE = 45
    LIFETIME = 46


def printable(text: str) -> str:
    """`text` with escapes for what a terminal would act on: a foreign file must not write its own verdict."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a block; `record` is the position of the record at fault, None for the block itself.

    `business`: whose chain the block is of, where the ledger has several.
    """

    code: FaultCode
    height: int
    detail: str
    record: int | None = None
    business: str = ""

    def __str__(self) -> str:
        block = f"{self.business} block" if self.business else "block"
        place = f"{block} {self.height}" + ("" if self.record is None else f", record {self.record}")
        return printable(f"{place}: {self.code.name}: {self.detail}")


class LedgerFault(ValueError):
    """A block was refused; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault
