"""Every resource declares its state, what agents set and see, its adjustable range and its cost in one form."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from envs.actions import prosumer_columns
from envs.resources.site import RESOURCES
from envs.reward import own_costs, price_of
from envs.settings import load_scenario
from envs.sights import prosumer_columns as prosumer_sights
from envs.types import DOWN, UP, Energy, State
from tests.envs.play import OFF, at_random, core_of, episode

WINTER = load_scenario("rural_winter")
FOLDER = Path(__file__).resolve().parents[2] / "envs" / "resources"


def test_every_file_is_a_resource_and_declares_it():
    assert set(RESOURCES) == {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "base", "site"}


@pytest.mark.parametrize("name", RESOURCES)
def test_what_a_resource_declares_is_what_the_world_has(name):
    resource = RESOURCES[name]
    assert set(resource.state) <= {field.name for field in fields(State)}
    assert {c.name for c in resource.actions} <= {c.name for c in prosumer_columns(WINTER)}
    assert {c.name for c in resource.observations} <= {c.name for c in prosumer_sights(WINTER)}
    assert resource.range_w
    assert set(resource.range_w) <= {UP, DOWN}
    assert resource.costs
    for cost in resource.costs:
        price = price_of(WINTER, cost)
        assert price > 0
        assert cost.of(3_000, price) >= 3_000 * price
        assert cost.of(0, price) == 0


def test_rewards_charge_every_declared_cost_once():
    core = core_of("rural_winter", OFF, 40)
    traces = episode(core, at_random(2), (3,))
    energy = traces[-1].energy
    nothing = {field.name: np.zeros_like(getattr(energy, field.name)) for field in fields(Energy)}
    for resource in RESOURCES.values():
        for cost in resource.costs:
            charged = 0.0
            for field in ("available_wh", "shed_wh", "cycled_wh", "missing_wh", "fed_wh", "outside_mkh"):
                one = Energy(**{**nothing, field: np.full_like(energy.shed_wh, 2_000)})
                if cost.amount(one).any():
                    charged = own_costs(core.world, one)
            due = 0.0 if cost.settled else cost.of(2_000, price_of(core.world.scenario, cost)) / 1e9
            assert np.allclose(charged, due)
    assert sum(own_costs(core.world, t.energy).sum() for t in traces) > 0
