"""What each role may see: one table of columns a role, with meaning, unit and range, normalised to order 1.

The same table is printed in the docs and makes the spaces; `envs.observe` fills it.
"""

from __future__ import annotations

from envs.columns import Column
from envs.resources import load, photovoltaic, storage, thermostatic, vehicle
from envs.settings import Scenario

LIMIT = 10.0  # observations are clipped to ± this


def public_columns() -> list[Column]:
    """Columns that all roles share."""
    columns = [
        Column("announced", "1: requests below are this period's, 0: last period's", "1", 0, 1),
        Column("hour_sin", "time of day, sine", "1", -1, 1),
        Column("hour_cos", "time of day, cosine", "1", -1, 1),
        Column("remaining", "share of the episode that is left", "1", 0, 1),
        Column("reference_price", "last period's Pa", "retail price", 0, LIMIT),
        Column("traded", "last period's trade among peers", "mean site capacity·h", 0, LIMIT),
        Column("feed_in", "feed-in tariff", "retail price", 0, 1),
    ]
    for kind in ("grid", "upper"):
        columns += [
            Column(
                f"{kind}_cause",
                "cause of the request: 0 none, .25 over-, .5 under-voltage, .75 overload, 1 order",
                "1",
                0,
                1,
            ),
            Column(f"{kind}_direction", "+1 more injection, -1 less", "1", -1, 1),
            Column(f"{kind}_duration", "length of the event", "8 periods", 0, 1),
            Column(f"{kind}_asked", "volume asked a period", "mean site capacity·h", 0, LIMIT),
            Column(f"{kind}_reserve", "reserve price", "retail price", 0, LIMIT),
        ]
    return columns


def prosumer_columns(scenario: Scenario) -> list[Column]:
    """The public part, the offers of the aggregators, and the own site."""
    columns = public_columns()
    for a in range(scenario.market.aggregators):
        columns += [
            Column(f"subsidy_{a}", f"public subsidy of aggregator_{a}", "retail price", 0, LIMIT),
            Column(f"aggregator_credit_{a}", f"credit of aggregator_{a}", "1", 0, 1),
            Column(f"member_{a}", f"whether registered with aggregator_{a}", "1", 0, 1),
        ]
    columns += [
        *photovoltaic.OBSERVATIONS,
        *load.OBSERVATIONS,
        Column("net_1h", "own forecast of PV minus load, four periods on", "capacity", -1, 1),
        Column("net_2h", "own forecast of PV minus load, eight periods on", "capacity", -1, 1),
        Column("schedule", "schedule filed for the coming period", "capacity", -LIMIT, LIMIT),
        Column("order", "running orders of the coming period, signed", "capacity", -LIMIT, LIMIT),
        *storage.OBSERVATIONS,
        Column("capacity", "certified capacity", "100 kW", 0, LIMIT),
        Column(
            "voltage", "voltage at the own bus, last period, from the middle of the band", "half band", -LIMIT, LIMIT
        ),
        Column("credit", "own credit", "1", 0, 1),
        Column("score", "own composite score", "1", 0, 1),
    ]
    if scenario.has_plans:
        columns += storage.PLAN_OBSERVATIONS
    if scenario.has_vehicles:
        columns += vehicle.OBSERVATIONS
    if scenario.has_feeding:
        columns += vehicle.FEED_OBSERVATIONS
    if scenario.has_heat_pumps:
        columns += thermostatic.OBSERVATIONS
    return columns


def aggregator_columns(scenario: Scenario) -> list[Column]:
    """The public part and the own portfolio."""
    return [
        *public_columns(),
        Column("credit", "own credit", "1", 0, 1),
        Column("members", "share of the sites registered with it", "1", 0, 1),
        Column("member_capacity", "certified capacity of its members, of all", "1", 0, 1),
        Column("member_credit", "mean credit of its members", "1", 0, 1),
        Column("orders", "running orders of its members, of their capacity", "1", 0, LIMIT),
        Column("own_subsidy", "last announced subsidy", "retail price", 0, LIMIT),
        Column("rival_subsidy", "highest subsidy that another announced last", "retail price", 0, LIMIT),
    ]


def eno_columns(scenario: Scenario) -> list[Column]:
    """The public part, the forecast of the grid, and what is called for."""
    columns = public_columns()
    for kind in ("grid", "upper"):
        columns += [
            Column(
                f"{kind}_need", "what the coming period needs or the upper level orders", "mean site capacity", 0, LIMIT
            ),
            Column(f"{kind}_way", "direction needed", "1", -1, 1),
        ]
    return [
        *columns,
        Column("upper_price", "price of the upper-level order", "retail price", 0, LIMIT),
        Column("low", "lowest forecast voltage, from the middle of the band", "half band", -LIMIT, LIMIT),
        Column("high", "highest forecast voltage, from the middle of the band", "half band", -LIMIT, LIMIT),
        Column("loading", "highest forecast loading", "1", 0, LIMIT),
        Column("net", "forecast net injection of all sites", "all capacity", -1, 1),
        Column("orders", "running orders, signed", "all capacity", -1, 1),
        Column("mean_credit", "mean credit of the sites", "1", 0, 1),
    ]


def observation_tables(scenario: Scenario) -> dict[str, list[Column]]:
    """Columns of the observation vector of each role."""
    return {
        "prosumer": prosumer_columns(scenario),
        "aggregator": aggregator_columns(scenario),
        "eno": eno_columns(scenario),
    }
