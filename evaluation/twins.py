"""The twin of an event: the same day under the same seed, without that event.

In the ledger's twin a period is lived without its orders, but from the batteries as earlier orders left them. Here the
day is lived again from its first period: everything that was announced, offered and ordered is as it was, except that
one event never happens. Batteries that it filled stay empty, and what it changed is followed past its last period to
the end of the day. All twins of a day are worlds of one batch: world 0 leaves nothing out and must be the day itself,
the last one leaves out every event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from agents.policy import Policy, make_policies
from envs.config import SettingsError
from envs.core import Core
from envs.mechanisms import Mechanisms
from envs.money import ACTIVATION, AGGREGATOR_SHORTFALL, SUBSIDY
from envs.settings import Scenario
from envs.types import GRID, REQUESTS, Ints, Plan, Quotes, Stage, State, Trace
from envs.world import World, build_world
from evaluation.daybook import AMOUNT, EVENT, FLOW, ORDERED, SITE, VERIFIED, WHEN, WHO, DayBook, Diary, EventPage
from evaluation.playing import acting, periods

OWN = ("baseline_w", "expected_w", "live_w", "forecast_low_pu", "forecast_high_pu", "forecast_loading")  # a world's own
Said = TypeVar("Said", Stage, Plan)


@dataclass(frozen=True)
class EventTwin:
    """An event beside the same day without it. Wh over the whole event, in the direction of its request."""

    page: EventPage
    changed_wh: int  # its sites' injection less that of the twin while it lasted, without what was cut by force
    cut_wh: int  # of all sites, what its cut of last resort changed: forced, so nobody's flexibility
    unchanged_wh: int  # verified, and so paid, at sites and periods that changed less
    unverified_wh: int  # changed within the order at sites and periods, and not verified
    after_wh: int  # change of all sites from its end to the end of the day; < 0 is given back
    paid: int  # micro-currency from the operator to aggregators, less what they paid back
    passed_on: int  # micro-currency from aggregators to users


@dataclass(frozen=True)
class Day:
    """A played day and its twins."""

    book: DayBook
    events: list[EventTwin]
    stepwise_wh: int  # change of ordered sites against the ledger's twin, which starts each period from the real state
    together_wh: int  # the same against the day without any event
    without_upu: Ints  # (T, buses) voltage of the day without any event
    without_ppm: Ints  # (T, buses) loading


def play_day(scenario: Scenario, policies: Mapping[str, str], seed: int, game: str = "staged") -> Day:
    """Play a day under a seed, then all its twins. No ledger is kept.

    Raises:
        SettingsError: a setting or policy that cannot be, or a policy whose own random numbers depend on how many
            worlds are played: its day cannot be lived again.
    """
    world = build_world(scenario, {"ledger": {"mode": "off"}})
    core = Core(world)
    core.reset(np.array([seed], np.uint64))
    diary = Diary(world, int(core.state.day[0]))
    traces = list(periods(core, _players(world, policies, seed), game))
    for trace in traces:
        diary.write(trace)
    book = diary.close()
    numbers = [page.event for page in book.events]
    left_out = [set[int](), *({event} for event in numbers), set(numbers)]
    again = _live_again(world, _players(world, policies, seed), seed, game, traces, left_out)
    net_wh = np.stack([_net(trace) for trace in again])  # (T, K, N)
    if not np.array_equal(net_wh[:, 0], np.concatenate([_net(trace) for trace in traces])):
        raise SettingsError("--policy: a rule that draws random numbers of its own cannot live a day again")
    cut_wh = np.stack([trace.energy.cut_wh for trace in again])
    taken_wh = cut_wh + np.stack([trace.energy.outage_wh for trace in again])
    return _compared(book, traces, again, net_wh - taken_wh, cut_wh)


def _players(world: World, policies: Mapping[str, str], seed: int) -> dict[str, Policy]:
    players = make_policies(world.scenario, policies)
    for policy in players.values():
        policy.reset(seed)
    return players


def _net(trace: Trace) -> Ints:
    """(B, N) physical injection."""
    energy = trace.energy
    return energy.generated_wh - energy.consumed_wh + energy.storage_wh


def _live_again(
    world: World,
    players: Mapping[str, Policy],
    seed: int,
    game: str,
    traces: Sequence[Trace],
    left_out: Sequence[set[int]],
) -> list[Trace]:
    """The day in K worlds; world k without the events ``left_out[k]``."""
    worlds = len(left_out)

    def promise(_world: World, state: State, _stage: Stage, _quotes: Quotes, _rules: Mechanisms) -> Plan:
        plan = _copies(traces[state.period].plan, worlds)
        for k, request in _silent(left_out, state.period):
            plan.awarded_wh[k, request] = plan.ordered_wh[k, request] = 0
            if request == GRID:
                plan.cut_wh[k] = 0
        return plan

    core = Core(world, promise=promise)
    core.reset(np.full(worlds, seed, np.uint64))
    act = acting(core, players, game)
    found = []
    while not core.done:
        said = _announced(traces[core.state.period].stage, core.stage, left_out, core.state.period)
        if game == "staged":
            core.stage = said
        action = act("prosumer")
        core.stage = said
        found.append(core.close(action))
    return found


def _silent(left_out: Sequence[set[int]], period: int) -> Iterator[tuple[int, int]]:
    """(world, request) of the events that began in this period and are left out."""
    for k, events in enumerate(left_out):
        for event in events:
            start, request = divmod(event - 1, REQUESTS)
            if start == period:
                yield k, request


def _copies(said: Said, worlds: int) -> Said:
    """What was said in one world, for ``worlds`` of them."""
    found = copy(said)
    for field in fields(said):
        value = getattr(said, field.name)
        if isinstance(value, np.ndarray):
            setattr(found, field.name, np.repeat(value, worlds, axis=0))
    return found


def _announced(said: Stage, own: Stage, left_out: Sequence[set[int]], period: int) -> Stage:
    """The period's announcements as they were, over each world's own schedules and running orders."""
    stage = _copies(said, len(left_out))
    for name in OWN:
        setattr(stage, name, getattr(own, name))
    for k, request in _silent(left_out, period):
        for column in (stage.cause, stage.direction, stage.duration, stage.asked_wh):
            column[k, request] = 0
    return stage


def _compared(book: DayBook, traces: Sequence[Trace], again: Sequence[Trace], free_wh: Ints, cut_wh: Ints) -> Day:
    """``free_wh`` (T, K, N): each world's injection without what cuts, ``cut_wh``, and protection took."""
    real = free_wh[:, 0]
    ordered = np.zeros_like(real)  # (T, N) Wh, signed: a site's running orders never point both ways
    for page in book.events:
        np.add.at(ordered, (page.verified[:, WHEN], page.verified[:, WHO]), page.direction * page.verified[:, ORDERED])
    way = np.sign(ordered)
    alone = np.concatenate([trace.energy.natural_wh for trace in traces])
    without = [trace.energy for trace in again]
    return Day(
        book,
        [
            _beside(book, page, real - free_wh[:, k], cut_wh[:, 0] - cut_wh[:, k])
            for k, page in enumerate(book.events, start=1)
        ],
        int((way * (real - alone)).sum()),
        int((way * (real - free_wh[:, -1])).sum()),
        _millionths([energy.voltage_pu[-1] for energy in without]),
        _millionths([energy.loading[-1] for energy in without]),
    )


