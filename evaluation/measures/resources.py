"""What resources did and what it cost their owners: drivers left short, rooms outside their band, wear, rebound."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from envs.resources.site import RESOURCES
from envs.world import World
from evaluation.measures.base import Metric, Value
from evaluation.resource_log import CHARGED, HEATED, REBOUND, paid

if TYPE_CHECKING:
    from evaluation.runs import RunResult

GROUP = "resources"
PRICED = {
    "curtailed": "sales lost by it",
    "put_off": "discomfort of it",
    "switched_off": "what it was worth to the households",
    "cycled": "wear of batteries",
    "missing_at_departure": "what it cost the drivers",
    "fed_in": "wear of vehicles' batteries",
    "outside_comfort_band": "what it cost those who live there",
}


def owned(world: World) -> dict[str, bool]:
    """Which resources the sites of a world have."""
    equipment = world.equipment
    return {
        "photovoltaic": bool(world.pv_rated_w.any()),
        "load": bool(world.load_w.any()),
        "storage": bool(world.storage_wh.any()),
        "vehicle": bool(equipment.fleet.rated_w.any()),
        "thermostatic": bool(equipment.houses.rated_w.any()),
    }


def _amount(world: World, run: RunResult, resource: str, name: str) -> Value:
    """In thousands of the log's unit; None where no site has such a resource."""
    if not owned(world)[resource]:
        return None
    return int(run.truth.resources[name].sum()) / 1000.0


def _cost(world: World, run: RunResult, resource: str, name: str) -> Value:
    return paid(world.scenario, name, run.truth.resources) if owned(world)[resource] else None


def _rebound(world: World, run: RunResult) -> Value:
    """Only where somebody keeps a twin to compare with."""
    has = world.has_appliances or world.has_plans
    return int(run.truth.resources[REBOUND].sum()) / 1000.0 if has else None


METRICS = [
    *(
        metric
        for resource, declared in RESOURCES.items()
        for cost in declared.costs
        for metric in (
            Metric(
                GROUP, cost.name, cost.unit, cost.meaning, summary=True,
                private=partial(_amount, resource=resource, name=cost.name),
            ),
            Metric(
                GROUP, f"{cost.name}_cost", "¤", PRICED[cost.name], summary=True,
                private=partial(_cost, resource=resource, name=cost.name), better=-1,
            ),
        )
    ),
    Metric(
        GROUP, CHARGED, "kWh", "energy that vehicles drew",
        private=partial(_amount, resource="vehicle", name=CHARGED),
    ),
    Metric(
        GROUP, HEATED, "kWh", "energy that heat pumps drew",
        private=partial(_amount, resource="thermostatic", name=HEATED),
    ),
    Metric(
        GROUP, REBOUND, "kWh",
        "demand beyond that of the same day without orders, as it was expected when each period began: what earlier"
        " orders put off and comes back",
        private=_rebound, summary=True,
    ),
]  # fmt: skip
