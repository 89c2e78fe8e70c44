import subprocess
import sys
from pathlib import Path

import pytest

from envs.config import SettingsError, parse_overrides
from envs.settings import load_scenario
from envs.world import build_world

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"market": {"feed_inn": 1}}, ["market.feed_inn", "did you mean feed_in", "retail"]),
        ({"market": {"feed_in": -1}}, ["market.feed_in", "-1", "greater than or equal to 0"]),
        ({"market": {"feed_in": "cheap"}}, ["market.feed_in", "cheap", "integer"]),
        ({"market": {"feed_in": 500_000}}, ["market", "feed_in < retail <= max_price"]),
        ({"calendar": {"first_day": 900}}, ["calendar.first_day", "900", "365"]),
        ({"calendar": {"first_day": 100, "last_day": 99}}, ["last_day must be at least first_day (100)"]),
        ({"ledger": {"mode": "paper"}}, ["ledger.mode", "paper", "'full', 'hashes' or 'off'"]),
        ({"malicious": {"false_meter": {"count": 0}}}, ["malicious.false_meter.count", "greater than or equal to 1"]),
        ({"upper_orders": [{"start_period": 3}]}, ["upper_orders.0.periods", "required"]),
    ],
)
def test_one_line_names_file_key_value_and_what_is_allowed(overrides, words):
    with pytest.raises(SettingsError) as error:
        load_scenario("tiny", overrides)
    text = str(error.value)
    assert "\n" not in text
    for word in ["tiny.yaml", *words]:
        assert word in text


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"grid": {"net": "simbench:1-LV-rural9"}}, ["grid.net", "1-LV-rural9"]),
        ({"grid": {"net": "pandapower:case9"}}, ["grid.net", "case9"]),
        ({"malicious": {"false_meter": {"count": 5}, "non_delivery": {"count": 3}}}, ["8 malicious of 6 sites"]),
        ({"malicious": {"false_metre": {"count": 1}}}, ["malicious.false_metre", "did you mean false_meter"]),
        ({"market": {"request": "listing"}}, ["market.request", "listing", "award", "fpsa"]),
        ({"market": {"dispatch": "magic"}}, ["market.dispatch", "admm"]),
        ({"ledger": {"consensus": "pod"}}, ["ledger.consensus.dispatch", "pod", "poe"]),
        ({"ledger": {"consensus": {"credit": "pod"}}}, ["ledger.consensus.credit", "pod", "scored_dpos"]),
    ],
)
def test_what_only_the_world_can_refute(overrides, words):
    from envs.core import Core

    with pytest.raises(SettingsError) as error:
        Core(build_world("tiny", overrides))
    text = str(error.value)
    assert "\n" not in text
    for word in words:
        assert word in text


def test_overrides_read_yaml_and_win_over_the_file():
    scenario = load_scenario("rural_day_malicious", parse_overrides(["market.feed_in=90000", "grid.band_high_pu=1.04"]))
    assert scenario.market.feed_in == 90_000
    assert scenario.grid.band_high_pu == 1.04
    assert scenario.malicious["false_quote"].count == 2
    assert scenario.calendar.first_day == load_scenario("rural_day").calendar.first_day  # the file it extends
    with pytest.raises(SettingsError, match=r"write key\.subkey=value"):
        parse_overrides(["feed_in"])


def test_a_business_may_have_a_rule_a_chain_or_none():
    plain = load_scenario("tiny").ledger.consensus
    assert dict(plain) == {"dispatch": "poe", "trading": "scored_dpos", "credit": None}
    for given, found in (
        ("pow", {"dispatch": "pow", "trading": None, "credit": None}),
        ("{credit: pos}", {"dispatch": "poe", "trading": "scored_dpos", "credit": "pos"}),
        ("{trading: off}", {"dispatch": "poe", "trading": None, "credit": None}),
    ):
        assert dict(load_scenario("tiny", parse_overrides([f"ledger.consensus={given}"])).ledger.consensus) == found
    with pytest.raises(SettingsError, match=r"consensus\.gossip is not a setting .*credit, dispatch, trading"):
        load_scenario("tiny", parse_overrides(["ledger.consensus.gossip=poe"]))
    with pytest.raises(SettingsError, match=r"consensus\.dispatch"):
        load_scenario("tiny", parse_overrides(["ledger.consensus.dispatch=null"]))


