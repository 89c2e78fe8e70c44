"""Producers that cheat in the turns of a played day: caught, named, punished, the same with and without a ledger."""

import json

import numpy as np
import pytest

from envs.audit import executors
from envs.types import PPM
from ledger.__main__ import main
from ledger.audit import audit_file
from ledger.faults import FaultCode
from ledger.kinds import Kind
from ledger.store import Store
from ledger.verify import verify_file
from tests.envs.play import by_rules, core_of, episode

CHAINS = {"dispatch": "poe", "trading": "scored_dpos", "credit": "pos"}
BEHAVIOURS = {"queue_jumper": 2, "equivocating_producer": 2}
PERIODS = 20


def play(behaviours, mode, path=None, consensus=None):
    settings = {
        "ledger": {"mode": mode, "consensus": consensus or CHAINS},
        "malicious": {name: {"count": count} for name, count in behaviours.items()},
    }
    core = core_of("tiny", settings, PERIODS, None if path is None else str(path))
    return core, episode(core, by_rules(core), (1,))


def records_of(path, *kinds):
    with Store.open(path) as store:
        return [(block.header, r) for block in store.blocks() for r in block.records if r.kind in kinds]


@pytest.fixture(scope="module", params=BEHAVIOURS)
def day(request, tmp_path_factory):
    """(behaviour, core, traces, path) of a day with two who play it, in three chains."""
    path = tmp_path_factory.mktemp("turns") / "day.sqlite"
    return request.param, *play({request.param: 2}, "full", path), path


def test_the_ledger_is_sound_and_follows(day):
    _, _, _, path = day
    assert verify_file(path).sound, verify_file(path).fault
    report = audit_file(path, [executors("tiny", [f"ledger.consensus={json.dumps(CHAINS)}"])])
    assert report.difference is None, str(report.difference)


def test_who_cheats_is_refused_and_pays(day):
    name, core, traces, path = day
    fault = {"queue_jumper": FaultCode.UNWITNESSED, "equivocating_producer": FaultCode.EQUIVOCATION}[name]
    found = records_of(path, Kind.REFUSAL)
    assert found
    assert {record.body[3] for _, record in found} == {fault}
    cast = core.state.malicious[0]
    told = [(trace.period + 1, site) for trace in traces for site in trace.refused[0]]
    sites = core.recorder.books[0].scribe.addresses
    assert sorted(told) == sorted((r.body[0], sites.index(r.body[2])) for _, r in found)
    assert all(cast[site] == 0 for _, site in told)
    penalty_ppm = round(core.world.scenario.standing.forged_block_penalty * PPM)
    first = next(trace for trace in traces if trace.refused[0])
    initial = np.full_like(first.credit_ppm, round(core.world.scenario.standing.initial_credit * PPM))
    before = traces[first.period - 1].credit_ppm if first.period else initial
    assert (before - first.credit_ppm)[0, first.refused[0][0]] == penalty_ppm


def test_a_jumper_seals_only_in_its_own_turn_and_is_passed_over_after_a_jump(tmp_path):
    path = tmp_path / "jump.sqlite"
    core, traces = play({"queue_jumper": 3}, "full", path)
    with Store.open(path) as store:
        headers = {(block.header.chain_id, block.header.height): block.header for block in store.blocks()}
    early = records_of(path, Kind.REFUSAL)
    assert len({header.chain_id for header, _ in early}) == 3
    for header, record in early:
        height, round_number, guilty = record.body[:3]
        assert header.height == height + 1  # the block that was sealed could not hold it: it was signed by then
        assert headers[header.chain_id, height].round < round_number
        assert guilty not in (header.producer, headers[header.chain_id, height].producer)
    sealed = {trace.producer[0] for trace in traces}
    assert sealed & set(np.flatnonzero(core.state.malicious[0] == 0).tolist())  # honest in a turn of its own


def test_an_equivocator_is_convicted_by_both_headers_and_neither_produces_nor_votes_again(tmp_path, capsys):
    path = tmp_path / "two.sqlite"
    core, _ = play({"equivocating_producer": 2}, "full", path)
    evidence = records_of(path, Kind.EQUIVOCATION)
    refused = {r.body[2]: header.height for header, r in reversed(records_of(path, Kind.REFUSAL))}
    assert {record.body[0] for _, record in evidence} == set(refused)
    chain = core.recorder.books[0].chain
    assert chain.state.equivocators == set(refused)
    for header, record in evidence:
        guilty = record.body[0]
        assert header.height == refused[guilty] + 1  # brought by who took its first lost turn over
        assert record.sender != guilty
        later = records_of(path, Kind.READING, Kind.REFUSAL)
        assert not [r for h, r in later if r.kind is Kind.REFUSAL and h.height > header.height and r.body[2] == guilty]
        assert [r for h, r in later if h.height > header.height and r.sender == guilty]  # it is still metered
        with Store.open(path) as store:
            after = [block for block in store.blocks() if block.header.height > header.height]
        assert guilty not in {block.header.producer for block in after}
        assert guilty not in {vote.validator for block in after for vote in block.votes}
    assert main(["show", str(path), "--block", str(evidence[0][0].height)]) == 0
    assert "kind: EQUIVOCATION" in capsys.readouterr().out
    assert main(["show", str(path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [row["block"] for row in shown["convicted"]] == [header.height for header, _ in evidence]
    assert {row["fault"] for row in shown["refused"]} == {"EQUIVOCATION"}
    assert {row["producer"] for row in shown["convicted"]} == {row["producer"] for row in shown["refused"]}
    assert {row["chain"] for row in shown["refused"]} <= set(CHAINS)


@pytest.mark.parametrize("consensus", [CHAINS, {"dispatch": "dpos", "trading": "first_success", "credit": None}])
def test_all_modes_draw_refuse_and_pay_alike(consensus):
    cheats = BEHAVIOURS | {"forging_producer": 1, "false_settlement": 1}
    outcomes = []
    for mode in ("full", "hashes", "off"):
        core, traces = play(cheats, mode, None, consensus)
        found = [t.refused for t in traces], [t.producer.tolist() for t in traces], core.state.balance.tolist()
        outcomes.append((*found, core.state.credit_ppm.tolist()))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    cast = core.state.malicious[0]
    assert {int(cast[site]) for t in traces for site in t.refused[0]} == {0, 1, 2, 3}, "not all were caught"
