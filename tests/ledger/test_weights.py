import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.kinds import Kind
from ledger.records import Draft
from ledger.weights import WeightWindow

from .conftest import ENO, lived


def brute_force(generated, consumed, credit_ppm, capacity_w, window, alpha, beta, threshold):
    """Weights in Python integers from the whole past, [periods][nodes]."""
    weights = []
    for node, capacity in enumerate(capacity_w):
        cap = int(capacity) * window // 4
        energies = [sum(int(period[node]) for period in side[-window:]) for side in (generated, consumed)]
        weight = alpha * min(energies[0], cap) + beta * min(energies[1], cap)
        weights.append(weight if credit_ppm[node] >= threshold else 0)
    return weights


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 7), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_window_equals_brute_force(nodes, window, periods, seed):
    rng = np.random.default_rng(seed)
    capacity_w = rng.integers(0, 3_000, nodes)
    alpha, beta = (int(x) for x in rng.integers(0, 1_000_001, 2))
    weigher = WeightWindow(capacity_w, window, alpha, beta, 500_000)
    past = rng.integers(0, 900, (2, window, nodes))
    for node in range(nodes):
        weigher.fill(node, past[0, :, node], past[1, :, node])
    energies = [list(past[0]), list(past[1])]
    credit_ppm = np.full(nodes, 1_000_000)
    for _ in range(periods):
        generated, consumed = rng.integers(0, 900, (2, nodes))
        credit_ppm = rng.integers(0, 1_000_001, nodes)
        weigher.push(generated, consumed, credit_ppm)
        energies[0].append(generated)
        energies[1].append(consumed)
        expected = brute_force(*energies, credit_ppm, capacity_w, window, alpha, beta, 500_000)
        assert weigher.weights().tolist() == expected


def test_chain_and_window_agree(make_chain, roster, history):
    chain = make_chain(window_periods=22)
    capacity_w = np.array([member.certificate.capacity_w for member in roster.members])
    alone = WeightWindow(capacity_w, 22)
    for node in range(len(roster)):
        alone.fill(node, history[0][node], history[1][node])
    rng = np.random.default_rng(3)
    pushed = []
    lived(chain)
    for period in range(6):
        energies = rng.integers(0, 5_000, (2, len(roster)))
        rows = [[m.address, int(g), int(c), 0, 0] for m, g, c in zip(roster.members, *energies, strict=True)]
        chain.seal([Draft(Kind.VERIFICATION, ENO, 0, [period, rows])])
        pushed.append(energies)
        if period:
            alone.push(*pushed[period - 1])  # a block's readings count two blocks later
        assert np.array_equal(chain.state.window.weights(), alone.weights())


def test_capacity_caps_what_counts():
    weigher = WeightWindow(np.array([4]), 2, 1_000_000, 0)  # 4 W over half an hour: 2 Wh
    for _ in range(2):
        weigher.push(np.array([50]), np.array([0]))
    assert weigher.weights().tolist() == [2_000_000]


@pytest.mark.parametrize("value", [-1, 2**40 + 1])
def test_energies_out_of_range(value):
    weigher = WeightWindow(np.array([4]), 2)
    with pytest.raises(ValueError, match="energies of a period"):
        weigher.push(np.array([value]), np.array([0]))
    with pytest.raises(ValueError, match="energies of a period"):
        weigher.fill(0, np.array([value]), np.array([0]))


def test_shapes_and_settings():
    with pytest.raises(ValueError, match="window_periods"):
        WeightWindow(np.array([4]), 0)
    with pytest.raises(ValueError, match="alpha_ppm"):
        WeightWindow(np.array([4]), 2, 2_000_000)
    weigher = WeightWindow(np.array([4, 4]), 2)
    for bad in (np.array([1]), np.array([1.0, 2.0])):
        with pytest.raises(ValueError, match="int64 array of 2"):
            weigher.push(bad, np.array([0, 0]))
    with pytest.raises(ValueError, match="at most 2 periods"):
        weigher.fill(0, np.array([1, 2, 3]), np.array([1, 2, 3]))
    with pytest.raises(ValueError, match="credit_ppm"):
        weigher.set_credit(np.array([1]))
