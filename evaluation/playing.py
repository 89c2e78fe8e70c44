"""Playing a core to the end of its episode, one world or a batch of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from agents.policy import Policy
from envs.core import Core
from envs.observe import Observer
from envs.types import Trace


def acting(core: Core, policies: Mapping[str, Policy], game: str = "staged") -> Callable[[str], np.ndarray]:
    """What a role does at this moment: its policy (role → policy) on what it may see of the core."""
    observer, staged = Observer(core.world, core.max_cycles), game == "staged"
    return lambda role: np.asarray(policies[role].act(observer.observe(role, core.state, core.stage, staged)))


def periods(core: Core, policies: Mapping[str, Policy], game: str = "staged") -> Iterator[Trace]:
    """The traces of a core that was reset, period by period.

    In the simultaneous game everybody acts on what was public before the period began.
    """
    act = acting(core, policies, game)
    while not core.done:
        if game == "staged":
            core.announce(act("eno"))
            core.offer(act("aggregator"))
            yield core.close(act("prosumer"))
        else:
            eno, aggregator, prosumer = act("eno"), act("aggregator"), act("prosumer")
            core.announce(eno)
            core.offer(aggregator)
            yield core.close(prosumer)
