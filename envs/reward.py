"""Rewards: money of the period less what it cost to live it, brought to order 1.

Reward = (transfers - degradation - discomfort - what a driver misses) / scale. The operator also pays for violations
of the planning band (pu·h) and for overload (h), as lived, and in part for those that only a cut of last resort
averted: less than for living through them, so that cutting beats looking on, and enough that buying flexibility in time
beats cutting.
"""

from __future__ import annotations

import numpy as np

from envs.resources import load, storage, thermostatic, vehicle
from envs.types import HOURS, PPM, Energy, Floats, Payments, Plan
from envs.world import World


def violations(world: World, voltage_pu: Floats, loading: Floats) -> tuple[Floats, Floats]:
    """(pu·h beyond the planning band summed over buses, overload·h summed over branches), (B,) each."""
    grid = world.scenario.grid
    beyond = np.maximum(np.maximum(voltage_pu - grid.band_high_pu, grid.band_low_pu - voltage_pu), 0.0)[:, 1:]
    over = np.maximum(loading - grid.loading_limit, 0.0)[:, 1:]
    return beyond.sum(axis=1) * HOURS, over.sum(axis=1) * HOURS


def own_costs(world: World, energy: Energy) -> Floats:
    """(B, N) currency: what living the period cost the sites beyond transfers, resource by resource.

    With the episode's last period comes what put-off charging and heating will still have to be bought for.
    """
    scenario = world.scenario
    cost = storage.cost(energy.cycled_wh, scenario.sites.degradation_price)
    cost = cost + load.cost(energy.shed_wh, scenario.sites.discomfort_price)
    if world.has_appliances:
        cost = cost + vehicle.cost(energy.missing_wh, scenario.vehicle.missing_price)
        cost = cost + thermostatic.cost(energy.outside_mkh, scenario.heat_pump.discomfort_price)
        cost = cost + energy.owed_wh * (scenario.market.retail + scenario.market.network_charge)
    currency: Floats = cost / (1000.0 * PPM)
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
