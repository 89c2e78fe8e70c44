"""A few days of the year: counted like single days, balanced, audited; the command and its picture."""

from __future__ import annotations

import numpy as np
import pytest

from agents.policy import DEFAULT_RULES
from envs.settings import load_scenario
from evaluation import year as command
from evaluation.days import COUNTS, _balanced, _counted, audit_day, play_days
from evaluation.figures.year import month_of
from evaluation.measures import public_figures
from evaluation.playing import periods
from evaluation.runs import Job, play
from evaluation.year import play_year
from tests.envs.play import OFF, core_of

DAYS = np.array([20, 172, 200])


@pytest.fixture(scope="module")
def year():
    return play_year(load_scenario("tiny"), DEFAULT_RULES, days=DAYS.tolist(), audit_every=2, workers=1)


def test_a_day_in_the_batch_is_the_day_alone(year):
    scenario = load_scenario("tiny", {"calendar": {"first_day": 172, "last_day": 172}, "ledger": {"mode": "off"}})
    run = play(Job(scenario, DEFAULT_RULES, 172, "staged", None))
    assert run.day == 172
    assert year.balance[1].tolist() == run.book.balance.tolist()
    figures = public_figures(command.build_world(scenario), run.book)
    counted = {name: int(value[1]) for name, value in year.counts.items()}
    assert counted["violated_without"] == figures["violated_periods_without"]
    assert counted["violated_with"] == figures["violated_periods_with"]
    assert counted["own_without"] == figures["violated_periods_own_limits_without"]
    assert counted["own_with"] == figures["violated_periods_own_limits_with"]
    assert counted["events"] == figures["grid_events"]
    assert counted["ordered_wh"] == 1000 * figures["ordered_energy"]
    assert counted["verified_wh"] == 1000 * figures["verified_energy"]
    assert counted["violated_without"] > counted["violated_with"]


def test_every_period_converges_and_balances(year):
    assert set(year.counts) == set(COUNTS)
    assert (year.counts["periods"] == 96).all()
    assert (year.counts["converged"] == 96).all()
    for name in ("money_off", "paid_off", "losses_off"):
        assert not year.counts[name].any()
    assert (year.balance.sum(axis=1) == 0).all()


def test_audited_days_are_sound_and_end_with_the_same_balances(year):
    assert [each.day for each in year.audited] == [20, 200]
    assert all(each.sound and each.difference == "" for each in year.audited)
    assert [each.balance for each in year.audited] == [year.balance[k].tolist() for k in (0, 2)]
    text = "\n".join(command.findings(year))
    assert "Of 288 periods 288 have a solution" in text
    assert "Of 2 days" in text


def test_books_that_do_not_balance_are_counted():
    core = core_of("tiny", OFF, cycles=60)
    core.reset(np.arange(3, dtype=np.uint64))
    trace = list(periods(core, command.make_policies(core.world.scenario, None)))[-1]
    money, paid = _balanced(core.world, trace)
    assert money.all()
    assert not paid.any()
    trace.payments.rows[1, 0, 5] += 1  # a transfer that no balance knows
    trace.verdict.generated_wh[2, 0] += 1  # a Wh that nobody was paid for
    money, paid = _balanced(core.world, trace)
    assert money.tolist() == [True, False, True]
    assert paid.tolist() == [0, 0, 1]
    assert not np.any(_counted(core.world, trace)["losses_off"])
    trace.verdict.losses_wh[0] += 1  # a Wh that was accepted but not injected
    trace.energy.technical_loss_wh[2] = trace.verdict.losses_wh[2] = -1  # a net that gains energy
    assert np.asarray(_counted(core.world, trace)["losses_off"]).tolist() == [True, False, True]


def test_a_small_lie_that_is_accepted_shows_in_the_losses():
    lying = load_scenario("tiny", {"malicious": {"false_meter": {"count": 2, "intensity": 0.04}}})
    counts, _ = play_days(lying, DEFAULT_RULES, "staged", 0, DAYS[1:2])
    assert counts["losses_off"][0] > 0
    assert counts["money_off"][0] == counts["paid_off"][0] == 0  # paid as accepted


def test_the_number_of_workers_and_batches_changes_nothing(year, monkeypatch):
    monkeypatch.setattr(command, "BATCH", 2)
    again = play_year(load_scenario("tiny"), DEFAULT_RULES, days=DAYS.tolist(), audit_every=3, workers=1)
    assert np.array_equal(again.balance, year.balance)
    assert all(np.array_equal(again.counts[name], year.counts[name]) for name in COUNTS)
    assert [each.day for each in again.audited] == [20]


def test_months_of_a_leap_year_and_of_another():
    assert month_of(np.array([0, 30, 31, 59, 60, 365]), 366).tolist() == [0, 0, 1, 1, 2, 11]
    assert month_of(np.array([58, 59, 364]), 365).tolist() == [1, 2, 11]


def test_the_command_writes_table_and_picture(tmp_path, capsys):
    out, picture = tmp_path / "year.md", tmp_path / "year.svg"
    words = [
        "tiny",
        "--days",
        "2",
        "--audit-every",
        "2",
        "--workers",
        "1",
        "--out",
        str(out),
        "--picture",
        str(picture),
    ]
    assert command.main(words) == 0
    text = out.read_text("utf-8")
    assert "| January | 2 |" in text
    assert "Of 192 periods 192" in text
    assert picture.read_text("utf-8").startswith("<?xml")
    assert command.main(["nowhere"]) == 2
    assert command.main([*words[:-1], str(tmp_path / "year.gif")]) == 2
    assert "a picture is a file .svg or .png" in capsys.readouterr().err


def test_a_day_whose_ledger_is_audited_stands_alone():
    found = audit_day(load_scenario("tiny"), DEFAULT_RULES, "staged", 5, 11)
    _, balance = play_days(load_scenario("tiny"), DEFAULT_RULES, "staged", 5, np.array([11]))
    assert found.sound
    assert found.balance == balance[0].tolist()
