"""The distributed safety check of paper 000 as what it is on paper: messages between neighbours.

Two ways to let the nodes of `envs.grid.node` find their voltages:

- in rounds (`delay_ticks = 0`): a node waits for all its children before it speaks up. The worst change of a voltage
  (eq. 13-14) travels up with the currents, and the root says when it is enough. The numbers are those of
  `envs.grid.single`, round by round and to the last bit;
- without common rounds (`delay_ticks = d`): every message takes 1..d ticks, drawn at random, and may overtake another.
  Nobody waits and nobody decides: a node that has heard something speaks at the end of that tick, if what it has to
  say has changed by more than `QUIET_PU`, and the net has settled when no message is under way. An overtaken message
  is recognised by its number and dropped.
"""

from __future__ import annotations

import heapq
import random
from typing import Any, NamedTuple

import numpy as np

from envs.grid.feeder import Feeder
from envs.grid.inverter import DROOP_ROUNDS, Droop
from envs.grid.node import QUIET_PU, Inverter, Node, Report, nodes_of
from envs.grid.single import MAX_ROUNDS, TOLERANCE_PU, settled
from envs.grid.sweep import PowerFlow

MAX_TICKS = 10 * MAX_ROUNDS  # without rounds, for each tick of the longest delay: beyond it the net has not settled


class Exchange(NamedTuple):
    """What the conversation came to; voltages, currents and what inverters give are 0 where it did not settle."""

    voltage: np.ndarray  # (buses,) complex pu
    current: np.ndarray  # (buses,) complex pu, into each bus from its parent branch
    given_var: np.ndarray  # (inverters,) > 0 into the grid
    rounds: int  # sweeps up and down; without rounds: messages that the busiest branch carried in one direction
    messages: int  # sent by all nodes
    ticks: int  # time of the last arrival; in rounds every message takes 1 tick
    converged: bool

    @property
    def voltage_pu(self) -> np.ndarray:
        """(buses,) magnitudes."""
        return np.abs(self.voltage)


class Inverters(NamedTuple):
    """Inverters on a common characteristic, each known to its own bus."""

    droop: Droop
    bus: np.ndarray  # (inverters,)
    most_var: np.ndarray  # (inverters,) sin(phi) of the rating
    reach_var: np.ndarray  # (inverters,) what it can give beside what it carries


def refuse_loops(feeder: Feeder) -> None:
    """ValueError, by the net's name, where neighbours cannot settle."""
    if feeder.branch_count > feeder.bus_count:
        raise ValueError(f"{feeder.name} has loops; neighbours can settle by messages up and down a tree only")


def exchange(
    feeder: Feeder, p_kw: Any, q_kvar: Any, delay_ticks: int = 0, seed: int = 0, inverters: Inverters | None = None
) -> Exchange:
    """Let the nodes of a feeder find their voltages by talking (paper 000 eq. 8-14, corrected).

    Args:
        feeder: the radial grid.
        p_kw: (buses,) net active injections, > 0 into the grid; every node is given its own entry only.
        q_kvar: (buses,) net reactive injections, those of `inverters` aside.
        delay_ticks: 0 for rounds, else the longest time that a message takes.
        seed: of the delays.
        inverters: those that answer to their voltage; in rounds only, since their common damping needs them.

    Raises:
        ValueError: a wrong shape, an injection that is not finite, a negative delay, a net with loops, inverters on a
            characteristic without rounds.
    """
    refuse_loops(feeder)
    p, q = PowerFlow(feeder).checked("p_kw", p_kw), PowerFlow(feeder).checked("q_kvar", q_kvar)
    if p.ndim != 1 or q.ndim != 1:
        raise ValueError(f"p_kw and q_kvar have shapes {p.shape} and {q.shape}; ({feeder.bus_count},) is needed")
    if delay_ticks < 0:
        raise ValueError(f"delay_ticks = {delay_ticks}; allowed: 0 (rounds) or more")
    if delay_ticks > 0 and inverters is not None:
        raise ValueError(f"delay_ticks = {delay_ticks}; inverters on a characteristic settle in rounds (0) only")
    nodes = nodes_of(feeder, p, q)
    own = _place(nodes, inverters) if inverters is not None else []
    if delay_ticks == 0:
        found = _in_rounds(feeder, nodes, inverters is not None)
    else:
        found = _without_rounds(feeder, nodes, delay_ticks, seed)
    if found.converged:
        return found._replace(given_var=np.array([inverter.given_var for inverter in own]))
    dead = np.zeros(feeder.bus_count, complex)
    return found._replace(voltage=dead, current=dead.copy(), given_var=np.zeros(len(own)))


def _place(nodes: list[Node], inverters: Inverters) -> list[Inverter]:
    """Give every node its inverters; all of them in their order."""
    columns = (column.tolist() for column in inverters[1:])
    own = []
    for bus, most_var, reach_var in zip(*columns, strict=True):
        own.append(Inverter(inverters.droop, most_var, reach_var))
        if most_var > 0.0:
            nodes[bus].inverters.append(own[-1])
    return own


def _in_rounds(feeder: Feeder, nodes: list[Node], droop: bool) -> Exchange:
    """Currents up, voltages down, until the root hears that nothing moves; it then says so downwards."""
    links, parent = feeder.bus_count - 1, feeder.parent.tolist()
    nodes[0].change_pu2 = 0.0  # the upper grid holds the root's voltage
    rounds = messages = 0
    before_pu2 = np.inf
    tolerance_var, most = TOLERANCE_PU * feeder.base_kva * 1000.0, DROOP_ROUNDS if droop else MAX_ROUNDS
    while True:
        for bus in range(links, 0, -1):
            nodes[parent[bus]].heard[bus] = nodes[bus].report()
        summary = nodes[0].report()
        messages += links
        if droop:
            done = summary.change_pu2 <= TOLERANCE_PU * TOLERANCE_PU and summary.gap_var <= tolerance_var
        else:
            done = settled(summary.change_pu2, before_pu2)
        before_pu2 = summary.change_pu2
        if done or summary.collapsed or rounds == most:
            break
        for bus in range(1, links + 1):
            nodes[bus].hear_voltage(nodes[parent[bus]].voltage)
        for node in nodes if droop else ():
            node.respond()
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
        node.heard = {child: Report(0j, 0.0, 0.0, False) for child in node.children}

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
    return Exchange(voltage, current, np.zeros(0), rounds, messages, ticks, converged)


def doubters(found: Exchange, measured_pu: np.ndarray, accuracy_pu: float) -> np.ndarray:
    """(buses,) bool: nodes whose own voltmeter contradicts the voltage that the conversation gave them.

    A node that reports less current than it draws or feeds moves the agreed voltages of everybody whose path to the
    root it shares, in proportion to the shared impedance; the physical voltages do not follow. So a lie of some size
    is seen by honest neighbours, without trusting the liar.
    """
    return np.abs(found.voltage_pu - measured_pu) > accuracy_pu
