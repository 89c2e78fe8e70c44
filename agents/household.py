"""What a sensible household does, shared by the rules that differ only in how they bargain."""

from __future__ import annotations

import numpy as np

from agents.policy import View

SAFE_SHARE = 0.85  # of the adjustable range: what a forecast error will not take away
FULL = 0.98  # state of charge at which a battery stops buying
FILL_RATE = 0.3  # of the rated power: a battery without own surplus fills over the noon hours
EVENING_H = 6.0  # hours of own demand that it buys for, and no more
NOON = 0.64  # |sin| of the hour angle between about 9:20 and 14:40
DEAD_BAND, FULL_BAND = 0.6, 1.4  # half bands from the middle at which reactive power begins, and is all there is
VOLTAGE_GAIN = 0.3  # share of the way to the wanted reactive power that a period takes
WARM = 0.5  # of the comfort band: nearer to its end a heat pump moves at a price
CLASSES = 4  # reputations are compared in classes: nobody leaves a proven partner over a few percent
LOYALTY = 0.03  # a user changes its aggregator only for a clearly better one, and starts with its neighbourhood's


def run_storage(view: View) -> np.ndarray:
    """Storage power, of the rated power: own surplus and own need first, noon purchases where there is neither."""
    room = np.maximum(view["storage_power"], 1e-6)
    power = np.clip((view["load"] - view["pv"]) / room, -1.0, 1.0)
    noon = (np.abs(view["hour_sin"]) < NOON) & (view["hour_cos"] < 0)
    evening = EVENING_H * view["load"] / np.maximum(8.0 * view["storage_energy"], 1e-6)
    fills = (view["load"] >= view["pv"]) & (view["charge"] < np.minimum(evening, FULL)) & noon
    power = np.where(fills, -FILL_RATE, power)
    power = np.where((power < 0) & (view["charge"] >= FULL), 0.0, power)
    power = heed_plan(view, np.asarray(power * (view["storage_power"] > 0)))
    view["storage"] = power
    view["storage_plan"] = power
    return power


def heed_plan(view: View, power: np.ndarray) -> np.ndarray:
    """Storage power, of the rated power, as it will be: a battery that follows a plan takes no set point."""
    if not view.scenario.has_plans:
        return power
    planned = view["storage_planned"] / np.maximum(view["storage_power"], 1e-6)
    return np.where(view["storage_follows"] > 0, planned, power)


def valuation(view: View, power: np.ndarray) -> np.ndarray:
    """What a kWh is worth: a surplus the feed-in tariff, a need the retail price, a charge what it saves later."""
    market, sites = view.market, view.scenario.sites
    sells = view["pv"] - view["load"] + power * view["storage_power"] > 0
    stored = 0.9 * market.retail - 2.0 * sites.degradation_price
    return np.where(sells, market.feed_in, np.where(power < 0, stored, market.retail))


def offer_flexibility(view: View) -> None:
    """Blocks at cost: less injection forgoes the feed-in tariff, more injection empties the battery or puts off
    load; a vehicle that waits and heat that comes earlier or later cost nothing inside need and comfort.
    """
    market, sites = view.market, view.scenario.sites
    dear = max(sites.discomfort_price, sites.degradation_price + market.feed_in)
    view["flex_share"] = SAFE_SHARE
    view["flex_price_down"] = market.feed_in
    view["flex_price_up"] = dear
    view["flex_step"] = sites.degradation_price
    if not (view.scenario.has_vehicles or view.scenario.has_heat_pumps):
        return
    up, down = _waits(view), _preheats(view)
    free_up = _covers_first_block(up, sites.flexible_load_share * view["load"] + view["storage_power"])
    free_down = _covers_first_block(down, view["pv"] + view["storage_power"])
    first_up = np.where(free_up, 0.0, dear)
    step = np.where(free_up | free_down, dear, sites.degradation_price)
    if view.scenario.has_feeding:
        back = _fed_back(view)
        feeds, others = view["vehicle_feed"], up + sites.flexible_load_share * view["load"] + view["storage_power"]
        first_up = np.where(feeds > others, np.maximum(first_up, back), first_up)
        step = np.where(feeds > 0.0, np.maximum(step, back - first_up), step)
    view["flex_price_up"] = first_up
    view["flex_price_down"] = np.where(free_down, 0.0, market.feed_in)
    view["flex_step"] = step


