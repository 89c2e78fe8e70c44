"""The ledger of a played day: sealed before delivered, four linked records an event, sound for an outsider."""

import numpy as np
import pytest

from envs import plugins
from envs.money import FLOWS
from ledger.faults import FaultCode
from ledger.kinds import Kind
from ledger.merkle import EMPTY_ROOT
from ledger.store import Store
from ledger.verify import verify_file
from tests.envs.play import by_rules, core_of, episode

QUIET = {
    "upper_orders": [],
    "sites": {"added_pv_share": 0.0, "added_storage_share": 0.0},
    "market": {"trading": "feed_in"},
    "grid": {"band_low_pu": 0.6, "band_high_pu": 1.4, "loading_limit": 2.0},
}


def played(tmp_path, scenario, overrides=None, cycles=None):
    path = tmp_path / "run.sqlite"
    core = core_of(scenario, overrides, cycles, str(path))
    traces = episode(core, by_rules(core), (1,))
    assert verify_file(path).sound, verify_file(path).fault
    store = Store.open(path)
    blocks = list(store.blocks())
    store.close()
    return core, traces, blocks


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    return played(tmp_path_factory.mktemp("day"), "rural_day_malicious")


def heights(blocks, kind):
    return {record.event: block.header.height for block in blocks for record in block.records if record.kind is kind}


def test_every_event_is_told_in_four_linked_records(day):
    _, traces, blocks = day
    triggers = heights(blocks, Kind.TTX)
    begun = sum(int((t.stage.cause > 0).sum()) for t in traces)
    assert len(triggers) == begun >= 12
    dispatched, verified, accounted = (heights(blocks, kind) for kind in (Kind.DTX, Kind.VTX, Kind.ATX))
    assert set(triggers) == set(dispatched) == set(verified) == set(accounted)
    durations = {r.event: r.body[3] for block in blocks for r in block.records if r.kind is Kind.TTX}
    for event, height in triggers.items():
        assert dispatched[event] == height
        assert verified[event] == height + durations[event]
        assert accounted[event] == height + durations[event] + 1


def test_what_is_promised_is_sealed_before_it_is_delivered(day):
    _, traces, blocks = day
    for block in blocks[1:-1]:
        period = block.header.height - 1
        for record in block.records:
            if record.kind in (Kind.ORDER, Kind.OFFER, Kind.TRADE):
                assert record.body[0] == period
            if record.kind in (Kind.READING, Kind.VERIFICATION, Kind.SETTLEMENT, Kind.CREDIT, Kind.GRID):
                assert record.body[0] == period - 1
    assert len(blocks) == 1 + 2 * (len(traces) + 2)  # genesis; trading and dispatch: a block a period, two to close


def test_money_on_the_ledger_is_the_money_of_the_run(day):
    core, _, blocks = day
    index = {a.address: i for i, a in enumerate(core.recorder.books[0].chain.roster.members)}
    balance = np.zeros(core.world.accounts, np.int64)
    for block in blocks:
        for record in block.records:
            if record.kind in (Kind.SETTLEMENT, Kind.ATX):
                for flow, _period, payer, payee, wh, price, amount in record.body[-1]:
                    assert 0 <= flow < len(FLOWS)
                    assert abs(2 * 1000 * amount - 2 * wh * price) <= 1000
                    balance[index[payer]] -= amount
                    balance[index[payee]] += amount
    assert np.array_equal(balance, core.state.balance[0])


def test_refused_blocks_leave_evidence(day):
    _, traces, blocks = day
    refused = [len(t.refused[0]) for t in traces]
    pairs = zip(blocks[1::2], blocks[2::2], strict=True)
    on_chain = [sum(r.kind is Kind.REFUSAL for block in pair for r in block.records) for pair in pairs][: len(traces)]
    assert on_chain == refused
    assert sum(refused) > 0


def test_a_day_on_which_nothing_can_be_traded_still_seals_blocks(tmp_path):
    _, traces, blocks = played(tmp_path, "tiny", QUIET, cycles=20)
    assert len(blocks) == 45
    assert all(block.header.trade_root == EMPTY_ROOT for block in blocks)
    assert sum(int(t.trades.count.sum()) for t in traces) == 0
    assert sum(int((t.stage.cause > 0).sum()) for t in traces) == 0


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
def test_a_ledger_is_as_durable_as_the_scenario_says(tmp_path, durability, synchronous):
    core = core_of("tiny", {"ledger": {"durability": durability}}, 2, str(tmp_path / "run.sqlite"))
    core.reset(np.zeros(1, np.uint64))
    store = core.recorder.books[0].store
    assert store is not None
    assert store.synchronous == synchronous
    core.recorder.abandon()


def test_a_file_needs_one_world_and_a_ledger(tmp_path):
    for overrides, seeds in (({"ledger": {"mode": "off"}}, (1,)), ({}, (1, 2))):
        core = core_of("tiny", overrides, 2, str(tmp_path / "x.sqlite"))
        with pytest.raises(ValueError, match="exactly one world"):
            core.reset(np.array(seeds, np.uint64))


