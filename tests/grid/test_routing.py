"""Paths and distances against networkx, losses against the power flow, shares against the definition."""

from __future__ import annotations

import networkx
import numpy as np
import pytest

from envs.grid.feeder import load_feeder
from envs.grid.routing import (
    carry,
    charges_by_distance,
    loss_share,
    losses_of,
    path_of,
    reference_distance_pu,
    routes_of,
)
from envs.grid.sweep import PowerFlow
from envs.types import HOURS
from tests.grid.conftest import CASE33, RURAL, TINY

CASES = ("case:ring", TINY, RURAL, CASE33, "case:six_node", "pandapower:create_kerber_dorfnetz")


@pytest.mark.parametrize("name", CASES)
def test_paths_and_distances_are_those_of_the_graph(name: str) -> None:
    feeder = load_feeder(name)
    routes, graph = routes_of(feeder), networkx.Graph()
    for (upper, lower), z in zip(feeder.ends[1:].tolist(), feeder.z[1:], strict=True):
        graph.add_edge(upper, lower, weight=abs(z))
    paths = dict(networkx.all_pairs_dijkstra_path(graph))
    lengths = dict(networkx.all_pairs_dijkstra_path_length(graph))
    for start in range(feeder.bus_count):
        for goal in range(feeder.bus_count):
            path = path_of(routes, start, goal)
            assert networkx.path_weight(graph, path, "weight") == pytest.approx(lengths[start][goal], rel=1e-12)
            assert feeder.branch_count > feeder.bus_count or path == paths[start][goal]
            assert routes.distance_pu[start, goal] == pytest.approx(lengths[start][goal], rel=1e-12)
    assert (routes.distance_pu == routes.distance_pu.T).all()


def random_uses(routes, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, len(routes.hop), (count, 2)), rng.uniform(100.0, 3000.0, count)


def flows_of(routes, ends: np.ndarray, wh: np.ndarray) -> np.ndarray:
    flow = np.zeros(len(routes.child))
    for (start, goal), energy in zip(ends, wh, strict=True):
        carry(routes, start, goal, energy, flow)
    return flow


@pytest.mark.parametrize("name", CASES)
def test_shares_add_up_to_the_losses_and_are_half_the_marginal_ones(name: str) -> None:
    routes = routes_of(load_feeder(name))
    ends, wh = random_uses(routes, 12, seed=1)
    flow = flows_of(routes, ends, wh)
    shares = np.array([loss_share(routes, *pair, energy, flow, HOURS) for pair, energy in zip(ends, wh, strict=True)])
    assert shares.sum() == pytest.approx(losses_of(routes, flow, HOURS), rel=1e-12)
    for k in range(len(wh)):
        more, less = wh.copy(), wh.copy()
        more[k] += 1.0
        less[k] -= 1.0
        slope = (losses_of(routes, flows_of(routes, ends, more), HOURS)
                 - losses_of(routes, flows_of(routes, ends, less), HOURS)) / 2.0  # fmt: skip
        assert shares[k] == pytest.approx(slope * wh[k] / 2.0, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", [TINY, RURAL])
def test_losses_are_those_of_the_power_flow_without_its_idle_part(name: str) -> None:
    feeder = load_feeder(name)
    routes, flow = routes_of(feeder), np.zeros(feeder.bus_count)
    p_kw = np.random.default_rng(2).uniform(-2.0, 2.0, feeder.bus_count)
    p_kw[0] = 0.0
    for bus in range(feeder.bus_count):
        carry(routes, bus, 0, p_kw[bus] * 1000.0 * HOURS, flow)
    solver, none = PowerFlow(feeder), np.zeros(feeder.bus_count)
    lost_kw = solver.solve(p_kw, none).losses_kw - solver.solve(none, none).losses_kw
    assert losses_of(routes, flow, HOURS) == pytest.approx(lost_kw * 1000.0 * HOURS, rel=0.1)


def test_the_flat_charge_is_that_of_the_mean_way_to_the_upper_grid_and_the_most(rural) -> None:
    routes, sites = routes_of(rural), rural.loads.bus
    reference_pu = reference_distance_pu(routes, sites)
    charge = charges_by_distance(routes, reference_pu, 20_000)
    assert (np.diag(charge) == 0).all()
    assert charge.max() == 20_000
    inside = routes.distance_pu < reference_pu
    assert charge[inside] == pytest.approx(20_000 * routes.distance_pu[inside] / reference_pu, abs=0.5)
    assert (charge[~inside] == 20_000).all()
    assert 0.3 < inside.mean() < 1.0


def test_a_net_of_one_bus_charges_nothing() -> None:
    routes = routes_of(load_feeder(TINY))
    assert (charges_by_distance(routes, 0.0, 20_000) == 0).all()


def test_a_branch_that_closes_a_loop_is_a_path_where_it_is_the_shorter_way() -> None:
    feeder = load_feeder("case:ring")
    routes, tie = routes_of(feeder), [feeder.bus_name.tolist().index(name) for name in ("north 1", "south 2")]
    assert path_of(routes, *tie) == tie
    flow = np.zeros(feeder.branch_count)
    carry(routes, *tie, 400.0, flow)
    assert np.flatnonzero(flow).tolist() == [int(np.flatnonzero(feeder.branch_name == "cable tie")[0])]
    assert losses_of(routes, flow, HOURS) == pytest.approx(loss_share(routes, *tie, 400.0, flow, HOURS))
