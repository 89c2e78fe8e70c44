"""The network's side of trade: path lists on the ledger, charges by distance, whose losses they are."""

from itertools import pairwise

import numpy as np
import pytest

from envs.audit import executors
from envs.config import SettingsError
from envs.money import CHARGE, DEFICIT, TRADE
from envs.settings import load_scenario
from ledger.audit import audit_file
from ledger.kinds import Kind
from ledger.store import Store
from tests.envs.play import OFF, by_rules, core_of, episode

BY_DISTANCE = {"market": {"network_charge_rule": "distance"}}


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    path = tmp_path_factory.mktemp("routes") / "day.sqlite"
    core = core_of("rural_day", BY_DISTANCE, 56, str(path))
    traces = episode(core, by_rules(core), (1,))
    return core, traces, path


def test_every_trade_has_its_path_on_the_ledger(day):
    core, traces, path = day
    world, feeder = core.world, core.world.feeder
    with Store.open(path) as store:
        records = [record for block in store.blocks() for record in block.records]
    lists = {record.body[0]: record.body[1] for record in records if record.kind is Kind.PATHS}
    assert set(lists) == {trace.period for trace in traces if trace.trades.count[0]}
    for period, rows in lists.items():
        trades = traces[period].trades
        assert [row[0] for row in rows] == list(range(trades.count[0]))
        for k, distance_micro_pu, charge, buses in rows:
            assert buses[0] == world.site_bus[trades.seller[0, k]]
            assert buses[-1] == world.site_bus[trades.buyer[0, k]]
            steps = list(pairwise(buses))
            assert all(feeder.parent[a] == b or feeder.parent[b] == a for a, b in steps)
            branches = [max(step) for step in steps]
            assert distance_micro_pu == pytest.approx(abs(feeder.z[branches]).sum() * 1e6, abs=0.5)
            assert 0 <= charge <= world.scenario.market.network_charge
    assert audit_file(path, [executors("rural_day", ["market.network_charge_rule=distance"])]).difference is None
    flat = audit_file(path, [executors("rural_day", [])]).difference
    assert flat is not None
    assert flat.contract == "trading:two_stage_double"


def test_peers_pay_by_distance_and_imports_the_flat_charge(day):
    core, traces, _ = day
    market, cheaper = core.world.scenario.market, 0
    for trace in traces:
        rows = trace.payments.rows[0, : trace.payments.count[0]]
        charges = rows[rows[:, 0] == CHARGE]
        trades, imports = rows[rows[:, 0] == TRADE], rows[rows[:, 0] == DEFICIT]
        assert (charges[:, 3].sum(), len(charges)) == (
            trades[:, 3].sum() + imports[:, 3].sum(),
            len(trades) + len(imports),
        )
        for (_, buyer, seller, wh, *_), charge in zip(trades.tolist(), charges[: len(trades)].tolist(), strict=True):
            pair = core.world.path_charge[core.world.site_bus[buyer], core.world.site_bus[seller]]
            assert charge[1:5] == [buyer, core.world.eno_account, wh, pair]
            cheaper += pair < market.network_charge
        assert (charges[len(trades) :, 4] == market.network_charge).all()
        assert trace.payments.change.sum() == 0
    assert cheaper > 20


def test_losses_are_shared_to_the_last_watt_hour(day):
    _, traces, _ = day
    for trace in traces:
        transport, count = trace.transport, trace.trades.count[0]
        shared = int(transport.trade_loss_wh[0, :count].sum() + transport.exchange_loss_wh[0])
        technical = int(trace.energy.technical_loss_wh[0])
        assert 0 <= shared <= technical  # the rest is the idle transformer's, and a little reactive power
        assert technical - shared < 0.25 * technical + 115
        assert (transport.trade_loss_wh[0, count:] == 0).all()
    losses = np.concatenate([t.transport.trade_loss_wh[0, : t.trades.count[0]] for t in traces])
    assert (losses < 0).any()  # a trade against the prevailing flow relieves the net
    assert (losses > 0).any()


def test_the_rule_moves_nothing_but_the_charges():
    days = []
    for rule in ("flat", "distance"):
        core = core_of("tiny", OFF | {"market": {"network_charge_rule": rule}})
        days.append((core, episode(core, by_rules(core), (3, 4))))
    (flat, before), (_, after) = days
    eno = flat.world.eno_account
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one.energy.flow_wh, other.energy.flow_wh)
        assert np.array_equal(one.trades.wh, other.trades.wh)
        moved = other.payments.change - one.payments.change
        assert (moved.sum(axis=1) == 0).all()
        assert (moved[:, : flat.world.sites] >= 0).all()  # a neighbour is never dearer than the grid
        assert (moved[:, eno] <= 0).all()
    assert sum(int((o.payments.change != t.payments.change).sum()) for t, o in zip(before, after, strict=True)) > 0


def test_an_unknown_rule_is_refused():
    with pytest.raises(SettingsError, match=r"network_charge_rule.*flat.*distance"):
        load_scenario("tiny", {"market": {"network_charge_rule": "zonal"}})


def test_a_net_with_loops_has_paths_and_shares_too(tmp_path):
    core = core_of("ring", BY_DISTANCE, 56, str(tmp_path / "ring.sqlite"))
    traces = episode(core, by_rules(core), (1,))
    assert sum(int(trace.trades.count[0]) for trace in traces) > 20
    assert any(trace.transport.trade_loss_wh.any() for trace in traces)
    settings = ["market.network_charge_rule=distance"]
    assert audit_file(tmp_path / "ring.sqlite", [executors("ring", settings)]).difference is None
