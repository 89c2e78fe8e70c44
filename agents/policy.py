"""Policies: what maps observations of a role to its actions.

A rule is a file in ``agents/rules`` with a function for each role that it can play (``prosumer``, ``aggregator``,
``eno``); it gets a View, reads observation columns by name and sets action columns by name, in the units of the
tables. Arrays have any leading axes, so one world and a batch run the same rule.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agents.mixture import Mixture, parts_of
from envs import plugins
from envs.actions import action_tables, encode, idle_action
from envs.columns import Column
from envs.config import SettingsError
from envs.settings import Scenario
from envs.sights import observation_tables

F32 = NDArray[np.float32]
Floats = NDArray[np.float64]
ROLES = ("prosumer", "aggregator", "eno")
DEFAULT_RULES = {"prosumer": "truthful", "aggregator": "markup", "eno": "planner"}


class Policy(Protocol):
    """Anything that plays a role."""

    def reset(self, seed: int) -> None:
        """Forget the last episode; randomness restarts from ``seed``."""

    def act(self, observations: F32) -> F32:
        """(…, agents, F) observations → (…, agents, K) actions in [-1, 1]."""


class View:
    """An observation by column names, and the action under construction (idle until set).

    ``by`` says whose it is, for the error about a column that is not there.
    """

    def __init__(
        self,
        scenario: Scenario,
        observations: F32,
        see: Mapping[str, int],
        columns: list[Column],
        rng: np.random.Generator,
        memory: dict[str, Floats],
        by: str = "a rule",
    ) -> None:
        self._by = by
        self.scenario = scenario
        self.market = scenario.market
        self.rng = rng
        self.memory = memory  # the rule's own, kept from period to period, empty at the start of an episode
        self._observations = observations.astype(np.float64)
        self._see = see
        self._tell = {column.name: k for k, column in enumerate(columns)}
        idle = idle_action(columns).astype(np.float64)
        low, high = np.array([c.low for c in columns]), np.array([c.high for c in columns])
        self.values: Floats = np.empty((*observations.shape[:-1], len(columns)))
        self.values[:] = low + (idle + 1.0) * 0.5 * (high - low)

    def __getitem__(self, name: str) -> Floats:
        """Observation column, shape (…, agents). SettingsError where the role sees none of that name."""
        try:
            return self._observations[..., self._see[name]]
        except KeyError:
            raise _no_column(f"{self._by} sees", name, self._see) from None

    def price(self, name: str) -> Floats:
        """A price column in micro-currency per kWh (prices are observed in units of the retail price)."""
        return self[name] * self.market.retail

    def __setitem__(self, name: str, value: Floats | float) -> None:
        """Set an action column, in the unit of the table; clipped to its range on encoding. SettingsError where the
        role acts by none of that name.
        """
        try:
            column = self._tell[name]
        except KeyError:
            raise _no_column(f"{self._by} sets", name, self._tell) from None
        self.values[..., column] = value


def _no_column(what: str, name: str, columns: Iterable[str]) -> SettingsError:
    there = list(columns)
    near = difflib.get_close_matches(str(name), there, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return SettingsError(f"{what} no column {name!r}{hint} (allowed: {', '.join(there)})")


class RulePolicy:
    """A rule playing one role of a scenario."""

    def __init__(self, scenario: Scenario, role: str, rule: ModuleType) -> None:
        self.scenario, self.role = scenario, role
        self._name = f"rules/{Path(str(rule.__file__)).name}: {role}"
        self._function = getattr(rule, role)
        self._see = {column.name: k for k, column in enumerate(observation_tables(scenario)[role])}
        self._columns = action_tables(scenario)[role]
        self._rng = np.random.default_rng(0)
        self._memory: dict[str, Floats] = {}

    def reset(self, seed: int) -> None:
        """Restart the rule's randomness and empty its memory (for rules that have any)."""
        self._rng = np.random.default_rng((seed, ROLES.index(self.role)))
        self._memory = {}

    def act(self, observations: F32) -> F32:
        """Run the rule on (…, agents, F)."""
        view = View(self.scenario, observations, self._see, self._columns, self._rng, self._memory, self._name)
        self._function(view)
        return encode(self._columns, view.values)


def rule_policy(scenario: Scenario, role: str, name: str) -> RulePolicy:
    """The rule ``name`` for ``role``. Raises SettingsError listing the rules that can play the role."""
    module = plugins.load("rules", name, role, scenario.plugins, f"--policy {role}")
    return RulePolicy(scenario, role, module)


def make_policies(scenario: Scenario, choices: Mapping[str, str] | None = None) -> dict[str, Policy]:
    """A policy for each role: the default rules, replaced by ``choices``.

    Args:
        scenario: what is played.
        choices: role → rule name, checkpoint folder, or a mixture of both (``truthful,zip@0-7``).

    Raises:
        SettingsError: unknown role, rule or checkpoint.
    """
    chosen = {**DEFAULT_RULES, **(choices or {})}
    unknown = set(chosen) - set(ROLES)
    if unknown:
        raise SettingsError(f"--policy {sorted(unknown)[0]}: no such role (allowed: {', '.join(ROLES)})")
    policies: dict[str, Policy] = {}
    for role in ROLES:
        parts = parts_of(role, chosen[role])
        players = [_policy(scenario, role, name) for name, _, _ in parts]
        spans = [(first, last) for _, first, last in parts]
        policies[role] = players[0] if len(parts) == 1 else Mixture(role, players, spans)
    return policies


def _policy(scenario: Scenario, role: str, name: str) -> Policy:
    if Path(name).is_dir():
        from agents.learning.checkpoints import load_policy

        return load_policy(Path(name), scenario, role)
    if len(Path(name).parts) > 1:
        fault = "is no folder" if Path(name).exists() else "no such folder"
        raise SettingsError(f"--policy {role} = {name!r}: {fault} (allowed: a checkpoint's folder, or a rule's name)")
    return rule_policy(scenario, role, name)


def players_text(choices: Mapping[str, str], game: str) -> str:
    """Who plays, in one line that is the same for the same players: the game, then each role's rules by name, trained
    ones by the digest of their weights wherever their folder lies.

    Raises:
        SettingsError: a checkpoint that is none.
    """
    chosen = {**DEFAULT_RULES, **choices}
    told = [game]
    for role in ROLES:
        parts = [_part(role, *part) for part in parts_of(role, chosen[role])]
        told.append(f"{role}={','.join(parts)}")
    return " ".join(told)


def _part(role: str, name: str, first: int, last: int) -> str:
    if Path(name).is_dir():
        from agents.learning.checkpoints import weights_digest

        name = f"weights:{weights_digest(name, role)}"
    return name if last < 0 else f"{name}@{first}-{last}"
