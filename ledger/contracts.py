"""Versions of the rules that a chain runs under: which parameters are in force from which height on.

A CONTRACT record of the authority registers a rule by name, version and the hash of its parameters. A later version
comes into force after the block that announces it, never for a block that is sealed already: whoever reads the chain
knows at every height which rule applied, and what will apply.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .encoding import Body


class Version(NamedTuple):
    """A registered version of a rule; parameter_hash has 32 bytes."""

    version: int
    parameter_hash: bytes
    from_height: int


Versions = tuple[Version, ...]  # of one rule, rising


def version_of(body: Body) -> Version:
    """The version in a CONTRACT record's body."""
    return Version(*body[1:4])


def misfit(earlier: Sequence[Version], body: Body, height: int) -> str | None:
    """Why a CONTRACT record of the block at `height` may not follow the earlier versions; None where it may."""
    name, version = body[0], version_of(body)
    if not name:
        return "a contract has a name"
    label = name.decode("ascii", "backslashreplace")
    due = earlier[-1].version + 1 if earlier else 1
    if version.version != due:
        return f"{label}: version {version.version} where version {due} is due"
    if len(version.parameter_hash) != 32:
        return f"{label}: version {due} without the hash of its parameters"
    soonest = height + 1 if height else 0
    if earlier:
        soonest = max(soonest, earlier[-1].from_height + 1)
    if version.from_height < soonest:
        return f"{label}: version {due} from height {version.from_height} on; {soonest} is the earliest"
    return None


def in_force(versions: Sequence[Version], height: int) -> Version | None:
    """The version that rules the block at `height`; None before the first."""
    return next((each for each in reversed(versions) if each.from_height <= height), None)
