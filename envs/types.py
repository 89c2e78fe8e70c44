"""The data of a world: plain arrays, one place for units, shapes and signs.

Axes: B worlds, N prosumer sites, A aggregators, H horizon (periods ahead), R request slots (0 grid, 1 upper level),
E event slots, M marginal blocks of a quotation, P rows of the trade table.
Signs: injection into the grid > 0. A request's direction is +1 (up: more injection) or -1 (down: less injection).
Amounts that are ordered, metered or paid are integers (Wh, micro-currency); physics is float with a unit suffix.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HOURS = 0.25  # length of a period
HORIZON = 8  # longest event, and so the length of a filed schedule
OUTLOOK = HORIZON + 1  # the coming period and the eight that a schedule filed now will cover
REQUESTS = 2
GRID, UPPER = 0, 1
SLOTS = REQUESTS * HORIZON  # an event of a kind starts at most once a period and lasts at most HORIZON
BLOCKS = 2
WEEK = 672
PPM = 1_000_000
UP, DOWN = 1, -1
LIVED, TWIN = 0, 1  # what appliances went through, and what they would have without orders and cuts

NO_EVENT, OVER_VOLTAGE, UNDER_VOLTAGE, OVERLOAD, UPPER_LEVEL = range(5)
CAUSES = ("none", "over-voltage", "under-voltage", "overload", "upper-level order")

# What the safety check says: a limit is broken that the orders should keep, none is, or only such as they neither broke
# nor can mend.
VERDICTS = ("failed", "passed", "not this order's doing")
FAILED, PASSED, NOT_ITS_DOING = range(len(VERDICTS))

# Columns of a plan's passes: method (envs.dispatch.base.METHODS), whether its cost is proven least, Wh a period,
# extremes of the check in millionths, the nodes' talk (0 where the kernel alone checked), limits found broken.
METHOD, PROVEN, PASS_WH, LOW_UPU, HIGH_UPU, LOADING_PPM, ROUNDS, MESSAGES, TICKS, BROKEN = range(10)


@dataclass
class State:
    """What a batch of worlds remembers from one period to the next."""

    seed: NDArray[np.uint64]  # (B,)
    episode: Ints  # (B,)
    day: Ints  # (B,) first day of the episode in the profile year
    period: int  # periods since the episode began: the worlds of a batch run in step
    malicious: Ints  # (B, N) index into the cast's behaviours, -1 honest
    charge_wh: Floats  # (B, N) state of charge
    twin_charge_wh: Floats  # (B, N) of batteries that follow a plan, had no order touched them
    battery_w: Floats  # (B, 2, OUTLOOK, N) what such batteries will do, > 0 discharges, lived and twin
    need_wh: Floats  # (B, 2, N) what a plugged-in vehicle still needs, lived and twin; 0 when full or away
    leaves: Ints  # (B, N) period in which the vehicle leaves; past when it is away
    warmth_k: Floats  # (B, 2, N) indoor temperature above the set one, lived and twin
    appliance_w: Floats  # (B, 2, OUTLOOK, N) vehicles' and heat pumps' demand ahead, lived and twin
    hold_ppm: Ints  # (B, N) set points of the last period without an order, on the ledger in the sites' orders
    heat_ppm: Ints  # (B, N)
    truth_pv_w: Floats  # (B, OUTLOOK, N) what the sun will allow; only physics may read it
    truth_load_w: Floats  # (B, OUTLOOK, N)
    site_pv_w: Floats  # (B, OUTLOOK, N) each site's own forecast
    site_load_w: Floats  # (B, OUTLOOK, N)
    operator_net_w: Floats  # (B, OUTLOOK, N) the operator's independent estimate of PV minus load and appliances
    schedule_w: Floats  # (B, HORIZON, N) filed one step ago for this period and the next seven
    baseline_w: Floats  # (B, HORIZON, N) fixed by the first event that covers the period
    baseline_fixed: Bools  # (B, HORIZON, N)
    credit_ppm: Ints  # (B, N + A)
    score_ppm: Ints  # (B, N) composite score of the last period with a contract
    aggregator: Ints  # (B, N) the aggregator a site is registered with, -1 none
    last_storage_w: Floats  # (B, N) storage power by the last accepted reading of a period without an order
    reactive_ppm: Ints  # (B, N) last reactive set points, of what the inverter can give; 0 where agents set none
    voltage_pu: Floats  # (B, buses) of the last period as it was lived
    announced: Announced
    events: Events
    balance: Ints  # (B, accounts) money since the episode began, micro-currency

    @property
    def rebound_w(self) -> Floats:
        """(B, OUTLOOK, N) demand ahead because of earlier orders, also less of batteries' output; < 0 came earlier."""
        demand_w = self.appliance_w - self.battery_w
        return np.asarray(demand_w[:, LIVED] - demand_w[:, TWIN])


