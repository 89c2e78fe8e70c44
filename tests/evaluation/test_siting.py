"""Where PV can go: the edge by location is one, and random placement stays between the buses' own capacities."""

from __future__ import annotations

import numpy as np
import pytest

from envs.world import build_world
from evaluation import siting


@pytest.fixture(scope="module")
def six():
    return build_world("six_node")


def test_a_bus_hosts_its_capacity_and_no_more(six):
    day, buses = siting.Day(six), np.unique(six.site_bus)
    alone = siting.by_bus(day, buses)
    for factor, expected in ((0.999, True), (1.001, False)):
        kwp = np.zeros((len(buses), six.feeder.bus_count))
        kwp[np.arange(len(buses)), buses] = factor * alone
        grown = alone < siting.LARGEST_KWP * 0.99
        assert grown.any()
        assert (day.hosted(kwp)[grown] == expected).all()


def test_the_far_end_hosts_least_and_other_plants_take_room(six):
    buses = np.unique(six.site_bus)
    alone = siting.by_bus(siting.Day(six), buses)
    distance = six.routes.distance_pu[0, buses]
    assert np.argmin(alone) == np.argmax(distance)
    assert (siting.by_bus(siting.Day(six, 0.5), buses) <= alone + 1e-6).all()


def test_random_placement_stops_at_the_first_broken_limit(six):
    day = siting.Day(six)
    plants = siting.at_random(day, six.site_bus, 5.0, 20, 3)
    assert plants.min() > 0
    assert plants.min() < plants.max()
    assert np.array_equal(plants[4:9], siting.at_random(day, six.site_bus, 5.0, 5, 7))
    least = siting.by_bus(day, np.unique(six.site_bus)).min()  # what even the worst place hosts
    assert (plants * 5.0 > least - 5.0).all()


def test_the_command_prints_both_tables_and_refuses_what_cannot_be(capsys):
    assert siting.main(["six_node", "--draws", "5", "--plant-kwp", "10"]) == 0
    text, told = capsys.readouterr()
    assert "24/24" in told  # halvings
    assert "5/5" in told  # draws
    assert "| bus | sites |" in text
    assert text.count("| over 10\u202f000 |") == 1  # the bus at the upper grid
    assert "Plants of 10 kWp on random sites, 5 draws:" in text
    assert siting.main(["nowhere"]) == 2
    assert "no such file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        siting.main(["six_node", "--plant-kwp", "0"])
