"""What resources did and what it cost their owners is in the report's figures."""

from types import SimpleNamespace

import numpy as np
import pytest

from evaluation.measures import METRICS
from evaluation.resource_log import REBOUND, ResourceLog
from tests.envs.play import OFF, by_rules, core_of, periods
from tests.envs.test_appliances import held

OWN = {metric.name: metric for metric in METRICS if metric.group == "resources"}


def figures_of(core, choose):
    """(figures by name, traces) of an episode."""
    core.reset(np.array([0], np.uint64))
    log, traces = ResourceLog(core.world.sites), []
    for trace in periods(core, choose):
        log.write(trace)
        traces.append(trace)
    run = SimpleNamespace(truth=SimpleNamespace(resources=log.sums))
    return {name: metric.of(core.world, run) for name, metric in OWN.items()}, traces


def test_failing_the_driver_comfort_and_rebound_are_counted_and_priced():
    failing = core_of("rural_winter", OFF)
    found, traces = figures_of(failing, held(failing, 1.0))
    missing = sum(t.energy.missing_wh.sum() for t in traces)
    assert missing > 0
    assert found["missing_at_departure"] == pytest.approx(missing / 1000.0)
    assert found["missing_at_departure_cost"] == pytest.approx(1.5 * missing / 1000.0)
    outside = sum(t.energy.outside_mkh.sum() for t in traces) / 1000.0
    assert found["outside_comfort_band"] == pytest.approx(outside)
    assert found["outside_comfort_band_cost"] == pytest.approx(0.5 * outside)
    ordered = core_of("rural_winter", OFF)
    found, traces = figures_of(ordered, by_rules(ordered))
    assert found[REBOUND] > 1.0
    assert found["missing_at_departure"] == 0.0
    assert found["vehicles_charged"] == pytest.approx(sum(t.energy.vehicle_wh.sum() for t in traces) / 1000.0)


def test_a_world_without_vehicles_has_no_figure_of_them():
    core = core_of("tiny", OFF, 4)
    found, _ = figures_of(core, by_rules(core))
    for name in ("missing_at_departure", "fed_in_cost", "outside_comfort_band", REBOUND):
        assert found[name] is None
    assert found["cycled_cost"] == pytest.approx(0.02 * found["cycled"])
    assert found["curtailed"] >= 0.0