def _millionths(values: Sequence[np.ndarray]) -> Ints:
    return np.rint(np.stack(values) * 1e6).astype(np.int64)


def _beside(book: DayBook, page: EventPage, difference_wh: Ints, cut_wh: Ints) -> EventTwin:
    """``difference_wh``, ``cut_wh`` (T, N): the day's injection without cuts, and its cuts, less the twin's."""
    rows = book.payments[book.payments[:, EVENT] == page.event]
    money = {
        flow: int(rows[rows[:, FLOW] == flow, AMOUNT].sum()) for flow in (ACTIVATION, AGGREGATOR_SHORTFALL, SUBSIDY)
    }
    moved = page.direction * difference_wh
    at = page.verified
    changed = np.maximum(moved[at[:, WHEN], at[:, WHO]], 0)
    return EventTwin(
        page,
        int(moved[page.start : page.start + page.duration, page.orders[:, SITE]].sum()),
        int(page.direction * cut_wh[page.start : page.start + page.duration].sum()),
        int(np.maximum(at[:, VERIFIED] - changed, 0).sum()),
        int(np.maximum(np.minimum(changed, at[:, ORDERED]) - at[:, VERIFIED], 0).sum()),
        int(moved[page.start + page.duration :].sum()),
        money[ACTIVATION] - money[AGGREGATOR_SHORTFALL],
        money[SUBSIDY],
    )