@dataclass
class Announced:
    """What is public of a period's stages: the last period's in the simultaneous game, this one's in the staged."""

    cause: Ints  # (B, R)
    direction: Ints  # (B, R)
    duration: Ints  # (B, R) periods
    asked_wh: Ints  # (B, R) a period
    reserve: Ints  # (B, R)
    subsidy: Ints  # (B, A)
    price: Ints  # (B,) reference price Pa of the trades, or the middle of the tariffs
    traded_wh: Ints  # (B,)


@dataclass
class Events:
    """Live and finished events in slots; slot = request * HORIZON + start % HORIZON."""

    start: Ints  # (B, E), -1 = never used
    duration: Ints  # (B, E)
    direction: Ints  # (B, E)
    cause: Ints  # (B, E)
    asked_wh: Ints  # (B, E)
    upper_wh: Ints  # (B, E) what the upper level ordered, 0 for a grid event
    upper_price: Ints  # (B, E)
    paid: Ints  # (B, E, A) price of a verified kWh to the aggregator, by the request mechanism
    ordered_wh: Ints  # (B, E, N) a period
    member: Ints  # (B, E, N) aggregator under which the order stands
    subsidy: Ints  # (B, E, N)


@dataclass
class Stage:
    """One period while its stages run: what each role may be told and what it has said."""

    cause: Ints  # (B, R)
    direction: Ints  # (B, R)
    duration: Ints  # (B, R)
    need_w: Floats  # (B, R)
    effect: Floats  # (B, R, N) kW at the violated place per kW at the site, most effective site = 1
    place: Ints  # (B, R) bus (>= 0) or -1 - branch
    upper_price: Ints  # (B, R)
    baseline_w: Floats  # (B, HORIZON, N) the schedules as far as the operator believes them, without any rebound
    expected_w: Floats  # (B, HORIZON, N) with it: what the operator expects to be injected without new orders
    live_w: Floats  # (B, HORIZON, N) signed orders of running events
    forecast_low_pu: Floats  # (B,)
    forecast_high_pu: Floats  # (B,)
    forecast_loading: Floats  # (B,)
    asked_wh: Ints  # (B, R)
    reserve: Ints  # (B, R)
    subsidy: Ints  # (B, A)
    offer_price: Ints  # (B, A)
    offer_wh: Ints  # (B, R, A)
    threshold_ppm: Ints  # (B, A) least credit of a user that the aggregator accepts; sealed like the offer
    closed: int = 0  # stages completed: 1 operator, 2 aggregators

    def measured_against(self, request: int) -> Floats:
        """(B, HORIZON, N) what an order of the request is measured against.

        An earlier order's rebound counts against the seller: no delivery is putting it off again, or living through it.
        """
        if self.expected_w is self.baseline_w:
            return self.baseline_w
        up = self.direction[:, request, None, None] > 0
        pick = np.where(up, np.maximum(self.baseline_w, self.expected_w), np.minimum(self.baseline_w, self.expected_w))
        measured: Floats = pick
        return measured


