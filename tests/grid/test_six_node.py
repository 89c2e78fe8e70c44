"""The six-node case of paper 000: what the paper says of it, asserted on a played and sealed day."""

from __future__ import annotations

import numpy as np
import pytest

from envs.grid.cases.six_node import BAND_PU
from envs.grid.feeder import load_feeder
from envs.types import CAUSES, GRID, OVER_VOLTAGE
from ledger.kinds import Kind
from ledger.store import Store
from ledger.verify import verify_file
from tests.envs.play import OFF, by_rules, core_of, episode

LOW_PU, HIGH_PU = BAND_PU
DAY = 96
SEEDS = tuple(range(16))


@pytest.fixture(scope="module")
def days():
    core = core_of("six_node", OFF)
    return core, episode(core, by_rules(core), SEEDS)


def test_four_nodes_generate_and_six_consume() -> None:
    feeder = load_feeder("case:six_node")
    assert feeder.bus_name.tolist() == [f"node {node}" for node in range(1, 7)]
    assert feeder.bus_name[feeder.generators.bus].tolist() == ["node 1", "node 2", "node 5", "node 6"]
    assert sorted(feeder.loads.bus.tolist()) == list(range(6))
    assert (feeder.band_low_pu == LOW_PU).all()
    assert (feeder.band_high_pu == HIGH_PU).all()


def test_the_scenario_has_the_papers_six_nodes(days) -> None:
    world = days[0].world
    assert world.site_names == tuple(f"node {node}" for node in range(1, 7))
    assert (world.pv_rated_w > 0).tolist() == [True, True, False, False, True, True]
    june = world.load_w[172 * DAY : 173 * DAY]
    assert (june > 0).all()  # everybody consumes, all day
    assert not world.storage_wh.any()


def test_without_the_market_node_six_alone_has_an_over_voltage(days) -> None:
    core, traces = days
    voltage_pu = np.stack([trace.energy.twin_voltage_pu for trace in traces])  # (periods, worlds, buses)
    six = core.world.feeder.bus_name.tolist().index("node 6")
    assert (voltage_pu[:, :, six].max(axis=0) > HIGH_PU + 0.01).all()
    assert np.delete(voltage_pu, six, axis=2).max() <= HIGH_PU
    assert voltage_pu.min() >= LOW_PU
    noon = [trace.period for trace in traces if trace.energy.twin_voltage_pu.max() > HIGH_PU]
    assert min(noon) >= 32  # eight o'clock
    assert max(noon) <= 64


def test_with_the_market_every_voltage_stays_inside_the_band(days) -> None:
    _, traces = days
    voltage_pu = np.stack([trace.energy.voltage_pu for trace in traces])
    assert voltage_pu.max() <= HIGH_PU
    assert voltage_pu.min() >= LOW_PU
    assert max(trace.energy.loading.max() for trace in traces) <= 1.0
    causes = np.stack([trace.stage.cause[:, GRID] for trace in traces])
    assert set(np.unique(causes).tolist()) == {0, OVER_VOLTAGE}
    assert ((causes == OVER_VOLTAGE).sum(axis=0) >= 5).all()
    assert CAUSES[OVER_VOLTAGE] == "over-voltage"


def test_every_plan_passes_its_check_without_a_cut(days) -> None:
    """Events last two periods: the one that needs more of a limit decides, or the loops end before it is cured."""
    _, traces = days
    for trace in traces:
        asked = trace.stage.asked_wh[:, GRID] > 0
        assert trace.plan.safe[asked, GRID].all()
        assert not trace.plan.cut_wh.any()
    assert sum(int((trace.stage.duration[:, GRID] > 1).sum()) for trace in traces) > 50


def test_each_event_is_sealed_as_trigger_dispatch_verification_and_accounting(tmp_path) -> None:
    path = tmp_path / "six.sqlite"
    core = core_of("six_node", path=str(path))
    traces = episode(core, by_rules(core), (0,))
    report = verify_file(path)
    assert report.sound, report.fault
    store = Store.open(path)
    records = [record for block in store.blocks() for record in block.records]
    store.close()
    begun = sum(int((trace.stage.cause > 0).sum()) for trace in traces)
    assert begun >= 5
    events = {kind: [r.event for r in records if r.kind is kind] for kind in (Kind.TTX, Kind.DTX, Kind.VTX, Kind.ATX)}
    assert len(events[Kind.TTX]) == begun
    assert all(sorted(found) == sorted(events[Kind.TTX]) for found in events.values())
    assert sum(int(trace.verdict.verified_wh.sum()) for trace in traces) > 0
