"""Training settings: typed and checked like a scenario's; the files are in ``configs/training``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from agents.policy import ROLES, make_policies
from envs.config import Section, SettingsError, config_file, merge, read_yaml, validate
from envs.settings import CONFIG_ROOT, Fraction, NotNegative, Positive, Scenario, load_scenario

LEARN = "learn"
Count = Annotated[int, Field(ge=1)]


class RolePolicies(Section):
    """Who plays a role: ``learn``, or a rule's name or a checkpoint folder that stays as it is."""

    prosumer: str = LEARN
    aggregator: str = LEARN
    eno: str = LEARN

    @model_validator(mode="after")
    def _somebody_learns(self) -> RolePolicies:
        if not self.learned:
            raise ValueError(f"at least one role must be played by {LEARN!r}")
        return self

    @property
    def learned(self) -> tuple[str, ...]:
        """Roles that learn, in the order of the parallel face."""
        return tuple(role for role in ROLES if getattr(self, role) == LEARN)

    @property
    def fixed(self) -> dict[str, str]:
        """Roles that do not learn → rule name or checkpoint folder."""
        return {role: getattr(self, role) for role in ROLES if getattr(self, role) != LEARN}


class PpoSettings(Section):
    """Proximal policy optimisation (Schulman et al. 2017); one network a role, agents of a role share it."""

    train_batch_size: Count = 1920  # periods played an iteration; rounded up to whole episodes
    minibatch_size: Count = 1024  # agent steps of a role
    epochs: Count = 6
    lr: Positive = 5e-4
    gamma: Fraction = 0.97
    gae_lambda: Fraction = 0.9
    clip: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2
    entropy: NotNegative = 0.0
    grad_clip: Positive = 1.0
    hidden: Annotated[tuple[Count, ...], Field(min_length=1, max_length=8)] = (64, 64)
    exploration_std: Positive = 0.5  # of an action at the start; the box is [-1, 1]

    @model_validator(mode="after")
    def _batches(self) -> PpoSettings:
        if self.minibatch_size > self.train_batch_size:
            raise ValueError(f"minibatch_size must be at most train_batch_size ({self.train_batch_size})")
        return self


class TrainingSettings(Section):
    """Everything that defines a training run."""

    name: str = "default"
    scenario: str = "rural_day"
    # Single scenario settings that win over its file. A chain costs time and changes no reward.
    overrides: dict[str, Any] = Field({"ledger": {"mode": "off"}})
    game: Literal["simultaneous", "staged"] = "simultaneous"
    policies: RolePolicies = RolePolicies()
    iterations: Count = 30
    save_every: Count = 10
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    num_env_runners: Annotated[int, Field(ge=0, le=64)] = 0  # 0: episodes are played in the training process
    ppo: PpoSettings = PpoSettings()


def load_training(config: str | Path, overrides: Mapping[str, Any] | None = None) -> TrainingSettings:
    """Training settings from a YAML file or a name under ``configs/training``, single keys replaced by ``overrides``.

    Raises:
        SettingsError: one line naming file, key, value and what is allowed; the scenario and the policies that do not
            learn are checked too.
    """
    path = config_file(config, CONFIG_ROOT / "training")
    values = merge(read_yaml(path), overrides or {})
    values.setdefault("name", path.stem)
    settings = validate(TrainingSettings, values, str(path))
    try:
        scenario = scenario_of(settings)
    except SettingsError as error:
        raise SettingsError(f"{path}: scenario: {error}") from None
    try:
        make_policies(scenario, settings.policies.fixed)
    except SettingsError as error:
        raise SettingsError(f"{path}: policies: {error}") from None
    return settings


def scenario_of(settings: TrainingSettings) -> Scenario:
    """The scenario that is trained on, overrides applied. Raises SettingsError when it cannot be."""
    return load_scenario(settings.scenario, settings.overrides)


def check_resumable(before: TrainingSettings, now: TrainingSettings, folder: Path) -> None:
    """A resumed run may differ in length and in how often it saves, in nothing else.

    Raises:
        SettingsError: naming the first setting that differs.
    """
    free = {"name", "iterations", "save_every", "num_env_runners"}
    old_keys, new_keys = _flat(before.model_dump(exclude=free)), _flat(now.model_dump(exclude=free))
    for key in sorted(old_keys.keys() | new_keys.keys()):
        old, new = old_keys.get(key), new_keys.get(key)
        if old != new:
            raise SettingsError(f"{folder}: --resume needs the settings of before; {key} was {old!r}, now {new!r}")


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested mapping → {"ppo.lr": …}."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{before}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat
