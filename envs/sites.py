"""Who owns what: the sites of a net, made from its tables and from what the settings add.

Every load is a site; plants and batteries belong to the first sites at their bus. A plant or battery above the
configured share of all is split into equal ones of several sites, since one dominant owner would decide both the market
and the consensus.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from envs import draws
from envs.grid.feeder import Feeder
from envs.grid.profiles import CHARGING, HEAT_PUMPS
from envs.settings import Scenario
from envs.types import Bools


@dataclass
class Site:
    """A site while the tables are being joined."""

    name: str
    bus: int
    load: int = -1  # column of its load profile
    plant: int = -1  # column of the shapes of plants that its own follows (`envs.world.plant_shapes`)
    plant_kw: float = 0.0
    storage_kwh: float = 0.0
    storage_kw: float = 0.0
    efficiency: float = 0.95
    plan: int = -1  # storage of the net whose profile the battery follows
    plan_share: float = 0.0  # of that storage as the net states it
    charger_kw: float = 0.0
    heat_pump_kw: float = 0.0
    appliance: str = ""  # the net's profile, where the load is nothing but a charger or a heat pump


def sites_of(feeder: Feeder, scenario: Scenario, suns: Sequence[int], planned: Bools) -> list[Site]:
    """Loads first, then the net's plants and batteries on them, then what the configuration adds.

    ``suns`` are the shapes that added plants borrow in turn. ``planned`` (storages,) says whose battery follows its
    profile, and so brings the plant that the profile holds. Such a plant and its battery have one size: the profile
    says what the two do together, so the battery is scaled with the plant.
    """
    settings = scenario.sites
    names = zip(feeder.loads.name, feeder.loads.bus, strict=True)
    sites = [Site(str(name), int(bus), load=i) for i, (name, bus) in enumerate(names)]
    limit_kw = settings.max_site_share * float(feeder.generators.p_kw.sum())
    for g, (bus, kw) in enumerate(zip(feeder.generators.bus, feeder.generators.p_kw, strict=True)):
        parts = max(1, ceil(kw / limit_kw - 1e-9)) if kw > 0.0 else 0
        for _ in range(parts):
            site = _first(sites, int(bus), f"{feeder.generators.name[g]} plant", lambda s: s.plant < 0)
            site.plant, site.plant_kw = g, float(kw) / parts
    _add_batteries(sites, feeder, scenario, planned)
    for order, site in enumerate(
        _chosen([s for s in sites if s.load >= 0 and s.plant < 0], settings.added_pv_share, 0)
    ):
        site.plant, site.plant_kw = suns[order % len(suns)], settings.added_pv_kwp
    for site in _chosen([s for s in sites if s.load >= 0 and _without_battery(s)], settings.added_storage_share, 1):
        site.storage_kwh, site.storage_kw = settings.added_storage_kwh, settings.added_storage_kw
    for site in sites:
        site.plant_kw *= settings.pv_scale
        if site.plan >= 0:
            site.storage_kwh *= settings.pv_scale
            site.storage_kw *= settings.pv_scale
            site.plan_share *= settings.pv_scale
    _add_appliances(sites, feeder, scenario)
    return sites


def _add_batteries(sites: list[Site], feeder: Feeder, scenario: Scenario, planned: Bools) -> None:
    """The net's own batteries: a plant's owner first; one that brings its plant, behind the meter of the load that its
    profile serves.
    """
    batteries = feeder.storages
    limit_kwh = scenario.sites.max_site_share * float(batteries.e_max_kwh.sum())
    for k, (bus, kwh) in enumerate(zip(batteries.bus, batteries.e_max_kwh, strict=True)):
        parts, name = max(1, ceil(kwh / limit_kwh - 1e-9)) if kwh > 0.0 else 0, f"{batteries.name[k]} site"
        served = str(batteries.profile[k]).rsplit("_", 1)[-1]
        for _ in range(parts):
            free = [s for s in sites if s.bus == bus and _without_battery(s)]
            if planned[k]:
                owners = [s for s in free if s.plant < 0 and s.load >= 0 and feeder.loads.profile[s.load] == served]
                site = owners[0] if owners else _first(sites, int(bus), name, _owns_nothing)
                site.plan, site.plan_share = k, 1.0 / parts
                site.plant, site.plant_kw = len(feeder.generators.p_kw) + k, float(batteries.p_max_kw[k]) / parts
            else:
                owners = [s for s in free if s.plant >= 0]
                site = owners[0] if owners else _first(sites, int(bus), name, _without_battery)
            site.storage_kwh, site.storage_kw = float(kwh) / parts, float(batteries.p_max_kw[k]) / parts
            site.efficiency = float(batteries.efficiency[k])


def _add_appliances(sites: list[Site], feeder: Feeder, scenario: Scenario) -> None:
    """Vehicles and heat pumps: the net's own, known by their profiles, and those of the configured shares."""
    settings = scenario.sites
    for site in sites if settings.net_appliances else ():
        profile = str(feeder.loads.profile[site.load]) if site.load >= 0 else ""
        if profile.startswith(CHARGING):
            site.appliance, site.charger_kw = profile, float(feeder.loads.p_kw[site.load])
        elif profile.startswith(HEAT_PUMPS):
            site.appliance, site.heat_pump_kw = profile, float(feeder.loads.p_kw[site.load])
    homes = [s for s in sites if s.load >= 0 and not s.appliance]
    for site in _chosen(homes, settings.vehicle_share, 2):
        site.charger_kw = scenario.vehicle.power_kw
    for site in _chosen(homes, settings.heat_pump_share, 3):
        site.heat_pump_kw = scenario.heat_pump.power_kw


def _first(sites: list[Site], bus: int, name: str, free: Callable[[Site], bool]) -> Site:
    """The first site at ``bus`` that is free to own more, or a new one."""
    for site in sites:
        if site.bus == bus and free(site):
            return site
    sites.append(Site(name, bus))
    return sites[-1]


def _without_battery(site: Site) -> bool:
    return site.storage_kwh == 0.0


def _owns_nothing(site: Site) -> bool:
    return site.plant < 0 and _without_battery(site)


def _chosen(candidates: list[Site], share: float, stream: int) -> list[Site]:
    """Who gets added equipment: a draw of the scenario alone, so that the spaces do not depend on the seed."""
    key = np.empty((1, max(1, len(candidates))))
    draws.uniforms(np.zeros(1, np.uint64), np.zeros(1, np.int64), stream, draws.PLACEMENT, key)
    order = sorted(range(len(candidates)), key=lambda c: key[0, c])
    return [candidates[c] for c in order[: round(share * len(candidates))]]
