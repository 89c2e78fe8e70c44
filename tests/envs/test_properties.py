"""Properties over arbitrary seeds, players and cheats: money, energy, batteries, rounding, the same head again."""

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.phases.settle import amount_of
from envs.resources import storage
from tests.envs.play import OFF, at_random, core_of, episode, periods

CHEATS = st.dictionaries(
    st.sampled_from(
        [
            "false_quote",
            "false_meter",
            "non_delivery",
            "forging_producer",
            "equivocating_producer",
            "queue_jumper",
        ]
    ),
    st.fixed_dictionaries({"count": st.just(1), "intensity": st.floats(0.1, 3.0)}),
    max_size=4,
)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**63), player=st.integers(0, 99), cheats=CHEATS)
def test_money_energy_and_batteries(seed, player, cheats):
    core = core_of("tiny", {**OFF, "malicious": cheats}, cycles=58)
    core.reset(np.array([seed], np.uint64))
    for trace in periods(core, at_random(player)):
        assert trace.payments.change.sum() == 0
        rows = trace.payments.rows[0, : trace.payments.count[0]]
        trades = rows[rows[:, 0] == 0]
        sold, bought = np.zeros(6, np.int64), np.zeros(6, np.int64)
        np.add.at(bought, trades[:, 1], trades[:, 3])
        np.add.at(sold, trades[:, 2], trades[:, 3])
        assert sold.sum() == bought.sum()
        assert np.all(sold <= np.maximum(trace.quotes.quantity_wh[0], 0))
        assert np.all(bought <= np.maximum(-trace.quotes.quantity_wh[0], 0))
        limits = trace.quotes.limit_price[0]
        assert np.all(limits[trades[:, 2]] <= trades[:, 4])
        assert np.all(trades[:, 4] <= limits[trades[:, 1]])
        assert np.all((trace.charge_wh[0] >= 0) & (trace.charge_wh[0] <= core.world.storage_wh))
        assert np.all(trace.energy.generated_wh >= 0)
        assert np.all(trace.energy.consumed_wh >= 0)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**63), player=st.integers(0, 99))
def test_the_same_seed_gives_the_same_head(seed, player):
    heads = set()
    for _ in range(2):
        core = core_of("tiny", cycles=5)
        episode(core, at_random(player), (seed,))
        heads.add(core.recorder.heads[0])
    assert len(heads) == 1


@settings(max_examples=300)
@given(wh=st.integers(0, 10**7), price=st.integers(0, 10**7))
def test_a_payment_is_rounded_half_to_even(wh, price):
    assert amount_of(wh, price) == round(Fraction(wh * price, 1000))


@settings(max_examples=300)
@given(
    share=st.floats(0, 1), capacity=st.floats(1, 1e6), rated=st.floats(1, 1e5), efficiency=st.floats(0.5, 1),
    wish=st.floats(-1, 1), ahead=st.integers(1, 8),
)  # fmt: skip
def test_a_battery_that_keeps_its_limits_stays_within_its_bounds(share, capacity, rated, efficiency, wish, ahead):
    charge = share * capacity
    low, high = storage.limits_w(charge, capacity, rated, efficiency, ahead)
    assert -rated <= low <= 0.0 <= high <= rated
    power = min(max(wish * rated, low), high)
    for _ in range(ahead):
        cells = power / efficiency if power > 0 else power * efficiency
        assert -1e-6 * capacity <= charge - cells * 0.25 <= capacity * (1 + 1e-6)
        charge = storage.advance_wh(charge, capacity, power, efficiency)
