"""Verify: claims against witnesses. Consensus never sees the truth; witnesses see it with noise.

A claim within the tolerance of what its witnesses saw is accepted as it stands; else the witnesses' value is. What an
order delivered is the accepted net injection against the baseline, in the direction of the order, at most the order.
What a cut of last resort or an outage took from a site counts neither for it nor against it: it is measured by what it
would have exchanged.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs import draws
from envs.draws import normal, stream
from envs.types import GRID, HORIZON, HOURS, REQUESTS, UPPER, Claims, Energy, State, Verdict
from envs.world import World


@njit(cache=True)
def _accept(claim, truth, noise, draw, relative, absolute):
    """(accepted Wh, refused) of one register."""
    seen = np.int64(np.rint(truth * (1.0 + noise * draw)))
    tolerance = max(absolute, np.int64(relative * abs(seen)))
    if abs(claim - seen) > tolerance:
        return seen, True
    return claim, False


@njit(cache=True)
def _witness(seed, episode, period, noise, relative, absolute, claims, truth, accepted, caught):
    worlds, sites = caught.shape
    for b in range(worlds):
        for k in range(3):
            key = stream(seed[b], episode[b], period, draws.WITNESS_GENERATION + k)
            for i in range(sites):
                value, refused = _accept(claims[k][b, i], truth[k][b, i], noise, normal(key, i), relative, absolute)
                accepted[k][b, i] = value
                caught[b, i] |= refused


@njit(cache=True)
def _verified(period, start, duration, direction, ordered, baseline, taken, net, out):
    """Share what a site delivered among its live orders, the oldest event first, the grid's before the upper
    level's.
    """
    worlds, _, sites = ordered.shape
    for b in range(worlds):
        for i in range(sites):
            left = np.int64(-1)
            for age in range(HORIZON - 1, -1, -1):
                begun = period - age
                if begun < 0:
                    continue
                for r in range(REQUESTS):
                    e = r * HORIZON + begun % HORIZON
                    if start[b, e] != begun or begun + duration[b, e] <= period or ordered[b, e, i] == 0:
                        continue
                    if left < 0:
                        # Whole watts, as the Dtx holds them: who has the ledger alone must come to the same Wh.
                        against = np.int64(np.rint(np.rint(baseline[b, 0, i]) * HOURS)) + taken[b, i]
                        left = max(direction[b, e] * (net[b, i] - against), np.int64(0))
                    out[b, e, i] = min(left, ordered[b, e, i])
                    left -= out[b, e, i]


def verify(world: World, state: State, claims: Claims, energy: Energy, witness_noise: float) -> Verdict:
    """What consensus accepts of the period: registers, caught claims, verified Wh by event and site, losses.

    With ``witness_noise`` 0 and the accepted registers as what was metered it judges recorded claims once more.
    Losses are the transformer's flow plus all accepted injections: what the wires took and what is unaccounted for.
    """
    assert UPPER == GRID + 1
    standing = world.scenario.standing
    accepted = tuple(np.zeros_like(claims.generated_wh) for _ in range(3))
    caught = np.zeros(claims.generated_wh.shape, np.bool_)
    truth = (energy.generated_wh, energy.consumed_wh, energy.storage_wh)
    _witness(
        state.seed, state.episode, state.period, witness_noise, standing.meter_tolerance,
        standing.meter_tolerance_wh, tuple(claims), truth, accepted, caught,
    )  # fmt: skip
    net = accepted[0] - accepted[1] + accepted[2]
    events = state.events
    verified = np.zeros_like(events.ordered_wh)
    _verified(
        state.period, events.start, events.duration, events.direction, events.ordered_wh, state.baseline_w,
        energy.cut_wh + energy.outage_wh, net, verified,
    )  # fmt: skip
    return Verdict(
        claimed_generated_wh=claims.generated_wh,
        claimed_consumed_wh=claims.consumed_wh,
        claimed_storage_wh=claims.storage_wh,
        generated_wh=accepted[0],
        consumed_wh=accepted[1],
        storage_wh=accepted[2],
        caught=caught,
        verified_wh=verified,
        losses_wh=energy.flow_wh + net.sum(axis=1),
    )
