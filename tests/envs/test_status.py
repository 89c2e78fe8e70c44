"""Status records say what the world and the period were."""

import numpy as np
import pytest

from envs.status import energy_types_of
from envs.world import build_world
from ledger.blocks import Block
from ledger.joining import EnergyType
from ledger.kinds import Kind
from ledger.store import Store
from tests.envs.play import by_rules, core_of, episode


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    path = tmp_path_factory.mktemp("status") / "tiny.sqlite"
    core = core_of("tiny", None, 60, str(path))
    traces = episode(core, by_rules(core))
    with Store.open(path) as store:
        blocks: list[Block] = list(store.blocks())
    return core.world, traces, [record for block in blocks for record in block.records]


def test_every_site_stands_on_the_ledger_with_its_types(played):
    world, _, records = played
    sites = [record.body for record in records if record.kind is Kind.SITE]
    assert [body[1] for body in sites] == world.site_bus.tolist()
    for i, (_, _, types, rated_w, storage_wh) in enumerate(sites):
        assert types == energy_types_of(world, i)
        assert bool(types & EnergyType.PHOTOVOLTAIC) == (world.pv_rated_w[i] > 0) == (rated_w > 0)
        assert bool(types & EnergyType.STORAGE) == (world.storage_wh[i] > 0) == (storage_wh > 0)
    assert {bool(body[2] & EnergyType.PHOTOVOLTAIC) for body in sites} == {True, False}


def test_vehicles_and_heat_pumps_are_types_of_their_own():
    world = build_world("rural_winter")
    types = [energy_types_of(world, i) for i in range(world.sites)]
    assert {bool(each & EnergyType.VEHICLE) for each in types} == {True, False}
    assert [bool(each & EnergyType.THERMOSTAT) for each in types] == (world.equipment.houses.rated_w > 0).tolist()


def test_every_period_has_its_price_and_its_sun(played):
    world, traces, records = played
    bodies = [record.body for record in records if record.kind is Kind.STATUS]
    trades = [record.body for record in records if record.kind is Kind.TRADE]
    assert [body[0] for body in bodies] == [trace.period for trace in traces] == list(range(60))
    for (period, retail, feed_in, price, traded_wh, sun_ppm), trace in zip(bodies, traces, strict=True):
        mine = [(wh, each) for at, _, _, wh, each in trades if at == period]
        assert traded_wh == sum(wh for wh, _ in mine)
        assert price == (sum(wh * each for wh, each in mine) // traded_wh if traded_wh else 0)
        assert feed_in <= price <= retail or not mine
        generated_wh = trace.energy.generated_wh[0].sum()
        assert generated_wh <= sun_ppm / 1e6 * world.pv_rated_w.sum() / 4 + world.sites
    suns = np.array([body[5] for body in bodies])
    assert suns[:8].max() == 0  # before dawn
    assert 200_000 < suns.max() < 1_200_000
    assert any(body[4] for body in bodies)
