"""Deliver: the period is lived. Orders meet weather, batteries and those who do not act on them."""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.phases.network import limits_of, new_desk, solve_sites
from envs.resources import load, storage
from envs.types import HOURS, PPM, Energy, Events, Floats, Ints, Plan, Quotes, Stage, State
from envs.world import World


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
        covered = np.arange(horizon)[None, :, None] < stage.duration[:, r, None, None]
        newly = covered & (ordered_wh[:, r] > 0)[:, None, :] & ~state.baseline_fixed
        state.baseline_w[newly] = stage.baseline_w[newly]
        state.baseline_fixed |= newly


@njit(cache=True)
def _live_now(events, period, out):
    """Signed orders of the period, W per site (B, N)."""
    out[:] = 0.0
    for b in range(out.shape[0]):
        for e in range(events[0].shape[1]):
            if events[0][b, e] >= 0 and events[0][b, e] <= period < events[0][b, e] + events[1][b, e]:
                for i in range(out.shape[1]):
                    out[b, i] += events[2][b, e] * events[3][b, e, i] / HOURS


def orders_now(events: Events, period: int, sites: int) -> Floats:
    """(B, N) W: signed sum of the live orders of each site; orders of one site never point both ways."""
    out = np.empty((len(events.start), sites))
    _live_now((events.start, events.duration, events.direction, events.ordered_wh), period, out)
    return out


@njit(cache=True)
def _live_period(
    truth_pv, truth_load, set_w, shed_ppm, flexible, charge, capacity_wh, rated_w, efficiency, baseline, ordered,
    cut_wh,
    fraction, generated, consumed, stored, natural, cut_done, shed_wh, cycled,
):  # fmt: skip
    for b in range(set_w.shape[0]):
        for i in range(set_w.shape[1]):
            pv, demand = truth_pv[b, 0, i], truth_load[b, 0, i]
            own_shed = demand * flexible * shed_ppm[b, i] / PPM
            power, use = set_w[b, i], demand - own_shed
            natural[b, i] = np.int64(np.rint((pv - use + power) * HOURS))
            # The operator's cut is switched remotely: nobody can refuse it.
            curtailed = min(pv, -cut_wh[b, i] / HOURS) if cut_wh[b, i] < 0 else 0.0
            shed_by_force = min(use, cut_wh[b, i] / HOURS) if cut_wh[b, i] > 0 else 0.0
            pv -= curtailed
            use -= shed_by_force
            cut_done[b, i] = np.int64(np.rint((shed_by_force - curtailed) * HOURS))
            put_off = own_shed
            if ordered[b, i] != 0.0:
                target = baseline[b, 0, i] + ordered[b, i] + shed_by_force - curtailed
                change = (target - (pv - use + power)) * fraction[b, i]
                lowest, highest = storage.limits_w(charge[b, i], capacity_wh[i], rated_w[i], efficiency[i], 1)
                if ordered[b, i] < 0.0 and change < 0.0:  # charge first: what is stored is not lost
                    moved = min(-change, max(power - lowest, 0.0))
                    power -= moved
                    pv -= min(pv, -change - moved)
                elif ordered[b, i] > 0.0 and change > 0.0:
                    moved = min(change, max(highest - power, 0.0))
                    power += moved
                    reach = load.range_up_w(demand, flexible, shed_ppm[b, i] / PPM)
                    more = min(min(reach, use), change - moved)
                    use -= more
                    put_off += more
            generated[b, i] = np.int64(np.rint(pv * HOURS))
            consumed[b, i] = np.int64(np.rint(use * HOURS))
            stored[b, i] = np.int64(np.rint(power * HOURS))
            shed_wh[b, i] = np.int64(np.rint(put_off * HOURS))
            cycled[b, i] = abs(stored[b, i])
            charge[b, i] = storage.advance_wh(charge[b, i], capacity_wh[i], power, efficiency[i])


