from __future__ import annotations

from pathlib import Path

import pytest

from agents.learning.settings import TrainingSettings, check_resumable, load_training
from envs.config import SettingsError, parse_overrides
from envs.settings import CONFIG_ROOT


@pytest.mark.parametrize("name", sorted(path.stem for path in (CONFIG_ROOT / "training").glob("*.yaml")))
def test_shipped_files_load_and_train_without_a_ledger(name: str) -> None:
    settings = load_training(name)
    assert settings.overrides["ledger"] == {"mode": "off"}
    assert settings.policies.learned == ("prosumer", "aggregator", "eno")


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("ppo.lrr=1", "ppo.lrr is not a setting; did you mean lr"),
        ("ppo.clip=1.5", "ppo.clip = 1.5"),
        ("ppo.minibatch_size=5000", r"minibatch_size must be at most train_batch_size \(960\)"),
        ("game=turns", "game = 'turns'"),
        ("scenario=nowhere", "nowhere.yaml: no such file"),
        ("overrides.market.feed_in=-1", "market.feed_in = -1"),
        ("policies.eno=nobody", "nobody"),
        ("policies.prosumer=markup", "policies"),
        ("seed=-1", "seed = -1"),
    ],
)
def test_an_impossible_value_is_one_line_that_names_it(pair: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        load_training("tiny", parse_overrides([pair]))
    assert "\n" not in str(caught.value)
    assert "tiny.yaml" in str(caught.value)


def test_somebody_has_to_learn() -> None:
    rules = parse_overrides(["policies.prosumer=idle", "policies.aggregator=idle", "policies.eno=idle"])
    with pytest.raises(SettingsError, match="at least one role"):
        load_training("tiny", rules)


def test_a_resumed_run_keeps_what_it_learns(settings: TrainingSettings) -> None:
    longer = settings.model_copy(update={"iterations": 99, "save_every": 1})
    check_resumable(settings, longer, Path("run"))
    other = settings.model_copy(update={"ppo": settings.ppo.model_copy(update={"lr": 0.5})})
    with pytest.raises(SettingsError, match=r"run: --resume needs .* ppo.lr was 0.001, now 0.5"):
        check_resumable(settings, other, Path("run"))
