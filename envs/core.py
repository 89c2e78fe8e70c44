"""A period of the market as it reads: open, announce, offer, close.

The core calls the mechanisms that it was handed and the recorder that keeps the ledger; it names no plug-in. It
runs B worlds in step; a world's bytes do not depend on how many run beside it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from envs import behaviour
from envs.actions import action_tables, decode
from envs.config import whole_number
from envs.generate import generate
from envs.mechanisms import Mechanisms, mechanisms_of
from envs.phases import quote as speak
from envs.phases.clear import trade
from envs.phases.deliver import deliver, enter_events
from envs.phases.outlook import look_ahead
from envs.phases.route import share_losses
from envs.phases.safe import promise
from envs.phases.settle import settle
from envs.phases.standing import expire_baselines, remember_set_points, update_standing
from envs.phases.trigger import open_period
from envs.phases.verify import verify
from envs.recorder import Recorder
from envs.reward import rewards
from envs.types import Announced, Floats, Ints, Plan, Quotes, Stage, State, Trace, Trades
from envs.world import World

ROLES = ("eno", "aggregator", "prosumer")  # the order of the stages
Promise = Callable[[World, State, Stage, Quotes, Mechanisms], Plan]


class Core:
    """B worlds of a scenario, advanced period by period.

    Use: ``reset(seeds)``; then per period ``announce``, ``offer``, ``close`` with one action array a role. The stage
    between them (``stage``) holds what completed stages made public. ``promise`` decides what is ordered and cut; a
    replay hands over the plan of another run.
    """

    def __init__(
        self,
        world: World,
        max_cycles: int | None = None,
        ledger_path: str | None = None,
        promise: Promise = promise,
    ) -> None:
        self.world, self.promise = world, promise
        self.columns = action_tables(world.scenario)
        self.mechanisms = mechanisms_of(world.scenario)
        periods = world.scenario.calendar.periods if max_cycles is None else max_cycles
        self.max_cycles = whole_number("max_cycles", periods, 1)
        self.recorder = Recorder(world, ledger_path)
        self.state: State
        self.stage: Stage

    @property
    def agents(self) -> dict[str, int]:
        """Agents of each role."""
        return {"eno": 1, "aggregator": self.world.aggregators, "prosumer": self.world.sites}

    @property
    def done(self) -> bool:
        """Whether the episode is over."""
        return self.state.period >= self.max_cycles

    def reset(
        self, seeds: np.ndarray, episodes: np.ndarray | None = None, days: Ints | None = None, players: str = ""
    ) -> None:
        """Start an episode in every world.

        Args:
            seeds: (B,) one per world.
            episodes: (B,) number of the episode under that seed; zeros by default.
            days: (B,) first day in the profile year; by default what the scenario's calendar says.
            players: who plays, in any words; ledgers of other players have other ids, and the same draws.
        """
        seeds = np.asarray(seeds, np.uint64)
        episodes = np.zeros(len(seeds), np.int64) if episodes is None else np.asarray(episodes, np.int64)
        self.state = generate(self.world, seeds, episodes, days)
        self.recorder.begin(self.state, self.mechanisms, self.max_cycles, players)
        self.stage = open_period(self.world, self.state, self.max_cycles)

    def announce(self, action: np.ndarray) -> None:
        """Stage one: the operator's volume and reserve price. (B, 1, K) in [-1, 1]."""
        speak.announce(self.stage, self._decoded("eno", action))

    def offer(self, action: np.ndarray) -> None:
        """Stage two: the aggregators' public subsidies and sealed offers. (B, A, K) in [-1, 1]."""
        speak.offer(self.stage, self._decoded("aggregator", action))

    def close(self, action: np.ndarray) -> Trace:
        """Stage three, the prosumers' (B, N, K) in [-1, 1]; then everything up to the settled period."""
        world, state, stage, rules = self.world, self.state, self.stage, self.mechanisms
        quotes = speak.quote(world, state, stage, self._decoded("prosumer", action))
        behaviour.corrupt_quotes(rules, state, quotes)
        speak.file(quotes)
        trades = trade(world, quotes, rules)
        plan = self.promise(world, state, stage, quotes, rules)
        joined = plan.member != state.aggregator
        state.aggregator = plan.member.copy()
        producer, refused = self.recorder.seal(state, stage, quotes, trades, plan, joined)
        enter_events(state, stage, plan.ordered_wh, plan.member, plan.award_price)
        energy = deliver(
            world, state, quotes, plan, behaviour.delivered_fraction(rules, state), state.period + 1 == self.max_cycles
        )
        verdict = verify(
            world, state, behaviour.claimed(rules, state, energy), energy, world.scenario.sites.witness_noise
        )
        transport = share_losses(world, trades, verdict)
        payments = settle(world, state, trades, energy, verdict)
        update_standing(world, state, trades, verdict, refused)
        state.balance += payments.change
        reward = rewards(world, payments, energy, plan)
        trace = Trace(
            state.period, stage, quotes, trades, plan, energy, verdict, transport, payments, reward, producer,
            refused,
            state.credit_ppm.copy(), state.score_ppm.copy(), state.charge_wh.copy(),
        )  # fmt: skip
        self.recorder.keep(state, trace)
        self._advance(trace)
        return trace

    def _decoded(self, role: str, action: np.ndarray) -> Floats:
        columns = self.columns[role]
        return decode(columns, action, role, (len(self.state.seed), self.agents[role], len(columns)))

    def _advance(self, trace: Trace) -> None:
        """Move on to the next period: announcements become last period's, horizons shift, forecasts are drawn."""
        state, stage = self.state, trace.stage
        state.announced = Announced(
            stage.cause, stage.direction, stage.duration, stage.asked_wh, stage.reserve, stage.subsidy,
            trace.trades.reference, traded_wh(trace.trades),
        )  # fmt: skip
        state.schedule_w = trace.quotes.schedule_w
        remember_set_points(self.world, state, trace.quotes, trace.verdict)
        state.reactive_ppm = trace.quotes.reactive_ppm
        state.voltage_pu = trace.energy.voltage_pu
        expire_baselines(state)
        state.period += 1
        look_ahead(self.world, state, fresh=False)
        if self.done:
            self.recorder.finish()
        self.stage = open_period(self.world, state, max(self.max_cycles, state.period))


def traded_wh(trades: Trades) -> np.ndarray:
    """(B,) Wh traded among peers."""
    used = np.arange(trades.wh.shape[1])[None, :] < trades.count[:, None]
    return np.asarray(np.where(used, trades.wh, 0).sum(axis=1))
