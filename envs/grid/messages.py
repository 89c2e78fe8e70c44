"""The distributed safety check of paper 000 as what it is on paper: messages between neighbours.

A `Node` knows its own branch, its own injection and what its neighbours have told it, nothing else. Its parent tells
it a voltage; it tells its parent the current that leaves the parent into their common branch (eq. 8-12, with the
sign and the conjugates of `envs.grid.feeder`). Two ways to run it:

- in rounds (`delay_ticks = 0`): a node waits for all its children before it speaks up. The worst change of a voltage
  (eq. 13-14) travels up with the currents, and the root says when it is enough. The numbers are those of
  `envs.grid.sweep`, round by round;
- without common rounds (`delay_ticks = d`): every message takes 1..d ticks, drawn at random, and may overtake another.
  Nobody waits and nobody decides: a node that has heard something speaks at the end of that tick, if what it has to
  say has changed by more than `QUIET_PU`, and the net has settled when no message is under way. An overtaken message
  is recognised by its number and dropped.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from envs.grid.feeder import Feeder
from envs.grid.single import COLLAPSE_PU2, MAX_ROUNDS, settled
from envs.grid.sweep import PowerFlow

QUIET_PU = 1e-13  # a change that is not worth a message: errors add up along a path, and 1e-9 is wanted at its end
MAX_TICKS = 10 * MAX_ROUNDS  # without rounds, for each tick of the longest delay: beyond it the net has not settled


class Exchange(NamedTuple):
    """What the conversation came to; voltages and currents are 0 where it did not settle."""

    voltage: np.ndarray  # (buses,) complex pu
    current: np.ndarray  # (buses,) complex pu, into each bus from its parent branch
    rounds: int  # sweeps up and down; without rounds: messages that the busiest branch carried in one direction
    messages: int  # sent by all nodes
    ticks: int  # time of the last arrival; in rounds every message takes 1 tick
    converged: bool

    @property
    def voltage_pu(self) -> np.ndarray:
        """(buses,) magnitudes."""
        return np.abs(self.voltage)


class Report(NamedTuple):
    """What a node tells its parent: a current, and in rounds also how restless its subtree still is."""

    current: complex
    change_pu2: float
    collapsed: bool


@dataclass
class Node:
    """One bus with the branch to its parent: V_c = a V_p - z J_c and J_p = y_eq V_p + k J_c, all pu."""

    a: complex
    z: complex
    y_eq: complex
    k: complex
    shunt: complex
    injection: complex  # > 0 into the grid
    voltage: complex
    parent_voltage: complex
    children: list[int] = field(default_factory=list)
    heard: dict[int, Report] = field(default_factory=dict)  # the latest report of each child
    change_pu2: float = np.inf
    current: complex = 0j

    def report(self) -> Report:
        """The current at the parent's end, from what is known now."""
        square = self.voltage.real**2 + self.voltage.imag**2
        collapsed = not square > COLLAPSE_PU2 or any(report.collapsed for report in self.heard.values())
        if collapsed:
            return Report(0j, np.inf, True)
        # conj(S / V) = conj(S) V / |V|^2
        self.current = self.shunt * self.voltage - self.injection.conjugate() * self.voltage / square
        # last child first, as the sweep adds them
        for child in reversed(self.children):
            self.current += self.heard[child].current
        change = max([self.change_pu2, *(report.change_pu2 for report in self.heard.values())])
        return Report(self.y_eq * self.parent_voltage + self.k * self.current, change, False)

    def hear_voltage(self, parent_voltage: complex) -> None:
        """The parent's voltage has arrived: one's own follows over the branch."""
        self.parent_voltage = parent_voltage
        voltage = self.a * parent_voltage - self.z * self.current
        step = voltage - self.voltage
        self.change_pu2 = step.real**2 + step.imag**2
        self.voltage = voltage

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


def exchange(feeder: Feeder, p_kw: Any, q_kvar: Any, delay_ticks: int = 0, seed: int = 0) -> Exchange:
    """Let the nodes of a feeder find their voltages by talking (paper 000 eq. 8-14, corrected).

    Args:
        feeder: the radial grid.
        p_kw: (buses,) net active injections, > 0 into the grid; every node is given its own entry only.
        q_kvar: (buses,) net reactive injections.
        delay_ticks: 0 for rounds, else the longest time that a message takes.
        seed: of the delays.

    Raises:
        ValueError: a wrong shape, an injection that is not finite, a negative delay, a net with loops.
    """
    if feeder.branch_count > feeder.bus_count:
        raise ValueError(f"{feeder.name} has loops; neighbours can settle by messages up and down a tree only")
    p, q = PowerFlow(feeder).checked("p_kw", p_kw), PowerFlow(feeder).checked("q_kvar", q_kvar)
    if p.ndim != 1 or q.ndim != 1:
        raise ValueError(f"p_kw and q_kvar have shapes {p.shape} and {q.shape}; ({feeder.bus_count},) is needed")
    if delay_ticks < 0:
        raise ValueError(f"delay_ticks = {delay_ticks}; allowed: 0 (rounds) or more")
    nodes = _nodes(feeder, (p + 1j * q) / feeder.base_kva)
    found = _in_rounds(feeder, nodes) if delay_ticks == 0 else _without_rounds(feeder, nodes, delay_ticks, seed)
    if found.converged:
        return found
    dead = np.zeros(feeder.bus_count, complex)
    return found._replace(voltage=dead, current=dead.copy())


