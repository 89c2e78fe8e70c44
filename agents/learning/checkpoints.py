"""Portable checkpoints: one folder a role with weights and a card that says what they are for.

    checkpoints/NAME/prosumer/policy.json    role, game, columns, architecture, digest of the weights, training settings
    checkpoints/NAME/prosumer/weights.npz    plain arrays, no pickle
    checkpoints/NAME/rllib/                  the trainer's own state, needed by ``train.py --resume`` only

Playing one needs neither ray nor torch. There is no observation normaliser to keep: observations are of order 1
by design.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agents.learning.player import LearnedPolicy
from agents.learning.settings import TrainingSettings, scenario_of
from envs.actions import action_tables
from envs.config import Section, SettingsError, validate
from envs.settings import Scenario
from envs.sights import observation_tables

F32 = NDArray[np.float32]
CARD, WEIGHTS = "policy.json", "weights.npz"
FORMAT = 1


class ActionRange(Section):
    """An action column: what ±1 means."""

    name: str
    low: float
    high: float


class Card(Section):
    """What a checkpoint is: enough to play it and to refuse worlds that it does not fit."""

    format: Literal[1]
    role: Literal["prosumer", "aggregator", "eno"]
    game: Literal["simultaneous", "staged"]
    scenario: str
    iteration: int
    periods: int  # played until then
    activation: Literal["tanh"]
    hidden: tuple[int, ...]
    observations: tuple[str, ...]
    actions: tuple[ActionRange, ...]
    weights_sha256: str
    training: dict[str, Any]


def digest(weights: Mapping[str, F32]) -> str:
    """SHA-256 over names, shapes and bytes of the arrays, hex."""
    sha = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name], "<f4")
        sha.update(f"{name}{array.shape}".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


def _action_ranges(scenario: Scenario, role: str) -> tuple[ActionRange, ...]:
    return tuple(ActionRange(name=c.name, low=c.low, high=c.high) for c in action_tables(scenario)[role])


def _observation_names(scenario: Scenario, role: str) -> tuple[str, ...]:
    return tuple(column.name for column in observation_tables(scenario)[role])


def save_policy(
    folder: Path, weights: Mapping[str, F32], role: str, settings: TrainingSettings, iteration: int, periods: int
) -> None:
    """Write the checkpoint of one role to ``folder``; the card comes last, so a broken save is noticed on loading."""
    scenario = scenario_of(settings)
    card = Card.model_validate({
        "format": FORMAT,
        "role": role,
        "game": settings.game,
        "scenario": scenario.name,
        "iteration": iteration,
        "periods": periods,
        "activation": "tanh",
        "hidden": settings.ppo.hidden,
        "observations": _observation_names(scenario, role),
        "actions": _action_ranges(scenario, role),
        "weights_sha256": digest(weights),
        "training": settings.model_dump(mode="json"),
    })  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / WEIGHTS, **{name: np.asarray(array, np.float32) for name, array in weights.items()})  # type: ignore[arg-type]
    (folder / CARD).write_text(json.dumps(card.model_dump(mode="json"), indent=1) + "\n", encoding="utf-8")


def load_policy(path: Path | str, scenario: Scenario, role: str) -> LearnedPolicy:
    """A trained policy for ``role`` of ``scenario``.

    Args:
        path: the role's own folder, or the folder of the training run that holds it.

    Raises:
        SettingsError: no such checkpoint, another role's, broken, or made for a world with other columns.
    """
    folder = _role_folder(Path(path), role)
    card = read_card(folder)
    if card.role != role:
        raise SettingsError(f"{folder}: a checkpoint of {card.role} cannot play {role}")
    _check_columns(folder, card, scenario)
    return LearnedPolicy(_read_weights(folder, card), role, card.game)


def require_game(policy: object, game: str, allow: bool = False) -> None:
    """Refuse a policy that was trained on another game than the one to be played, unless it is asked for.

    Rules play both games and always pass.

    Raises:
        SettingsError: naming both games.
    """
    trained = getattr(policy, "game", None)
    if trained is not None and trained != game and not allow:
        role = getattr(policy, "role", "a policy")
        raise SettingsError(f"{role}: the checkpoint was trained on the {trained} game, to be played is the {game} one")


def _role_folder(path: Path, role: str) -> Path:
    for folder in (path / role, path):
        if (folder / CARD).is_file():
            return folder
    there = sorted(card.parent.name for card in path.glob(f"*/{CARD}"))
    hint = f" (it holds: {', '.join(there)})" if there else ""
    raise SettingsError(f"{path}: no checkpoint of {role}{hint}; {CARD} is expected in it or in {path / role}")


def weights_digest(path: Path | str, role: str) -> str:
    """SHA-256 of a role's weights, hex, as its card states it. Raises SettingsError where there is no checkpoint."""
    return read_card(_role_folder(Path(path), role)).weights_sha256


def read_card(folder: Path) -> Card:
    """The card of a role's checkpoint. Raises SettingsError when it is not one."""
    try:
        values = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise SettingsError(f"{folder / CARD}: not readable: {error}") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{folder / CARD}: a mapping is expected, not {type(values).__name__}")
    return validate(Card, values, str(folder / CARD))


def _check_columns(folder: Path, card: Card, scenario: Scenario) -> None:
    """A policy reads and sets columns by position: names must agree, and ranges of actions too."""
    for kind, trained, here in (
        ("observation", card.observations, _observation_names(scenario, card.role)),
        ("action", tuple(c.name for c in card.actions), tuple(c.name for c in _action_ranges(scenario, card.role))),
    ):
        if trained != here:
            unknown, new = [c for c in trained if c not in here], [c for c in here if c not in trained]
            parts = [f"only the checkpoint has {', '.join(unknown)}"] if unknown else []
            parts += [f"only the scenario has {', '.join(new)}"] if new else []
            what = "; ".join(parts) or "they are the same in another order"
            raise SettingsError(
                f"{folder}: {card.role}'s {kind} columns differ from those of scenario {scenario.name}: {what}"
            )
    for then, now in zip(card.actions, _action_ranges(scenario, card.role), strict=True):
        if then != now:
            raise SettingsError(
                f"{folder}: action {now.name} was trained on the range {then.low:g} … {then.high:g}; "
                f"in scenario {scenario.name} it is {now.low:g} … {now.high:g}"
            )


def _read_weights(folder: Path, card: Card) -> dict[str, F32]:
    try:
        with np.load(folder / WEIGHTS, allow_pickle=False) as archive:
            weights = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise SettingsError(f"{folder / WEIGHTS}: not readable: {error}") from None
    sizes = [len(card.observations), *card.hidden, len(card.actions)]
    shapes: dict[str, tuple[int, ...]] = {}
    for k in range(len(sizes) - 1):
        shapes[f"weight_{k}"], shapes[f"bias_{k}"] = (sizes[k], sizes[k + 1]), (sizes[k + 1],)
    found = {name: array.shape for name, array in weights.items()}
    if found != shapes:
        raise SettingsError(f"{folder / WEIGHTS}: arrays {found} do not fit the card ({shapes})")
    if digest(weights) != card.weights_sha256:
        raise SettingsError(f"{folder / WEIGHTS}: not the weights that {CARD} describes (their digests differ)")
    return weights
