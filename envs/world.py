"""What does not change during an episode: the feeder, the sites on it, their year of profiles.

Who owns what is made in `envs.sites`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from envs.config import SettingsError, checked_overrides
from envs.grid.errors import GridError
from envs.grid.feeder import Feeder, load_feeder
from envs.grid.messages import refuse_loops
from envs.grid.profiles import BORROWED, CHARGING, CHARGING_AT_WORK, SUN, Profiles, load_profiles
from envs.grid.routing import Routes, charges_by_distance, reference_distance_pu, routes_of
from envs.grid.sensitivity import branch_share, reactive_sensitivity, voltage_sensitivity
from envs.resources import storage, thermostatic, vehicle
from envs.resources.site import Equipment
from envs.settings import MarketSettings, Scenario, load_scenario
from envs.sites import Site, sites_of
from envs.types import HOURS, Bools, Floats, Ints, Trades
from ledger.identity import MAX_CAPACITY_W

MAX_SITES = 2_000


@dataclass(frozen=True, eq=False)  # a world equals itself alone, so what is made of it can be kept by it
class World:
    """The static side of a scenario. T profile rows, N sites, buses of the feeder."""

    scenario: Scenario
    feeder: Feeder
    site_names: tuple[str, ...]
    site_bus: Ints  # (N,)
    load_w: Floats  # (T, N) expected demand
    load_var: Floats  # (T, N)
    pv_w: Floats  # (T, N) expected output
    pv_rated_w: Floats  # (N,)
    storage_wh: Floats  # (N,) 0 = none
    storage_w: Floats  # (N,)
    efficiency: Floats  # (N,) one way
    equipment: Equipment  # the same and more, as kernels take it
    planned_storages: int  # of the net's storages, those whose batteries follow their profiles
    capacity_w: Ints  # (N,) certified: what the site could ever inject or draw
    inverter_va: Floats  # (N,) apparent power of plant and battery together, 0 = none
    volt_per_w: Floats  # (buses, N) pu per W injected at the site
    volt_per_var: Floats  # (buses, N) pu per var injected at the site
    branch_share: Floats  # (branches, N) W less that each branch carries down per W injected; 1 or 0 in a radial net
    routes: Routes  # paths between all buses
    reference_pu: float  # mean electrical distance between a site and the upper grid
    path_charge: Ints  # (buses, buses) network charge of a trade between two buses, per kWh
    periods_per_day: int

    @property
    def sites(self) -> int:
        """N, the number of prosumers."""
        return len(self.site_bus)

    @property
    def aggregators(self) -> int:
        """A, the number of aggregators."""
        return self.scenario.market.aggregators

    @cached_property
    def has_appliances(self) -> bool:
        """Whether any site has a vehicle or a heat pump."""
        return bool(self.equipment.fleet.rated_w.any() or self.equipment.houses.rated_w.any())

    @cached_property
    def has_plans(self) -> bool:
        """Whether any battery follows a profile."""
        return self.planned_storages > 0

    @property
    def first_charge_wh(self) -> Floats:
        """(N,) what batteries hold when an episode begins, but for those that follow a profile: `planned_charge_wh`."""
        return self.storage_wh * self.scenario.sites.initial_charge

    @cached_property
    def planned_charge_wh(self) -> Floats:
        """(days, N) what batteries that follow a profile hold at midnight, had nobody ever ordered anything."""
        equipment = self.equipment
        return np.asarray(
            storage.charges_wh(
                equipment.plan_w, equipment.capacity_wh, equipment.rated_w, equipment.efficiency, self.days,
                self.periods_per_day,
            )
        )  # fmt: skip

    @property
    def accounts(self) -> int:
        """Accounts of money: sites, aggregators, operator, supplier, upper level."""
        return self.sites + self.aggregators + 3

    @property
    def eno_account(self) -> int:
        """Index of the operator's account; the supplier and the upper level follow."""
        return self.sites + self.aggregators

    @property
    def days(self) -> int:
        """Whole days in the profile."""
        return len(self.load_w) // self.periods_per_day

    @cached_property
    def fingerprint(self) -> bytes:
        """SHA-256 of all that a check of the market reads besides the settings: feeder, sites, profiles, resources."""
        digest = sha256()
        arrays = (self.site_bus, self.load_w, self.load_var, self.pv_w, self.pv_rated_w)
        for array in (*_flat(self.feeder.sweep_arrays), *arrays, *_flat(self.equipment)):
            value = np.ascontiguousarray(array)
            digest.update(f"{value.dtype.str}{value.shape}".encode())
            digest.update(value.data)
        return digest.digest()

    def path_charges(self, trades: Trades) -> Ints:
        """(B, P) micro-currency per kWh that the buyer of each trade pays for the network; 0 beyond the count."""
        used = np.arange(trades.wh.shape[1]) < trades.count[:, None]
        start, goal = (self.site_bus[np.where(used, who, 0)] for who in (trades.seller, trades.buyer))
        return np.asarray(np.where(used, self.path_charge[start, goal], 0))

    def usual_load_w(self, rows: Ints) -> Floats:
        """(rows, N) demand of an ordinary day: vehicles' spread evenly over the day, buildings held at temperature."""
        fleet, houses = self.equipment.fleet, self.equipment.houses
        drawn = np.where((fleet.rated_w > 0.0) & (fleet.column < 0), fleet.driven_share * fleet.need_wh, 0.0)
        followed = np.append(fleet.plug_wh.sum(axis=0) / max(self.days, 1), 0.0)[fleet.column]
        driving_w = (drawn + followed) / (fleet.efficiency * HOURS * self.periods_per_day)
        usual: Floats = self.load_w[rows] + houses.hold_w[rows % len(houses.hold_w)] + driving_w
        return usual


