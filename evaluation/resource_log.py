"""What the sites' resources did in a run and what that cost their owners: sums that only the evaluator knows."""

from __future__ import annotations

import numpy as np

from envs.resources.site import RESOURCES
from envs.reward import price_of
from envs.settings import Scenario
from envs.types import HOURS, Floats, Ints, Trace

CHARGED, HEATED, REBOUND = "vehicles_charged", "heat_pumps_drew", "rebound"
COSTS = {cost.name: cost for resource in RESOURCES.values() for cost in resource.costs}


class ResourceLog:
    """Adds up world 0 of a run, period by period; ``sums`` has (N,) Wh, or mK·h, by name."""

    def __init__(self, sites: int) -> None:
        self.sums: dict[str, Ints] = {name: np.zeros(sites, np.int64) for name in (*COSTS, CHARGED, HEATED, REBOUND)}

    def write(self, trace: Trace) -> None:
        """Take a period. The rebound is what it was expected to be when the period began, of sites without an order."""
        energy, stage = trace.energy, trace.stage
        for name, cost in COSTS.items():
            self.sums[name] += cost.amount(energy)[0]
        self.sums[CHARGED] += energy.vehicle_wh[0]
        self.sums[HEATED] += energy.heat_wh[0]
        rebound_w: Floats = stage.baseline_w[0, 0] - stage.expected_w[0, 0]
        self.sums[REBOUND] += np.rint(np.maximum(rebound_w, 0.0) * HOURS).astype(np.int64)


def paid(scenario: Scenario, name: str, sums: dict[str, Ints]) -> float:
    """Currency that an amount cost all owners."""
    cost = COSTS[name]
    return float(cost.of(int(sums[name].sum()), price_of(scenario, cost))) / 1e9
