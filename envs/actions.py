"""What each role may do: one table of columns a role, with meaning, unit and range.

Every action is a box [-1, 1]; a column maps it linearly to its range. The same table is printed in the docs, makes
the spaces, and decodes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.columns import Column
from envs.resources import load, storage, thermostatic, vehicle
from envs.settings import Scenario
from envs.types import Floats

# Columns of a prosumer's action, in the order of ``prosumer_columns``; then come the preferences for aggregators and
# the set points of appliances.
(
    OPENING,
    LIMIT,
    QUANTITY,
    REQUOTE,
    FLEX_SHARE,
    FLEX_DOWN,
    FLEX_UP,
    FLEX_STEP,
    STORAGE,
    SHED,
    STORAGE_PLAN,
    SCHEDULE_SHIFT,
    PREFERS,
) = range(13)
SUBSIDY, OFFER_PRICE, OFFER_VOLUME, THRESHOLD = range(4)  # an aggregator's
VOLUME, RESERVE = range(2)  # the operator's


def prosumer_columns(scenario: Scenario) -> list[Column]:
    """Limit order, re-quote rule, flexibility blocks, set points, filed schedule, choice of aggregator."""
    top = float(scenario.market.max_price)
    price = "micro-currency/kWh"
    columns = [
        Column("opening_price", "first-stage quote of the order", price, 0.0, top),
        Column("limit_price", "worst price accepted; a quote never crosses it", price, 0.0, top),
        Column("quantity", "share of the forecast surplus or need that is put on the market", "1", 0.0, 1.5),
        Column("requote", "share of the way toward Pa in the second stage", "1", 0.0, 1.0),
        Column("flex_share", "share of the adjustable range offered as flexibility blocks", "1", 0.0, 1.0),
        Column("flex_price_down", "price of the first block of less injection", price, 0.0, top),
        Column("flex_price_up", "price of the first block of more injection", price, 0.0, top),
        Column("flex_step", "what the second block costs on top of the first", price, 0.0, top / 2),
        storage.ACTIONS[0],
        *load.ACTIONS,
        *storage.ACTIONS[1:],
        Column(
            "schedule_shift",
            "what the filed schedule declares beyond the own forecast, of the capacity",
            "1",
            -0.5,
            0.5,
        ),
    ]
    columns += [
        Column(f"prefers_{a}", f"preference for aggregator_{a}; the highest that accepts is chosen", "1", -1.0, 1.0)
        for a in range(scenario.market.aggregators)
    ]
    if scenario.has_vehicles:
        columns += vehicle.ACTIONS
    if scenario.has_heat_pumps:
        columns += thermostatic.ACTIONS
    if scenario.grid.reactive == "agent":  # the last column, so that the others keep their places
        columns.append(
            Column("reactive", "reactive power, > 0 supplies, of what the inverter can give just then", "1", -1.0, 1.0)
        )
    return columns


def appliance_columns(scenario: Scenario) -> tuple[int, int]:
    """Where a prosumer's action holds the vehicle's and the heat pump's set point, -1 where it does not."""
    after = PREFERS + scenario.market.aggregators
    hold = after if scenario.has_vehicles else -1
    return hold, after + scenario.has_vehicles if scenario.has_heat_pumps else -1


def aggregator_columns(scenario: Scenario) -> list[Column]:
    """Public subsidy and sealed offer."""
    top = float(scenario.market.max_price)
    return [
        Column("subsidy", "public subsidy to users per verified kWh", "micro-currency/kWh", 0.0, top),
        Column(
            "offer_price",
            "price of the sealed offer; the request mechanism says what winners are paid",
            "micro-currency/kWh",
            0.0,
            top,
        ),
        Column("offer_volume", "offered share of the volume asked for", "1", 0.0, 1.0),
        Column("credit_threshold", "least credit of a user that is accepted", "1", 0.0, 1.0),
    ]


def eno_columns(scenario: Scenario) -> list[Column]:
    """Volume asked and reserve price, the same for both kinds of request."""
    return [
        Column("volume", "volume asked, of what the forecast or the upper level needs", "1", 0.0, 2.0),
        Column(
            "reserve_price", "offers above it are refused", "micro-currency/kWh", 0.0, float(scenario.market.max_price)
        ),
    ]


def action_tables(scenario: Scenario) -> dict[str, list[Column]]:
    """Columns of the action vector of each role."""
    return {
        "prosumer": prosumer_columns(scenario),
        "aggregator": aggregator_columns(scenario),
        "eno": eno_columns(scenario),
    }


def idle_action(columns: list[Column]) -> NDArray[np.float32]:
    """The action of a role that does nothing: zero where the range holds zero, else its low end. Shape (K,)."""
    values = [np.clip(0.0, c.low, c.high) for c in columns]
    return encode(columns, np.array(values))


def encode(columns: list[Column], values: Floats) -> NDArray[np.float32]:
    """Physical values (…, K) → box [-1, 1]."""
    low, high = _ranges(columns)
    return np.clip(2.0 * (values - low) / (high - low) - 1.0, -1.0, 1.0).astype(np.float32)


def decode(columns: list[Column], action: NDArray[np.float32], role: str, shape: tuple[int, ...]) -> Floats:
    """Box [-1, 1] → physical values, clipped to the box.

    Raises:
        ValueError: wrong shape or a number that is not finite.
    """
    action = np.asarray(action, np.float64)
    if action.shape != shape:
        raise ValueError(f"{role}: actions of shape {shape} are expected, not {action.shape}")
    if not np.isfinite(action).all():
        raise ValueError(f"{role}: an action holds a number that is not finite; allowed is [-1, 1]")
    low, high = _ranges(columns)
    return low + (np.clip(action, -1.0, 1.0) + 1.0) * 0.5 * (high - low)


def _ranges(columns: list[Column]) -> tuple[Floats, Floats]:
    return np.array([c.low for c in columns]), np.array([c.high for c in columns])
