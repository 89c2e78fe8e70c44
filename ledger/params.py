"""A chain's settings. They stand in the GENESIS record, so a verifier needs nothing but the chain."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

from . import consensus
from .encoding import Body, encode

_CHAIN_TAG = b"gridpact chain"
DISPATCH = "dispatch"  # the main chain: every ledger has it
BUSINESSES = ("trading", "credit", DISPATCH)  # that may have a chain, in the order in which the chains are sealed
MAX_GAMMA = 10_000  # a verifier draws gamma hashes a node and round
MAX_WINDOW_PERIODS = 1 << 16


class Signing(IntEnum):
    """What senders sign: nothing, the Merkle root of their records of a block, or every record."""

    NONE = 0
    PERIOD = 1
    RECORD = 2


@dataclass(frozen=True, slots=True)
class Params:
    """Settings of a chain; ValueError names a value that is not allowed.

    gamma: nonces a node tries a round (paper 000, eq. 4; below 100 large shares gain). alpha_ppm, beta_ppm:
    weights of generated and consumed energy. signing: "none" (hashes only), "period" or "record". consensus:
    the main chain's rule, a file's name in `ledger/consensus`. siblings: (business, rule) of further chains.
    record_lifetime_blocks: a record made for height h may enter blocks
    up to h + lifetime. delegates, bar_cycles: N and K of the rules with delegates (paper 003, 3.3.2): how many take
    turns, and for how many elections a refused one may not stand.
    """

    gamma: int = 100
    alpha_ppm: int = 500_000
    beta_ppm: int = 500_000
    window_periods: int = 672
    credit_threshold_ppm: int = 0
    signing: str = "period"
    consensus: str = "poe"
    period_s: int = 900
    record_lifetime_blocks: int = 8
    delegates: int = 10
    bar_cycles: int = 3
    siblings: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        ranges = {
            "gamma": (1, MAX_GAMMA), "alpha_ppm": (0, 1_000_000), "beta_ppm": (0, 1_000_000),
            "window_periods": (1, MAX_WINDOW_PERIODS), "credit_threshold_ppm": (0, 1_000_000),
            "period_s": (1, 86_400), "record_lifetime_blocks": (0, 1 << 20),
            "delegates": (1, 1 << 16), "bar_cycles": (0, 1 << 20),
        }  # fmt: skip
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"{name} is {value!r}; allowed: an integer in {low}..{high}")
        allowed = [mode.name.lower() for mode in Signing]
        if self.signing not in allowed:
            raise ValueError(f"signing is {self.signing!r}; allowed: {', '.join(allowed)}")
        names = [name for name, _ in self.siblings]
        if names != [name for name in BUSINESSES[:-1] if name in names]:
            allowed_names = ", ".join(BUSINESSES[:-1])
            raise ValueError(f"siblings are {', '.join(names)}; allowed: {allowed_names}, each once, in this order")
        for _, rule in self.businesses:
            consensus.rule(rule)

    @property
    def businesses(self) -> tuple[tuple[str, str], ...]:
        """(business, rule) of every chain in the order in which they are sealed."""
        return (*self.siblings, (DISPATCH, self.consensus))

    @property
    def signing_mode(self) -> Signing:
        """The signing mode as the number in the GENESIS record."""
        return Signing[self.signing.upper()]


def genesis_body(params: Params, name: bytes, time_s: int, authority_key: bytes) -> Body:
    """The body of the GENESIS record, in the order of the table of fields."""
    return [
        name, time_s, authority_key, params.period_s, params.alpha_ppm, params.beta_ppm, params.gamma,
        params.window_periods, params.credit_threshold_ppm, int(params.signing_mode),
        params.consensus.encode(), params.record_lifetime_blocks, params.delegates, params.bar_cycles,
        [[name.encode(), rule.encode()] for name, rule in params.siblings],
    ]  # fmt: skip


def params_of(body: Body) -> Params:
    """The settings in a GENESIS body; ValueError where one is out of range."""
    _, _, _, period_s, alpha, beta, gamma, window, threshold, signing, rule_name, lifetime, delegates, *rest = body
    bar_cycles, siblings = rest
    try:
        consensus_name = rule_name.decode("ascii")
        chains = tuple((business.decode("ascii"), rule.decode("ascii")) for business, rule in siblings)
    except UnicodeDecodeError as error:
        raise ValueError("the name of a consensus rule or a business is no ASCII") from error
    return Params(
        gamma,
        alpha,
        beta,
        window,
        threshold,
        Signing(signing).name.lower(),
        consensus_name,
        period_s,
        lifetime,
        delegates,
        bar_cycles,
        chains,
    )


def chain_id_of(body: Body) -> bytes:
    """16 bytes that stand for a GENESIS body: a record of one chain is foreign to every other."""
    return sha256(_CHAIN_TAG + encode(body)).digest()[:16]