def _fed_back(view: View) -> float:
    """What a kWh costs that a vehicle feeds in: bought again with its losses, wear both ways, less the feed-in."""
    market, efficiency = view.market, view.scenario.vehicle.efficiency
    again = (market.retail + market.network_charge) / efficiency**2
    return float(again + 2.0 * view.scenario.sites.degradation_price - market.feed_in)


def _waits(view: View) -> np.ndarray:
    """What vehicle and heat pump can put off without harm for the length of the request, of the capacity."""
    hours = 2.0 * np.maximum(np.maximum(view["grid_duration"], view["upper_duration"]), 0.125)
    free = np.zeros(view["load"].shape)
    if view.scenario.has_vehicles:
        stays = 24.0 * view["vehicle_stay"] > 2.0 * hours
        free = free + np.where(stays, np.minimum(view["vehicle"], 8.0 * view["vehicle_need"] / hours), 0.0)
    if view.scenario.has_heat_pumps:
        free = free + np.where(view["warmth"] > -WARM, view["heat_pump"], 0.0)
    return free


def _preheats(view: View) -> np.ndarray:
    """What the heat pump can draw earlier than the thermostat wants it, of the capacity."""
    if not view.scenario.has_heat_pumps:
        return np.zeros(view["load"].shape)
    return np.where(view["warmth"] < WARM, view["heat_pump_power"] - view["heat_pump"], 0.0)


def _covers_first_block(free: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether what costs nothing fills the first of two equal blocks of the range."""
    return np.asarray((free > 0.0) & (free >= 0.5 * SAFE_SHARE * (free + other)))


def support_voltage(view: View) -> None:
    """Where inverters take set points: lean against a voltage near the edge of the band, a little more each period.

    The voltage seen is last period's and the neighbours answer to it too: who went all the way at once would overshoot.
    """
    if view.scenario.grid.reactive != "agent":
        return
    share = view.memory.get("reactive", np.zeros_like(view["voltage"]))
    beyond = np.maximum(np.abs(view["voltage"]) - DEAD_BAND, 0.0) / (FULL_BAND - DEAD_BAND)
    wanted = -np.sign(view["voltage"]) * np.minimum(beyond, 1.0)
    share = share + VOLTAGE_GAIN * (wanted - share)
    view.memory["reactive"] = share
    view["reactive"] = share


def users_cost(view: View, directions: tuple[str, str] = ("grid_direction", "upper_direction")) -> np.ndarray:
    """What the flexibility that is asked for costs users at least, as their aggregator or the operator must reckon.

    Less injection forgoes the feed-in tariff; more of it empties batteries or puts off load. ``directions`` are the
    observation columns that say which of them is asked for.
    """
    market, sites = view.market, view.scenario.sites
    up = (view[directions[0]] > 0) | (view[directions[1]] > 0)
    dear = max(sites.discomfort_price, sites.degradation_price + market.feed_in)
    return np.asarray(np.where(up, float(dear), float(market.feed_in)))


def choose_aggregator(view: View) -> None:
    """The best subsidy at the best class of reputation, with some loyalty."""
    aggregators = view.market.aggregators
    habit = np.arange(view["pv"].shape[-1]) % aggregators
    for a in range(aggregators):
        reputation = np.floor(view[f"aggregator_credit_{a}"] * CLASSES) / CLASSES
        better = 0.5 * view[f"subsidy_{a}"] + reputation - 1.0
        view[f"prefers_{a}"] = better + LOYALTY * view[f"member_{a}"] + LOYALTY * (habit == a)
