"""Standing: credit and composite score from what was verified, never from what a node says of itself."""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.phases.deliver import orders_now
from envs.types import HORIZON, HOURS, PPM, Ints, Quotes, State, Trades, Verdict
from envs.world import World
from ledger.reputation import composite_score, execution_score_ppm, update_credit_ppm


def live_slots(state: State) -> np.ndarray:
    """(B, E) bool: events whose orders stand in the current period."""
    events = state.events
    return np.asarray(
        (events.start >= 0) & (state.period < events.start + events.duration) & (events.start <= state.period)
    )


@njit(cache=True)
def _totals(live, member, values_wh, aggregators):
    """Wh (B, E, N) over the live events (B, E): of each site and of each aggregator's members, (B, N + A)."""
    worlds, slots, sites = values_wh.shape
    total_wh = np.zeros((worlds, sites + aggregators), np.int64)
    for b in range(worlds):
        for e in range(slots):
            if not live[b, e]:
                continue
            for i in range(sites):
                total_wh[b, i] += values_wh[b, e, i]
                if member[b, e, i] >= 0:
                    total_wh[b, sites + member[b, e, i]] += values_wh[b, e, i]
    return total_wh


def update_standing(world: World, state: State, trades: Trades, verdict: Verdict, refused: list[list[int]]) -> None:
    """Move credit toward the execution score (paper 001), deduct for what was caught, score contracts (paper 003).

    Args:
        world: static side.
        state: B worlds; ``credit_ppm`` and ``score_ppm`` are replaced.
        trades: contracts of the period.
        verdict: what was accepted.
        refused: per world the sites whose block was refused this period; a site pays once, however many chains did.
    """
    settings, events = world.scenario.standing, state.events
    live = live_slots(state)
    declared = _totals(live, events.member, events.ordered_wh, world.aggregators)
    delivered = _totals(live, events.member, verdict.verified_wh, world.aggregators)
    score, defined = execution_score_ppm(declared, delivered)
    penalty = np.zeros_like(state.credit_ppm)
    penalty[:, : world.sites] += verdict.caught * round(settings.false_meter_penalty * PPM)
    for b, producers in enumerate(refused):
        for site in set(producers):
            penalty[b, site] += round(settings.forged_block_penalty * PPM)
    credit_ppm = update_credit_ppm(state.credit_ppm, score, defined, round(settings.learning_rate * PPM), penalty)
    # Who has no order cannot show that it delivers: without a way back nobody below the aggregators' threshold could.
    lost_ppm = np.maximum(round(settings.initial_credit * PPM) - credit_ppm, 0)
    back_ppm = lost_ppm * round(settings.recovery_rate * PPM) // PPM
    state.credit_ppm = credit_ppm + np.where(defined | (penalty > 0), 0, back_ppm)
    state.score_ppm = _composite(world, state, trades, verdict)


def contracted_wh(trades: Trades, sites: int) -> Ints:
    """(B, N) net Wh sold to peers in the period, < 0 bought."""
    contracted = np.zeros((len(trades.wh), sites), np.int64)
    _contract(trades.count, trades.seller, trades.buyer, trades.wh, contracted)
    return contracted


@njit(cache=True)
def _contract(count, seller, buyer, wh, contracted):
    for b in range(contracted.shape[0]):
        for k in range(count[b]):
            contracted[b, seller[b, k]] += wh[b, k]
            contracted[b, buyer[b, k]] -= wh[b, k]


def _composite(world: World, state: State, trades: Trades, verdict: Verdict) -> Ints:
    """Composite score of those with a contract; the others keep their last one."""
    contracted = contracted_wh(trades, world.sites)
    real = np.maximum(np.sign(contracted) * verdict.net_wh, 0)
    alpha = round(world.scenario.standing.score_alpha * PPM)
    amount = verdict.generated_wh + verdict.consumed_wh
    score = composite_score(np.abs(contracted), real, amount, alpha, PPM - alpha)
    return np.where(score.defined, score.score_ppm, state.score_ppm)


def remember_set_points(world: World, state: State, quotes: Quotes, verdict: Verdict) -> None:
    """Keep what battery, vehicle and heat pump do by themselves; a period with an order does not show it.

    What a battery does that follows a plan is known without: it has no set point to remember.
    """
    free = orders_now(state.events, state.period, verdict.storage_wh.shape[1])[0] == 0.0
    decides = free & ~world.equipment.follows
    state.last_storage_w = np.where(decides, verdict.storage_wh / HOURS, state.last_storage_w)
    state.hold_ppm = np.where(free, quotes.hold_ppm, state.hold_ppm)
    state.heat_ppm = np.where(free, quotes.heat_ppm, state.heat_ppm)


def expire_baselines(state: State) -> None:
    """Move the horizon on by one period: what is fixed for the next becomes the coming period's."""
    assert state.baseline_w.shape[1] == HORIZON
    state.baseline_w[:, :-1] = state.baseline_w[:, 1:]
    state.baseline_fixed[:, :-1] = state.baseline_fixed[:, 1:]
    state.baseline_w[:, -1] = 0.0
    state.baseline_fixed[:, -1] = False
