"""Largest remainder: exact sums, caps, tie order."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.dispatch.rounding import round_one


def rounded(x: list[float], total: int, caps: list[int]) -> list[int] | None:
    """The whole numbers of a row, None where the total is out of reach."""
    whole = np.empty(len(x), np.int64)
    return whole.tolist() if round_one(np.array(x), total, np.array(caps, np.int64), whole) else None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 50), st.integers(0, 60)), min_size=1, max_size=12), st.floats(0, 1))
def test_sum_is_exact_and_caps_hold(sites: list[tuple[float, int]], share: float) -> None:
    x, caps = [site[0] for site in sites], [site[1] for site in sites]
    total = int(share * sum(caps))
    whole = rounded(x, total, caps)
    assert whole is not None
    assert sum(whole) == total
    assert all(0 <= given <= cap for given, cap in zip(whole, caps, strict=True))


@given(st.lists(st.floats(0, 50), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_no_site_moves_by_a_unit_when_the_sum_fits(x: list[float]) -> None:
    whole = rounded(x, round(np.array(x).sum()), [100] * len(x))
    assert whole is not None
    assert all(abs(given - value) < 1 for given, value in zip(whole, x, strict=True))


def test_largest_fractions_first_then_index() -> None:
    caps = [9] * 4
    assert rounded([1.5, 1.5, 1.5, 1.5], 6, caps) == [2, 2, 1, 1]
    assert rounded([1.2, 1.9, 1.5, 1.4], 6, caps) == [1, 2, 2, 1]
    assert rounded([1.2, 1.9, 1.5, 1.4], 6, [9, 1, 9, 9]) == [1, 1, 2, 2]
    assert rounded([3.0, 3.0, 3.1, 3.0], 10, caps) == [2, 2, 3, 3]


def test_out_of_reach_is_said() -> None:
    assert rounded([1.0, 2.0], 6, [3, 3]) == [3, 3]
    assert rounded([1.0, 2.0], -1, [3, 3]) is None
    assert rounded([1.0, 2.0], 7, [3, 3]) is None
