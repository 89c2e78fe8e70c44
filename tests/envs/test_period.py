"""What must hold in every period, whoever plays: energy, money, promises, batteries."""

import numpy as np
import pytest

from envs.money import FLOWS, LOSSES, TRADE
from envs.types import HORIZON, REQUESTS
from tests.envs.play import OFF, at_random, by_rules, core_of, periods

MALICIOUS = {
    "malicious": {
        "false_quote": {"count": 1},
        "false_meter": {"count": 1, "intensity": 0.3},
        "non_delivery": {"count": 1},
    }
}


def check_period(core, trace, balance_before, charge_before):
    world, energy, verdict, payments, plan = core.world, trace.energy, trace.verdict, trace.payments, trace.plan
    # Batteries stay inside their bounds, and what left the cells is what was metered, within the rounding of a meter.
    charge = trace.charge_wh
    assert np.all(charge >= 0)
    assert np.all(charge <= world.storage_wh + 1e-9)
    stored = energy.storage_wh - energy.fed_wh  # a vehicle that feeds in passes the same register
    discharged = np.maximum(stored, 0) / world.efficiency + np.minimum(stored, 0) * world.efficiency
    assert np.allclose(charge_before - charge, discharged, atol=1.0)
    # Physics: sites + losses = flow through the transformer, and losses are losses.
    net = energy.generated_wh - energy.consumed_wh + energy.storage_wh
    assert np.array_equal(energy.flow_wh + net.sum(axis=1), energy.technical_loss_wh)
    assert np.all(energy.technical_loss_wh >= 0)
    assert np.array_equal(energy.flow_wh + verdict.net_wh.sum(axis=1), verdict.losses_wh)
    # Money: every account is the sum of its transfers, and all accounts sum to zero.
    assert np.all(payments.change.sum(axis=1) == 0)
    assert np.array_equal(core.state.balance, balance_before + payments.change)
    for b in range(len(net)):
        check_world(core, trace, b, net[b])
    # Promises: an award is the sum of its users' orders, never more than was admitted.
    for r in range(REQUESTS):
        per_aggregator = [
            np.where(plan.member == a, plan.ordered_wh[:, r], 0).sum(axis=1) for a in range(world.aggregators)
        ]
        assert np.array_equal(np.stack(per_aggregator, axis=1), plan.awarded_wh[:, r])
        assert np.all(plan.awarded_wh[:, r] <= plan.admitted_wh[:, r])
        assert np.all(plan.ordered_wh[:, r] <= trace.quotes.block_wh[:, r].sum(axis=2))
        once = ~plan.reopened[:, r]
        assert np.all(plan.awarded_wh[once, r].sum(axis=1) <= trace.stage.asked_wh[once, r])
    assert np.all(verdict.verified_wh >= 0)
    assert np.all(verdict.verified_wh <= core.state.events.ordered_wh)
    assert np.all((trace.credit_ppm >= 0) & (trace.credit_ppm <= 1_000_000))


def check_world(core, trace, b, net):
    """Paid Wh = metered Wh at every site, and no trade is worse than either limit."""
    rows = trace.payments.rows[b, : trace.payments.count[b]]
    account = np.zeros(core.world.accounts, np.int64)
    paid = np.zeros(core.world.sites, np.int64)
    for flow, payer, payee, wh, price, amount, _slot in rows.tolist():
        account[payer] -= amount
        account[payee] += amount
        assert wh > 0
        assert amount == round(wh * price / 1000) or abs(wh * price / 1000 - amount) <= 0.5
        if FLOWS[flow] in ("trade", "surplus", "deficit"):
            if payee < core.world.sites:
                paid[payee] += wh
            if payer < core.world.sites:
                paid[payer] -= wh
    assert np.array_equal(account, trace.payments.change[b])
    assert np.array_equal(paid, trace.verdict.net_wh[b])
    trades, quotes = trace.trades, trace.quotes
    for k in range(trades.count[b]):
        price = trades.price[b, k]
        assert quotes.limit_price[b, trades.seller[b, k]] <= price <= quotes.limit_price[b, trades.buyer[b, k]]
    traded = rows[rows[:, 0] == TRADE]
    assert traded[:, 3].sum() == trades.wh[b, : trades.count[b]].sum()
    assert (rows[:, 0] == LOSSES).sum() <= 1


@pytest.mark.parametrize("scenario", ["tiny", "rural_day"])
@pytest.mark.parametrize("who", ["rules", "random"])
def test_every_period_balances(scenario, who):
    core = core_of(scenario, {**OFF, **MALICIOUS}, cycles=96 if who == "rules" else 60)
    core.reset(np.array([3, 4], np.uint64))
    balance, charge = core.state.balance.copy(), core.state.charge_wh.copy()
    events = 0
    for trace in periods(core, by_rules(core) if who == "rules" else at_random(1)):
        check_period(core, trace, balance, charge)
        balance, charge = core.state.balance.copy(), trace.charge_wh
        events += int((trace.stage.cause > 0).sum())
    assert events > 0


def test_honest_meters_are_believed_and_pay_for_technical_losses_only():
    core = core_of("tiny", OFF)
    core.reset(np.array([0], np.uint64))
    for trace in periods(core, by_rules(core)):
        assert not trace.verdict.caught.any()
        assert np.array_equal(trace.verdict.losses_wh, trace.energy.technical_loss_wh)


def test_no_event_outlasts_the_episode_or_its_horizon():
    core = core_of("tiny", OFF, cycles=50)
    core.reset(np.array([0], np.uint64))
    for trace in periods(core, by_rules(core)):
        begun = trace.stage.cause > 0
        assert np.all(trace.stage.duration[begun] >= 1)
        assert np.all(trace.stage.duration[begun] <= min(HORIZON, 50 - trace.period))


def test_a_twin_without_orders_is_the_same_world():
    """Draws do not depend on actions: idle and ruled worlds see the same weather."""
    ruled, idle = core_of("tiny", OFF, cycles=60), core_of("tiny", OFF, cycles=60)
    nobody = dict.fromkeys(("prosumer", "aggregator", "eno"), "idle")
    for core in (ruled, idle):
        core.reset(np.array([5], np.uint64))
    for one, other in zip(periods(ruled, by_rules(ruled)), periods(idle, by_rules(idle, nobody)), strict=True):
        assert np.array_equal(ruled.state.truth_pv_w, idle.state.truth_pv_w)
        assert np.array_equal(ruled.state.truth_load_w, idle.state.truth_load_w)
        assert other.plan.ordered_wh.sum() == 0
        assert one.period == other.period


def test_a_non_finite_or_misshapen_action_is_refused():
    core = core_of("tiny", OFF)
    core.reset(np.array([0], np.uint64))
    action = np.zeros((1, 1, 2), np.float32)
    action[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="eno: an action holds a number that is not finite"):
        core.announce(action)
    with pytest.raises(ValueError, match=r"eno: actions of shape \(1, 1, 2\) are expected, not \(1, 2\)"):
        core.announce(np.zeros((1, 2)))
