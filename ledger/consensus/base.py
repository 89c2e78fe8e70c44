"""What the rules share: preimage, rounds, the two searches, the way out when nobody wins; and how votes are counted.

The preimage of a draw is tag || nonce || seed_h || height || round || address with seed_h = H(seed_{h-1} ||
producer_{h-1}). It holds nothing that a producer can vary (no record root, time or block hash: with 16
variants a share of 1/6 becomes .77) and it holds the address (else all nodes share one draw and the largest
always wins).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

DRAW_TAG = b"gridpact/poe"  # 12 bytes: with nonce, seed, height and round the shared prefix is one SHA-256 block
FALLBACK_TAG = b"gridpact/fbk"
TURN_TAG = b"gridpact/trn"
SEED_TAG = b"gridpact/seed"
FIRST_SEED_TAG = b"gridpact/seed/0"
SETTINGS_MARK = b"#"  # in a ledger's name: what follows tells runs of other settings apart, and draws nobody
MISSES_BEFORE_FALLBACK = 3
HASH_SPACE = 1 << 256
EXPECTED_WINS = 6  # paper 000, eq. 4: gamma * sum(w) = 6 * Hmax


class Draw(NamedTuple):
    """The producer that a draw names, with what shows it: round, nonce and hash."""

    producer: bytes
    round: int
    nonce: int
    hash: bytes


Search = Callable[[list[Any], Sequence[bytes], Sequence[int], int], tuple[bytes, int, bytes] | None]


def first_seed(name: bytes, time_s: int, salt: bytes = b"") -> bytes:
    """The seed of the genesis block, from the ledger's name and time alone; `salt` tells its chains' draws apart.

    Not from the chain id: runs that differ only in what is signed draw the same producers, as does a run
    that keeps no ledger. Nor from what follows the name's last SETTINGS_MARK.
    """
    drawn = name.rsplit(SETTINGS_MARK, 1)[0]
    seed = sha256(FIRST_SEED_TAG + time_s.to_bytes(32, "big") + drawn).digest()
    return sha256(FIRST_SEED_TAG + seed + salt).digest() if salt else seed


def next_seed(seed: bytes, producer: bytes) -> bytes:
    """seed_h = H(seed_{h-1} || producer_{h-1})."""
    return sha256(SEED_TAG + seed + producer).digest()


def _prefix(tag: bytes, nonce: int, seed: bytes, height: int, round_number: int) -> bytes:
    return tag + nonce.to_bytes(8, "big") + seed + height.to_bytes(8, "big") + round_number.to_bytes(4, "big")


def lower_ratio(hash_a: int, weight_a: int, hash_b: int, weight_b: int) -> bool:
    """Whether hash_a / weight_a < hash_b / weight_b, in exact integers."""
    return hash_a * weight_b < hash_b * weight_a


def is_hit(hash_number: int, weight: int, total_weight: int, gamma: int) -> bool:
    """Paper 000 eq. 3-4 in exact integers: hash * gamma * sum(w) < 6 * 2^256 * w."""
    return hash_number * gamma * total_weight < EXPECTED_WINS * HASH_SPACE * weight


def _eligible(
    addresses: Sequence[bytes], weights: Sequence[int], excluded: Collection[bytes]
) -> tuple[list[bytes], list[int]]:
    if len(addresses) != len(weights) or len(set(addresses)) != len(addresses):
        raise ValueError("a draw needs one weight for each address and no address twice")
    if min(weights, default=0) < 0:
        raise ValueError("weights are not negative")
    weight_of = dict(zip(addresses, weights, strict=True))
    candidates = sorted(address for address in addresses if address not in excluded)
    if not candidates:
        raise ValueError("no address is left to draw from")
    names = [address for address in candidates if weight_of[address]]
    if not names:  # nobody has verified energy yet: all stand alike
        return candidates, [1] * len(candidates)
    return names, [int(weight_of[address]) for address in names]


def lowest_ratio(
    prefixes: list[Any], addresses: Sequence[bytes], weights: Sequence[int], gamma: int
) -> tuple[bytes, int, bytes] | None:
    """Of all hits the smallest hash / weight, then the lower address; None where nobody hits."""
    best_address, best_digest, best_digests = b"", b"", [b""]
    best_number, best_weight = 1, 0  # an infinite ratio
    for address, weight in zip(addresses, weights, strict=True):
        digests = []
        for prefix in prefixes:
            state = prefix.copy()
            state.update(address)
            digests.append(state.digest())
        digest = min(digests)  # one weight: the smallest hash is the smallest ratio
        number = int.from_bytes(digest, "big")
        if number * best_weight < best_number * weight:  # lower_ratio; strict: addresses rise, the lower one stays
            best_address, best_digest, best_digests = address, digest, digests
            best_number, best_weight = number, weight
    if not is_hit(best_number, best_weight, sum(weights), gamma):
        return None
    return best_address, best_digests.index(best_digest), best_digest


def first_success(
    prefixes: list[Any], addresses: Sequence[bytes], weights: Sequence[int], gamma: int
) -> tuple[bytes, int, bytes] | None:
    """The lowest nonce with a hit, ties by smallest hash / weight, then address; None where nobody hits."""
    total_weight = sum(weights)
    for nonce, prefix in enumerate(prefixes):
        winner: tuple[bytes, int, bytes] | None = None
        best_number, best_weight = 1, 0  # an infinite ratio
        for address, weight in zip(addresses, weights, strict=True):
            state = prefix.copy()
            state.update(address)
            digest = state.digest()
            number = int.from_bytes(digest, "big")
            if is_hit(number, weight, total_weight, gamma) and lower_ratio(number, weight, best_number, best_weight):
                winner, best_number, best_weight = (address, nonce, digest), number, weight
        if winner is not None:
            return winner
    return None


def draw_by_rounds(
    search: Search, seed: bytes, height: int, first_round: int, addresses: Sequence[bytes],
    weights: Sequence[int], gamma: int, excluded: Collection[bytes] = (),
) -> Draw:  # fmt: skip
    """Search rounds first_round, +1, +2; after three misses draw int(H) mod sum(w) over addresses in order.

    `weights` are non-negative integers, one an address; if all that are left are zero, all count alike.
    `excluded` addresses (producers whose block was refused) take no part and do not count in the sum.
    ValueError on an empty draw, a negative weight, a doubled address, a seed that is not 32 bytes, gamma < 1.
    """
    if len(seed) != 32:
        raise ValueError(f"a seed has 32 bytes, not {len(seed)}")
    if gamma < 1:
        raise ValueError(f"gamma is {gamma}; at least 1 is allowed")
    names, shares = _eligible(addresses, weights, excluded)
    fallback_round = first_round + MISSES_BEFORE_FALLBACK
    for round_number in range(first_round, fallback_round):
        prefixes = [sha256(_prefix(DRAW_TAG, nonce, seed, height, round_number)) for nonce in range(gamma)]
        found = search(prefixes, names, shares, gamma)
        if found is not None:
            return Draw(found[0], round_number, found[1], found[2])
    digest = sha256(_prefix(FALLBACK_TAG, 0, seed, height, fallback_round)).digest()
    ticket = int.from_bytes(digest, "big") % sum(shares)
    for address, share in zip(names, shares, strict=True):
        if ticket < share:
            return Draw(address, fallback_round, 0, digest)
        ticket -= share
    raise AssertionError("a ticket below the sum of the shares has an owner")


def take_turn(seed: bytes, height: int, round_number: int, producer: bytes) -> Draw:
    """The draw of a delegate whose turn it is: nothing is searched, the hash binds the turn to its seed."""
    return Draw(producer, round_number, 0, sha256(_prefix(TURN_TAG, 0, seed, height, round_number) + producer).digest())


def seated(votes: Mapping[bytes, int], seats: int) -> list[bytes]:
    """The `seats` addresses with the most votes, most first, equal votes by address."""
    return sorted(votes, key=lambda address: (-votes[address], address))[:seats]