def _flat(values: tuple[Any, ...]) -> Iterator[Any]:
    """The arrays and numbers in nested tuples, in their order."""
    for value in values:
        if isinstance(value, tuple):
            yield from _flat(value)
        else:
            yield value


def plant_shapes(feeder: Feeder, profiles: Profiles) -> tuple[Floats, list[int]]:
    """Output per rated W, (T, shapes), and the shapes that added plants borrow in turn, the sun's alone.

    First come the net's plants, then those in its storages' profiles. A net without PV, be it that it has no plants or
    that their profiles are all of another kind, borrows the shapes of the lender of profiles, which come last.
    """
    generators, storages = feeder.generators, feeder.storages
    own = [_per_rated(profiles.pv_p_w, generators.p_kw), _per_rated(profiles.storage_pv_w, storages.p_max_kw)]
    lent = profiles.source != feeder.name  # only PV is, whatever a plant is called
    suns = [g for g, name in enumerate(generators.profile) if lent or str(name).startswith(SUN)]
    if not suns:
        lender, count = load_profiles(BORROWED), sum(shapes.shape[1] for shapes in own)
        first = int((profiles.start - lender.start) // np.timedelta64(24 * 60 // lender.periods_per_day, "m"))
        rows = (first + np.arange(profiles.periods)) % lender.periods
        own.append(_per_rated(lender.pv_p_w, load_feeder(BORROWED).generators.p_kw)[rows])
        suns = list(range(count, count + own[-1].shape[1]))
    return np.concatenate(own, axis=1), suns


def _per_rated(power_w: Ints, rated_kw: Floats) -> Floats:
    rated_w = rated_kw * 1000.0
    return np.maximum(power_w, 0) / np.where(rated_w > 0.0, rated_w, 1.0)


def _columns(sites: list[Site], profiles: Profiles, shapes: Floats) -> tuple[Floats, Floats, Floats]:
    """Profiles per site: load W, load var, PV W, all (T, N)."""
    load_w, load_var, pv_w = (np.zeros((profiles.periods, len(sites))) for _ in range(3))
    for s, site in enumerate(sites):
        if site.load >= 0:
            load_var[:, s] = profiles.load_q_var[:, site.load]
        if site.load >= 0 and not site.appliance:
            load_w[:, s] = np.maximum(profiles.load_p_w[:, site.load], 0)
        if site.plant >= 0:
            pv_w[:, s] = shapes[:, site.plant] * site.plant_kw * 1000.0
    return load_w, load_var, pv_w


def _path_charges(market: MarketSettings, routes: Routes, reference_pu: float) -> Ints:
    """(buses, buses) micro-currency per kWh that a peer buyer pays for the network."""
    if market.network_charge_rule == "distance":
        return charges_by_distance(routes, reference_pu, market.network_charge)
    return np.full(routes.distance_pu.shape, market.network_charge, np.int64)


def _equipment(sites: list[Site], profiles: Profiles, scenario: Scenario) -> Equipment:
    """Batteries, vehicles and heat pumps of all sites; the net's own appliances follow their profiles."""
    charger_w = np.array([s.charger_kw for s in sites]) * 1000.0
    pump_w = np.array([s.heat_pump_kw for s in sites]) * 1000.0
    follows = np.array([s.plan >= 0 for s in sites])
    plan_w = np.zeros((profiles.periods if follows.any() else 1, len(sites)))
    for s in np.flatnonzero(follows).tolist():
        plan_w[:, s] = np.rint(profiles.storage_p_w[:, sites[s].plan] * sites[s].plan_share)
    column = np.full(len(sites), -1, np.int64)
    plugs: list[tuple[Floats, Ints]] = []
    held_w = np.full((profiles.periods if pump_w.any() else 1, len(sites)), np.nan)
    for s, site in enumerate(sites):
        if site.appliance.startswith(CHARGING):
            column[s] = len(plugs)
            at_work = site.appliance.startswith(CHARGING_AT_WORK)
            leaves_h = vehicle.WORK_ENDS_H if at_work else scenario.vehicle.departure_h
            power_w = np.maximum(profiles.load_p_w[:, site.load], 0)
            plugs.append(vehicle.plugs_of(power_w, leaves_h, profiles.periods_per_day))
        elif site.appliance:
            held_w[:, s] = np.maximum(profiles.load_p_w[:, site.load], 0)
    rows = profiles.periods if plugs else 1
    tables = (
        np.array([energy for energy, _ in plugs]).reshape(-1, rows).T.copy(),
        np.array([stay for _, stay in plugs], np.int64).reshape(-1, rows).T.copy(),
    )
    day = profiles.periods_per_day
    return Equipment(
        np.array([s.storage_kwh for s in sites]) * 1000.0,
        np.array([s.storage_kw for s in sites]) * 1000.0,
        np.array([s.efficiency for s in sites]),
        follows,
        plan_w,
        scenario.sites.flexible_load_share,
        vehicle.fleet_of(scenario.vehicle, charger_w, column, tables, day),
        thermostatic.houses_of(scenario.heat_pump, pump_w, held_w, day),
    )


def _planned(feeder: Feeder, profiles: Profiles, scenario: Scenario) -> Bools:
    """(storages,) whose battery follows its profile; SettingsError where that is asked for and none can."""
    planned = profiles.storage_planned & (feeder.storages.e_max_kwh > 0.0)
    if scenario.sites.net_storage == "ratings":
        return np.zeros_like(planned)
    if not planned.any():
        raise SettingsError(
            f"{scenario.source}: sites.net_storage = 'profile': of the {len(planned)} storages of grid.net ="
            f" {scenario.grid.net!r} none has a profile that tells plant and battery apart (allowed: ratings)"
        )
    return planned


def _refuse_uncertified(capacity_w: Floats, sites: list[Site], where: str) -> None:
    """SettingsError for what no certificate on the ledger can state: of a site, or of the operator for all of them."""
    largest = int(np.argmax(capacity_w))
    for who, power_w in ((f"site {sites[largest].name}", capacity_w[largest]), ("all sites", capacity_w.sum())):
        if not power_w <= MAX_CAPACITY_W:  # NaN too
            raise SettingsError(f"{where}: {who} could exchange {power_w:.4g} W (allowed: 0 to {MAX_CAPACITY_W} W)")


def _net_of(scenario: Scenario) -> tuple[Feeder, Profiles]:
    """The scenario's net and what its sites do; SettingsError where it has none that the scenario's check can take."""
    folders = [Path(folder) / "cases" for folder in scenario.plugins]
    try:
        feeder = load_feeder(scenario.grid.net, folders)
        profiles = load_profiles(scenario.grid.net, folders)
    except GridError as error:
        raise SettingsError(f"{scenario.source}: grid.net = {scenario.grid.net!r}: {error}") from None
    if scenario.grid.check == "messages":
        try:
            refuse_loops(feeder)
        except ValueError as error:
            raise SettingsError(f"{scenario.source}: grid.check = 'messages': {error} (allowed: kernel)") from None
    return feeder, profiles


def _refuse_what_the_net_refutes(scenario: Scenario, sites: int, profiles: Profiles) -> None:
    """SettingsError for too few or too many sites, a day outside the profile, more cheats than sites."""
    source, net, last_day = scenario.source, scenario.grid.net, scenario.calendar.last_day
    if not sites:
        raise SettingsError(f"{source}: grid.net = {net!r}: a net with at least one load is needed")
    if sites > MAX_SITES:
        raise SettingsError(f"{source}: grid.net = {net!r}: {sites} sites, allowed are {MAX_SITES}")
    days = profiles.periods // profiles.periods_per_day
    if last_day >= days:
        raise SettingsError(f"{source}: calendar.last_day = {last_day}: outside the profile (allowed: 0 to {days - 1})")
    cheats = sum(m.count for m in scenario.malicious.values())
    if cheats > sites:
        raise SettingsError(f"{source}: malicious: {cheats} malicious of {sites} sites (allowed: 0 to {sites})")


@lru_cache(maxsize=8)
def _build(settings: str, source: str) -> World:
    scenario = Scenario.model_validate_json(settings)
    scenario.set_source(source)
    feeder, profiles = _net_of(scenario)
    shapes, suns = plant_shapes(feeder, profiles)
    planned = _planned(feeder, profiles, scenario)
    sites = sites_of(feeder, scenario, suns, planned)
    _refuse_what_the_net_refutes(scenario, len(sites), profiles)
    load_w, load_var, pv_w = _columns(sites, profiles, shapes)
    rated = np.array([s.plant_kw for s in sites]) * 1000.0
    bus = np.array([s.bus for s in sites], np.int64)
    equipment = _equipment(sites, profiles, scenario)
    fuse_w = rated + equipment.rated_w + equipment.fleet.rated_w + equipment.houses.rated_w
    # Half as much again as the year's highest demand: a meter's fuse, not a forecast.
    capacity_w = np.ceil(fuse_w + 1.5 * load_w.max(axis=0))
    _refuse_uncertified(capacity_w, sites, f"{source}: grid.net = {scenario.grid.net!r}")
    routes = routes_of(feeder)
    reference_pu = reference_distance_pu(routes, bus)
    return World(
        scenario=scenario,
        feeder=feeder,
        site_names=tuple(s.name for s in sites),
        site_bus=bus,
        load_w=load_w,
        load_var=load_var,
        pv_w=pv_w,
        pv_rated_w=rated,
        storage_wh=equipment.capacity_wh,
        storage_w=equipment.rated_w,
        efficiency=equipment.efficiency,
        equipment=equipment,
        planned_storages=int(planned.sum()),
        capacity_w=capacity_w.astype(np.int64),
        inverter_va=scenario.grid.inverter.rating * (rated + equipment.rated_w),
        volt_per_w=np.ascontiguousarray(voltage_sensitivity(feeder)[:, bus]) / 1000.0,
        volt_per_var=np.ascontiguousarray(reactive_sensitivity(feeder)[:, bus]) / 1000.0,
        branch_share=np.ascontiguousarray(branch_share(feeder)[:, bus]),
        routes=routes,
        reference_pu=reference_pu,
        path_charge=_path_charges(scenario.market, routes, reference_pu),
        periods_per_day=profiles.periods_per_day,
    )


def build_world(config: object = None, overrides: Mapping[str, Any] | None = None) -> World:
    """The world of a scenario (see ``load_scenario``); built once per process and scenario.

    Raises:
        SettingsError: a setting that cannot be, also one that only the grid can refute (a net that does not exist,
            a day outside its profile, more malicious nodes than sites).
    """
    scenario = load_scenario(config, checked_overrides(overrides))  # type: ignore[arg-type]
    return _build(scenario.model_dump_json(), scenario.source)
