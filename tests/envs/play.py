"""Ways of playing a core to its end, shared by the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from agents.policy import make_policies
from envs.core import ROLES, Core
from envs.observe import Observer
from envs.types import Trace
from envs.world import build_world

OFF = {"ledger": {"mode": "off"}}
Chooser = Callable[[Core, Observer, str], np.ndarray]


def core_of(config: Any = "tiny", overrides: dict | None = None, cycles: int | None = None, path=None) -> Core:
    return Core(build_world(config, overrides), cycles, path)


def by_rules(core: Core, choices: dict[str, str] | None = None, staged: bool = True) -> Chooser:
    policies = make_policies(core.world.scenario, choices)
    for policy in policies.values():
        policy.reset(0)
    return lambda c, o, role: policies[role].act(o.observe(role, c.state, c.stage, staged))


def at_random(seed: int = 0) -> Chooser:
    rng = np.random.default_rng(seed)

    def choose(core: Core, _observer: Observer, role: str) -> np.ndarray:
        shape = (len(core.state.seed), core.agents[role], len(core.columns[role]))
        return rng.uniform(-1.0, 1.0, shape).astype(np.float32)

    return choose


def periods(core: Core, choose: Chooser) -> Iterator[Trace]:
    """Play on until the episode ends; one trace a period."""
    observer = Observer(core.world, core.max_cycles)
    while not core.done:
        for role in ROLES[:2]:
            (core.announce if role == "eno" else core.offer)(choose(core, observer, role))
        yield core.close(choose(core, observer, "prosumer"))


def episode(core: Core, choose: Chooser, seeds=(0,)) -> list[Trace]:
    core.reset(np.array(seeds, np.uint64))
    return list(periods(core, choose))


def assert_each_as_alone(config: Any, settings: dict, cycles: int, seeds: tuple[int, ...], field: str) -> list[Trace]:
    """Worlds in a batch have the ledger heads, and a field of the state, of each of them alone; the batch's traces."""
    batch = core_of(config, settings, cycles)
    traces = episode(batch, by_rules(batch), seeds)
    for b, seed in enumerate(seeds):
        single = core_of(config, settings, cycles)
        episode(single, by_rules(single), (seed,))
        assert single.recorder.heads[0] == batch.recorder.heads[b]
        assert np.array_equal(getattr(single.state, field)[0], getattr(batch.state, field)[b])
    return traces
