"""Status records (paper 000): what stands behind each meter and where, once; price and weather, every period.

Generation and consumption are the READING records. All integers: W, Wh, micro-currency per kWh, millionths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from envs.types import HOURS, PPM, Energy, Ints, Payments, Trades, Transport, Verdict
from envs.world import World
from ledger.joining import EnergyType
from ledger.kinds import Kind
from ledger.records import Draft
from ledger.roster import AUTHORITY


class Outcome(Protocol):
    """What of a lived period goes on the ledger: a Trace, or what an auditor re-executes from the ledger."""

    period: int
    trades: Trades
    energy: Energy
    verdict: Verdict
    transport: Transport
    payments: Payments
    credit_ppm: Ints  # (B, N + A) after the period
    score_ppm: Ints  # (B, N)


def energy_types_of(world: World, site: int) -> EnergyType:
    """What a site has behind its meter."""
    types = EnergyType.LOAD
    if world.pv_rated_w[site] > 0.0:
        types |= EnergyType.PHOTOVOLTAIC
    if world.storage_wh[site] > 0.0:
        types |= EnergyType.STORAGE
    if world.equipment.fleet.rated_w[site] > 0.0:
        types |= EnergyType.VEHICLE
    if world.equipment.houses.rated_w[site] > 0.0:
        types |= EnergyType.THERMOSTAT
    return types


def site_drafts(world: World, addresses: Sequence[bytes]) -> list[Draft]:
    """One SITE record a site for the genesis block: bus, energy types, rated output in W, storage in Wh."""
    return [
        Draft(Kind.SITE, AUTHORITY, 0, [addresses[i], bus, int(energy_types_of(world, i)), pv_w, storage_wh])
        for i, (bus, pv_w, storage_wh) in enumerate(
            zip(
                world.site_bus.tolist(),
                np.rint(world.pv_rated_w).astype(np.int64).tolist(),
                np.rint(world.storage_wh).astype(np.int64).tolist(),
                strict=True,
            )
        )
    ]


def status_draft(world: World, b: int, outcome: Outcome) -> Draft:
    """The STATUS record of a period: tariffs, energy traded among peers and its mean price, and the sun's share.

    The mean price is weighted by energy, 0 where nothing was traded; the sun's share is what it allowed to generate, in
    millionths of the rated output of all plants.
    """
    market, trades = world.scenario.market, outcome.trades
    wh, price = (column[b, : trades.count[b]] for column in (trades.wh, trades.price))
    traded_wh = int(wh.sum())
    mean_price = int((wh * price).sum()) // traded_wh if traded_wh else 0
    rated_wh = round(float(world.pv_rated_w.sum()) * HOURS)
    sun_ppm = int(outcome.energy.available_wh[b].sum()) * PPM // rated_wh if rated_wh else 0
    body = [outcome.period, market.retail, market.feed_in, mean_price, traded_wh, sun_ppm]
    return Draft(Kind.STATUS, world.eno_account, 0, body)
