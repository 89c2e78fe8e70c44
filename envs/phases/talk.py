"""The safety check as paper 000 has it: run by the nodes, who know their own branch and injection and talk.

What the nodes agree on is what is held against the limits. In rounds these are the kernel's voltages to the last bit;
with delays they lie within `AGREED_PU` of them, or the run ends with an error: a check that contradicts the power flow
must not decide anything. What only one of the two solves is no contradiction: near the nose of the curve the kernel
stops at its last round, and nodes without rounds may settle a little beyond it, or not at all. Such a period counts as
one without a solution.
"""

from __future__ import annotations

import numpy as np

from envs import draws
from envs.grid.feeder import Feeder
from envs.grid.messages import Exchange, Inverters, exchange
from envs.phases.network import Q_OF_U, Desk, Limits, inject, measure, new_desk, solve_sites
from envs.phases.rows import Check, Promise, Rows, expect, judge
from envs.types import HORIZON, Bools, Ints, State

AGREED_PU = 1e-9


class Nodes:
    """The nodes of B worlds in a period: who they are, and how long their messages take.

    At most ``checks`` are made of each world. A delay is a draw like any other.
    """

    def __init__(self, feeder: Feeder, delay_ticks: int, state: State, checks: int) -> None:
        self.feeder, self.delay_ticks = feeder, delay_ticks
        self.draw = np.empty((len(state.seed), checks * HORIZON))
        draws.uniforms(state.seed, state.episode, state.period, draws.MESSAGES, self.draw)

    def talk(self, limits: Limits, desk: Desk, b: int, number: int) -> Exchange:
        """The exchange about what the desk holds; ``number`` tells those of a period apart."""
        inject(limits, desk)
        own = None
        if limits.reactive == Q_OF_U:
            own = Inverters(limits.droop, limits.site_bus, limits.most_var, desk.reach_var)
        seed = int(self.draw[b, number] * 2.0**53)
        return exchange(self.feeder, desk.p_kw, desk.q_kvar, self.delay_ticks, seed, own)


def check_by_messages(
    nodes: Nodes, limits: Limits, active: Bools, promise: Promise, turn: Ints, first: Ints, rows: Rows, check: Check
) -> None:
    """`envs.phases.rows.check_promise`, the power flow by messages; violated limits join ``rows``.

    ``turn`` (B,) numbers the checks that a world makes in the period.
    """
    desk, idle = new_desk(limits), new_desk(limits)
    for b in np.flatnonzero(active).tolist():
        rows.touched[b] = False
        check.low_pu[b] = np.inf
        for h in range(int(promise.duration[b])):
            expect(desk, promise, b, h)
            found = nodes.talk(limits, desk, b, int(turn[b]) * HORIZON + h)
            solved = solve_sites(limits, desk)
            if solved and found.converged:
                check.apart_pu[b] = max(check.apart_pu[b], _distance_pu(found, desk))
            if solved:  # else the desk shows what a power flow without a solution leaves
                desk.voltage[:], desk.current[:] = found.voltage, found.current
                if limits.reactive == Q_OF_U:
                    desk.given_var[:] = found.given_var
                measure(limits, desk)
            check.talk[b] += (found.rounds, found.messages, found.ticks)
            judge(limits, desk, idle, solved and found.converged, promise, b, h, True, first[b], rows, check)


def _distance_pu(found: Exchange, desk: Desk) -> float:
    """Largest distance between a voltage of the exchange and of the kernel, both solutions.

    Raises:
        ArithmeticError: it is above `AGREED_PU`.
    """
    apart_pu = float(np.abs(found.voltage - desk.voltage).max())
    if apart_pu > AGREED_PU:
        raise ArithmeticError(f"the nodes' exchange and the power flow are {apart_pu} pu apart; {AGREED_PU} is allowed")
    return apart_pu
