"""The audit: a played day follows from its orders and readings; what the keys' owner alters is found and named."""

import json
import re
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from envs.audit import executors
from envs.recorder import week_before
from envs.records import Scribe, _roster, roster_of
from envs.world import build_world
from ledger.__main__ import main
from ledger.audit import audit_file
from ledger.chain import Chain
from ledger.kinds import Kind
from ledger.records import Draft
from ledger.roster import AUTHORITY
from ledger.store import Store
from ledger.verify import verify_file
from tests.envs.play import by_rules, core_of, episode

SCENARIO = "rural_day_malicious"


def play(path, scenario=SCENARIO, overrides=None, cycles=None):
    core = core_of(scenario, overrides, cycles, str(path))
    episode(core, by_rules(core), (1,))
    assert verify_file(path).sound, verify_file(path).fault
    return path


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    return play(tmp_path_factory.mktemp("audit") / "day.sqlite")


def test_a_day_with_cheats_follows_from_its_orders_and_readings(day, capsys):
    assert main(["audit", str(day), "--config", SCENARIO]) == 0
    told, dispatches, *_ = capsys.readouterr().out.splitlines()
    count, outcomes, shown_least, claims = re.match(
        r"(\d+) dispatches: (.+); least cost shown for (\d+) of (\d+) that claim it", dispatches
    ).groups()
    assert sum(map(int, re.findall(r"\d+", outcomes))) == int(count) >= int(claims) == int(shown_least) > 10
    assert told.startswith("follows: 197 blocks executed again")
    assert told.endswith(", signed by period, closed")


@pytest.mark.parametrize(
    ("scenario", "overrides"),
    [
        ("tiny", {"ledger": {"mode": "hashes"}}),
        ("tiny", {"market": {"trading": "mid_market", "baseline": "declared", "network_charge": 1234}}),
        ("tiny", {"market": {"request": "second_price", "trading": "fpsa"}}),
        ("six_node", {}),
    ],
)
def test_other_scenarios_follow_too(tmp_path, scenario, overrides):
    path = play(tmp_path / "other.sqlite", scenario, overrides, 40)
    settings = [f"{section}.{key}={value}" for section, keys in overrides.items() for key, value in keys.items()]
    report = audit_file(path, [executors(scenario, settings)])
    assert report.difference is None, str(report.difference)
    assert report.blocks == 85


def _raise(body, rows, column, by=1, where=lambda row: True):
    """Alter one cell of the first row that fits; False where none does."""
    fitting = [row for row in body[rows] if where(row)]
    if fitting:
        fitting[0][column] += by
    return bool(fitting)


def _price(body):
    body[4] += 1
    return True


def _peer_price(body):
    body[3] += 1
    return True


def _award_to_a_site(body):
    if body[4] and body[5]:
        body[4][0][0] = body[5][0][0]
    return bool(body[4] and body[5])


FRAUDS = {
    "trade": (Kind.TRADE, _price, "trading:two_stage_double", "price_micro"),
    "charge": (Kind.PATHS, lambda body: _raise(body, 1, 2, -1), "trading:two_stage_double", "charge_micro"),
    "path": (Kind.PATHS, lambda body: body[1][0][3].pop() or True, "trading:two_stage_double", "buses"),
    "share of losses": (Kind.GRID, lambda body: body.__setitem__(9, body[9] + 1) or True, "settlement", "exchange_"),
    "verified": (Kind.VTX, lambda body: _raise(body, 1, 3, -1, lambda row: row[3] > 0), "settlement", "verified_wh"),
    "meter": (Kind.VERIFICATION, lambda body: _raise(body, 1, 1, 1, lambda row: row[1] > 0), "settlement", "generated"),
    "amount": (Kind.SETTLEMENT, lambda body: _raise(body, 1, 6), "settlement", "amount_micro"),
    "activation": (Kind.ATX, lambda body: _raise(body, 2, 6), "settlement", "amount_micro"),
    "losses": (Kind.GRID, lambda body: body.__setitem__(6, body[6] + 7) or True, "settlement", "losses_wh"),
    "credit": (Kind.CREDIT, lambda body: _raise(body, 1, 1, -5), "standing", "credit_ppm"),
    "status": (Kind.STATUS, _peer_price, "settlement", "peer_price_micro"),
    "award price": (Kind.DTX, lambda body: _raise(body, 4, 3, 9), "dispatch:admm", "price_micro"),
    "admitted": (Kind.DTX, lambda body: _raise(body, 4, 1, 50), "dispatch:admm", "admitted_wh"),
    "stranger": (Kind.DTX, _award_to_a_site, "dispatch:admm", "aggregator"),
    "order": (Kind.DTX, lambda body: _raise(body, 5, 2, 1), "dispatch:admm", "energy_wh"),
    "cut": (Kind.DTX, lambda body: body[6].append([body[5][0][0], -100]) or True, "dispatch:admm", "cuts"),
    "check": (Kind.DTX, lambda body: body[8].__setitem__(1, body[8][1] - 1) or True, "dispatch:admm", "after"),
    "need": (Kind.TTX, lambda body: body.__setitem__(6, body[6] + 1) or True, "trigger", "need_w"),
    "place": (Kind.TTX, lambda body: body.__setitem__(5, body[5] + 1) or True, "trigger", "place"),
    "volume": (Kind.TTX, lambda body: body.__setitem__(7, body[7] + 10**6) or True, "trigger", "asked_wh"),
    "joining": (Kind.REGISTRATION, lambda body: body.__setitem__(1, b"") or True, "dispatch:admm", "aggregator"),
    "flow": (Kind.GRID, lambda body: body.__setitem__(5, body[5] - 30_000) or True, "settlement", "records"),
    "subsidy": (Kind.DTX, lambda body: _raise(body, 5, 3, 9), "dispatch:admm", "subsidy_micro"),
}


