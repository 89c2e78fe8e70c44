"""What each role sees: the columns of `envs.sights`, filled in one pass.

Everybody sees what completed stages made public and what is their own; nobody sees a stage that still runs. In the
simultaneous game the public part is last period's and ``announced`` is 0, in the staged game this one's and 1.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from envs.resources import site, vehicle
from envs.resources.site import SetPoints
from envs.sights import LIMIT, observation_tables, public_columns
from envs.types import GRID, HORIZON, HOURS, LIVED, PPM, UPPER, Announced, Stage, State
from envs.world import World

F32 = NDArray[np.float32]
CAUSES = 4.0


def _clip(values: np.ndarray) -> F32:
    return np.minimum(np.maximum(values, -LIMIT, out=values), LIMIT, out=values).astype(np.float32)  # half of np.clip


class Observer:
    """Fills the observation arrays of a world."""

    def __init__(self, world: World, max_cycles: int) -> None:
        self.world, self.max_cycles = world, max_cycles
        self.tables = observation_tables(world.scenario)
        self.public = len(public_columns())
        angle = 2.0 * np.pi * np.arange(world.periods_per_day) / world.periods_per_day
        self.clock = np.stack([np.sin(angle), np.cos(angle)])  # (2, periods of a day)
        self.mean_capacity = float(world.capacity_w.mean())
        grid = world.scenario.grid
        self.middle_pu = (grid.band_low_pu + grid.band_high_pu) / 2.0
        self.half_band_pu = (grid.band_high_pu - grid.band_low_pu) / 2.0

    def requests(self, state: State, stage: Stage, staged: bool) -> Announced:
        """The requests that are public: this period's once the operator has spoken, else last period's."""
        if not staged or stage.closed < 1:
            return state.announced
        last = state.announced
        return Announced(
            stage.cause, stage.direction, stage.duration, stage.asked_wh, stage.reserve, last.subsidy,
            last.price, last.traded_wh,
        )  # fmt: skip

    def _public(self, state: State, said: Announced, announced: bool) -> np.ndarray:
        """(B, columns) part that all agents of a role share."""
        market, now = self.world.scenario.market, state.period % self.world.periods_per_day
        clock, left = self.clock[:, now], max(0.0, 1.0 - state.period / self.max_cycles)
        head = (float(announced), float(clock[0]), float(clock[1]), left)
        out = np.empty((len(state.seed), self.public))
        _public(
            head, float(market.retail), market.feed_in / market.retail, self.mean_capacity, said.price, said.traded_wh,
            said.cause, said.direction, said.duration, said.asked_wh, said.reserve, out,
        )  # fmt: skip
        return out

    def eno(self, state: State, stage: Stage) -> F32:
        """(B, 1, F): the operator acts on its forecast; what it announced last is its only public request."""
        world = self.world
        out = np.empty((len(state.seed), 1, len(self.tables["eno"])))
        out[:, 0, : self.public] = self._public(state, state.announced, False)
        k = self.public
        for r in (GRID, UPPER):
            out[:, 0, k] = stage.need_w[:, r] / self.mean_capacity
            out[:, 0, k + 1] = stage.direction[:, r]
            k += 2
        total = float(world.capacity_w.sum())
        out[:, 0, k] = stage.upper_price[:, UPPER] / world.scenario.market.retail
        out[:, 0, k + 1] = (stage.forecast_low_pu - self.middle_pu) / self.half_band_pu
        out[:, 0, k + 2] = (stage.forecast_high_pu - self.middle_pu) / self.half_band_pu
        out[:, 0, k + 3] = stage.forecast_loading
        out[:, 0, k + 4] = row_sums(stage.expected_w[:, 0]) / total
        out[:, 0, k + 5] = row_sums(stage.live_w[:, 0]) / total
        out[:, 0, k + 6] = row_sums(state.credit_ppm[:, : world.sites].astype(np.float64)) / (PPM * world.sites)
        return _clip(out)

    def aggregator(self, state: State, stage: Stage, staged: bool) -> F32:
        """(B, A, F)"""
        world, market = self.world, self.world.scenario.market
        out = np.empty((len(state.seed), world.aggregators, len(self.tables["aggregator"])))
        out[:, :, : self.public] = self._public(
            state, self.requests(state, stage, staged), staged and stage.closed >= 1
        )[:, None]
        own = out[:, :, self.public :]
        _portfolio(
            state.aggregator, state.credit_ppm, world.capacity_w, np.ascontiguousarray(stage.live_w[:, 0]),
            state.announced.subsidy, float(market.retail), own,
        )  # fmt: skip
        return _clip(out)

    def prosumer(self, state: State, stage: Stage, staged: bool) -> F32:
        """(B, N, F)"""
        world = self.world
        out = np.zeros((len(state.seed), world.sites, len(self.tables["prosumer"])))
        out[:, :, : self.public] = self._public(
            state, self.requests(state, stage, staged), staged and stage.closed >= 1
        )[:, None]
        open_offers = staged and stage.closed >= 2
        subsidy = stage.subsidy if open_offers else state.announced.subsidy
        _site(
            subsidy, state.credit_ppm, state.aggregator, state.site_pv_w, state.site_load_w,
            state.schedule_w,
            stage.live_w, state.charge_wh, world.storage_w, world.storage_wh, world.capacity_w, world.site_bus,
            state.voltage_pu, state.score_ppm, float(world.scenario.market.retail), self.middle_pu, self.half_band_pu,
            self.public, out,
        )  # fmt: skip
        if world.has_appliances:
            self._appliances(state, out)
        if world.has_plans:
            self._plans(state, out)
        return _clip(out)

    def _plans(self, state: State, out: np.ndarray) -> None:
        """What batteries do that follow a plan; the forecasts of the net injection have it, too."""
        world, planned_w = self.world, state.battery_w[:, LIVED] / self.world.capacity_w
        names = [column.name for column in self.tables["prosumer"]]
        out[:, :, names.index("storage_follows")] = world.equipment.follows
        out[:, :, names.index("storage_planned")] = planned_w[:, 0]
        out[:, :, names.index("net_1h")] += planned_w[:, 4]
        out[:, :, names.index("net_2h")] += planned_w[:, 8]

    def _appliances(self, state: State, out: np.ndarray) -> None:
        """Columns of vehicles and heat pumps; the columns of the load have their demand, too."""
        world = self.world
        names = [column.name for column in self.tables["prosumer"]]
        places = tuple(
            names.index(name) if name in names else -1
            for name in ("load", "net_1h", "net_2h", "vehicle", "vehicle_feed", "heat_pump")
        )
        alone = SetPoints(state.last_storage_w, *(np.zeros_like(state.leaves) for _ in range(3)))
        _appliances(
            world.equipment, alone, site.stores_of(state), state.appliance_w, world.capacity_w,
            state.day * world.periods_per_day + state.period, state.period, places, out,
        )  # fmt: skip

    def observe(self, role: str, state: State, stage: Stage, staged: bool) -> F32:
        """Observations of a role, (B, agents, F)."""
        if role == "eno":
            return self.eno(state, stage)
        if role == "aggregator":
            return self.aggregator(state, stage, staged)
        return self.prosumer(state, stage, staged)


@njit(cache=True)
def _public(head, retail, feed_in, capacity, price, traded_wh, cause, direction, duration, asked_wh, reserve, out):
    for b in range(out.shape[0]):
        out[b, 0], out[b, 1], out[b, 2], out[b, 3] = head
        out[b, 4] = price[b] / retail
        out[b, 5] = traded_wh[b] / capacity
        out[b, 6] = feed_in
        for r, base in ((GRID, 7), (UPPER, 12)):
            out[b, base] = cause[b, r] / CAUSES
            out[b, base + 1] = direction[b, r]
            out[b, base + 2] = duration[b, r] / HORIZON
            out[b, base + 3] = asked_wh[b, r] / capacity
            out[b, base + 4] = reserve[b, r] / retail


@njit(cache=True)
def row_sums(values):
    """Sums of the rows of (B, n), added from left to right whatever the batch."""
    out = np.zeros(values.shape[0])
    for b in range(values.shape[0]):
        for i in range(values.shape[1]):
            out[b] += values[b, i]
    return out


@njit(cache=True)
def _portfolio(member, credit, capacity, live_w, subsidy, retail, out):
    worlds, aggregators, _ = out.shape
    sites = capacity.shape[0]
    total = capacity.sum()
    for b in range(worlds):
        for a in range(aggregators):
            count, own_w, own_credit, orders = 0, 0.0, 0.0, 0.0
            for i in range(sites):
                if member[b, i] == a:
                    count += 1
                    own_w += capacity[i]
                    own_credit += credit[b, i]
                    orders += abs(live_w[b, i])
            rival = np.int64(0)
            for other in range(aggregators):
                if other != a:
                    rival = max(rival, subsidy[b, other])
            out[b, a, 0] = credit[b, sites + a] / PPM
            out[b, a, 1] = count / sites
            out[b, a, 2] = own_w / total
            out[b, a, 3] = own_credit / (PPM * count) if count else 0.0
            out[b, a, 4] = orders / own_w if count else 0.0
            out[b, a, 5] = subsidy[b, a] / retail
            out[b, a, 6] = rival / retail


@njit(cache=True)
def _site(
    subsidy, credit, member, pv, load, schedule, live, charge, storage_w, storage_wh, capacity, bus, voltage,
    score, retail, middle, half, first, out,
):  # fmt: skip
    aggregators, sites = subsidy.shape[1], capacity.shape[0]
    for b in range(out.shape[0]):
        for i in range(sites):
            k, scale = first, 1.0 / capacity[i]
            for a in range(aggregators):
                out[b, i, k] = subsidy[b, a] / retail
                out[b, i, k + 1] = credit[b, sites + a] / PPM
                out[b, i, k + 2] = 1.0 if member[b, i] == a else 0.0
                k += 3
            out[b, i, k] = pv[b, 0, i] * scale
            out[b, i, k + 1] = load[b, 0, i] * scale
            out[b, i, k + 2] = (pv[b, 4, i] - load[b, 4, i]) * scale
            out[b, i, k + 3] = (pv[b, 8, i] - load[b, 8, i]) * scale
            out[b, i, k + 4] = schedule[b, 0, i] * scale
            out[b, i, k + 5] = live[b, 0, i] * scale
            out[b, i, k + 6] = charge[b, i] / storage_wh[i] if storage_wh[i] > 0.0 else 0.0
            out[b, i, k + 7] = storage_w[i] * scale
            out[b, i, k + 8] = storage_wh[i] * scale / 8.0
            out[b, i, k + 9] = capacity[i] / 100_000.0
            out[b, i, k + 10] = (voltage[b, bus[i]] - middle) / half
            out[b, i, k + 11] = credit[b, i] / PPM
            out[b, i, k + 12] = score[b, i] / PPM


@njit(cache=True)
def _appliances(equipment, alone, stores, ahead_w, capacity, row, period, places, out):
    load_at, one_h, two_h, car, feed, house = places
    per_day, band_k = equipment.fleet.periods_per_day, equipment.houses.band_k
    for b in range(out.shape[0]):
        for i in range(out.shape[1]):
            if not site.has_appliance(equipment, i):
                continue
            scale, warmth_k = 1.0 / capacity[i], stores.warmth_k[b, LIVED, i]
            need_wh = stores.need_wh[b, LIVED, i]
            charging, heating = site.appliances_w(equipment, row[b], i, need_wh, warmth_k, alone, b)
            out[b, i, load_at] += (charging + heating) * scale
            out[b, i, one_h] -= ahead_w[b, LIVED, 4, i] * scale
            out[b, i, two_h] -= ahead_w[b, LIVED, 8, i] * scale
            if car >= 0:
                out[b, i, car] = charging * scale
                out[b, i, car + 1] = need_wh * scale / 8.0
                out[b, i, car + 2] = max(stores.leaves[b, i] - period, 0) / per_day
            if feed >= 0 and equipment.fleet.rated_w[i] > 0.0:
                left = stores.leaves[b, i] - period
                out[b, i, feed] = vehicle.feed_range_w(equipment.fleet, i, 1, need_wh, charging, left) * scale
            if house >= 0:
                out[b, i, house] = heating * scale
                out[b, i, house + 1] = equipment.houses.rated_w[i] * scale
                out[b, i, house + 2] = warmth_k / band_k


assert HOURS * 4 == 1.0  # the columns four and eight periods on are called 1 h and 2 h
