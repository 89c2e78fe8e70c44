"""What the operator's own meter says: held against a power flow of the readings, as tightly as these are known."""

import numpy as np
import pytest

from envs.audit import executors
from envs.generate import generate
from envs.metered import losses_between, most_wrong
from envs.phases.deliver import flow_of
from envs.types import HOURS
from envs.world import build_world
from ledger.audit import audit_file
from ledger.chain import Chain
from ledger.kinds import SCHEMAS, Kind
from tests.envs.play import by_rules, core_of, episode

CYCLES = 14
HEIGHT = 11  # of the block that is altered
FIELDS = [field.name for field in SCHEMAS[Kind.GRID]]


def difference_in(path, overrides=None, settings=()):
    core = core_of("tiny", overrides, CYCLES, str(path))
    episode(core, by_rules(core), (1,))
    return audit_file(path, [executors("tiny", settings)]).difference


def longer(values):
    values.append(values[-1])


def shorter(values):
    values.pop()


def stated(monkeypatch, field, change):
    """The operator writes something else into one GRID record's field."""
    original, at = Chain.draft, FIELDS.index(field)

    def wrapped(self, drafts, *rest):
        first = self.height + 1 == HEIGHT and self.due.name == "trading"  # all chains are written from these
        for draft in drafts if first else ():
            if draft.kind is Kind.GRID:
                if isinstance(change, int):
                    draft.body[at] += change
                else:
                    change(draft.body[at])
        return original(self, drafts, *rest)

    monkeypatch.setattr(Chain, "draft", wrapped)


@pytest.mark.parametrize("by_wh", [5_000, 400, -400])
def test_losses_that_the_readings_cannot_have_are_found(tmp_path, monkeypatch, by_wh):
    stated(monkeypatch, "technical_losses_wh", by_wh)
    found = difference_in(tmp_path / "losses.sqlite")
    assert (found.block, found.contract, found.kind) == (HEIGHT, "settlement", "GRID")
    assert found.recorded.startswith("technical_losses_wh ")
    least, most = (int(word) for word in found.executed.removesuffix(" Wh").split(" of ")[1].split(" to "))
    assert most - least < 400


LISTS = ["voltages_micro_pu", "loadings_ppm", "twin_voltages_micro_pu", "twin_loadings_ppm"]


@pytest.mark.parametrize("field", LISTS)
@pytest.mark.parametrize("change", [shorter, longer])
def test_a_list_of_another_length_is_found(tmp_path, monkeypatch, field, change):
    stated(monkeypatch, field, change)
    found = difference_in(tmp_path / "short.sqlite")
    assert (found.block, found.contract, found.kind) == (HEIGHT, "settlement", "GRID")
    assert field in found.recorded
    count = int(found.executed.removesuffix(" of them"))
    assert found.recorded == f"{count + (1 if change is longer else -1)} {field}"


def test_as_many_inverters_as_sites(tmp_path, monkeypatch):
    stated(monkeypatch, "reactive_varh", shorter)
    found = difference_in(tmp_path / "inverters.sqlite", {"grid": {"reactive": "q_of_u"}}, ["grid.reactive=q_of_u"])
    assert (found.block, found.kind) == (HEIGHT, "GRID")
    assert found.recorded.endswith(" reactive_varh")


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.2])
def test_honest_runs_follow_whatever_witnesses_see(tmp_path, noise):
    overrides = {"sites": {"witness_noise": noise}}
    assert difference_in(tmp_path / "noise.sqlite", overrides, [f"sites.witness_noise={noise}"]) is None


def test_nothing_bounds_readings_that_witnesses_may_see_as_zero():
    world = build_world("tiny", {"sites": {"witness_noise": 0.2}})
    assert most_wrong(world, np.ones((3, 1, world.sites), np.int64)) is None


@pytest.mark.parametrize("scenario", ["tiny", "rural_day", "ring"])
@pytest.mark.parametrize("reactive", ["none", "q_of_u"])
def test_whatever_meters_may_hide_loses_no_more_than_is_allowed(scenario, reactive):
    """Random corners of what the accepted readings may be wrong by, all sites the same way among them."""
    world, draw, corners = build_world(scenario, {"grid": {"reactive": reactive}}), np.random.default_rng(3), 24
    state = generate(world, np.zeros(corners, np.uint64), np.zeros(corners, np.int64))
    nobody, given = np.zeros((corners, world.sites), np.bool_), np.zeros((corners, world.sites), np.int64)
    for period in (4, 48, 76):
        state.period, state.day[:] = period, 172
        row = 172 * world.periods_per_day + period
        fed, drawn = (np.rint(power_w[row] * HOURS).astype(np.int64) for power_w in (world.pv_w, world.load_w))
        wrong = most_wrong(world, np.array([[fed], [drawn], [0 * fed]]))
        signs = draw.choice((-1, 1), (corners, world.sites))
        signs[0], signs[1], signs[2] = 1, -1, 0
        net = fed - drawn + np.rint(signs * wrong).astype(np.int64)
        flow = flow_of(world, state, net, np.tile(drawn, (corners, 1)), given, nobody)
        assert flow.converged.all()
        least, most = losses_between(world, wrong, float(flow.loss_wh[2]), float(flow.voltage_pu[2].min()))
        assert least <= flow.loss_wh.min() < flow.loss_wh[2] < flow.loss_wh.max() <= most
        assert flow.loss_wh[:2].max() - flow.loss_wh[2] > 0.1 * (most - flow.loss_wh[2])  # not a bound of no meaning
