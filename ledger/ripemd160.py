"""RIPEMD-160, for OpenSSL builds that leave it out.

The address rule of paper 000 (eq. 5) needs it; hashlib's is used where present, this one elsewhere.
"""

from __future__ import annotations

import hashlib
import struct

_LEFT_WORDS = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8),
    (3, 10, 14, 4, 9, 15, 8, 1, 2, 7, 0, 6, 13, 11, 5, 12),
    (1, 9, 11, 10, 0, 8, 12, 4, 13, 3, 7, 15, 14, 5, 6, 2),
    (4, 0, 5, 9, 7, 12, 2, 10, 14, 1, 3, 8, 11, 6, 15, 13),
)
_RIGHT_WORDS = (
    (5, 14, 7, 0, 9, 2, 11, 4, 13, 6, 15, 8, 1, 10, 3, 12),
    (6, 11, 3, 7, 0, 13, 5, 10, 14, 15, 8, 12, 4, 9, 1, 2),
    (15, 5, 1, 3, 7, 14, 6, 9, 11, 8, 12, 2, 10, 0, 4, 13),
    (8, 6, 4, 1, 3, 11, 15, 0, 5, 12, 2, 13, 9, 7, 10, 14),
    (12, 15, 10, 4, 1, 5, 8, 7, 6, 2, 13, 14, 0, 3, 9, 11),
)
_LEFT_TURNS = (
    (11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8),
    (7, 6, 8, 13, 11, 9, 7, 15, 7, 12, 15, 9, 11, 7, 13, 12),
    (11, 13, 6, 7, 14, 9, 13, 15, 14, 8, 13, 6, 5, 12, 7, 5),
    (11, 12, 14, 15, 14, 15, 9, 8, 9, 14, 5, 6, 8, 6, 5, 12),
    (9, 15, 5, 11, 6, 8, 13, 12, 5, 12, 13, 14, 11, 8, 5, 6),
)
_RIGHT_TURNS = (
    (8, 9, 9, 11, 13, 15, 15, 5, 7, 7, 8, 11, 14, 14, 12, 6),
    (9, 13, 15, 7, 12, 8, 9, 11, 7, 7, 12, 7, 6, 15, 13, 11),
    (9, 7, 15, 11, 8, 6, 6, 14, 12, 13, 5, 14, 13, 13, 7, 5),
    (15, 5, 8, 11, 14, 14, 6, 14, 6, 9, 12, 9, 12, 5, 15, 8),
    (8, 5, 12, 9, 12, 5, 14, 6, 8, 13, 6, 5, 15, 13, 11, 11),
)
_LEFT_CONSTANTS = (0x00000000, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E)
_RIGHT_CONSTANTS = (0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0x00000000)
_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
_MASK = 0xFFFFFFFF


def _mix(step: int, x: int, y: int, z: int) -> int:
    if step == 0:
        return x ^ y ^ z
    if step == 1:
        return (x & y) | (~x & z)
    if step == 2:
        return (x | ~y) ^ z
    if step == 3:
        return (x & z) | (y & ~z)
    return x ^ (y | ~z)


def _turn(word: int, bits: int) -> int:
    word &= _MASK
    return ((word << bits) | (word >> (32 - bits))) & _MASK


def _line(state: tuple[int, ...], words: tuple[int, ...], right: bool) -> tuple[int, ...]:
    """One of the two parallel lines of 80 steps."""
    order, turns, constants = (
        (_RIGHT_WORDS, _RIGHT_TURNS, _RIGHT_CONSTANTS) if right else (_LEFT_WORDS, _LEFT_TURNS, _LEFT_CONSTANTS)
    )
    a, b, c, d, e = state
    for step in range(5):
        for index, bits in zip(order[step], turns[step], strict=True):
            mixed = _mix(4 - step if right else step, b, c, d)
            new = (_turn(a + mixed + words[index] + constants[step], bits) + e) & _MASK
            a, e, d, c, b = e, d, _turn(c, 10), b, new
    return a, b, c, d, e


def ripemd160_python(data: bytes) -> bytes:
    """RIPEMD-160 of `data`, 20 bytes, without OpenSSL."""
    padding = b"\x80" + b"\x00" * ((55 - len(data)) % 64)
    message = data + padding + struct.pack("<Q", 8 * len(data))
    state: tuple[int, ...] = _START
    for offset in range(0, len(message), 64):
        words = struct.unpack("<16I", message[offset : offset + 64])
        left, right = _line(state, words, False), _line(state, words, True)
        state = tuple((state[(i + 1) % 5] + left[(i + 2) % 5] + right[(i + 3) % 5]) & _MASK for i in range(5))
    return struct.pack("<5I", *state)


def _openssl_has_it() -> bool:
    try:
        hashlib.new("ripemd160", b"")
    except ValueError:
        return False
    return True


_AVAILABLE = _openssl_has_it()


def ripemd160(data: bytes) -> bytes:
    """RIPEMD-160 of `data`, 20 bytes."""
    return hashlib.new("ripemd160", data).digest() if _AVAILABLE else ripemd160_python(data)
