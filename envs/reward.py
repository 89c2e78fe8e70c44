"""Rewards: money of the period less what it cost to live it, brought to order 1.

Reward = (transfers - degradation - discomfort - what a driver misses) / scale. The operator also pays for violations
of the planning band (pu·h) and for overload (h), as lived, and in part for those that only a cut of last resort
averted: less than for living through them, so that cutting beats looking on, and enough that buying flexibility in time
beats cutting.
"""

from __future__ import annotations

import numpy as np

from envs.resources.base import Cost
from envs.resources.site import RESOURCES
from envs.settings import Scenario
from envs.types import HOURS, PPM, Energy, Floats, Payments, Plan
from envs.world import World


def violations(world: World, voltage_pu: Floats, loading: Floats) -> tuple[Floats, Floats]:
    """(pu·h beyond the planning band summed over buses, overload·h summed over branches), (B,) each."""
    grid = world.scenario.grid
    beyond = np.maximum(np.maximum(voltage_pu - grid.band_high_pu, grid.band_low_pu - voltage_pu), 0.0)[:, 1:]
    over = np.maximum(loading - grid.loading_limit, 0.0)[:, 1:]
    return beyond.sum(axis=1) * HOURS, over.sum(axis=1) * HOURS


def price_of(scenario: Scenario, cost: Cost) -> int:
    """A cost's price, found by its section and key of the settings."""
    section, key = cost.price.split(".")
    return int(getattr(getattr(scenario, section), key))


def own_costs(world: World, energy: Energy) -> Floats:
    """(B, N) currency: what living the period cost the sites beyond transfers, by what their resources declare.

    With the episode's last period comes what put-off charging and heating will still have to be bought for, and what
    batteries hold less than they began with. What they hold beyond it counts at feed-in price: were one price for both,
    emptying or filling them at the end would pay by itself.
    """
    market = world.scenario.market
    bought = market.retail + market.network_charge
    total = energy.owed_wh * bought + energy.refill_wh * np.where(energy.refill_wh > 0, bought, market.feed_in)
    for cost in (cost for resource in RESOURCES.values() for cost in resource.costs if not cost.settled):
        total = total + cost.of(cost.amount(energy), price_of(world.scenario, cost))
    currency: Floats = total / (1000.0 * PPM)
    return currency


def rewards(world: World, payments: Payments, energy: Energy, plan: Plan) -> dict[str, Floats]:
    """Reward of each role, (B, agents of the role)."""
    settings, sites = world.scenario.reward, world.sites
    eno = world.eno_account
    change = payments.change / PPM
    own_cost = own_costs(world, energy)
    volts, over = violations(world, energy.voltage_pu, energy.loading)
    volts = volts + settings.averted_share * plan.residual_voltage_puh
    over = over + settings.averted_share * plan.residual_overload_h
    penalty = volts * settings.voltage_penalty + over * settings.overload_penalty
    return {
        "prosumer": (change[:, :sites] - own_cost) / settings.prosumer_scale,
        "aggregator": change[:, sites:eno] / settings.aggregator_scale,
        "eno": (change[:, eno : eno + 1] - penalty[:, None]) / settings.eno_scale,
    }
