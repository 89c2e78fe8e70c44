"""Deliver: the period is lived. Orders meet weather, batteries and those who do not act on them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from envs.phases.network import limits_of, new_desk, set_metered, solve_sites
from envs.phases.outage import disconnect, net_of
from envs.resources import load, site, storage, thermostatic, vehicle
from envs.types import HOURS, LIVED, PPM, TWIN, Bools, Energy, Events, Floats, Ints, Plan, Quotes, Stage, State
from envs.world import World


class _Registers(NamedTuple):
    """The fields of Energy that living a period fills site by site, (B, N) each."""

    generated_wh: Ints
    consumed_wh: Ints
    storage_wh: Ints
    natural_wh: Ints
    natural_consumed_wh: Ints
    cut_wh: Ints
    shed_wh: Ints
    lost_wh: Ints
    cycled_wh: Ints
    vehicle_wh: Ints
    heat_wh: Ints
    missing_wh: Ints
    outside_mkh: Ints
    owed_wh: Ints
    fed_wh: Ints


def enter_events(state: State, stage: Stage, ordered_wh: Ints, member: Ints, award_price: Ints) -> None:
    """Write the period's promises into their slots and fix the baseline of every site that has an order.

    ``ordered_wh`` (B, R, N) a period; ``member`` (B, N) the aggregator under which an order stands;
    ``award_price`` (B, R, A) what it is paid.
    """
    events, horizon = state.events, state.schedule_w.shape[1]
    aggregators = stage.subsidy.shape[1]
    subsidy = np.take_along_axis(stage.subsidy, np.clip(member, 0, aggregators - 1), axis=1)
    for r in range(stage.cause.shape[1]):
        slot = r * horizon + state.period % horizon
        begun = stage.cause[:, r] > 0
        events.start[:, slot] = np.where(begun, state.period, -1)
        events.duration[:, slot] = stage.duration[:, r]
        events.direction[:, slot] = stage.direction[:, r]
        events.cause[:, slot] = stage.cause[:, r]
        events.asked_wh[:, slot] = stage.asked_wh[:, r]
        events.upper_wh[:, slot] = np.rint(stage.need_w[:, r] * HOURS) if r == 1 else 0
        events.upper_price[:, slot] = stage.upper_price[:, r]
        events.paid[:, slot] = award_price[:, r]
        events.ordered_wh[:, slot] = ordered_wh[:, r]
        events.member[:, slot] = member
        events.subsidy[:, slot] = subsidy
        if not ordered_wh[:, r].any():
            continue
        covered = np.arange(horizon)[None, :, None] < stage.duration[:, r, None, None]
        newly = covered & (ordered_wh[:, r] > 0)[:, None, :] & ~state.baseline_fixed
        state.baseline_w[newly] = stage.measured_against(r)[newly]
        state.baseline_fixed |= newly


@njit(cache=True)
def _live_now(events, period, out, left):
    """Signed orders of the period, W per site (B, N), and how many periods a site's longest order still runs."""
    out[:] = 0.0
    left[:] = 0
    for b in range(out.shape[0]):
        for e in range(events[0].shape[1]):
            end = events[0][b, e] + events[1][b, e]
            if events[0][b, e] >= 0 and events[0][b, e] <= period < end:
                for i in range(out.shape[1]):
                    out[b, i] += events[2][b, e] * events[3][b, e, i] / HOURS
                    if events[3][b, e, i] > 0:
                        left[b, i] = max(left[b, i], end - period)


def orders_now(events: Events, period: int, sites: int) -> tuple[Floats, Ints]:
    """(B, N) W, the signed sum of the live orders of each site, and (B, N) periods for which they still run.

    Orders of one site never point both ways.
    """
    out, left = np.empty((len(events.start), sites)), np.empty((len(events.start), sites), np.int64)
    _live_now((events.start, events.duration, events.direction, events.ordered_wh), period, out, left)
    return out, left


@njit(cache=True)
def _follow(way, target, fraction, car, fed, house, lowest, highest, reach, flows):
    """(flows, load put off by order) of a site that carries out ``fraction`` of what it lacks of its ``target``."""
    output, use, battery, charging, heating = flows
    change = (target - (output - use + battery - charging - heating)) * fraction
    if change * way <= 0.0:
        return flows, 0.0
    if way < 0:
        return site.lower_injection(-change, car, house, lowest, flows), 0.0
    return site.raise_injection(change, car, fed, house, highest, reach, flows)


