import pytest
from coincurve import PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import identity
from ledger.identity import CURVE_ORDER, Certificate, IdentityError, Role
from ledger.ripemd160 import ripemd160, ripemd160_python

GENERATOR_KEY = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"


def test_address_of_the_generator():
    address = identity.address_of(bytes.fromhex(GENERATOR_KEY))
    assert identity.display_address(address, 0) == "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH"
    assert identity.parse_address("1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", 0) == address
    assert identity.display_address(address).startswith("G")


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_base58check_round_trip(payload):
    assert identity.base58check_decode(identity.base58check(payload)) == payload


@pytest.mark.parametrize(
    "text", ["", "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMh", "0OIl", "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAM"]
)
def test_wrong_addresses(text):
    with pytest.raises(IdentityError):
        identity.parse_address(text, 0)


@pytest.mark.parametrize(
    ("message", "digest"),  # the vectors of RIPEMD-160's authors
    [
        (b"", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
        (b"abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
        (b"message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
        (b"1234567890" * 8, "9b752e45573d4b39f4dbd3323cab82bf63326bfb"),
        (b"a" * 1_000, "aa69deee9a8922e92f8105e007f76110f381e9cf"),
    ],
)
def test_ripemd160_vectors(message, digest):
    assert ripemd160_python(message).hex() == digest
    assert ripemd160(message).hex() == digest


def test_rfc6979_signature():
    # secp256k1, key 1, SHA-256("Satoshi Nakamoto"): the vector used by Trezor, bitcoinjs and python-ecdsa.
    digest = bytes.fromhex("a0dc65ffca799873cbea0ac274015b9526505daaaed385155425f7337704883e")
    signature = identity.sign(PrivateKey.from_int(1), digest)
    assert signature.hex() == (
        "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
        "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"
    )
    assert identity.verify(bytes.fromhex(GENERATOR_KEY), signature, digest)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, CURVE_ORDER - 1), st.binary(min_size=32, max_size=32), st.integers(0, 511))
def test_signatures(secret, digest, bit):
    key = PrivateKey.from_int(secret)
    public_key = key.public_key.format()
    signature = identity.sign(key, digest)
    assert identity.verify(public_key, signature, digest)
    high_s = CURVE_ORDER - int.from_bytes(signature[32:], "big")
    assert not identity.verify(public_key, signature[:32] + high_s.to_bytes(32, "big"), digest)
    flipped = int.from_bytes(signature, "big") ^ (1 << bit)
    assert not identity.verify(public_key, flipped.to_bytes(64, "big"), digest)


def test_verify_refuses_malformed_input():
    key = PrivateKey.from_int(5)
    public_key, digest = key.public_key.format(), bytes(32)
    signature = identity.sign(key, digest)
    assert not identity.verify(public_key, signature[:63], digest)
    assert not identity.verify(public_key, signature, digest[:31])
    assert not identity.verify(bytes(33), signature, digest)
    assert not identity.verify(public_key[:32], signature, digest)
    assert not identity.verify(public_key, bytes(32) + signature[32:], digest)


def test_keys_depend_on_seed_and_name_only():
    secrets = [identity.derive_private_key(*pair).secret for pair in ((1, "a"), (1, "b"), (2, "a"), (1, "a"))]
    assert secrets[0] == secrets[3]
    assert len(set(secrets)) == 3


def test_certificates():
    authority, key = PrivateKey.from_int(11), PrivateKey.from_int(12).public_key.format()
    certificate = identity.issue_certificate(authority, "site", key, Role.PROSUMER, 4, 10, 20, 5_000)
    authority_key = authority.public_key.format()
    assert Certificate.from_body(certificate.body()) == certificate
    assert identity.check_certificate(certificate, authority_key)
    assert not identity.check_certificate(certificate, key)
    for position, value in ((0, b"other"), (2, 2), (3, 5), (4, 9), (5, 21), (6, 5_001)):
        body = certificate.body()
        body[position] = value
        assert not identity.check_certificate(Certificate.from_body(body), authority_key)
    assert [certificate.is_valid_at(height) for height in (9, 10, 20, 21)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("position", "value", "named"),
    [
        (1, bytes(33), "no point of the curve"), (1, b"\x02" + b"\xff" * 32, "no point of the curve"), (2, 0, "role 0"),
        (2, 9, "role 9"), (4, 30, "validity 30..20"), (6, 10**11, "capacity"),
    ],
)  # fmt: skip
def test_certificate_ranges(position, value, named):
    body = [b"site", PrivateKey.from_int(12).public_key.format(), 3, 1, 10, 20, 5_000, bytes(64)]
    assert Certificate.from_body(body).role is Role.PROSUMER
    body[position] = value
    with pytest.raises(IdentityError, match=named):
        Certificate.from_body(body)
