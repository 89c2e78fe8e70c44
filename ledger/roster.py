"""The nodes of a simulated network with their private keys and certificates.

Making keys and certificates costs far more than using them, so a roster is built once and shared by many
chains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coincurve import PrivateKey

from .identity import Certificate, Role, address_of, derive_private_key, issue_certificate

AUTHORITY = -1  # the sender index of the certificate authority


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node to certify: name, role, capacity of its connection in W."""

    name: str
    role: Role
    capacity_w: int


@dataclass(frozen=True, slots=True)
class Member:
    """A node with its private key."""

    name: str
    role: Role
    private_key: PrivateKey
    public_key: bytes  # 33 bytes
    address: bytes  # 20 bytes
    certificate: Certificate | None  # the authority has none: its key is in the genesis record


def _member(name: str, role: Role, key: PrivateKey, certificate: Certificate | None) -> Member:
    public_key = key.public_key.format()
    address = address_of(public_key)
    return Member(name, role, key, public_key, address, certificate)


class Roster:
    """Keys and certificates of the nodes, in the order that sender indices count."""

    def __init__(self, authority: Member, members: Sequence[Member]) -> None:
        names = [member.name for member in members]
        if len(set(names)) != len(names):
            raise ValueError(f"node names must differ; doubled: {sorted({n for n in names if names.count(n) > 1})}")
        self.authority = authority
        self.members = tuple(members)
        self.by_address = {member.address: member for member in (authority, *members)}
        self.index_of = {member.address: index for index, member in enumerate(members)}
        self.index_of[authority.address] = AUTHORITY

    @classmethod
    def create(cls, key_seed: int, nodes: Sequence[NodeSpec], valid_from: int = 0, valid_to: int = 1 << 40) -> Roster:
        """Derive keys from (key_seed, name) and certify the nodes with serials 1, 2, ..."""
        authority_key = derive_private_key(key_seed, "authority")
        authority = _member("authority", Role.AUTHORITY, authority_key, None)
        roster = cls(authority, ())
        for spec in nodes:
            roster = roster.join(key_seed, spec, valid_from, valid_to)
        return roster

    def join(self, key_seed: int, spec: NodeSpec, valid_from: int, valid_to: int = 1 << 40) -> Roster:
        """A roster with one more node, certified by the same authority from height `valid_from`."""
        if spec.name == self.authority.name:
            raise ValueError(f"the name {spec.name!r} is the certificate authority's")
        key = derive_private_key(key_seed, spec.name)
        certificate = issue_certificate(
            self.authority.private_key, spec.name, key.public_key.format(), spec.role,
            len(self.members) + 1, valid_from, valid_to, spec.capacity_w,
        )  # fmt: skip
        return Roster(self.authority, (*self.members, _member(spec.name, spec.role, key, certificate)))

    def __len__(self) -> int:
        return len(self.members)

    def member(self, index: int) -> Member:
        """The node with that sender index; AUTHORITY (-1) is the certificate authority."""
        if index == AUTHORITY:
            return self.authority
        if not 0 <= index < len(self.members):
            raise ValueError(f"sender {index} is unknown; allowed: -1 (authority), 0..{len(self.members) - 1}")
        return self.members[index]
