"""PettingZoo's faces of the market: thin wrappers over one world of the core.

    from envs import energy_market_v0
    env = energy_market_v0.parallel_env(config="rural_day")   # the simultaneous game
    env = energy_market_v0.env(config="rural_day")            # the leader-follower game, agent by agent
    vec = energy_market_v0.vector_env(config="rural_day", num_worlds=64)

In the parallel face all roles act at once and see the last period's announcements (``announced`` = 0).
In the AEC face the operator acts first, then the aggregators, then the prosumers; each sees completed stages
and never its own, so a sealed offer stays sealed and every period is a real leader-follower game.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.utils import EzPickle, seeding
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils import wrappers
from pettingzoo.utils.agent_selector import AgentSelector

from envs.config import whole_number
from envs.core import ROLES, Core
from envs.observe import Observer
from envs.render import render_frame, render_text
from envs.sights import LIMIT
from envs.types import Trace
from envs.vector import GAMES, NO_EPISODE, Config, checked_players, refuse_strangers, vector_env
from envs.world import build_world

RENDER_MODES = ("human", "ansi", "rgb_array")
METADATA = {"name": "energy_market_v0", "render_modes": list(RENDER_MODES), "render_fps": 4}
AGENT_ORDER = ("prosumer", "aggregator", "eno")  # of the parallel face and of arrays over all agents

__all__ = ["GAMES", "env", "make_spaces", "parallel_env", "raw_env", "tables", "vector_env"]


def tables(config: Config = None) -> dict[str, dict[str, list[Any]]]:
    """The columns of actions and observations of each role: {"actions": {role: columns}, "observations": …}."""
    world = build_world(config)
    core = Core(world)
    return {"actions": core.columns, "observations": Observer(world, core.max_cycles).tables}


def make_spaces(core: Core, observer: Observer) -> tuple[dict[str, gymnasium.Space], dict[str, gymnasium.Space]]:
    """Observation and action space of each role; one object a role, shared by its agents."""
    observations: dict[str, gymnasium.Space] = {
        role: gymnasium.spaces.Box(-LIMIT, LIMIT, (len(columns),), np.float32)
        for role, columns in observer.tables.items()
    }
    actions: dict[str, gymnasium.Space] = {
        role: gymnasium.spaces.Box(-1.0, 1.0, (len(columns),), np.float32) for role, columns in core.columns.items()
    }
    return observations, actions


class _OneWorld(EzPickle):
    """What both PettingZoo faces share: one world, its agents, spaces, state, seeding and rendering."""

    staged: ClassVar[bool]

    def __init__(
        self,
        config: Config = None,
        render_mode: str | None = None,
        max_cycles: int | None = None,
        ledger_path: str | Path | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        EzPickle.__init__(self, config, render_mode, max_cycles, ledger_path, overrides)
        if render_mode is not None and render_mode not in RENDER_MODES:
            raise ValueError(f"render_mode = {render_mode!r} (allowed: {', '.join(RENDER_MODES)} or None)")
        if not isinstance(ledger_path, (str, Path, type(None))):
            raise ValueError(f"ledger_path = {ledger_path!r} (allowed: a file's path or None)")
        self.render_mode = render_mode
        self.world = build_world(config, overrides)
        self.core = Core(self.world, max_cycles, None if ledger_path is None else str(ledger_path))
        self.observer = Observer(self.world, self.core.max_cycles)
        by_role, acts = make_spaces(self.core, self.observer)
        counts = self.core.agents
        self.role_of = {f"{role}_{i}": (role, i) for role in AGENT_ORDER for i in range(counts[role])}
        self.possible_agents = list(self.role_of)
        self.observation_spaces = {agent: by_role[role] for agent, (role, _) in self.role_of.items()}
        self.action_spaces = {agent: acts[role] for agent, (role, _) in self.role_of.items()}
        size = sum(len(self.observer.tables[role]) * counts[role] for role in AGENT_ORDER)
        self.state_space = gymnasium.spaces.Box(-LIMIT, LIMIT, (size,), np.float32)
        self.trace: Trace | None = None
        self._seed: int | None = None
        self._episode = 0
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> gymnasium.Space:
        """The agent's observation box; see ``tables`` for its columns."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium.Space:
        """The agent's action box in [-1, 1]; see ``tables`` for its columns."""
        return self.action_spaces[agent]

    def _begin(self, seed: int | None, options: Mapping[str, Any] | None) -> None:
        """Start an episode: a new seed starts its episodes from 0, none goes on to the next episode of the old seed.
        Of the options ``players``, a text, says who plays: the ledger's name holds its digest.
        """
        if not isinstance(options, (Mapping, type(None))):
            raise ValueError(f"options = {options!r} (allowed: a mapping or None)")
        players = checked_players((options or {}).get("players", ""))
        if seed is not None:
            self._seed, self._episode = whole_number("seed", seed, 0, 2**64 - 1), 0
        elif self._seed is None:
            self._seed = int(seeding.np_random()[0].integers(2**63))
        else:
            self._episode += 1
        self.core.reset(np.array([self._seed], np.uint64), np.array([self._episode], np.int64), players=players)
        self.agents = self.possible_agents[:]
        self.trace = None

    def _require_episode(self) -> None:
        if self._seed is None:
            raise ValueError(NO_EPISODE)

    def _observations(self, role: str) -> np.ndarray:
        self._require_episode()
        return self.observer.observe(role, self.core.state, self.core.stage, self.staged)[0]

    def state(self) -> np.ndarray:
        """Global state: the observations of all agents, in agent order, as one vector."""
        return np.concatenate([self._observations(role).ravel() for role in AGENT_ORDER])

    def ledger_head(self) -> str:
        """Hash of the newest block, hex. ValueError when the scenario keeps no ledger."""
        self._require_episode()
        return self.core.recorder.head(0).hex()

    def render(self) -> Any:
        """``human`` prints the period, ``ansi`` returns that text, ``rgb_array`` draws feeder and voltages."""
        if self.render_mode is None:
            gymnasium.logger.warn("render() was called on an environment without render_mode.")
            return None
        self._require_episode()
        if self.render_mode == "rgb_array":
            return render_frame(self.world, self.core.state, self.trace)
        text = render_text(self.world, self.core.state, self.trace)
        if self.render_mode == "human":
            print(text)
            return None
        return text

    def close(self) -> None:
        """Close open ledger files."""
        self.core.recorder.abandon()

    def _rewards(self, trace: Trace) -> dict[str, float]:
        return {agent: float(trace.reward[role][0, i]) for agent, (role, i) in self.role_of.items()}

    def _infos(self) -> dict[str, dict[str, Any]]:
        infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.possible_agents}
        if self.core.done and self.core.recorder.heads:
            for info in infos.values():
                info["ledger_head"] = self.core.recorder.heads[0].hex()
        return infos


