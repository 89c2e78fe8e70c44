"""Training by RLlib: the only file that knows ray.

Its new API stack: ``MarketEnv`` is the environment, ``ActorCritic`` the module of a role, ``Trainer`` PPO over both.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from numpy.typing import NDArray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis import ValueFunctionAPI
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.core.rl_module.torch import TorchRLModule
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from agents.learning.checkpoints import require_game
from agents.learning.networks import Actor, Critic
from agents.learning.settings import TrainingSettings, scenario_of
from agents.policy import ROLES, make_policies
from envs.energy_market_v0 import make_spaces, vector_env

F32 = NDArray[np.float32]
STAGES = ("eno", "aggregator", "prosumer")
NO_VALUE_CLIP = float("inf")  # RLlib's default of 10 cuts the critic's gradient where returns are larger


class MarketEnv(MultiAgentEnv):
    """One world for RLlib: the agents of the learning roles act, the other roles are played inside.

    Agents keep the order of the parallel face, in every dictionary and whatever PYTHONHASHSEED says (RLlib's own
    PettingZoo wrapper iterates over a set). In the staged game an agent is asked when its stage has come and gets the
    reward of a period with its next observation.

    Args:
        config: ``settings`` (TrainingSettings) and ``stream``, a number that sets this run's episodes apart from
            those of the run that it continues. RLlib adds ``worker_index``.
    """

    def __init__(self, config: Any) -> None:
        settings: TrainingSettings = config["settings"]
        self._stream = (int(getattr(config, "worker_index", 0)), int(config["stream"]))
        scenario = scenario_of(settings)
        self.market = vector_env(scenario, num_worlds=1, game=settings.game)
        self.learned = settings.policies.learned
        players = make_policies(scenario, settings.policies.fixed)
        self._players = {role: players[role] for role in ROLES if role not in self.learned}
        for player in self._players.values():
            require_game(player, settings.game)
        self._ids = {role: [f"{role}_{i}" for i in range(self.market.agents[role])] for role in ROLES}
        self.possible_agents = [agent for role in self.learned for agent in self._ids[role]]
        self.agents = list(self.possible_agents)
        super().__init__()
        observations, actions = make_spaces(self.market.core, self.market.observer)
        self.observation_spaces = {agent: observations[role] for role in self.learned for agent in self._ids[role]}
        self.action_spaces = {agent: actions[role] for role in self.learned for agent in self._ids[role]}
        self._seed: int | None = None
        self._episodes = np.random.default_rng(self._stream)
        self.returns: dict[str, float] = {}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        """Start an episode. A new seed starts its sequence of episodes, none or the same one goes on in it.

        RLlib gives the runner's seed again before every batch of whole episodes; starting over each time would play the
        same episodes for ever.
        """
        if seed is not None and seed != self._seed:
            self._seed = int(seed)
            self._episodes = np.random.default_rng((self._seed, *self._stream))
        episode_seed = int(self._episodes.integers(2**63))
        observations, _ = self.market.reset(episode_seed)
        for player in self._players.values():
            player.reset(episode_seed)
        self._owed = {role: np.zeros(self.market.agents[role]) for role in ROLES}
        self.returns = dict.fromkeys(ROLES, 0.0)
        self._seen, self._done, self._turn = observations, False, STAGES[0]
        if self.market.staged:
            self._play_fixed_stages()
        return self._answer()[0], {}

    def step(self, action_dict: dict[str, F32]) -> tuple[dict, dict, dict, dict, dict]:
        """Take the actions of the agents that were asked; the answer asks the next ones."""
        if self.market.staged:
            self._take_turn(self._turn, self._stack(self._turn, action_dict))
            self._play_fixed_stages()
        else:
            self._close(self.market.step({role: self._actions(role, action_dict) for role in STAGES}))
        observations, rewards = self._answer()
        over = {"__all__": self._done}
        return observations, rewards, {"__all__": False}, over, {}

    def _actions(self, role: str, said: dict[str, F32]) -> F32:
        return self._stack(role, said) if role in self.learned else self._players[role].act(self._seen[role])

    def _stack(self, role: str, said: dict[str, F32]) -> F32:
        """(1, agents, K)"""
        return np.stack([said[agent] for agent in self._ids[role]])[None]

    def _take_turn(self, role: str, actions: F32) -> None:
        """Complete a stage of the staged game; the prosumers' ends the period."""
        result = self.market.act(role, actions)
        self._turn = STAGES[(STAGES.index(role) + 1) % len(STAGES)]
        if result is not None:
            self._close(result)

    def _play_fixed_stages(self) -> None:
        while self._turn not in self.learned and not self._done:
            self._take_turn(self._turn, self._players[self._turn].act(self.market.observe(self._turn)))

    def _close(self, result: tuple[dict, dict, np.ndarray, np.ndarray, dict]) -> None:
        """A period is over: note rewards and what is seen next."""
        observations, rewards, _, over, infos = result
        self._done = bool(over[0])
        self._seen = infos["final_obs"] if self._done else observations
        for role in ROLES:
            self._owed[role] += rewards[role][0]
            self.returns[role] += float(rewards[role][0].mean())

    def _answer(self) -> tuple[dict[str, F32], dict[str, float]]:
        """Observations and rewards of the agents that act next, at the end of the episode of all."""
        asked = (self._turn,) if self.market.staged and not self._done else self.learned
        observations: dict[str, F32] = {}
        rewards: dict[str, float] = {}
        for role in asked:
            live = self.market.staged and not self._done
            seen = self.market.observe(role) if live else self._seen[role]
            for i, agent in enumerate(self._ids[role]):
                observations[agent], rewards[agent] = seen[0, i], float(self._owed[role][i])
            self._owed[role][:] = 0.0
        return observations, rewards


