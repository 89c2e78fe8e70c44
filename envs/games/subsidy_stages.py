"""The subsidy game with the users as players too: the leader names a subsidy, then each user answers with a quantity.

A real leader-follower game behind PettingZoo's AEC API: users see the subsidy and their own cost a·q²/2 + b·q before
they answer, all answers count at once, and everybody is paid when the last one has spoken. The subgame-perfect
equilibrium is SubsidyLeader's: q = max(0, (s - b) / a), s* by ``best_subsidy``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray
from pettingzoo import AECEnv
from pettingzoo.utils import AgentSelector

from envs.games.base import Floats
from envs.games.subsidy_leader import SubsidyLeader

LEADER = "leader"


class SubsidyStages(AECEnv):
    """Actions are Box[-1, 1]: the leader's is a subsidy in [0, V], a user's a quantity in [0, V / a].

    Observations (3,) in [0, 1]: the subsidy over V (0 until it is named), the own slope over the steepest, the own
    start over V; the leader sees zeros. Rewards: (V - s)·Σq and s·q - a·q²/2 - b·q, in the unit of V times quantity.
    """

    metadata = {"name": "gridpact_subsidy_stages", "render_modes": [], "is_parallelizable": False}  # noqa: RUF012

    def __init__(
        self, slopes: Sequence[float] = (1.0, 2.0, 4.0), starts: Sequence[float] = (0.1, 0.2, 0.3), value: float = 1.0
    ) -> None:
        super().__init__()
        self.rules = SubsidyLeader(slopes, starts, value)
        self.render_mode = None
        self.possible_agents = [LEADER, *(f"user_{i}" for i in range(len(self.rules.a)))]
        self.observation_spaces = {agent: Box(0.0, 1.0, (3,), np.float32) for agent in self.possible_agents}
        self.action_spaces = {agent: Box(-1.0, 1.0, (1,), np.float32) for agent in self.possible_agents}
        self._subsidy = 0.0
        self._quantity = np.zeros(len(self.rules.a))

    def observation_space(self, agent: str) -> Box:
        """Subsidy, own slope, own start."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Box:
        """The one number to say."""
        return self.action_spaces[agent]

    @property
    def most(self) -> Floats:
        """(users,) largest quantity: what a subsidy as high as the value would buy from a user without start cost."""
        return np.asarray(self.rules.value / self.rules.a)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Begin again; nothing here is drawn, so neither argument changes anything but PettingZoo's contract."""
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self._subsidy, self._quantity = 0.0, np.zeros(len(self.rules.a))
        self._turns = AgentSelector(self.agents)
        self.agent_selection = self._turns.reset()

    def observe(self, agent: str) -> NDArray[np.float32]:
        """(3,) what the agent may know when it acts."""
        if agent == LEADER:
            return np.zeros(3, np.float32)
        user, rules = self.possible_agents.index(agent) - 1, self.rules
        seen = (self._subsidy / rules.value, rules.a[user] / rules.a.max(), rules.b[user] / rules.value)
        return np.array(seen, np.float32)

    def step(self, action: NDArray[np.float32] | None) -> None:
        """Take the selected agent's number; the last one ends the game and pays."""
        agent = self.agent_selection
        if self.terminations[agent]:
            self._was_dead_step(action)
            return
        assert action is not None
        share = (float(np.clip(np.asarray(action).reshape(-1)[0], -1.0, 1.0)) + 1.0) / 2.0
        if agent == LEADER:
            self._subsidy = share * self.rules.value
        else:
            user = self.possible_agents.index(agent) - 1
            self._quantity[user] = share * self.most[user]
        self._cumulative_rewards[agent] = 0.0
        self._clear_rewards()
        if self._turns.is_last():
            self._pay()
        self.agent_selection = self._turns.next()
        self._accumulate_rewards()

    def _pay(self) -> None:
        paid = self.payoffs(np.array(self._subsidy), self._quantity)
        self.rewards = {agent: float(paid[k]) for k, agent in enumerate(self.possible_agents)}
        self.terminations = dict.fromkeys(self.agents, True)

    def payoffs(self, subsidy: Floats, quantity: Floats) -> Floats:
        """(…) subsidies and (…, users) quantities → (…, 1 + users) payoffs, the leader's first."""
        rules = self.rules
        leader = (rules.value - subsidy) * quantity.sum(axis=-1)
        users = subsidy[..., None] * quantity - rules.a * quantity**2 / 2.0 - rules.b * quantity
        return np.concatenate([leader[..., None], users], axis=-1)