@njit(cache=True)
def _flows(
    limits, net_wh, natural_wh, consumed_wh, load_var, set_ppm, row, flow, loss, reactive, voltage_pu, loading, twin_pu,
    twin_loading, converged,
):  # fmt: skip
    desk = new_desk(limits)
    for b in range(net_wh.shape[0]):
        total, same = np.int64(0), True
        for i in range(net_wh.shape[1]):
            desk.load_var[i] = load_var[row[b] % load_var.shape[0], i]
            desk.set_ppm[i] = set_ppm[b, i]
            same = same and natural_wh[b, i] == net_wh[b, i]
        for lived in range(1 if same else 2):  # the twin first, so that what was lived is left on the desk
            energy_wh = net_wh if lived else natural_wh
            for i in range(net_wh.shape[1]):
                desk.p_w[i] = energy_wh[b, i] / HOURS
                desk.inverter_w[i] = (energy_wh[b, i] + consumed_wh[b, i]) / HOURS
            converged[b] = solve_sites(limits, desk)
            if not lived:
                twin_pu[b], twin_loading[b] = desk.magnitude, desk.loading
        voltage_pu[b], loading[b] = desk.magnitude, desk.loading
        for i in range(net_wh.shape[1]):
            total += net_wh[b, i]
            reactive[b, i] = np.int64(np.rint(desk.given_var[i] * HOURS))
        v, j = desk.voltage[0], desk.current[0]
        flow[b] = np.int64(np.rint((v.real * j.real + v.imag * j.imag) * limits.feeder.base_kva * 1000.0 * HOURS))
        if not converged[b]:  # a collapsed grid delivers nothing that could be metered at the transformer
            flow[b] = -total
        loss[b] = flow[b] + total


def flow_of(world: World, state: State, net_wh: Ints, consumed_wh: Ints, set_ppm: Ints) -> tuple[Ints, Ints]:
    """(B,) Wh through the transformer and lost on the way, were these the sites' energies, (B, N) each."""
    worlds, feeder = len(net_wh), world.feeder
    flow_wh, loss_wh = np.zeros((2, worlds), np.int64)
    shapes = (feeder.bus_count, feeder.branch_count) * 2
    _flows(
        limits_of(world), net_wh, net_wh, consumed_wh, world.load_var, set_ppm,
        state.day * world.periods_per_day + state.period, flow_wh, loss_wh, np.zeros_like(net_wh),
        *(np.zeros((worlds, length)) for length in shapes), np.zeros(worlds, np.bool_),
    )  # fmt: skip
    return flow_wh, loss_wh


def deliver(world: World, state: State, quotes: Quotes, plan: Plan, fraction: Floats) -> Energy:
    """Live the period: physical energies, state of charge (advanced in place), voltages with and without the orders.

    Args:
        world: static side.
        state: B worlds, events already entered.
        quotes: set points of the period.
        plan: the cut of last resort.
        fraction: (B, N) share of an ordered change that each site carries out.
    """
    worlds, sites = len(state.seed), world.sites
    buses, branches = world.feeder.bus_count, world.feeder.branch_count

    def ints(*shape: int) -> Ints:
        return np.zeros((worlds, *shape), np.int64)

    def floats(*shape: int) -> Floats:
        return np.zeros((worlds, *shape))

    energy = Energy(
        generated_wh=ints(sites),
        consumed_wh=ints(sites),
        storage_wh=ints(sites),
        natural_wh=ints(sites),
        available_wh=np.rint(state.truth_pv_w[:, 0] * HOURS).astype(np.int64),
        cut_wh=ints(sites),
        shed_wh=ints(sites),
        cycled_wh=ints(sites),
        reactive_varh=ints(sites),
        flow_wh=ints(),
        technical_loss_wh=ints(),
        voltage_pu=floats(buses),
        loading=floats(branches),
        twin_voltage_pu=floats(buses),
        twin_loading=floats(branches),
        converged=np.ones(worlds, np.bool_),
    )
    ordered = orders_now(state.events, state.period, sites)
    _live_period(
        state.truth_pv_w, state.truth_load_w, quotes.storage_w, quotes.shed_ppm,
        world.scenario.sites.flexible_load_share,
        state.charge_wh, world.storage_wh, world.storage_w, world.efficiency, state.baseline_w, ordered, plan.cut_wh,
        fraction, energy.generated_wh, energy.consumed_wh, energy.storage_wh, energy.natural_wh, energy.cut_wh,
        energy.shed_wh, energy.cycled_wh,
    )  # fmt: skip
    net = energy.generated_wh - energy.consumed_wh + energy.storage_wh
    _flows(
        limits_of(world), net, energy.natural_wh, energy.consumed_wh, world.load_var, quotes.reactive_ppm,
        state.day * world.periods_per_day + state.period, energy.flow_wh, energy.technical_loss_wh,
        energy.reactive_varh, energy.voltage_pu, energy.loading, energy.twin_voltage_pu,
        energy.twin_loading, energy.converged,
    )  # fmt: skip
    return energy