def test_a_bare_off_is_what_it_says():
    assert load_scenario("tiny", parse_overrides(["ledger.mode=off"])).ledger.mode == "off"


def test_settings_are_frozen():
    scenario = load_scenario("tiny")
    with pytest.raises(ValueError, match="frozen"):
        scenario.market.feed_in = 3


@pytest.mark.parametrize("program", ["evaluate.py"])
def test_programs_exit_with_two_and_one_line(program, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("grid: {nett: x}\n")
    run = subprocess.run(
        [sys.executable, program, str(bad), "--out", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    assert "grid.nett" in run.stderr
    assert "bad.yaml" in run.stderr


def test_files_that_extend_each_other_or_double_a_key_are_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(SettingsError, match=r"extends itself"):
        load_scenario(tmp_path / "a.yaml")
    (tmp_path / "c.yaml").write_text("market:\n  feed_in: 1\n  feed_in: 2\n")
    with pytest.raises(SettingsError, match=r"feed_in is there twice"):
        load_scenario(tmp_path / "c.yaml")


def test_late_errors_name_the_file_too():
    for overrides in ({"grid": {"net": "case:nowhere"}}, {"market": {"trading": "nothing"}}):
        from envs.core import Core

        with pytest.raises(SettingsError, match=r"tiny\.yaml"):
            Core(build_world("tiny", overrides))


def test_what_would_be_ignored_is_refused(tmp_path):
    order = {"start_period": 3, "periods": 1, "direction": "up", "power_kw": 1.0, "price": 1}
    with pytest.raises(SettingsError, match=r"two orders start in period 3"):
        load_scenario("tiny", {"upper_orders": [order, order]})
    with pytest.raises(SettingsError, match=r"nowhere is not a folder"):
        load_scenario("tiny", {"plugins": [str(tmp_path / "nowhere")]})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def settle(): pass", "does not define clear()"),
        ("import nothing_like_this", "cannot be imported: ModuleNotFoundError"),
        ("def clear(:", "cannot be imported: SyntaxError"),
    ],
)
def test_a_broken_plug_in_is_one_line(tmp_path, text, words):
    from envs.mechanisms import mechanisms_of

    (tmp_path / "market").mkdir()
    (tmp_path / "market" / "mine.py").write_text(text)
    scenario = load_scenario("tiny", {"plugins": [str(tmp_path)], "market": {"trading": "mine"}})
    with pytest.raises(SettingsError) as error:
        mechanisms_of(scenario)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_mechanism_that_clears_nothing_is_one_line(tmp_path):
    from tests.envs.play import OFF, by_rules, core_of, episode

    (tmp_path / "market").mkdir()
    (tmp_path / "market" / "forgetful.py").write_text("def clear(orders, tariffs):\n    pass\n")
    core = core_of("tiny", {**OFF, "plugins": [str(tmp_path)], "market": {"trading": "forgetful"}})
    with pytest.raises(
        SettingsError, match=r"tiny\.yaml: market\.trading = 'forgetful': clear\(\) returned a NoneType"
    ):
        episode(core, by_rules(core))


def test_a_plug_in_may_import_its_function(tmp_path):
    from envs.mechanisms import mechanisms_of

    (tmp_path / "market").mkdir()
    (tmp_path / "market" / "borrowed.py").write_text("from envs.market.feed_in import clear\n")
    scenario = load_scenario("tiny", {"plugins": [str(tmp_path)], "market": {"trading": "borrowed"}})
    assert mechanisms_of(scenario).trading.__name__.startswith("gridpact_plugin")