@njit(cache=True)
def _advance_appliances(b, i, equipment, stores, row, period, last, flows, twin, out):
    """State of a site's vehicle and heat pump after the period, lived and twin, and what living it cost."""
    for side, charging, heating in ((LIVED, flows.charging, flows.heating), (TWIN, twin[0], twin[1])):
        need, warmth = stores.need_wh[b, side, i], stores.warmth_k[b, side, i]
        need, warmth = site.appliances_after(equipment, row, i, need, warmth, charging, heating)
        stores.need_wh[b, side, i], stores.warmth_k[b, side, i] = need, warmth
    need, warmth, leaves = stores.need_wh[b, LIVED, i], stores.warmth_k[b, LIVED, i], stores.leaves[b, i]
    out.vehicle_wh[b, i] = np.int64(np.rint(max(flows.charging, 0.0) * HOURS))
    out.heat_wh[b, i] = np.int64(np.rint(flows.heating * HOURS))
    out.missing_wh[b, i] = np.int64(np.rint(vehicle.missing_wh(need, leaves, period)))
    if equipment.houses.rated_w[i] > 0.0:
        out.outside_mkh[b, i] = np.int64(np.rint(1000.0 * thermostatic.outside_kh(equipment.houses, warmth)))
    if last:
        out.owed_wh[b, i] = np.int64(np.rint(site.owed_wh(equipment, i, need, leaves, period, warmth)))


@njit(cache=True)
def _metered_wh(flows):
    """Generation, consumption and battery of a period in whole Wh."""
    drawn = flows.use + max(flows.charging, 0.0) + flows.heating
    generated, stored = np.int64(np.rint(flows.output * HOURS)), np.int64(np.rint(flows.battery * HOURS))
    return generated, np.int64(np.rint(drawn * HOURS)), stored


@njit(cache=True)
def _live_period(
    equipment, truth_pv, truth_load, set_points, stores, first_row, rows, period, last, baseline, ordered, left, cut_wh,
    fraction, off, out,
):  # fmt: skip
    # Handing all equipment to a function counts references of every array: only for sites that need it.
    charger_w, pump_w = equipment.fleet.rated_w, equipment.houses.rated_w
    capacity_wh, rated_w, efficiency = equipment.capacity_wh, equipment.rated_w, equipment.efficiency
    flexible, follows = equipment.flexible, equipment.follows
    set_w, shed_ppm, charge_wh = set_points.storage_w, set_points.shed_ppm, stores.charge_wh
    generated, consumed, stored, natural, natural_use, cut_done, shed_wh, lost_wh, cycled = out[:9]
    nothing = stores.need_wh[0, :, 0]
    for b in range(ordered.shape[0]):
        row = first_row[b] % rows
        for i in range(ordered.shape[1]):
            demand = truth_load[b, 0, i]
            own_shed = demand * flexible * shed_ppm[b, i] / PPM
            appliances, charging, heating, twin = charger_w[i] > 0.0 or pump_w[i] > 0.0, 0.0, 0.0, (0.0, 0.0)
            need, warmth = nothing, nothing
            if appliances:
                need, warmth = stores.need_wh[b, :, i], stores.warmth_k[b, :, i]
                charging, heating = site.appliances_w(equipment, row, i, need[LIVED], warmth[LIVED], set_points, b)
                twin = site.appliances_w(equipment, row, i, need[TWIN], warmth[TWIN], set_points, b)
            flows = site.Flows(truth_pv[b, 0, i], demand - own_shed, set_w[b, i], charging, heating)
            alone_w = flows.output - flows.use + flows.battery - twin[0] - twin[1]
            if follows[i]:
                alone_w += site.planned_w(equipment, row, i, stores.twin_charge_wh[b, i]) - flows.battery
            natural[b, i] = np.int64(np.rint(alone_w * HOURS))
            natural_use[b, i] = np.int64(np.rint((flows.use + twin[0] + twin[1]) * HOURS))
            # The operator's cut is switched remotely: nobody can refuse it.
            flows, cut_w, lost_w = site.cut_by_force(cut_wh[b, i] / HOURS, flows)
            cut_done[b, i] = np.int64(np.rint(cut_w * HOURS))
            put_off = 0.0
            if ordered[b, i] != 0.0:
                way, car, fed, house = 1 if ordered[b, i] > 0.0 else -1, 0.0, 0.0, 0.0
                if appliances:
                    car, fed, house = site.appliance_range_w(
                        equipment, way, left[b, i], row, period, b, i, need[LIVED], stores.leaves[b, i], warmth[LIVED],
                        set_points,
                    )  # fmt: skip
                lowest, highest = storage.limits_w(charge_wh[b, i], capacity_wh[i], rated_w[i], efficiency[i], 1)
                reach = load.range_up_w(demand, flexible, shed_ppm[b, i] / PPM)
                target = baseline[b, 0, i] + ordered[b, i] + cut_w
                flows, put_off = _follow(way, target, fraction[b, i], car, fed, house, lowest, highest, reach, flows)
            if off[b, i]:  # nothing flows, whatever was set or ordered
                lost_w = demand - own_shed
                flows, own_shed, put_off = site.Flows(0.0, 0.0, 0.0, 0.0, 0.0), 0.0, 0.0
                out.fed_wh[b, i] = 0
            generated[b, i], consumed[b, i], stored[b, i] = _metered_wh(flows)
            cycled[b, i] = abs(stored[b, i])
            shed_wh[b, i] = np.int64(np.rint((own_shed + put_off) * HOURS))
            lost_wh[b, i] = np.int64(np.rint(lost_w * HOURS))
            if flows.charging < 0.0:  # what a vehicle feeds in passes the storage's register
                out.fed_wh[b, i] = np.int64(np.rint(-flows.charging * HOURS))
                stored[b, i] += out.fed_wh[b, i]
            charge_wh[b, i] = storage.advance_wh(charge_wh[b, i], capacity_wh[i], flows.battery, efficiency[i])
            if appliances:
                _advance_appliances(b, i, equipment, stores, row, period, last, flows, twin, out)
    site.advance_twins(equipment, first_row, stores)