@dataclass
class Quotes:
    """What prosumers say in their stage, after the behaviours had their way with it."""

    opening_price: Ints  # (B, N) first-stage quote
    limit_price: Ints  # (B, N) worst price accepted
    quantity_wh: Ints  # (B, N) > 0 sells, < 0 buys
    requote_ppm: Ints  # (B, N) fraction of the way toward Pa in the second stage
    block_wh: Ints  # (B, R, N, M) a period
    block_price: Ints  # (B, R, N, M)
    storage_w: Floats  # (B, N) set point, within what the battery can do
    shed_ppm: Ints  # (B, N) share of the flexible load put off by own choice
    reactive_ppm: Ints  # (B, N) > 0 supplies, of what the inverter can give; 0 where agents set none
    preference: Floats  # (B, N, A)
    schedule_w: Floats  # (B, HORIZON, N) filed for the next eight periods
    hold_ppm: Ints  # (B, N) share of the vehicle's charging held back
    heat_ppm: Ints  # (B, N) heat pump: -1e6 off, 0 thermostat, 1e6 full power


class Orders(NamedTuple):
    """A double auction's book: signed quantities, one row a site.

    The opening price is quoted in the first stage; in the second it moves toward Pa by the re-quote fraction, but
    never past the limit, the worst price that the site has declared it would accept.
    """

    opening: Ints  # (B, N)
    limit: Ints  # (B, N)
    quantity_wh: Ints  # (B, N) > 0 sells
    requote_ppm: Ints  # (B, N)


class Tariffs(NamedTuple):
    """What is outside the peers' market."""

    feed_in: int
    retail: int
    weighted: bool  # Pa is the volume-weighted mean of the trades, not the plain one


class Offers(NamedTuple):
    """Sealed offers of the aggregators for one request."""

    price: Ints  # (B, A)
    wh: Ints  # (B, A) admitted volume a period
    effect_ppm: Ints  # (B, A) effectiveness at the violated place, the best site = 1e6
    credit_ppm: Ints  # (B, A)
    reserve: Ints  # (B,)
    asked_wh: Ints  # (B,)


@dataclass(frozen=True)
class Trades:
    """Pairs of a cleared double auction; rows beyond ``count`` are undefined."""

    buyer: Ints  # (B, P)
    seller: Ints  # (B, P)
    wh: Ints  # (B, P)
    price: Ints  # (B, P)
    count: Ints  # (B,)
    reference: Ints  # (B,) Pa


@dataclass
class Plan:
    """What is promised for an event at its start: awards, orders, the check's result."""

    awarded_wh: Ints  # (B, R, A)
    award_price: Ints  # (B, R, A) paid to the winners; the offer where nothing was won
    ordered_wh: Ints  # (B, R, N)
    admitted_wh: Ints  # (B, R, A)
    member: Ints  # (B, N) aggregator of this period, -1 none
    cut_wh: Ints  # (B, N) signed like injection: < 0 curtailed generation, > 0 shed load
    loops: Ints  # (B, R) safety loops needed
    reopened: Bools  # (B, R)
    verdict: Ints  # (B, R) of the check, before any cut: index into VERDICTS
    passes: Ints  # (B, R, loops + 1, 10) each dispatch and its check, columns above
    apart_pu: Floats  # (B, R, loops + 1) largest distance between the nodes' voltages and the kernel's in each check
    pass_places: Ints  # (B, R, loops + 1, limit rows) what the check found broken: bus (>= 0) or -1 - branch
    iterations: Ints  # (B, R) of the dispatch
    nodal_price: Ints  # (B, R, N) by the duals of the last dispatch: energy and network limits; 0 under no award
    priced: Bools  # (B, R) the last dispatch found its optimum, so there are such prices
    uncured: Bools  # (B, R) it left a limit uncured at the price of that, which nodal prices then contain
    before_low_pu: Floats  # (B, R) the forecast without the event
    before_high_pu: Floats
    before_loading: Floats
    after_low_pu: Floats  # (B, R) the forecast with it
    after_high_pu: Floats
    after_loading: Floats
    residual_voltage_puh: Floats  # (B,) violation that only the cut of last resort removed
    residual_overload_h: Floats  # (B,)

    @property
    def safe(self) -> Bools:
        """(B, R) the check did not fail."""
        return np.asarray(self.verdict != FAILED)


