"""Scores and credit in exact integers (ppm): execution score, composite score, credit, rank.

All functions are vectorised over int64 arrays of any shape whose last axis counts nodes. Quotients round half
to even, as payments do. Energies stay below 2**40 Wh, so a product with a million stays inside int64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .weights import Int64Array

ONE_PPM = 1_000_000
MAX_ENERGY_WH = 1 << 40
BoolArray = NDArray[np.bool_]


def _energies(*arrays: Any) -> list[Int64Array]:
    values = [np.asarray(array) for array in arrays]
    for value in values:
        if value.dtype.kind not in "iu":
            raise ValueError(f"energies are integers in Wh, not {value.dtype}")
        if (value.astype(np.uint64, copy=False) > MAX_ENERGY_WH).any():  # what is negative is large there
            raise ValueError(f"energies lie in 0..{MAX_ENERGY_WH} Wh")
    return [value.astype(np.int64, copy=False) for value in values]


def _share_ppm(values_ppm: Int64Array) -> Int64Array:
    """Values brought into [0, 1]; on a period's few nodes `np.clip` takes three times as long."""
    return np.minimum(np.maximum(values_ppm, 0), ONE_PPM)


def divide_half_even(numerator: Int64Array, denominator: Int64Array | np.int64) -> Int64Array:
    """numerator / denominator (> 0) rounded half to even."""
    quotient, rest = np.divmod(numerator, denominator)
    up = 2 * rest + (quotient & 1) > denominator  # whole numbers: an odd quotient turns a tie into more
    return np.asarray(quotient + up, np.int64)


def fulfilment_ppm(declared_wh: Any, delivered_wh: Any) -> tuple[Int64Array, BoolArray]:
    """1 - |delivered - declared| / declared in ppm, unclipped, and where it exists (declared > 0).

    Paper 003 eq. 3 (S_rep, kept raw: negative when delivered > 2 * declared), paper 001's execution score
    before the clip. Undefined entries hold 0.
    """
    declared, delivered = _energies(declared_wh, delivered_wh)
    defined = np.asarray(declared > 0)
    shortfall = divide_half_even(np.abs(delivered - declared) * ONE_PPM, np.where(defined, declared, 1))
    return np.asarray(np.where(defined, ONE_PPM - shortfall, 0), np.int64), defined


def execution_score_ppm(declared_wh: Any, delivered_wh: Any) -> tuple[Int64Array, BoolArray]:
    """Paper 001's execution score e = 1 - |delivered - declared| / declared clipped to [0, 1], and where it
    exists.
    """
    raw_ppm, defined = fulfilment_ppm(declared_wh, delivered_wh)
    return _share_ppm(raw_ppm), defined


@dataclass(frozen=True, slots=True)
class CompositeScore:
    """Paper 003's score of nodes, [..., n] each; entries where `defined` is false hold 0 and mean nothing."""

    score_ppm: Int64Array
    reputation_ppm: Int64Array  # clipped to [0, 1]
    raw_reputation_ppm: Int64Array  # before it is clipped: negative where more than twice the promise came
    amount_ppm: Int64Array
    defined: BoolArray


def composite_score(
    predicted_wh: Any, real_wh: Any, amount_wh: Any, alpha_ppm: int = 500_000, beta_ppm: int = 500_000
) -> CompositeScore:
    """Paper 003 eq. 1-6: S = alpha * S_rep + beta * S_amount with alpha + beta = 1.

    S_rep = 1 - |Epre - Ereal| / Epre, clipped, no score where Epre = 0; S_amount = (E - Emin) / (Emax - Emin)
    over the nodes, 1 where all are equal. Extremes are taken over the nodes that have a score.
    """
    if min(alpha_ppm, beta_ppm) < 0 or alpha_ppm + beta_ppm != ONE_PPM:
        raise ValueError(f"alpha_ppm {alpha_ppm} and beta_ppm {beta_ppm} must be shares that sum to {ONE_PPM}")
    raw_ppm, defined = fulfilment_ppm(predicted_wh, real_wh)
    (amount,) = _energies(amount_wh)
    reputation_ppm = _share_ppm(raw_ppm)
    low = np.where(defined, amount, MAX_ENERGY_WH).min(axis=-1, keepdims=True)
    high = np.where(defined, amount, 0).max(axis=-1, keepdims=True)
    spread = high - low
    scaled = divide_half_even(np.where(defined, amount - low, 0) * ONE_PPM, np.where(spread > 0, spread, 1))
    amount_ppm = np.where(spread > 0, scaled, ONE_PPM)
    weighted = divide_half_even(alpha_ppm * reputation_ppm + beta_ppm * amount_ppm, np.int64(ONE_PPM))
    return CompositeScore(
        np.where(defined, weighted, 0), reputation_ppm, raw_ppm, np.where(defined, amount_ppm, 0), defined
    )  # fmt: skip


def update_credit_ppm(
    credit_ppm: Int64Array, score_ppm: Int64Array, defined: BoolArray, rate_ppm: int,
    penalty_ppm: Int64Array | int = 0,
) -> Int64Array:  # fmt: skip
    """credit + rate * (score - credit) where there is a score, less the penalty (inactive, malicious), in [0,
    1].
    """
    if not 0 <= rate_ppm <= ONE_PPM:
        raise ValueError(f"rate_ppm is {rate_ppm}; allowed: 0..{ONE_PPM}")
    if np.any(np.asarray(penalty_ppm) < 0):
        raise ValueError("a penalty is not negative")
    step_ppm = divide_half_even(rate_ppm * (score_ppm - credit_ppm), np.int64(ONE_PPM))
    return _share_ppm(credit_ppm + np.where(defined, step_ppm, 0) - penalty_ppm)


def ranks(score_ppm: Int64Array, defined: BoolArray) -> Int64Array:
    """Rank among the event's participants, 1 the best, equal scores equal ranks; 0 where there is no
    score.
    """
    better = (score_ppm[..., None, :] > score_ppm[..., :, None]) & defined[..., None, :]  # [..., n, n]
    return np.asarray(np.where(defined, 1 + better.sum(axis=-1, dtype=np.int64), 0), np.int64)