TRADING = '''"""Everybody pays the retail price to the first seller."""
import numpy as np
from envs.types import Trades

def clear(orders, tariffs):
    worlds, n = orders.limit.shape
    buyer, seller, wh, price = (np.zeros((worlds, 1), np.int64) for _ in range(4))
    price += tariffs.retail
    return Trades(buyer, seller, wh, price, np.zeros(worlds, np.int64), np.full(worlds, 123_456))
'''
BEHAVIOUR = '''"""Reports no consumption at all."""
import numpy as np

def meter(claims, who, intensity):
    claims.consumed_wh[:] = np.where(who, 0, claims.consumed_wh)
'''
CASE = '''"""Two houses on one cable."""
import pandapower as pp

def build():
    net = pp.create_empty_network()
    buses = [pp.create_bus(net, 20.0)] + [pp.create_bus(net, 0.4) for _ in range(3)]
    pp.create_ext_grid(net, buses[0])
    pp.create_transformer(net, buses[0], buses[1], "0.25 MVA 20/0.4 kV")
    for a, b in zip(buses[1:], buses[2:]):
        pp.create_line(net, a, b, 0.1, "NAYY 4x50 SE")
    for bus in buses[2:]:
        pp.create_load(net, bus, 0.004)
    pp.create_sgen(net, buses[3], 0.005)
    return net
'''


def test_a_new_mechanism_behaviour_or_grid_is_one_file(tmp_path):
    files = {"market/everybody_pays": TRADING, "behaviours/no_consumption": BEHAVIOUR, "cases/two_houses": CASE}
    for name, text in files.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    overrides = {
        "plugins": [str(tmp_path)],
        "grid": {"net": "case:two_houses"},
        "market": {"trading": "everybody_pays"},
        "malicious": {"no_consumption": {"count": 1}},
        "sites": {"max_site_share": 1.0},
    }
    core = core_of("tiny", overrides, cycles=40)
    traces = episode(core, by_rules(core), (0,))
    assert core.world.sites == 2
    assert traces[0].trades.reference[0] == 123_456
    assert sum(int(t.verdict.caught.sum()) for t in traces) > 0
    assert "everybody_pays" in plugins.names("market", [tmp_path], "clear")
    assert "everybody_pays" not in plugins.names("market")


@pytest.mark.parametrize("mode", ["full", "hashes"])
def test_results_falsified_with_the_operator_are_refused_and_punished(tmp_path, mode):
    """The operator signs what the producer asks for; the validators' own execution contradicts it."""
    overrides = {"malicious": {"false_settlement": {"count": 12}}, "ledger": {"mode": mode}}
    core, traces, blocks = played(tmp_path, "rural_day", overrides, 12)
    main = blocks[0].header.chain_id
    refusals = [
        (block.header.chain_id == main, block.header.height, record.body[3])
        for block in blocks
        for record in block.records
        if record.kind is Kind.REFUSAL
    ]
    assert len(refusals) >= 5
    assert sum(int(trace.trades.count[0]) for trace in traces) == 0  # a delegate of trading has to invent a sale
    assert {fault for dispatch, _, fault in refusals if not dispatch} == {FaultCode.PATHS}
    assert {fault for dispatch, height, fault in refusals if dispatch and height > 1} == {FaultCode.EXECUTION}
    before = {fault for dispatch, height, fault in refusals if dispatch and height == 1}
    assert before <= {FaultCode.PERIOD}  # nothing is lived yet that could be settled
    culprits = np.flatnonzero(core.state.malicious[0] == 0)
    refused = {site for trace in traces for site in trace.refused[0]}
    assert refused
    assert refused <= set(culprits.tolist())
    assert traces[-1].credit_ppm[0, list(refused)].max() < traces[-1].credit_ppm[0].max()
    twin = core_of("rural_day", {"ledger": {"mode": "off"}, "malicious": overrides["malicious"]}, 12)
    again = episode(twin, by_rules(twin), (1,))
    assert [trace.refused for trace in again] == [trace.refused for trace in traces]
    assert np.array_equal(twin.state.balance, core.state.balance)


def test_an_invented_trade_of_nobodys_is_refused_by_its_path(tmp_path):
    """Where peers do not trade, operator and producer invent a sale by the operator, which no path joins to a site."""
    overrides = {"market": {"trading": "feed_in"}, "malicious": {"false_settlement": {"count": 6}}}
    _, _, blocks = played(tmp_path, "tiny", overrides | {"ledger": {"mode": "hashes"}}, 12)
    turns = {tuple(r.body[:4]) for block in blocks for r in block.records if r.kind is Kind.REFUSAL}
    nothing_lived = FaultCode.PERIOD  # of a settlement invented for the first block, when there is nothing to settle
    assert {fault for height, *_, fault in turns if (height, fault) != (1, nothing_lived)} == {
        FaultCode.PATHS,
        FaultCode.EXECUTION,
    }
