"""Nodes that only talk to their neighbours find the voltages of the sweep, in rounds or without."""

from __future__ import annotations

import numpy as np
import pytest

from envs.grid.feeder import Feeder, load_feeder
from envs.grid.inverter import Droop, sweep_with_droop
from envs.grid.messages import Inverters, doubters, exchange
from envs.grid.single import sweep_one
from envs.grid.sweep import PowerFlow
from tests.grid.conftest import CASE33, RURAL, SEMIURBAN, SIX_NODE, TINY, injections


def nominal(feeder: Feeder, factor: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    loads, generators = feeder.loads, feeder.generators
    return injections(feeder, loads.p_kw, loads.q_kvar, factor * generators.p_kw)


@pytest.mark.parametrize("name", [TINY, SIX_NODE, RURAL, SEMIURBAN, CASE33, "pandapower:create_kerber_dorfnetz"])
def test_in_rounds_it_is_the_sweep(name: str) -> None:
    feeder = load_feeder(name)
    found = exchange(feeder, *nominal(feeder))
    flow = PowerFlow(feeder).solve(*nominal(feeder))
    assert found.converged
    assert found.rounds == flow.rounds
    voltage, current = np.empty((2, feeder.bus_count), complex)
    assert sweep_one(feeder.sweep_arrays, *nominal(feeder), voltage, current, True) == found.rounds
    assert found.voltage.tobytes() == voltage.tobytes()  # to the last bit
    assert found.current.tobytes() == current.tobytes()
    # one message a branch and direction in each round, the last report up and the verdict down
    assert found.messages == 2 * (feeder.bus_count - 1) * (found.rounds + 1)
    root = found.voltage[0] * found.current[0].conjugate() * feeder.base_kva
    assert root.real == pytest.approx(float(flow.slack_p_kw), abs=1e-6)


@pytest.mark.parametrize("name", [TINY, SIX_NODE, RURAL])
def test_inverters_that_answer_to_their_own_voltage_settle_as_in_the_sweep(name: str) -> None:
    feeder = load_feeder(name)
    p_kw, q_kvar = nominal(feeder, 1.5)
    bus, most_var = feeder.generators.bus, 600.0 * feeder.generators.p_kw
    own = Inverters(Droop(0.93, 0.97, 1.0, 1.07, 0.4), bus, most_var, 0.8 * most_var)
    found = exchange(feeder, p_kw, q_kvar, inverters=own)
    voltage, current = np.empty((2, feeder.bus_count), complex)
    given_var = np.empty(len(bus))
    rounds = sweep_with_droop(
        feeder.sweep_arrays, own.droop, bus, most_var, own.reach_var, given_var, p_kw, q_kvar, voltage, current
    )
    assert found.rounds == rounds
    assert found.voltage.tobytes() == voltage.tobytes()
    assert found.given_var.tobytes() == given_var.tobytes()
    assert (given_var < 0.0).any()
    with pytest.raises(ValueError, match="settle in rounds"):
        exchange(feeder, p_kw, q_kvar, 3, 0, own)


@pytest.mark.parametrize("name", [TINY, SIX_NODE, RURAL, SEMIURBAN, CASE33])
@pytest.mark.parametrize("delay_ticks", [1, 7])
def test_delays_change_the_talk_but_not_its_outcome(name: str, delay_ticks: int) -> None:
    feeder = load_feeder(name)
    flow = PowerFlow(feeder).solve(*nominal(feeder))
    talks = [exchange(feeder, *nominal(feeder), delay_ticks, seed) for seed in (0, 1)]
    for found in talks:
        assert found.converged
        assert np.abs(found.voltage_pu - flow.voltage_pu).max() < 1e-9
        assert found.messages >= 2 * (feeder.bus_count - 1)
    if delay_ticks > 1:
        assert (talks[0].messages, talks[0].ticks) != (talks[1].messages, talks[1].ticks)
        again = exchange(feeder, *nominal(feeder), delay_ticks, 1)
        assert again.voltage.tobytes() == talks[1].voltage.tobytes()
        assert again.messages == talks[1].messages


@pytest.mark.parametrize("delay_ticks", [0, 3])
def test_no_solution_is_said_and_leaks_nothing(delay_ticks: int, tiny: Feeder) -> None:
    p_kw = np.full(tiny.bus_count, -500.0)
    assert not PowerFlow(tiny).solve(p_kw, np.zeros_like(p_kw)).converged
    found = exchange(tiny, p_kw, np.zeros_like(p_kw), delay_ticks)
    assert not found.converged
    assert not found.voltage.any()
    assert not found.current.any()


def test_a_node_that_lies_is_noticed_by_its_neighbours(tiny: Feeder) -> None:
    p_kw, q_kvar = nominal(tiny, 0.5)
    liar, *beside = (tiny.bus_name.tolist().index(name) for name in ("west 3", "west 1", "west 2"))
    said_kw = p_kw.copy()
    said_kw[liar] -= 6.0  # it feeds in more than it says
    measured_pu = PowerFlow(tiny).solve(p_kw, q_kvar).voltage_pu
    honest = exchange(tiny, p_kw, q_kvar)
    assert not doubters(honest, measured_pu, 1e-6).any()
    doubting = doubters(exchange(tiny, said_kw, q_kvar), measured_pu, 0.005)
    assert doubting[beside].all()
    assert not doubting[0]


@pytest.mark.parametrize(
    ("p_kw", "delay_ticks", "message"),
    [(np.zeros(3), 0, "shape"), (np.full(8, np.nan), 0, "finite"), (np.zeros(8), -1, "delay_ticks")],
)
def test_bad_input_is_refused(p_kw: np.ndarray, delay_ticks: int, message: str, tiny: Feeder) -> None:
    with pytest.raises(ValueError, match=message):
        exchange(tiny, p_kw, np.zeros_like(p_kw), delay_ticks)