@njit(cache=True)
def _flows(
    limits, net_wh, consumed_wh, natural_wh, natural_consumed_wh, load_var, set_ppm, first_row, off, flow, loss,
    reactive, voltage_pu, loading, twin_pu, twin_loading, converged,
):  # fmt: skip
    desk, nobody = new_desk(limits), np.zeros(net_wh.shape[1], np.bool_)
    for b in range(net_wh.shape[0]):
        total, same, row = np.int64(0), True, load_var[first_row[b] % load_var.shape[0]]
        for i in range(net_wh.shape[1]):
            same = same and natural_wh[b, i] == net_wh[b, i] and natural_consumed_wh[b, i] == consumed_wh[b, i]
            same = same and not off[b, i]
        for lived in range(1 if same else 2):  # the twin first, so that what was lived is left on the desk
            if lived:
                set_metered(desk, net_wh[b], consumed_wh[b], row, set_ppm[b], off[b])
            else:
                set_metered(desk, natural_wh[b], natural_consumed_wh[b], row, set_ppm[b], nobody)
            converged[b] = solve_sites(limits, desk)
            if not lived:
                twin_pu[b], twin_loading[b] = desk.magnitude, desk.loading
        voltage_pu[b], loading[b] = desk.magnitude, desk.loading
        for i in range(net_wh.shape[1]):
            total += net_wh[b, i]
            reactive[b, i] = np.int64(np.rint(desk.given_var[i] * HOURS))
        v, j = desk.voltage[0], desk.current[0]
        flow[b] = np.int64(np.rint((v.real * j.real + v.imag * j.imag) * limits.feeder.base_kva * 1000.0 * HOURS))
        if not converged[b]:  # until protection acts, and without a meter at the transformer that could read anything
            flow[b] = -total
        loss[b] = flow[b] + total


class Flow(NamedTuple):
    """A power flow at the transformer, B worlds."""

    flow_wh: Ints  # (B,) through the transformer
    loss_wh: Ints  # (B,) lost on the way
    voltage_pu: Floats  # (B, buses)
    converged: Bools  # (B,)


def flow_of(world: World, state: State, net_wh: Ints, consumed_wh: Ints, set_ppm: Ints, off: Bools) -> Flow:
    """The power flow, were these the sites' energies, (B, N) each; ``off`` marks those that are disconnected."""
    worlds, buses, branches = len(net_wh), world.feeder.bus_count, world.feeder.branch_count
    flow_wh, loss_wh = np.zeros((2, worlds), np.int64)
    voltage_pu, converged = np.zeros((worlds, buses)), np.zeros(worlds, np.bool_)
    _flows(
        limits_of(world), net_wh, consumed_wh, net_wh, consumed_wh, world.load_var, set_ppm,
        state.day * world.periods_per_day + state.period, off, flow_wh, loss_wh, np.zeros_like(net_wh), voltage_pu,
        *(np.zeros((worlds, length)) for length in (branches, buses, branches)), converged,
    )  # fmt: skip
    return Flow(flow_wh, loss_wh, voltage_pu, converged)