def _stack(env: _OneWorld, role: str, actions: Mapping[str, Any]) -> np.ndarray:
    """Actions of a role's agents as (1, agents, K). ValueError names the agent whose action is missing or misshapen."""
    columns = len(env.core.columns[role])
    out = np.empty((1, env.core.agents[role], columns))
    for i in range(out.shape[1]):
        agent = f"{role}_{i}"
        if agent not in actions:
            raise ValueError(f"{agent}: no action was given (an action of every live agent is needed)")
        action = np.asarray(actions[agent], np.float64)
        if action.shape != (columns,):
            raise ValueError(f"{agent}: an action of shape ({columns},) is expected, not {action.shape}")
        out[0, i] = action
    return out


class ParallelMarket(_OneWorld, ParallelEnv):
    """The simultaneous game: all agents act on the last period's announcements."""

    metadata: ClassVar[dict[str, Any]] = {**METADATA, "is_parallelizable": True}
    staged = False

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Any]]]:
        """Start an episode; see PettingZoo's ParallelEnv. ``options={"players": "..."}`` says who plays."""
        self._begin(seed, options)
        return self._observe_all(), self._infos()

    def _observe_all(self) -> dict[str, np.ndarray]:
        rows = {role: self._observations(role) for role in AGENT_ORDER}
        return {agent: rows[role][i] for agent, (role, i) in self.role_of.items()}

    def step(
        self, actions: dict[str, np.ndarray]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Play one period; see PettingZoo's ParallelEnv. Actions outside [-1, 1] are clipped."""
        self._require_episode()
        if not self.agents:
            return {}, {}, {}, {}, {}
        refuse_strangers("agent", self.role_of, actions)
        self.core.announce(_stack(self, "eno", actions))
        self.core.offer(_stack(self, "aggregator", actions))
        self.trace = self.core.close(_stack(self, "prosumer", actions))
        done = self.core.done
        over = dict.fromkeys(self.possible_agents, done)
        result = self._observe_all(), self._rewards(self.trace), dict.fromkeys(over, False), over, self._infos()
        if done:
            self.agents = []
        if self.render_mode == "human":
            self.render()
        return result


class StagedMarket(_OneWorld, AECEnv):
    """The leader-follower game: operator, then aggregators, then prosumers, each on what completed stages made
    public.
    """

    metadata: ClassVar[dict[str, Any]] = {**METADATA, "is_parallelizable": False}
    staged = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The order of the stages; agents of one stage act one after another without seeing each other.
        counts = self.core.agents
        self.possible_agents = [f"{role}_{i}" for role in ROLES for i in range(counts[role])]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start an episode; see PettingZoo's AECEnv. ``options={"players": "..."}`` says who plays."""
        self._begin(seed, options)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = self._infos()
        self._selector = AgentSelector(self.agents)
        self.agent_selection = self._selector.reset()
        self._said: dict[str, Any] = {}

    def observe(self, agent: str) -> np.ndarray:
        """What the agent may see at this moment of the period."""
        role, i = self.role_of[agent]
        return np.array(self._observations(role)[i])

    def step(self, action: Any) -> None:
        """Take the selected agent's action; the last agent of a stage completes it, the last prosumer the period.
        Actions outside [-1, 1] are clipped.
        """
        self._require_episode()
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        role, i = self.role_of[agent]
        self._said[agent] = action
        if i == self.core.agents[role] - 1:
            self._complete(role)
        self.agent_selection = self._selector.next()
        self._accumulate_rewards()
        if role == "prosumer" and i == self.core.agents[role] - 1 and self.render_mode == "human":
            self.render()

    def _complete(self, role: str) -> None:
        """A stage is over: hand its actions to the core."""
        actions = _stack(self, role, self._said)
        if role == "eno":
            self.core.announce(actions)
        elif role == "aggregator":
            self.core.offer(actions)
        else:
            self.trace = self.core.close(actions)
            self.rewards = self._rewards(self.trace)
            self.truncations = dict.fromkeys(self.agents, self.core.done)
            self.infos = self._infos()
            self._said = {}


def parallel_env(
    config: Config = None,
    render_mode: str | None = None,
    max_cycles: int | None = None,
    ledger_path: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> ParallelMarket:
    """The simultaneous game as a PettingZoo ParallelEnv.

    Args:
        config: scenario file, name under ``configs/scenarios``, mapping or Scenario; None is the default day.
        render_mode: "human", "ansi", "rgb_array" or None.
        max_cycles: periods in an episode; the scenario's by default.
        ledger_path: SQLite file to write; it is complete, with checkpoints beside it, when the episode ends.
        overrides: nested mapping of single settings that win over the file.

    Raises:
        SettingsError: a setting that cannot be.
        ValueError: an argument of another kind.
    """
    return ParallelMarket(config, render_mode, max_cycles, ledger_path, overrides)


def raw_env(
    config: Config = None,
    render_mode: str | None = None,
    max_cycles: int | None = None,
    ledger_path: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> StagedMarket:
    """The leader-follower game as a PettingZoo AECEnv without wrappers; arguments as for ``parallel_env``."""
    return StagedMarket(config, render_mode, max_cycles, ledger_path, overrides)


def env(
    config: Config = None,
    render_mode: str | None = None,
    max_cycles: int | None = None,
    ledger_path: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> AECEnv:
    """The leader-follower game with PettingZoo's wrappers (order of calls is enforced); arguments as for
    ``parallel_env``.
    """
    return wrappers.OrderEnforcingWrapper(StagedMarket(config, render_mode, max_cycles, ledger_path, overrides))
