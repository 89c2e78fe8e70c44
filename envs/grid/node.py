"""A bus that knows its own branch, its own injection and what its neighbours have told it, nothing else.

Its parent tells it a voltage; it tells its parent the current that leaves the parent into their common branch (paper
000 eq. 8-12, with the sign and the conjugates of `envs.grid.feeder`). Every operation and its order are those of
`envs.grid.single`, so that nodes who talk in rounds find the kernel's bytes; products of complex numbers are written
out because a compiler may fuse those of the interpreter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from envs.grid.feeder import Feeder
from envs.grid.inverter import Droop, droop_share
from envs.grid.measure import magnitude
from envs.grid.single import COLLAPSE_PU2, MAX_ROUNDS

QUIET_PU = 1e-13  # a change that is not worth a message: errors add up along a path, and 1e-9 is wanted at its end


class Report(NamedTuple):
    """What a node tells its parent: a current, and in rounds also how restless its subtree still is."""

    current: complex
    change_pu2: float
    gap_var: float
    collapsed: bool


@dataclass
class Inverter:
    """An inverter on its characteristic (see `envs.grid.inverter`)."""

    droop: Droop
    most_var: float
    reach_var: float
    given_var: float = 0.0  # > 0 into the grid

    def respond(self, voltage: complex) -> tuple[float, float]:
        """Moves toward the characteristic; (distance that was left, what was added), var."""
        wanted = droop_share(self.droop, magnitude(voltage)) * self.most_var
        step = min(max(wanted, -self.reach_var), self.reach_var) - self.given_var
        added = self.droop.damping * step
        self.given_var += added
        return abs(step), added


@dataclass
class Node:
    """One bus with the branch to its parent: V_c = a V_p - z J_c and J_p = y_eq V_p + k J_c, all pu."""

    a: complex
    z: complex
    y_eq: complex
    k: complex
    shunt: complex
    p_kw: float  # > 0 into the grid
    q_kvar: float
    scale: float  # pu per kW
    voltage: complex
    parent_voltage: complex
    children: list[int] = field(default_factory=list)
    inverters: list[Inverter] = field(default_factory=list)
    heard: dict[int, Report] = field(default_factory=dict)  # the latest report of each child
    change_pu2: float = np.inf
    gap_var: float = 0.0
    current: complex = 0j

    def report(self) -> Report:
        """The current at the parent's end, from what is known now."""
        re, im = self.voltage.real, self.voltage.imag
        square = re * re + im * im
        if not square > COLLAPSE_PU2 or any(report.collapsed for report in self.heard.values()):
            return Report(0j, np.inf, 0.0, True)
        # conj(S / V) = conj(S) V / |V|^2
        p, q, over = self.p_kw * self.scale, self.q_kvar * self.scale, 1.0 / square
        self.current = complex(-(p * re + q * im) * over, -(p * im - q * re) * over)
        if self.shunt:
            self.current += _times(self.shunt, self.voltage)
        change_pu2, gap_var = self.change_pu2, self.gap_var
        for child in reversed(self.children):  # last child first, as the sweep adds them
            self.current += self.heard[child].current
            change_pu2 = max(change_pu2, self.heard[child].change_pu2)
            gap_var = max(gap_var, self.heard[child].gap_var)
        told = self.current
        if self.y_eq or self.k != 1.0:
            told = _times(self.y_eq, self.parent_voltage) + _times(self.k, self.current)
        return Report(told, change_pu2, gap_var, False)

    def hear_voltage(self, parent_voltage: complex) -> None:
        """The parent's voltage has arrived: one's own follows over the branch."""
        self.parent_voltage = parent_voltage
        idle = parent_voltage if self.a == 1.0 else _times(self.a, parent_voltage)
        voltage = idle - _times(self.z, self.current)
        step = voltage - self.voltage
        self.change_pu2 = step.real * step.real + step.imag * step.imag
        self.voltage = voltage

    def respond(self) -> None:
        """One's own inverters answer to one's own voltage."""
        self.gap_var = 0.0
        for inverter in self.inverters:
            gap_var, added_var = inverter.respond(self.voltage)
            self.gap_var = max(self.gap_var, gap_var)
            self.q_kvar += added_var * 0.001

    def settle(self) -> Report:
        """Voltage and current brought into agreement with what the neighbours said last; needs no message."""
        report = self.report()
        for _ in range(MAX_ROUNDS):
            if report.collapsed:
                break
            self.hear_voltage(self.parent_voltage)
            report = self.report()
            if self.change_pu2 <= QUIET_PU**2:
                break
        return report


def _times(one: complex, other: complex) -> complex:
    return complex(
        one.real * other.real - one.imag * other.imag,
        one.real * other.imag + one.imag * other.real,
    )


def nodes_of(feeder: Feeder, p_kw: np.ndarray, q_kvar: np.ndarray) -> list[Node]:
    """Every node with what it may know; all start from the voltages of the idle feeder."""
    nodes: list[Node] = []
    slack, scale = complex(feeder.slack_voltage_pu), 1.0 / feeder.base_kva
    columns = (feeder.a, feeder.z, feeder.y_eq, feeder.k, feeder.shunt)
    for bus, (parent, p, q) in enumerate(zip(feeder.parent.tolist(), p_kw.tolist(), q_kvar.tolist(), strict=True)):
        a, z, y_eq, k, shunt = (complex(column[bus]) for column in columns)
        above = nodes[parent].voltage if bus else slack
        voltage = _times(a, above) if bus else slack
        nodes.append(Node(a, z, y_eq, k, shunt, p, q, scale, voltage, above))
        if bus:
            nodes[parent].children.append(bus)
    return nodes
