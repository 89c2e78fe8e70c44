"""Keys, addresses, signatures and certificates (paper 000, eq. 5-6).

data address = Base58Check(version || RIPEMD160(SHA256(public key))); on the ledger an address is the 20-byte
hash, Base58 is for people. A certificate binds a name, a key, a role, a serial, a validity in heights and a
capacity; the authority signs their hash. Signatures are 64 bytes, low-s, with RFC 6979's deterministic nonce:
one message has one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from hashlib import sha256

from coincurve import PrivateKey, PublicKey

from .encoding import Body, encode
from .ripemd160 import ripemd160

ADDRESS_VERSION = 0x26  # data addresses begin with a "G"
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_KEY_TAG = b"gridpact key"
_BLINDING_TAG = b"gridpact blinding"
_CERTIFICATE_TAG = b"gridpact certificate"
MAX_CAPACITY_W = 10**10  # keeps capped weights inside int64


class IdentityError(ValueError):
    """A key, address or certificate that is not well formed."""


class Role(IntEnum):
    """What a certificate lets a node do."""

    AUTHORITY = 0
    ENO = 1
    AGGREGATOR = 2
    PROSUMER = 3
    COUNTERPARTY = 4  # an account outside the grid (supplier, upper level): pays, is paid, says nothing


def derive_private_key(key_seed: int, name: str) -> PrivateKey:
    """The key of node `name` under `key_seed`: the same name has the same address in every run."""
    counter = 0
    while True:  # a digest outside 1..n-1 has probability 2**-128; the counter makes the rule total
        secret = sha256(encode([_KEY_TAG, key_seed, name.encode(), counter])).digest()
        if 0 < int.from_bytes(secret, "big") < CURVE_ORDER:
            return PrivateKey(secret)
        counter += 1


@lru_cache(maxsize=4096)  # a genesis block asks for every certificate's as often as it has records
def address_of(public_key: bytes) -> bytes:
    """RIPEMD160(SHA256(public key)), 20 bytes."""
    return ripemd160(sha256(public_key).digest())


def base58check(payload: bytes) -> str:
    """Base58 of payload || first four bytes of SHA256(SHA256(payload))."""
    data = payload + sha256(sha256(payload).digest()).digest()[:4]
    number, digits = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = _ALPHABET[digit] + digits
    return "1" * (len(data) - len(data.lstrip(b"\x00"))) + digits


def base58check_decode(text: str) -> bytes:
    """The payload of a Base58Check text; IdentityError on a foreign character or a wrong checksum."""
    number = 0
    for character in text:
        digit = _ALPHABET.find(character)
        if digit < 0:
            raise IdentityError(f"{character!r} is no Base58 character")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    data = b"\x00" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
    payload, checksum = data[:-4], data[-4:]
    if len(data) < 4 or sha256(sha256(payload).digest()).digest()[:4] != checksum:
        raise IdentityError(f"{text!r} has a wrong checksum")
    return payload


def display_address(address: bytes, version: int = ADDRESS_VERSION) -> str:
    """The Base58Check form of a 20-byte address."""
    if len(address) != 20:
        raise IdentityError(f"an address has 20 bytes, not {len(address)}")
    return base58check(bytes((version,)) + address)


def parse_address(text: str, version: int = ADDRESS_VERSION) -> bytes:
    """The 20-byte address of a Base58Check text."""
    payload = base58check_decode(text)
    if len(payload) != 21 or payload[0] != version:
        raise IdentityError(f"{text!r} is no address of version {version}")
    return payload[1:]


def sign(private_key: PrivateKey, digest: bytes) -> bytes:
    """64-byte compact signature r || s over a 32-byte digest; low s, RFC 6979 nonce."""
    signature: bytes = private_key.sign_recoverable(digest, hasher=None)
    return signature[:64]


@lru_cache(maxsize=4096)
def blinding_secret(key_secret: bytes, chain_id: bytes) -> bytes:
    """32 bytes that only the owner of a private key (32 bytes) can tell: they hide its records of a chain."""
    return sha256(_BLINDING_TAG + key_secret + chain_id).digest()


def _der_integer(number: bytes) -> bytes:
    number = number.lstrip(b"\x00") or b"\x00"
    if number[0] & 0x80:
        number = b"\x00" + number
    return bytes((2, len(number))) + number


@lru_cache(maxsize=4096)
def _parse_public_key(public_key: bytes) -> PublicKey | None:
    if len(public_key) != 33:
        return None
    try:
        return PublicKey(public_key)
    except ValueError:
        return None


_MOST_ATTESTED = 1 << 16
_attested: set[bytes] = set()  # tags of signatures that helpers of this program verified (`ahead.py`)


def tag_of(public_key: bytes, signature: bytes, digest: bytes) -> bytes:
    """32 bytes that stand for a signature of 64 bytes by a key of 33 over a digest of 32."""
    return sha256(public_key + signature + digest).digest()


def attest(tags: Iterable[bytes]) -> None:
    """Take signatures with these tags for sound, once each: another process of this program has verified them."""
    if len(_attested) > _MOST_ATTESTED:  # answers that came too late to be asked for
        _attested.clear()
    _attested.update(tags)


def forget_attested() -> None:
    """Verify everything anew from now on."""
    _attested.clear()


@lru_cache(maxsize=4096)
def verify(public_key: bytes, signature: bytes, digest: bytes) -> bool:
    """Whether `signature` (64 bytes, low s) over a 32-byte digest is by `public_key` (33 bytes).

    Remembered for a few blocks: a producer's own check and later ones ask for the same.
    """
    if len(signature) != 64 or len(digest) != 32:
        return False
    if _attested and (tag := tag_of(public_key, signature, digest)) in _attested:
        _attested.remove(tag)
        return True
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not 0 < r < CURVE_ORDER or not 0 < s <= CURVE_ORDER // 2:  # high s: the same signature, written twice
        return False
    key = _parse_public_key(public_key)
    if key is None:
        return False
    body = _der_integer(signature[:32]) + _der_integer(signature[32:])
    return bool(key.verify(bytes((0x30, len(body))) + body, digest, hasher=None))


@dataclass(frozen=True, slots=True)
class Certificate:
    """A node's certificate: paper 000's id, key and signature, with validity in heights and capacity in W."""

    subject: bytes
    public_key: bytes
    role: Role
    serial: int
    valid_from: int
    valid_to: int
    capacity_w: int
    signature: bytes

    @property
    def address(self) -> bytes:
        """The 20-byte data address of the certified key."""
        return address_of(self.public_key)

    def body(self) -> list[int | bytes]:
        """The fields in the order of the CERTIFICATE record."""
        return [*self.signed_fields(), self.signature]

    def signed_fields(self) -> list[int | bytes]:
        """The fields that the authority signs."""
        return [self.subject, self.public_key, int(self.role), self.serial,
                self.valid_from, self.valid_to, self.capacity_w]  # fmt: skip

    @classmethod
    def from_body(cls, body: Body) -> Certificate:
        """The certificate in a CERTIFICATE record's body; IdentityError names a value that is not allowed."""
        subject, public_key, role, serial, valid_from, valid_to, capacity_w, signature = body
        if role == Role.AUTHORITY or role not in Role.__members__.values():
            raise IdentityError(f"role {role} cannot be certified")
        if _parse_public_key(public_key) is None:
            raise IdentityError(f"public key {public_key.hex()} is no point of the curve")
        if not 0 <= capacity_w <= MAX_CAPACITY_W:
            raise IdentityError(f"capacity {capacity_w} W is not in 0..{MAX_CAPACITY_W}")
        if not 0 <= valid_from <= valid_to:
            raise IdentityError(f"validity {valid_from}..{valid_to} is no range of heights")
        return cls(subject, public_key, Role(role), serial, valid_from, valid_to, capacity_w, signature)

    def is_valid_at(self, height: int) -> bool:
        """Whether `height` lies in the validity; revocation is the chain's to know."""
        return self.valid_from <= height <= self.valid_to


def _certificate_digest(fields: list[int | bytes]) -> bytes:
    return sha256(_CERTIFICATE_TAG + encode(fields)).digest()


def issue_certificate(
    authority: PrivateKey, subject: str, public_key: bytes, role: Role, serial: int,
    valid_from: int, valid_to: int, capacity_w: int,
) -> Certificate:  # fmt: skip
    """A certificate signed by the authority; IdentityError where a field is out of range."""
    draft = Certificate.from_body(
        [subject.encode(), public_key, int(role), serial, valid_from, valid_to, capacity_w, b""]
    )
    return replace(draft, signature=sign(authority, _certificate_digest(draft.signed_fields())))


@lru_cache(maxsize=4096)
def check_certificate(certificate: Certificate, authority_key: bytes) -> bool:
    """Whether the authority signed exactly these fields."""
    return verify(authority_key, certificate.signature, _certificate_digest(certificate.signed_fields()))