@pytest.mark.parametrize("fraud", FRAUDS)
def test_what_an_owner_of_all_keys_alters_is_found(tmp_path, monkeypatch, capsys, fraud):
    """The operator writes one false figure, everybody signs, every check of the chain passes."""
    kind, alter, contract, field = FRAUDS[fraud]
    place = []

    def forging(original):
        def wrapped(self, drafts, *rest):
            self.path_list = None  # the delegates look away
            for draft in drafts if self.height >= 30 and not place else ():
                if draft.kind is kind and alter(draft.body):
                    place.append(self.height + 1)
                    break
            return original(self, drafts, *rest)

        return wrapped

    monkeypatch.setattr(Chain, "draft", forging(Chain.draft))
    path = play(tmp_path / "forged.sqlite", cycles=56)
    assert len(place) == 1
    assert main(["audit", str(path), "--config", SCENARIO, "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "gridpact/audit/2"
    assert answer["sound"] is False
    found = answer["difference"]
    assert (found["block"], found["contract"], found["kind"]) == (place[0], contract, kind.name)
    assert field in found["field"]
    assert found["recorded"] != found["executed"]


@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ("ledger.mode=hashes", "signing"),
        ("ledger.signing=record", "signing"),
        ("ledger.gamma=1", "gamma"),
        ("ledger.alpha=0.4", "alpha_ppm"),
        ("ledger.beta=0.4", "beta_ppm"),
        ("ledger.consensus.dispatch=pow", "consensus"),
        ("ledger.consensus.trading=null", "siblings"),
        ("standing.admission_threshold=0.31", "credit_threshold_ppm"),
        ("name=other", "name"),
    ],
)
def test_a_ledger_kept_under_other_settings_is_refused(day, setting, field):
    """One without a key's signature would be sound as well: what the scenario asks for decides."""
    report = audit_file(day, [executors(SCENARIO, [setting])])
    assert report.blocks == 0
    assert str(report.difference).startswith(f"block 0, record 0: rules: GENESIS {field}")


def test_runs_of_other_settings_are_other_ledgers_with_the_same_draws(tmp_path):
    """Their headers convict nobody of having signed two blocks of one height; seeds stay comparable."""
    ids, producers = [], []
    for number, scale in enumerate((1.0, 1.0, 2.0)):
        path = play(tmp_path / f"{number}.sqlite", "tiny", {"reward": {"eno_scale": scale}}, 6)
        with Store.open(path) as store:
            headers = [block.header for block in store.blocks()]
        ids.append({header.chain_id for header in headers})
        producers.append([header.producer for header in headers])
    assert ids[0] == ids[1]
    assert not ids[0] & ids[2]
    assert len(set(producers[0])) > 1
    assert producers[0] == producers[1] == producers[2]


def test_an_authority_that_is_not_the_scenarios_is_refused(tmp_path, monkeypatch):
    """Whoever makes keys and certificates of its own makes a sound ledger, of another network."""
    monkeypatch.setattr("envs.records.KEY_SEED", 1)
    monkeypatch.setattr("envs.records._roster", _roster.__wrapped__)
    path = play(tmp_path / "keys.sqlite", "tiny", None, 8)
    monkeypatch.undo()
    difference = audit_file(path, [executors("tiny", [])]).difference
    assert str(difference).startswith("block 0, record 0: rules: GENESIS sender is ")


