"""The draws' rules, and the facts about Proof of Energy that can be computed exactly."""

import math
from collections import Counter
from hashlib import sha256

import pytest

from ledger import consensus
from ledger.consensus import base

RULES = [name for name in consensus.available() if consensus.rule(name).draw is not None]


def addresses(count: int) -> list[bytes]:
    return [sha256(bytes([i])).digest()[:20] for i in range(count)]


def seeds(count: int) -> list[bytes]:
    return [sha256(b"test seed" + i.to_bytes(4, "big")).digest() for i in range(count)]


def winners(rule: str, weights: list[int], gamma: int, blocks: int) -> Counter:
    """Wins by node over independent draws."""
    names = addresses(len(weights))
    draw = consensus.rule(rule).draw
    return Counter(names.index(draw(seed, 1, 0, names, weights, gamma, ()).producer) for seed in seeds(blocks))


def preimage(nonce: int, seed: bytes, height: int, round_number: int, address: bytes) -> bytes:
    numbers = nonce.to_bytes(8, "big"), height.to_bytes(8, "big") + round_number.to_bytes(4, "big")
    return b"gridpact/poe" + numbers[0] + seed + numbers[1] + address


def test_rules_are_found_by_file_name():
    assert {"poe", "first_success"} <= set(RULES)
    with pytest.raises(ValueError, match="allowed: dpos, first_success, poe, pos, pow, scored_dpos"):
        consensus.rule("proof_of_luck")


@pytest.mark.parametrize("rule", RULES)
def test_draw_by_brute_force(rule):
    names, weights, gamma, seed = addresses(6), [0, 1, 2, 3, 4, 5], 12, seeds(1)[0]
    for height in range(40):
        draw = consensus.rule(rule).draw(seed, height, 0, names, weights, gamma, ())
        for round_number in range(3):
            hits = []
            for nonce in range(gamma):
                for name, weight in zip(names, weights, strict=True):
                    number = int.from_bytes(sha256(preimage(nonce, seed, height, round_number, name)).digest(), "big")
                    if weight and number * gamma * sum(weights) < 6 * 2**256 * weight:
                        lead = 0 if rule in ("poe", "pos") else nonce
                        hits.append((lead, number * math.lcm(*weights[1:]) // weight, name, nonce))
            if hits:
                _, _, name, nonce = min(hits)
                assert (draw.producer, draw.round, draw.nonce) == (name, round_number, nonce)
                break
        else:
            assert draw.round == 3


@pytest.mark.parametrize("rule", RULES)
def test_order_of_addresses_does_not_matter(rule):
    names, weights = addresses(5), [3, 1, 4, 1, 5]
    draw = consensus.rule(rule).draw
    for seed in seeds(20):
        forward = draw(seed, 2, 1, names, weights, 20, ())
        assert draw(seed, 2, 1, names[::-1], weights[::-1], 20, ()) == forward
        excluded = draw(seed, 2, forward.round + 1, names, weights, 20, (forward.producer,))
        assert excluded.producer != forward.producer
        assert excluded.round > forward.round


def test_fallback_after_three_misses():
    names = addresses(3)
    missed = base.draw_by_rounds(lambda *_: None, seeds(1)[0], 7, 2, names, [1, 0, 2], 20)
    assert missed.round == 5
    ticket = int.from_bytes(missed.hash, "big") % 3
    order = sorted(zip(names, [1, 0, 2], strict=True))
    shares = [name for name, weight in order for _ in range(weight)]
    assert missed.producer == shares[ticket]


def test_wins_a_block():
    # Paper 000 calls a winner certain. A node hits with probability 1 - (1 - p)^gamma, p = 6 s / gamma.
    n, gamma, blocks = 6, 20, 4_000
    weights = list(range(1, n + 1))
    names, total = addresses(n), sum(weights)
    none = several = 0
    for seed in seeds(blocks):
        hits = 0
        for name, weight in zip(names, weights, strict=True):
            limit = 6 * 2**256 * weight
            hashes = (sha256(preimage(nonce, seed, 0, 0, name)).digest() for nonce in range(gamma))
            hits += any(int.from_bytes(digest, "big") * gamma * total < limit for digest in hashes)
        none += hits == 0
        several += hits >= 2
    silent = [(1 - 6 * weight / total / gamma) ** gamma for weight in weights]
    expected_none = math.prod(silent)
    expected_one = sum((1 - p) * expected_none / p for p in silent)
    assert abs(none / blocks - expected_none) < 4 * math.sqrt(expected_none / blocks)
    assert abs(several / blocks - (1 - expected_none - expected_one)) < 0.012
    assert expected_none == pytest.approx(math.exp(-6), rel=0.5)


@pytest.mark.parametrize(
    ("weights", "gamma", "lowest", "first"),  # the shares that the largest node wins by the two tie rules
    [
        (list(range(1, 7)), 100, 0.28594, 0.28640),
        (list(range(1, 31)), 20, 0.06458, 0.06471),
        ([29] + [1] * 29, 20, 0.50604, 0.51836),
        ([149] + [1] * 149, 4, 0.53271, 0.59783),
    ],
)
def test_no_block_rate_and_shares_won(weights, gamma, lowest, first):
    blocks, names = 2_000, addresses(len(weights))
    largest = names[weights.index(max(weights))]
    draws = [consensus.rule(name).draw for name in ("poe", "first_success")]
    found = [[draw(seed, 1, 0, names, weights, gamma, ()) for draw in draws] for seed in seeds(blocks)]
    none = math.prod((1 - 6 * weight / sum(weights) / gamma) ** gamma for weight in weights)
    missed = sum(by_ratio.round > 0 for by_ratio, _ in found)
    assert missed == sum(by_nonce.round > 0 for _, by_nonce in found)
    assert abs(missed / blocks - none) < 4 * math.sqrt(none / blocks)
    won = [(by_ratio.producer == largest, by_nonce.producer == largest) for by_ratio, by_nonce in found]
    for share, mine in zip((lowest, first), zip(*won, strict=True), strict=True):
        assert abs(sum(mine) / blocks - share) < 4 * math.sqrt(share * (1 - share) / blocks)
    # On the same draws only those count in which the rules name different nodes, so a swap of the two would show.
    gain, apart = sum(b - a for a, b in won), sum(a != b for a, b in won)
    assert abs(gain - blocks * (first - lowest)) < 3 * math.sqrt(max(apart, 1))


def test_without_weights_all_count_alike():
    won = winners("poe", [0, 0, 0], 10, 600)
    assert all(abs(won[node] - 200) < 60 for node in range(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((bytes(31), 0, 0, addresses(2), [1, 1], 5, ()), "32 bytes"),
        ((bytes(32), 0, 0, addresses(2), [1, -1], 5, ()), "negative"),
        ((bytes(32), 0, 0, addresses(2), [1], 5, ()), "one weight"),
        ((bytes(32), 0, 0, addresses(1) * 2, [1, 1], 5, ()), "twice"),
        ((bytes(32), 0, 0, addresses(2), [1, 1], 0, ()), "gamma"),
        ((bytes(32), 0, 0, addresses(2), [1, 1], 5, addresses(2)), "no address"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        consensus.rule("poe").draw(*arguments)