def _nothing_yet(world: World, state: State) -> Energy:
    """Energies of B worlds to be filled; what the sun allows is known."""
    worlds, sites = len(state.seed), world.sites
    buses, branches = world.feeder.bus_count, world.feeder.branch_count

    def ints(*shape: int) -> Ints:
        return np.zeros((worlds, *shape), np.int64)

    def floats(*shape: int) -> Floats:
        return np.zeros((worlds, *shape))

    return Energy(
        generated_wh=ints(sites),
        consumed_wh=ints(sites),
        storage_wh=ints(sites),
        natural_wh=ints(sites),
        natural_consumed_wh=ints(sites),
        available_wh=np.rint(state.truth_pv_w[:, 0] * HOURS).astype(np.int64),
        cut_wh=ints(sites),
        outage_wh=ints(sites),
        shed_wh=ints(sites),
        lost_wh=ints(sites),
        cycled_wh=ints(sites),
        reactive_varh=ints(sites),
        vehicle_wh=ints(sites),
        heat_wh=ints(sites),
        missing_wh=ints(sites),
        outside_mkh=ints(sites),
        owed_wh=ints(sites),
        refill_wh=ints(sites),
        fed_wh=ints(sites),
        flow_wh=ints(),
        technical_loss_wh=ints(),
        voltage_pu=floats(buses),
        loading=floats(branches),
        twin_voltage_pu=floats(buses),
        twin_loading=floats(branches),
        converged=np.ones(worlds, np.bool_),
    )


def deliver(world: World, state: State, quotes: Quotes, plan: Plan, fraction: Floats, last: bool = False) -> Energy:
    """Live the period: physical energies, state of charge (advanced in place), voltages with and without the orders.

    Args:
        world: static side.
        state: B worlds, events already entered.
        quotes: set points of the period.
        plan: the cut of last resort.
        fraction: (B, N) share of an ordered change that each site carries out.
        last: whether the episode ends with the period, so that what was put off is owed.
    """
    energy = _nothing_yet(world, state)
    stores = site.stores_of(state)
    before = [each.copy() for each in stores]
    _live(world, state, quotes, plan, fraction, last, np.zeros(energy.outage_wh.shape, np.bool_), energy)
    collapsed = ~energy.converged
    if collapsed.any():
        off, dark = disconnect(world, state, quotes, energy)
        energy.outage_wh[:] = np.where(off, -net_of(energy), 0)
        for each, kept in zip(stores, before, strict=True):
            each[:] = kept
        _live(world, state, quotes, plan, fraction, last, off, energy)
        energy.voltage_pu[dark] = 0.0
        energy.converged[:] = ~collapsed
    return energy


def _live(
    world: World, state: State, quotes: Quotes, plan: Plan, fraction: Floats, last: bool, off: Bools, energy: Energy
) -> None:
    """The period with the sites that are ``off`` (B, N) disconnected: all of ``energy`` but what the outage took."""
    ordered, left = orders_now(state.events, state.period, world.sites)
    first_row = state.day * world.periods_per_day + state.period
    _live_period(
        world.equipment, state.truth_pv_w, state.truth_load_w, site.set_points_of(quotes), site.stores_of(state),
        first_row, len(world.load_w), state.period, last, state.baseline_w, ordered, left, plan.cut_wh, fraction, off,
        _Registers(*(getattr(energy, name) for name in _Registers._fields)),
    )  # fmt: skip
    if last:
        start_wh = np.where(world.equipment.follows, state.twin_charge_wh, world.first_charge_wh)
        energy.refill_wh[:] = storage.refill_wh(state.charge_wh, start_wh, world.efficiency)
    _flows(
        limits_of(world), net_of(energy), energy.consumed_wh, energy.natural_wh, energy.natural_consumed_wh,
        world.load_var, quotes.reactive_ppm, first_row, off, energy.flow_wh, energy.technical_loss_wh,
        energy.reactive_varh, energy.voltage_pu, energy.loading, energy.twin_voltage_pu, energy.twin_loading,
        energy.converged,
    )  # fmt: skip