class ActorCritic(TorchRLModule, ValueFunctionAPI):
    """Actor and critic of one role, in RLlib's terms."""

    def setup(self) -> None:
        """Build the networks from the spaces and the model configuration."""
        inputs, outputs = self.observation_space.shape[0], self.action_space.shape[0]
        hidden = self.model_config["hidden"]
        self.actor = Actor(inputs, outputs, hidden, self.model_config["exploration_std"])
        self.critic = Critic(inputs, hidden)

    def _forward(self, batch: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {Columns.ACTION_DIST_INPUTS: self.actor(batch[Columns.OBS])}

    def compute_values(self, batch: dict[str, Any], embeddings: Any = None) -> torch.Tensor:
        """Values of the observations, (rows,)."""
        return self.critic(batch[Columns.OBS])


def role_of(agent: str, *_: Any, **__: Any) -> str:
    """The role, and so the policy, of an agent."""
    return agent.rsplit("_", 1)[0]


def _note_returns(*, env: Any, env_index: int, metrics_logger: Any, **_: Any) -> None:
    """At the end of an episode: mean return of each role's agents, of the fixed roles too."""
    for role, value in env.envs[env_index].unwrapped.returns.items():
        metrics_logger.log_value(("role_return", role), value, reduce="item_series")


def make_config(settings: TrainingSettings, stream: int = 0) -> PPOConfig:
    """RLlib's configuration of a training run; ``stream`` as in MarketEnv."""
    ppo, learned = settings.ppo, settings.policies.learned
    env_config = {"settings": settings, "stream": stream}
    model = {"hidden": ppo.hidden, "exploration_std": ppo.exploration_std}
    spec = MultiRLModuleSpec(
        rl_module_specs={role: RLModuleSpec(module_class=ActorCritic, model_config=dict(model)) for role in learned}
    )
    # RLlib counts calls of step: in the staged game one a learning stage.
    steps_a_period = len(learned) if settings.game == "staged" else 1
    return (
        PPOConfig()
        # The box is the action space itself: a sample beyond it is clipped, nothing is rescaled.
        .environment(MarketEnv, env_config=env_config, normalize_actions=False, clip_actions=True)
        .env_runners(num_env_runners=settings.num_env_runners, batch_mode="complete_episodes")
        # An environment that fails is a fault to see, not to play on without.
        .fault_tolerance(restart_failed_env_runners=False)
        .multi_agent(policies=set(learned), policy_mapping_fn=role_of)
        .rl_module(rl_module_spec=spec)
        .training(
            train_batch_size_per_learner=ppo.train_batch_size * steps_a_period,
            minibatch_size=ppo.minibatch_size,
            num_epochs=ppo.epochs,
            lr=ppo.lr,
            gamma=ppo.gamma,
            lambda_=ppo.gae_lambda,
            clip_param=ppo.clip,
            entropy_coeff=ppo.entropy,
            grad_clip=ppo.grad_clip,
            vf_clip_param=NO_VALUE_CLIP,
            vf_loss_coeff=0.5,
            use_kl_loss=False,
        )
        .callbacks(on_episode_end=_note_returns)
        .debugging(seed=settings.seed, log_level="ERROR")
    )


class Trainer:
    """PPO on the market; starts a local ray and stops it again.

    Args:
        settings: the training run.
        resume: folder with RLlib's state to go on from.
        stream: number of iterations already played, so that a resumed run meets new episodes.
    """

    def __init__(self, settings: TrainingSettings, resume: Path | None = None, stream: int = 0) -> None:
        self.settings = settings
        for name in ("ray", "ray.rllib"):  # the second has a level of its own
            logging.getLogger(name).setLevel(logging.ERROR)
        ray.init(
            num_cpus=settings.num_env_runners + 1, num_gpus=0, include_dashboard=False, log_to_driver=False,
            logging_level=logging.ERROR, object_store_memory=200 * 2**20,
        )  # fmt: skip
        try:
            self.algorithm = make_config(settings, stream).build_algo()
            if resume is not None:
                self.algorithm.restore_from_path(str(resume.resolve()))
        except BaseException:
            ray.shutdown()
            raise

    def train(self) -> dict[str, float]:
        """One iteration: play, then update.

        Returns:
            ``periods`` played, and for each role ``return_ROLE`` (mean over episodes and agents), for each learning one
            ``entropy_ROLE`` and ``explained_ROLE`` (share of the variance of the returns that the critic explains).
        """
        result = self.algorithm.train()
        played = result["env_runners"]
        steps_a_period = len(self.settings.policies.learned) if self.settings.game == "staged" else 1
        row = {"periods": played["num_env_steps_sampled"] / steps_a_period}
        for role in ROLES:
            row[f"return_{role}"] = float(np.mean(played["role_return"][role]))
        for role in self.settings.policies.learned:
            row[f"entropy_{role}"] = float(result["learners"][role]["entropy"])
            row[f"explained_{role}"] = float(result["learners"][role]["vf_explained_var"])
        return row

    def weights(self) -> dict[str, dict[str, F32]]:
        """Weights of each learning role's actor, as ``checkpoints.save_policy`` takes them."""
        return {role: self.algorithm.get_module(role).actor.export() for role in self.settings.policies.learned}

    def save(self, folder: Path) -> None:
        """RLlib's own state, to resume from."""
        self.algorithm.save_to_path(str(folder.resolve()))

    def close(self) -> None:
        """Stop runners and ray."""
        self.algorithm.stop()
        ray.shutdown()