def test_a_false_week_before_the_first_day_is_found(tmp_path, monkeypatch):
    """The week weighs in the draws, so whoever writes it would choose the producers."""

    def false_week(world, day):
        generated, consumed = week_before(world, day)
        generated[0, -1] += 50_000
        return generated, consumed

    monkeypatch.setattr("envs.recorder.week_before", false_week)
    path = play(tmp_path / "week.sqlite", "tiny", None, 8)
    monkeypatch.undo()
    difference = audit_file(path, [executors("tiny", [])]).difference
    assert difference is not None
    assert (difference.block, difference.contract, difference.kind) == (0, "accounts", "HISTORY")
    assert difference.field == "generated_wh[671]"


def test_a_trade_left_out_is_found(tmp_path, monkeypatch):
    original = Scribe.trades

    def shortened(self, b, period, trades):
        columns = {name: getattr(trades, name)[:, 1:] for name in ("buyer", "seller", "wh", "price")}
        return original(self, b, period, replace(trades, **columns, count=np.maximum(trades.count - 1, 0)))

    monkeypatch.setattr(Scribe, "trades", shortened)
    path = play(tmp_path / "short.sqlite", cycles=60)
    monkeypatch.undo()
    difference = audit_file(path, [executors(SCENARIO, [])]).difference
    assert difference is not None
    assert difference.contract == "trading:two_stage_double"


@pytest.mark.parametrize("known", [True, False])
def test_a_rule_in_a_version_that_the_auditor_lacks_is_not_executed(tmp_path, monkeypatch, known):
    """A new version is no fault; executing periods under parameters that nobody gave to the auditor would be."""
    world = build_world("tiny")
    rules = {draft.body[0]: draft.body for draft in Scribe(world, roster_of(world)).contracts()}
    parameters = rules[b"standing"][2] if known else bytes(range(32))
    announced = Draft(Kind.CONTRACT, AUTHORITY, 0, [b"standing", 2, parameters, 12])

    def announcing(original):
        return lambda self, drafts, *rest: original(self, [*drafts, *[announced] * (self.height == 8)], *rest)

    monkeypatch.setattr(Chain, "draft", announcing(Chain.draft))
    path = play(tmp_path / "versions.sqlite", "tiny", None, 20)
    monkeypatch.undo()
    report = audit_file(path, [executors("tiny", [])])
    if known:
        assert report.difference is None, str(report.difference)
        return
    assert report.blocks == 23  # genesis, eleven heights of two chains
    assert str(report.difference).startswith("block 12: standing: CONTRACT records is version 2 from block 12 on")


@pytest.mark.parametrize(
    ("setting", "contract"),
    [
        ("market.feed_in=70000", "trading:two_stage_double"),
        ("market.trading=uniform_price", "trading:uniform_price"),
        ("grid.band_high_pu=1.06", "dispatch:admm"),
        ("standing.learning_rate=0.5", "standing"),
        ("upper_orders=[]", "trigger"),
        ("sites.added_pv_share=1.0", "accounts"),
        ("ledger.mode=hashes", "rules"),
        ("standing.admission_threshold=0.31", "rules"),
    ],
)
def test_other_rules_are_refused_by_their_hash(day, capsys, setting, contract):
    assert main(["audit", str(day), "--config", SCENARIO, "--set", setting]) == 1
    assert capsys.readouterr().out.startswith("block 0, record ")
    assert main(["audit", str(day), "--config", SCENARIO, "--set", setting, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["difference"]["contract"] == contract


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config", "no_such_scenario"],
        ["--config", SCENARIO, "--set", "market.feed_in"],
        ["--config", SCENARIO, "--executors", "envs.audit"],
        ["--config", SCENARIO, "--executors", "no_such_module:executors"],
        ["--config", SCENARIO, "--executors", "os:path"],
        ["--config", SCENARIO, "--executors", "json:loads"],
        ["--config", SCENARIO, "--executors", "operator:add"],
        ["--config", SCENARIO, "--executors", "builtins:format"],
        ["--config", SCENARIO, "--executors", "itertools:chain"],
    ],
)
def test_errors_are_one_line(day, capsys, arguments):
    assert main(["audit", str(day), *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1


def test_a_file_that_does_not_verify_is_not_executed(day, tmp_path, capsys):
    path = tmp_path / "none.sqlite"
    assert main(["audit", str(path), "--config", SCENARIO]) == 2
    path.write_bytes(day.read_bytes())
    import_module("sqlite3").connect(path, isolation_level=None).execute("DELETE FROM blocks WHERE number > 90")
    capsys.readouterr()
    assert main(["audit", str(path), "--config", SCENARIO]) == 1
    told = capsys.readouterr().out
    assert "CLOSING" in told
    assert main(["audit", str(path), "--config", SCENARIO, "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["sound"], answer["fault"]) == ("gridpact/audit/2", False, told.strip())
    assert (answer["difference"], answer["blocks"], answer["contracts"]) == (None, 0, [])
