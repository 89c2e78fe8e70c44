"""Added plants are PV: they borrow the profiles of the net's own PV or the lender's, not those of wind turbines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from envs.grid.feeder import load_feeder
from envs.grid.profiles import BORROWED, load_profiles
from envs.settings import load_scenario
from envs.sites import sites_of
from envs.world import plant_shapes

SCENARIO = load_scenario("rural_day", {"sites": {"added_pv_share": 1.0}})
FEEDER, PROFILES = load_feeder("simbench:1-LV-semiurb4--2-sw"), load_profiles("simbench:1-LV-semiurb4--2-sw")
COUNT, STORAGES = len(FEEDER.generators.p_kw), len(FEEDER.storages.e_max_kwh)


def borrowed(names: list[str], profiles=PROFILES):
    """(the shapes, which of them added plants follow) on a net whose plants have profiles of these names."""
    named = replace(FEEDER, generators=replace(FEEDER.generators, profile=np.array(names)))
    shapes, suns = plant_shapes(named, profiles)
    sites = sites_of(named, SCENARIO, suns, np.zeros(STORAGES, np.bool_))
    return shapes, {site.plant for site in sites if site.plant_kw == SCENARIO.sites.added_pv_kwp}


def test_added_plants_follow_the_suns_profiles_where_the_net_names_them() -> None:
    assert borrowed(["WP4" if g % 2 else "PV5" for g in range(COUNT)])[1] == set(range(0, COUNT, 2))
    assert borrowed([""] * COUNT, replace(PROFILES, source=BORROWED))[1] == set(range(COUNT))


def test_added_plants_follow_the_lenders_sun_where_the_net_has_none() -> None:
    shapes, columns = borrowed(["WP4"] * COUNT)
    lender = load_feeder(BORROWED).generators
    sun = load_profiles(BORROWED).pv_p_w / (lender.p_kw * 1000.0)
    assert columns == set(range(COUNT + STORAGES, shapes.shape[1]))
    assert np.allclose(shapes[:, sorted(columns)], sun)
    assert not shapes[np.arange(len(shapes)) % 96 < 8][:, sorted(columns)].any()  # dark until two in the morning


def test_a_borrowed_sun_shines_at_the_nets_own_time() -> None:
    moved = replace(
        PROFILES,
        **{key: getattr(PROFILES, key)[: 2 * 96] for key in ("load_p_w", "pv_p_w", "storage_pv_w")},
        start=PROFILES.start + np.timedelta64(100, "D"),
    )
    whole, later = borrowed(["WP4"] * COUNT)[0], borrowed(["WP4"] * COUNT, moved)[0]
    assert np.array_equal(later[:, COUNT + STORAGES :], whole[100 * 96 : 102 * 96, COUNT + STORAGES :])