@dataclass
class Energy:
    """What physically happened in the period."""

    generated_wh: Ints  # (B, N)
    consumed_wh: Ints  # (B, N)
    storage_wh: Ints  # (B, N) > 0 discharged
    natural_wh: Ints  # (B, N) what the site would have injected without its orders, these and earlier ones (the twin)
    natural_consumed_wh: Ints  # (B, N) what it would then have consumed
    available_wh: Ints  # (B, N) what the sun allowed to generate
    cut_wh: Ints  # (B, N) what the cut of last resort took (sign of injection)
    outage_wh: Ints  # (B, N) what protection took from disconnected sites (sign of injection)
    shed_wh: Ints  # (B, N) load put off, by own choice or by order
    lost_wh: Ints  # (B, N) load switched off by force; vehicles' and heat pumps' waits instead
    cycled_wh: Ints  # (B, N) charged + discharged, of batteries
    vehicle_wh: Ints  # (B, N) of the consumption, vehicles' charging
    heat_wh: Ints  # (B, N) of the consumption, heat pumps'
    missing_wh: Ints  # (B, N) what vehicles that leave at the end of the period miss
    outside_mkh: Ints  # (B, N) indoor temperature outside the comfort band, mK·h
    fed_wh: Ints  # (B, N) of the storage, what vehicles fed in
    owed_wh: Ints  # (B, N) in the episode's last period: what is still to be bought for what was put off
    refill_wh: Ints  # (B, N) then: what brings batteries back to their first charge; < 0 could still be sold
    reactive_varh: Ints  # (B, N) what the inverter gave, > 0 into the grid
    flow_wh: Ints  # (B,) through the transformer into this grid, < 0 when it feeds back
    technical_loss_wh: Ints  # (B,)
    voltage_pu: Floats  # (B, buses), 0 where protection has disconnected the bus
    loading: Floats  # (B, branches) of each bus's branch to its parent, then of those that close loops
    twin_voltage_pu: Floats  # (B, buses) had no order been carried out
    twin_loading: Floats  # (B, branches)
    converged: Bools  # (B,) with an operating point of the whole net; else protection has disconnected a part of it


class Claims(NamedTuple):
    """What the meters report of a period."""

    generated_wh: Ints  # (B, N)
    consumed_wh: Ints  # (B, N)
    storage_wh: Ints  # (B, N)


@dataclass
class Verdict:
    """What consensus accepts after comparing claims with witnesses."""

    claimed_generated_wh: Ints  # (B, N)
    claimed_consumed_wh: Ints  # (B, N)
    claimed_storage_wh: Ints  # (B, N)
    generated_wh: Ints  # (B, N) accepted
    consumed_wh: Ints  # (B, N)
    storage_wh: Ints  # (B, N)
    caught: Bools  # (B, N) the claim was refused
    verified_wh: Ints  # (B, E, N) of each live event's order in this period
    losses_wh: Ints  # (B,) flow + accepted injections: technical losses and what is not accounted for

    @property
    def net_wh(self) -> Ints:
        """Accepted net injection, (B, N)."""
        return self.generated_wh - self.consumed_wh + self.storage_wh


class Transport(NamedTuple):
    """What the accepted flows of a period lose in the branches, by use of the net."""

    trade_loss_wh: Ints  # (B, P) of each trade, < 0 where it relieves the net; 0 beyond the count
    exchange_loss_wh: Ints  # (B,) of what the sites exchange with the upper grid beyond their trades


@dataclass(frozen=True)
class Payments:
    """Transfers of the period: flow, payer, payee, Wh, price, amount, event slot (-1 none)."""

    rows: Ints  # (B, T, 7)
    count: Ints  # (B,)
    change: Ints  # (B, accounts)


@dataclass
class Trace:
    """Everything of one period, for observers that are allowed to know: reports, tests, the recorder."""

    period: int
    stage: Stage
    quotes: Quotes
    trades: Trades
    plan: Plan
    energy: Energy
    verdict: Verdict
    transport: Transport
    payments: Payments
    reward: dict[str, Floats]
    producer: Ints  # (B,) site that sealed the dispatch chain's block, -1 where no draw was made
    refused: list[list[int]] = field(default_factory=list)  # (B) producers whose block was refused, chain by chain
    credit_ppm: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int64))  # (B, N + A) after the period
    score_ppm: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    charge_wh: Floats = field(default_factory=lambda: np.zeros((0, 0)))