def _nodes(feeder: Feeder, injection_pu: np.ndarray) -> list[Node]:
    """Every node with what it may know; all start from the voltages of the idle feeder."""
    nodes: list[Node] = []
    slack = complex(feeder.slack_voltage_pu)
    for bus in range(feeder.bus_count):
        a, z, y_eq, k = (complex(column[bus]) for column in (feeder.a, feeder.z, feeder.y_eq, feeder.k))
        shunt, injection = complex(feeder.shunt[bus]), complex(injection_pu[bus])
        above = nodes[int(feeder.parent[bus])].voltage if bus else slack
        nodes.append(Node(a, z, y_eq, k, shunt, injection, voltage=a * above, parent_voltage=above))
        if bus:
            nodes[int(feeder.parent[bus])].children.append(bus)
    return nodes


def _in_rounds(feeder: Feeder, nodes: list[Node]) -> Exchange:
    """Currents up, voltages down, until the root hears that nothing moves; it then says so downwards."""
    links = feeder.bus_count - 1
    nodes[0].change_pu2 = 0.0  # the upper grid holds the root's voltage
    rounds = messages = 0
    before_pu2 = np.inf
    while True:
        for bus in range(links, 0, -1):
            nodes[int(feeder.parent[bus])].heard[bus] = nodes[bus].report()
        summary = nodes[0].report()
        messages += links
        done = settled(summary.change_pu2, before_pu2)
        before_pu2 = summary.change_pu2
        if done or summary.collapsed or rounds == MAX_ROUNDS:
            break
        for bus in range(1, links + 1):
            nodes[bus].hear_voltage(nodes[int(feeder.parent[bus])].voltage)
        rounds, messages = rounds + 1, messages + links
    # the verdict goes down once more
    ticks = (2 * rounds + 2) * int(_depth(feeder).max())
    return _answer(nodes, max(rounds, 1), messages + links, ticks, done and not summary.collapsed)


def _depth(feeder: Feeder) -> np.ndarray:
    """(buses,) branches between each bus and the root."""
    depth = np.zeros(feeder.bus_count, np.int64)
    for bus in range(1, feeder.bus_count):
        depth[bus] = depth[feeder.parent[bus]] + 1
    return depth


class _Post:
    """Messages under way; on each link and direction the newest one counts."""

    def __init__(self, delay_ticks: int, seed: int) -> None:
        self.random, self.delay_ticks = random.Random(seed), delay_ticks
        self.under_way: list[tuple[int, int, int, int, Any]] = []  # tick, number, sender, receiver, content
        self.said: dict[tuple[int, int], complex] = {}
        self.carried: dict[tuple[int, int], int] = {}
        self.delivered: dict[tuple[int, int], int] = {}
        self.tick = self.sent = 0

    def send(self, sender: int, receiver: int, value: complex, content: Any) -> None:
        """Send `content`, unless its value is what was said last."""
        link = (sender, receiver)
        if link in self.said and abs(value - self.said[link]) <= QUIET_PU:
            return
        self.said[link] = value
        self.sent += 1
        self.carried[link] = self.carried.get(link, 0) + 1
        arrival = self.tick + self.random.randint(1, self.delay_ticks)
        heapq.heappush(self.under_way, (arrival, self.sent, sender, receiver, content))

    def deliver(self) -> list[tuple[int, int, Any]]:
        """(sender, receiver, content) of everything that arrives next at one tick, less what a newer one overtook."""
        self.tick = self.under_way[0][0]
        arrived = []
        while self.under_way and self.under_way[0][0] == self.tick:
            _, number, sender, receiver, content = heapq.heappop(self.under_way)
            if number > self.delivered.get((sender, receiver), 0):
                self.delivered[sender, receiver] = number
                arrived.append((sender, receiver, content))
        return arrived


def _without_rounds(feeder: Feeder, nodes: list[Node], delay_ticks: int, seed: int) -> Exchange:
    """Who has heard something answers upwards and downwards, until nobody has anything new to say."""
    parent = feeder.parent.tolist()
    post = _Post(delay_ticks, seed)
    for node in nodes:  # a neighbour that has not spoken yet is taken as idle
        node.heard = {child: Report(0j, 0.0, False) for child in node.children}

    def speak(bus: int) -> bool:
        node = nodes[bus]
        report = node.settle()
        if report.collapsed:
            return False
        if bus:
            post.send(bus, parent[bus], report.current, report)
        for child in node.children:
            post.send(bus, child, node.voltage, node.voltage)
        return True

    alive = all(speak(bus) for bus in range(len(nodes)))
    while alive and post.under_way and post.tick < MAX_TICKS * delay_ticks:
        listeners = set()
        for sender, receiver, content in post.deliver():
            if receiver and sender == parent[receiver]:
                nodes[receiver].hear_voltage(content)
            else:
                nodes[receiver].heard[sender] = content
            listeners.add(receiver)
        alive = all(speak(bus) for bus in sorted(listeners))
    busiest = max(post.carried.values(), default=0)
    return _answer(nodes, busiest, post.sent, post.tick, alive and not post.under_way)


def _answer(nodes: list[Node], rounds: int, messages: int, ticks: int, converged: bool) -> Exchange:
    voltage = np.array([node.voltage for node in nodes])
    current = np.array([node.current for node in nodes])
    return Exchange(voltage, current, rounds, messages, ticks, converged)


def doubters(found: Exchange, measured_pu: np.ndarray, accuracy_pu: float) -> np.ndarray:
    """(buses,) bool: nodes whose own voltmeter contradicts the voltage that the conversation gave them.

    A node that reports less current than it draws or feeds moves the agreed voltages of everybody whose path to the
    root it shares, in proportion to the shared impedance; the physical voltages do not follow. So a lie of some size
    is seen by honest neighbours, without trusting the liar.
    """
    return np.abs(found.voltage_pu - measured_pu) > accuracy_pu
