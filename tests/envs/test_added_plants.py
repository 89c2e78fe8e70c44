"""Added plants are PV: they borrow the profiles of the net's own PV, not those of its wind turbines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from envs.settings import load_scenario
from envs.sites import sites_of
from envs.world import build_world


def test_added_plants_follow_the_suns_profiles_where_the_net_names_them() -> None:
    scenario = load_scenario("rural_day", {"sites": {"added_pv_share": 1.0}})
    feeder = build_world(scenario).feeder
    count, planned = len(feeder.generators.p_kw), np.zeros(len(feeder.storages.e_max_kwh), np.bool_)

    def borrowed(profile: list[str]) -> set[int]:
        named = replace(feeder, generators=replace(feeder.generators, profile=np.array(profile)))
        sites = sites_of(named, scenario, count, planned)
        return {site.plant for site in sites if site.plant_kw == scenario.sites.added_pv_kwp}

    mixed = ["WP4" if g % 2 else "PV5" for g in range(count)]
    assert borrowed(mixed) == set(range(0, count, 2))
    assert borrowed([""] * count) == set(range(count))
