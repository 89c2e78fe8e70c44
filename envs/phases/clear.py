"""Clear: who may take part, who trades with whom, which offers win a request."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from envs.config import SettingsError
from envs.mechanisms import Mechanisms
from envs.types import GRID, PPM, Bools, Floats, Ints, Offers, Orders, Quotes, Stage, State, Tariffs, Trades
from envs.world import World


class Blocks(NamedTuple):
    """Admitted flexibility blocks of one request."""

    size_wh: Ints  # (B, N, M) a period
    price: Ints  # (B, N, M) as quoted
    quoted_wh: Ints  # (B, A) sums by aggregator
    effect_ppm: Ints  # (B, A) mean effectiveness, weighted by volume


def orders_of(quotes: Quotes) -> Orders:
    """The double auction's book."""
    return Orders(quotes.opening_price, quotes.limit_price, quotes.quantity_wh, quotes.requote_ppm)


def tariffs_of(world: World) -> Tariffs:
    """Tariffs outside the peers' market."""
    market = world.scenario.market
    return Tariffs(market.feed_in, market.retail, market.reference_price == "volume_weighted")


def trade(world: World, quotes: Quotes, rules: Mechanisms) -> Trades:
    """Who trades with whom in the peers' market.

    Raises:
        SettingsError: the trading mechanism answers with something else than Trades.
    """
    trades = rules.trading.clear(orders_of(quotes), tariffs_of(world))
    if not isinstance(trades, Trades):
        scenario = world.scenario
        raise SettingsError(
            f"{scenario.source}: market.trading = {scenario.market.trading!r}: clear() returned a"
            f" {type(trades).__name__} (allowed: envs.types.Trades)"
        )
    return trades


@njit(cache=True)
def _choose(preference, credit, threshold, least, member):
    worlds, sites, aggregators = preference.shape
    for b in range(worlds):
        for i in range(sites):
            member[b, i] = -1
            if credit[b, i] < least:
                continue
            for a in range(aggregators):
                accepted = credit[b, i] >= threshold[b, a] and credit[b, sites + a] >= least
                if accepted and (member[b, i] < 0 or preference[b, i, a] > preference[b, i, member[b, i]]):
                    member[b, i] = a


def choose_aggregators(world: World, state: State, stage: Stage, quotes: Quotes) -> Ints:
    """(B, N) two-way choice (paper 002): the most preferred aggregator that accepts the user's credit, -1 none.

    Who has fallen below the admission threshold takes no part in requests, user or aggregator.
    """
    member = np.empty(quotes.limit_price.shape, np.int64)
    least = round(world.scenario.standing.admission_threshold * PPM)
    _choose(quotes.preference, state.credit_ppm, stage.threshold_ppm, least, member)
    return member


@njit(cache=True)
def _admit(asked, member, block_wh, block_price, subsidy, effect, taken_wh, size, quoted, effect_ppm):
    worlds, sites, blocks = block_wh.shape
    aggregators = subsidy.shape[1]
    for b in range(worlds):
        if asked[b] <= 0:
            continue
        weighted = np.zeros(aggregators)
        for i in range(sites):
            a = member[b, i]
            if a < 0:
                continue
            taken = taken_wh[b, i]  # what an earlier request of the same period has ordered from these blocks
            for m in range(blocks):
                used = min(taken, block_wh[b, i, m])
                taken -= used
                if block_price[b, i, m] <= subsidy[b, a]:  # dearer blocks are not worth the subsidy to the user
                    size[b, i, m] = block_wh[b, i, m] - used
                    quoted[b, a] += size[b, i, m]
                    weighted[a] += effect[b, i] * size[b, i, m]
        for a in range(aggregators):
            if quoted[b, a] > 0:
                effect_ppm[b, a] = np.int64(np.rint(weighted[a] / quoted[b, a] * PPM))


def called(stage: Stage, request: int) -> Bools:
    """(B,) whether a request is checked: a grid event always, an order of the upper level if anything is asked."""
    said = stage.cause if request == GRID else stage.asked_wh
    return np.asarray(said[:, request] > 0)


def taken_blocks(stage: Stage, request: int, grid_wh: Ints) -> Ints:
    """(B, N) Wh of a site's blocks that the period's grid event, with orders ``grid_wh`` (B, N), leaves to no other.

    What it ordered in the same direction is gone; in the other direction the whole site is.
    """
    if request == GRID:
        return np.zeros_like(grid_wh)
    same_way = (stage.direction[:, GRID] == stage.direction[:, request])[:, None]
    return np.where(same_way | (grid_wh == 0), grid_wh, np.iinfo(np.int64).max)


def admit_blocks(stage: Stage, block_wh: Ints, block_price: Ints, request: int, member: Ints, taken_wh: Ints) -> Blocks:
    """Blocks of one request that its members' aggregators can use; ``taken_wh`` (B, N) is no longer there.

    ``block_wh`` and ``block_price`` (B, R, N, M) are what the sites quoted.
    """
    size = np.zeros_like(block_wh[:, request])
    quoted = np.zeros_like(stage.subsidy)
    effect_ppm = np.zeros_like(stage.subsidy)
    price = np.ascontiguousarray(block_price[:, request])
    _admit(
        stage.asked_wh[:, request], member, block_wh[:, request], price, stage.subsidy, stage.effect[:, request],
        taken_wh, size, quoted, effect_ppm,
    )  # fmt: skip
    return Blocks(size, price, quoted, effect_ppm)


def offers_of(state: State, stage: Stage, request: int, blocks: Blocks, sites: int) -> Offers:
    """Sealed offers of one request: an aggregator's volume is at most what its members quoted."""
    return Offers(
        stage.offer_price,
        np.minimum(stage.offer_wh[:, request], blocks.quoted_wh),
        blocks.effect_ppm,
        np.ascontiguousarray(state.credit_ppm[:, sites:]),
        np.ascontiguousarray(stage.reserve[:, request]),
        np.ascontiguousarray(stage.asked_wh[:, request]),
    )


def delivered_price(stage: Stage, member: Ints, price: Ints) -> Floats:
    """(B, N, M) what a block costs the operator by its own quotation: quote plus its aggregator's margin.

    With it the dispatch among winners and the reopened dispatch over all admitted blocks have one objective.
    """
    margin = stage.offer_price - stage.subsidy
    own = np.take_along_axis(margin, np.maximum(member, 0), axis=1)
    return (price + own[:, :, None]) / float(PPM)
