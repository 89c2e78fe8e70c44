"""Largest remainder: exact sums, caps, tie order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.dispatch.rounding import largest_remainder


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 50), st.integers(0, 60)), min_size=1, max_size=12), st.floats(0, 1))
def test_sum_is_exact_and_caps_hold(sites: list[tuple[float, int]], share: float) -> None:
    x, caps = np.array([site[0] for site in sites]), np.array([site[1] for site in sites])
    total = int(share * caps.sum())
    whole = largest_remainder(x, total, caps)
    assert whole.dtype == np.int64
    assert whole.sum() == total
    assert ((whole >= 0) & (whole <= caps)).all()


@given(st.lists(st.floats(0, 50), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_no_site_moves_by_a_unit_when_the_sum_fits(x: list[float]) -> None:
    values = np.array(x)
    whole = largest_remainder(values, round(values.sum()), np.full(len(x), 100))
    assert (np.abs(whole - values) < 1).all()


def test_largest_fractions_first_then_index() -> None:
    caps = np.full(4, 9)
    assert largest_remainder([1.5, 1.5, 1.5, 1.5], 6, caps).tolist() == [2, 2, 1, 1]
    assert largest_remainder([1.2, 1.9, 1.5, 1.4], 6, caps).tolist() == [1, 2, 2, 1]
    assert largest_remainder([1.2, 1.9, 1.5, 1.4], 6, [9, 1, 9, 9]).tolist() == [1, 1, 2, 2]
    assert largest_remainder([3.0, 3.0, 3.1, 3.0], 10, caps).tolist() == [2, 2, 3, 3]


def test_a_batch_is_its_rows() -> None:
    x = np.random.default_rng(0).uniform(0, 9, (20, 30))
    total, caps = np.rint(x.sum(axis=1)).astype(int), np.full((20, 30), 10)
    batch = largest_remainder(x, total, caps)
    for row in range(20):
        assert batch[row].tolist() == largest_remainder(x[row], total[row], caps[row]).tolist()


def test_out_of_reach_is_an_error() -> None:
    for total in (-1, 7):
        with pytest.raises(ValueError, match=r"allowed: 0\.\.6"):
            largest_remainder([1.0, 2.0], total, [3, 3])
    with pytest.raises(ValueError, match="finite"):
        largest_remainder([np.nan, 2.0], 2, [3, 3])
    with pytest.raises(ValueError, match="needed"):
        largest_remainder([1.0, 2.0], 2, [3, 3, 3])
