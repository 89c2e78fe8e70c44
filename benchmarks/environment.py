"""Environment steps per second: one world with the signed ledger, a batch without, and where the time goes.

Actions are one vectorised draw per role and period; sampling a space agent by agent would cost more than the market.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import numpy as np

from envs import core as core_module
from envs import energy_market_v0
from envs.core import ROLES
from envs.recorder import Recorder

Row = dict[str, Any]
SCENARIO = "rural_day"
SECONDS = 4.0
# Steps of the period by the function that the core calls; the recorder's are methods.
PHASES = {
    "quote": "speak.quote", "deliver": "deliver", "verify": "verify", "settle": "settle", "standing": "update_standing",
    "reward": "rewards", "forecast": "look_ahead", "trigger": "open_period",
}  # fmt: skip
PEERS = {
    "peer: 20 agents, proof-of-work chain, no power flow": 30.0,
    "peer: 6 agents, pandapower power flow, no market, no ledger": 53.0,
}


class _Stopwatch:
    """Adds up the seconds spent in wrapped functions."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = perf_counter()
            result = function(*args, **kwargs)
            self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - start
            return result

        return timed

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Wrap the phases while the block runs."""
        holders = {}
        for name, path in PHASES.items():
            *module, attribute = path.split(".")
            holder = getattr(core_module, module[0]) if module else core_module
            holders[name] = (holder, attribute, getattr(holder, attribute))
        for name in ("seal", "keep", "finish", "begin"):
            holders[f"ledger: {name}"] = (Recorder, name, getattr(Recorder, name))
        for name, (holder, attribute, function) in holders.items():
            setattr(holder, attribute, self.wrap(name, function))
        try:
            yield
        finally:
            for holder, attribute, function in holders.values():
                setattr(holder, attribute, function)


def _play(vec: Any, rng: np.random.Generator, seconds: float) -> tuple[int, float, float]:
    """(periods, seconds in all, seconds of them spent in drawing actions)."""
    shapes = {role: (vec.num_worlds, vec.agents[role], len(vec.action_columns[role])) for role in ROLES}
    periods, drawing = 0, 0.0
    start = perf_counter()
    while perf_counter() - start < seconds or periods < 96:
        begun = perf_counter()
        actions = {role: rng.random(shape, np.float32) * 2.0 - 1.0 for role, shape in shapes.items()}
        drawing += perf_counter() - begun
        vec.step(actions)
        periods += 1
    return periods, perf_counter() - start, drawing


def _measure(worlds: int, ledger: dict[str, Any]) -> tuple[list[Row], float]:
    """Rows of one configuration and its world-steps per second."""
    vec = energy_market_v0.vector_env(SCENARIO, num_worlds=worlds, overrides={"ledger": ledger})
    rng = np.random.default_rng(0)
    vec.reset(0)
    _play(vec, rng, 0.5)  # compile and warm up: a whole day, so that every branch has run
    watch = _Stopwatch()
    vec.core.promise = watch.wrap("dispatch with safety check", vec.core.promise)  # the core was handed its own
    vec.reset(1)
    with watch.watching():
        periods, seconds, drawing = _play(vec, rng, SECONDS)
    label = f"{worlds} world{'s' if worlds > 1 else ''}, ledger {ledger['mode']}"
    rate = worlds * periods / seconds
    rows = [
        {"name": f"{label}: world-steps", "value": rate, "unit": "1/s"},
        {"name": f"{label}: agent-steps", "value": rate * sum(vec.agents.values()), "unit": "1/s"},
    ]
    shares = {**watch.seconds, "random actions": drawing}
    shares["observations and the rest"] = seconds - sum(shares.values())
    rows += [
        {"name": f"{label}: share of {name}", "value": 100.0 * spent / seconds, "unit": "%"}
        for name, spent in sorted(shares.items(), key=lambda item: -item[1])
    ]
    return rows, rate


def run() -> list[Row]:
    """Rows (name, value, unit) of the environment's speed and of the peers' published figures."""
    rows: list[Row] = []
    signed, one = _measure(1, {"mode": "full"})
    rows += signed
    for worlds, mode in ((1, "hashes"), (1, "off"), (64, "hashes")):
        rows += _measure(worlds, {"mode": mode})[0][:2]
    batch, many = _measure(64, {"mode": "off"})
    rows += batch
    rows += [{"name": name, "value": value, "unit": "1/s"} for name, value in PEERS.items()]
    fastest = max(PEERS.values())
    rows.append({"name": "one signed world against the faster peer", "value": one / fastest, "unit": "×"})
    rows.append({"name": "a batch of 64 against the faster peer", "value": many / fastest, "unit": "×"})
    return rows
