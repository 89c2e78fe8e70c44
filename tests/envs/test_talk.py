"""The safety check run by the nodes' messages: the power flow's decisions and bytes, on the ledger, audited."""

from __future__ import annotations

import numpy as np
import pytest

from envs.audit import executors
from envs.config import SettingsError
from envs.phases import talk
from envs.types import BROKEN, MESSAGES, ROUNDS, TICKS
from envs.world import build_world
from evaluation.checks import check_tables
from evaluation.ledger_figures import read_daybook
from evaluation.report import render_report
from ledger.audit import audit_file
from tests.envs.play import OFF, by_rules, core_of, episode
from tests.evaluation.conftest import study_in

NOON = 52
TALK = [ROUNDS, MESSAGES, TICKS]


def by(check: str, delay_ticks: int = 0, **grid: object) -> dict:
    return {"grid": {"check": check, "check_delay_ticks": delay_ticks, **grid}}


def day(overrides: dict, seeds=(0,), net: str = "six_node"):
    core = core_of(net, {**OFF, **overrides}, NOON)
    return core, episode(core, by_rules(core), seeds)


@pytest.mark.parametrize(
    ("net", "delay_ticks", "reactive"),
    [("six_node", 0, "none"), ("six_node", 5, "none"), ("six_node", 0, "q_of_u"), ("rural_day", 0, "agent")],
)
def test_the_nodes_decide_what_the_kernel_decides(net: str, delay_ticks: int, reactive: str) -> None:
    alone, expected = day(by("kernel", reactive=reactive), net=net)
    nodes, found = day(by("messages", delay_ticks, reactive=reactive), net=net)
    checked = 0
    for one, other in zip(expected, found, strict=True):
        ours, theirs = one.plan.passes.copy(), other.plan.passes.copy()
        assert not ours[..., TALK].any()
        made = np.arange(ours.shape[2]) <= other.plan.loops[..., None]
        asked = made & (other.stage.asked_wh > 0)[..., None]
        assert (theirs[asked][:, TALK] > 0).all()
        assert not theirs[~asked][:, TALK].any()
        checked += int(asked.sum())
        theirs[..., TALK] = 0
        assert np.array_equal(ours, theirs)
        assert np.array_equal(one.plan.ordered_wh, other.plan.ordered_wh)
        assert other.plan.apart_pu.max() <= (talk.AGREED_PU if delay_ticks else 0.0)
    assert checked > 8
    assert np.array_equal(alone.state.balance, nodes.state.balance)


def test_an_event_counts_the_talk_of_all_its_periods() -> None:
    core, traces = day(by("messages"), (1,))
    links = core.world.feeder.bus_count - 1
    seen = set()
    for trace in traces:
        if trace.stage.asked_wh[0, 0] > 0:
            rounds, messages, ticks = trace.plan.passes[0, 0, 0, TALK].tolist()
            periods = int(trace.stage.duration[0, 0])
            assert messages == 2 * links * (rounds + periods)  # and once more for the last report and the verdict
            assert ticks == 2 * 4 * (rounds + periods)  # node 6 is four branches away
            seen.add(periods)
    assert seen == {1, 2}


@pytest.mark.parametrize("delay_ticks", [0, 4])
def test_a_world_in_a_batch_talks_as_it_does_alone(delay_ticks: int) -> None:
    overrides = {**by("messages", delay_ticks), "ledger": {"mode": "hashes"}}
    batch = core_of("six_node", overrides, NOON)
    episode(batch, by_rules(batch), (3, 4))
    for b, seed in enumerate((3, 4)):
        single = core_of("six_node", overrides, NOON)
        episode(single, by_rules(single), (seed,))
        assert single.recorder.heads[0] == batch.recorder.heads[b]
    assert batch.recorder.heads[0] != batch.recorder.heads[1]


@pytest.mark.parametrize("delay_ticks", [0, 4])
def test_the_talk_is_on_the_ledger_and_the_audit_repeats_it(tmp_path, delay_ticks: int) -> None:
    path = tmp_path / "day.sqlite"
    core = core_of("six_node", by("messages", delay_ticks), NOON, str(path))
    episode(core, by_rules(core), (7,))
    settings = ["grid.check=messages", f"grid.check_delay_ticks={delay_ticks}"]
    assert audit_file(path, [executors("six_node", settings)]).difference is None
    passes = np.concatenate([page.passes for page in read_daybook(path).events])
    assert passes.shape[1] == BROKEN
    assert (passes[:, TALK] > 0).all()


def test_nodes_that_contradict_the_power_flow_decide_nothing(monkeypatch) -> None:
    honest = talk.exchange

    def elsewhere(*args):
        found = honest(*args)
        return found._replace(voltage=found.voltage + 2e-9)

    monkeypatch.setattr(talk, "exchange", elsewhere)
    with pytest.raises(ArithmeticError, match="pu apart; 1e-09 is allowed"):
        day(by("messages"))


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ({"net": "case:ring", "check": "messages"}, ["grid.check = 'messages'", "case:ring has loops", "kernel"]),
        ({"check_delay_ticks": 3}, ["grid", "check_delay_ticks = 3 needs check: messages"]),
        ({"check": "messages", "check_delay_ticks": 3, "reactive": "q_of_u"}, ["q_of_u settle in rounds only"]),
        ({"check": "post"}, ["grid.check", "'kernel' or 'messages'"]),
    ],
)
def test_what_cannot_be_checked_so_is_refused_by_name(grid: dict, words: list[str]) -> None:
    with pytest.raises(SettingsError) as error:
        build_world("tiny", {"grid": grid})
    for word in words:
        assert word in str(error.value)


def test_the_report_shows_every_check(tmp_path) -> None:
    core = core_of("six_node", {**OFF, "calendar": {"periods": NOON}})
    study = study_in(tmp_path, [core.world.scenario], seeds=(0,))
    (table,) = check_tables(study)
    passes = [page.passes for page in study.parts[0].runs[0].book.events]
    assert len(table.rows) == sum(map(len, passes)) > 8
    assert {row[-1] for row in table.rows} == {"yes"}
    html = render_report(study)
    assert "run by the nodes' messages" in html
    assert f'<td class="n">{table.rows[0][3]}</td>' in html
