from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import reputation
from ledger.reputation import ONE_PPM

ENERGIES = st.lists(st.tuples(*[st.integers(0, 2**40)] * 3), min_size=1, max_size=8)


def exact_scores(declared, real, amount):
    """Paper 003 eq. 1-6 in fractions: (S_rep clipped, S_amount) or None a node."""
    scored = [e for e, d in zip(amount, declared, strict=True) if d > 0]
    scores = []
    for d, r, e in zip(declared, real, amount, strict=True):
        if d == 0:
            scores.append(None)
            continue
        fulfilled = min(max(1 - Fraction(abs(r - d), d), Fraction(0)), Fraction(1))
        low, high = min(scored), max(scored)
        scores.append((fulfilled, Fraction(e - low, high - low) if high > low else Fraction(1)))
    return scores


@settings(deadline=None)
@given(ENERGIES, st.integers(0, ONE_PPM))
def test_composite_score_equals_fractions(rows, alpha):
    declared, real, amount = (list(column) for column in zip(*rows, strict=True))
    score = reputation.composite_score(declared, real, amount, alpha, ONE_PPM - alpha)
    for node, exact in enumerate(exact_scores(declared, real, amount)):
        assert score.defined[node] == (exact is not None)
        if exact is None:
            assert score.score_ppm[node] == 0
            continue
        assert score.reputation_ppm[node] == round(exact[0] * ONE_PPM)
        assert score.amount_ppm[node] == round(exact[1] * ONE_PPM)
        parts = alpha * int(score.reputation_ppm[node]) + (ONE_PPM - alpha) * int(score.amount_ppm[node])
        assert score.score_ppm[node] == round(Fraction(parts, ONE_PPM))


def test_execution_score_corners():
    score, defined = reputation.execution_score_ppm([100, 100, 100, 100, 0], [100, 90, 250, 0, 5])
    assert score.tolist() == [1_000_000, 900_000, 0, 0, 0]
    assert defined.tolist() == [True, True, True, True, False]
    composite = reputation.composite_score([100, 100], [250, 90], [1, 2])
    assert composite.raw_reputation_ppm.tolist() == [-500_000, 900_000]
    assert composite.reputation_ppm.tolist() == [0, 900_000]


def test_a_batch_equals_its_rows():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 1_000, (3, 4, 6))
    batch = reputation.composite_score(*values)
    for world in range(4):
        alone = reputation.composite_score(*values[:, world])
        assert np.array_equal(batch.score_ppm[world], alone.score_ppm)


@settings(deadline=None)
@given(st.integers(-(2**50), 2**50), st.integers(1, 2**40))
def test_division_rounds_half_to_even(numerator, denominator):
    quotient = reputation.divide_half_even(np.array([numerator]), np.array([denominator]))
    assert quotient[0] == round(Fraction(numerator, denominator))


def test_credit_moves_toward_the_score_and_pays_penalties():
    credit = np.array([500_000, 500_000, 500_000, 10])
    score = np.array([1_000_000, 0, 0, 0])
    defined = np.array([True, True, False, True])
    moved = reputation.update_credit_ppm(credit, score, defined, 100_000)
    assert moved.tolist() == [550_000, 450_000, 500_000, 9]
    fined = reputation.update_credit_ppm(credit, score, defined, 100_000, np.array([0, 0, 20_000, 50]))
    assert fined.tolist() == [550_000, 450_000, 480_000, 0]


def test_ranks():
    score = np.array([5, 9, 9, 1, 7])
    defined = np.array([True, True, True, True, False])
    assert reputation.ranks(score, defined).tolist() == [3, 1, 1, 4, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reputation.execution_score_ppm([1.5], [1]), "integers in Wh"),
        (lambda: reputation.execution_score_ppm([-1], [1]), "energies lie in"),
        (lambda: reputation.composite_score([1], [1], [1], 600_000, 600_000), "sum to"),
        (
            lambda: reputation.update_credit_ppm(np.array([1]), np.array([1]), np.array([True]), -1),
            "rate_ppm",
        ),
        (
            lambda: reputation.update_credit_ppm(np.array([1]), np.array([1]), np.array([True]), 1, -1),
            "penalty",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
