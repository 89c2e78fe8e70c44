"""Runs: a scenario played with policies under a seed, and what of it is kept.

Each run has its own ledger file, so a run is one world. Runs are spread over worker processes; a run's result does not
depend on how many there are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from agents.learning.checkpoints import require_game
from agents.mixture import Mixture
from agents.policy import Policy, make_policies, players_text
from envs.config import SettingsError
from envs.core import Core
from envs.records import event_id
from envs.settings import Scenario
from envs.types import Bools, Floats, Ints, Trace
from envs.world import World, build_world
from evaluation.daybook import DayBook, Diary
from evaluation.ledger_figures import read_daybook
from evaluation.measures import differing_figures
from evaluation.playing import periods
from evaluation.resource_log import ResourceLog
from ledger.checkpoint import checkpoint_files, checkpoint_path
from ledger.verify import ChainVerdict, verify_file

HOOKS = ("quote", "deliver", "meter", "forge", "misstate", "equivocate", "jump")


@dataclass(frozen=True)
class Job:
    """One run to be done."""

    scenario: Scenario
    policies: Mapping[str, str]  # role → rule or checkpoint
    seed: int
    game: str  # staged or simultaneous
    ledger: Path | None
    name: str = ""  # of a variant of the scenario; the scenario's own where empty


@dataclass(frozen=True)
class Behaviour:
    """A way to cheat of the scenario, and which parts of a period it touches."""

    name: str
    hooks: tuple[str, ...]
    intensity: float


@dataclass
class Truth:
    """What only the evaluator knows: who cheats and what really happened."""

    malicious: Ints  # (N,) index into the run's behaviours, -1 honest
    real_wh: Ints  # (T, N, 3) generation, consumption, storage
    natural_wh: Ints  # (T, N) injection without orders
    available_wh: Ints  # (T, N) generation had nobody curtailed it
    nodal_price: dict[int, Ints]  # event → (N,) micro-currency per kWh, where its dispatch has dual prices
    uncured: set[int]  # events whose dispatch left a limit uncured: their nodal prices hold the price of that
    apart_pu: dict[int, Floats]  # event → (dispatches,) nodes' voltages from the power flow's, 0 where it checks alone
    converged: Bools  # (T,)
    rewards: dict[str, Floats]  # role → (T, agents)
    resources: dict[str, Ints]  # (N,) by what resources did, see `evaluation.resource_log`


@dataclass
class ChainFacts:
    """The stored chain after the run, as an outsider finds it."""

    path: Path
    head: str
    sound: bool
    fault: str  # "" when sound
    blocks: int
    records: int
    size_bytes: int
    signing: str
    chains: tuple[ChainVerdict, ...]  # one a business, the dispatch chain last
    differing: list[str] = field(default_factory=list)  # figures that the ledger does not reproduce


@dataclass
class RunResult:
    """A finished run."""

    scenario: str
    seed: int
    day: int  # of the profile year
    book: DayBook
    truth: Truth
    behaviours: tuple[Behaviour, ...]
    chain: ChainFacts | None  # None when the scenario keeps no ledger


def play(job: Job) -> RunResult:
    """Play one run to its end, check its ledger file and read the figures back from it."""
    world = build_world(job.scenario)
    policies = make_policies(job.scenario, job.policies)
    for policy in policies.values():
        policy.reset(job.seed)
    unfinished = None if job.ledger is None else job.ledger.with_name(job.ledger.name + ".part")
    if unfinished is not None:
        remove_ledger(unfinished)
    core = Core(world, ledger_path=None if unfinished is None else str(unfinished))
    core.reset(np.array([job.seed], np.uint64), players=players_text(job.policies, job.game))
    malicious, day = core.state.malicious[0].copy(), int(core.state.day[0])
    diary = Diary(world, day)
    real, natural, available, converged = [], [], [], []
    log = ResourceLog(world.sites)
    nodal: dict[int, Ints] = {}
    uncured: set[int] = set()
    apart: dict[int, Floats] = {}
    rewards: dict[str, list[Floats]] = {role: [] for role in core.agents}
    for trace in periods(core, policies, job.game):
        diary.write(trace)
        log.write(trace)
        energy = trace.energy
        nodal |= nodal_prices(trace)
        uncured |= {event_id(trace.period, r) for r in np.flatnonzero(trace.plan.uncured[0]).tolist()}
        for r in np.flatnonzero(trace.stage.cause[0]).tolist():
            apart[event_id(trace.period, r)] = trace.plan.apart_pu[0, r].copy()
        real.append(np.stack([c[0] for c in (energy.generated_wh, energy.consumed_wh, energy.storage_wh)], axis=1))
        natural.append(energy.natural_wh[0])
        available.append(energy.available_wh[0])
        converged.append(bool(energy.converged[0]))
        for role, value in trace.reward.items():
            rewards[role].append(value[0])
    truth = Truth(
        malicious,
        np.stack(real),
        np.stack(natural),
        np.stack(available),
        nodal,
        uncured,
        apart,
        np.array(converged),
        {role: np.stack(values) for role, values in rewards.items()},
        log.sums,
    )
    book = diary.close()
    chain = None if job.ledger is None or unfinished is None else _chain(world, book, unfinished, job.ledger)
    return RunResult(job.name or job.scenario.name, job.seed, day, book, truth, _behaviours(core), chain)


def nodal_prices(trace: Trace) -> dict[int, Ints]:
    """Event that starts in this period → (N,) nodal prices of its dispatch, world 0."""
    plan = trace.plan
    return {event_id(trace.period, r): plan.nodal_price[0, r].copy() for r in np.flatnonzero(plan.priced[0]).tolist()}


def _behaviours(core: Core) -> tuple[Behaviour, ...]:
    scenario, modules = core.world.scenario, core.mechanisms.behaviours
    return tuple(
        Behaviour(name, tuple(hook for hook in HOOKS if hasattr(module, hook)), misconduct.intensity)
        for (name, misconduct), module in zip(scenario.malicious.items(), modules, strict=True)
    )


def remove_ledger(path: Path) -> None:
    """A ledger file, its checkpoints, and what an interrupted run may have left beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    for checkpoint in checkpoint_files(path):
        checkpoint.unlink()


def _chain(world: World, book: DayBook, unfinished: Path, final: Path) -> ChainFacts:
    """Move the finished file and its checkpoints to their place, verify it, derive the public figures again from it."""
    remove_ledger(final)
    os.replace(unfinished, final)
    old, new = (checkpoint_path(path).name.removesuffix(".json") for path in (unfinished, final))
    for checkpoint in checkpoint_files(unfinished):
        os.replace(checkpoint, final.with_name(new + checkpoint.name.removeprefix(old)))
    verdict = verify_file(final)
    differing = (
        differing_figures(world, book, read_daybook(final)) if verdict.sound else ["all: the chain is not sound"]
    )
    return ChainFacts(
        final,
        verdict.head,
        verdict.sound,
        verdict.fault or "",
        verdict.blocks,
        verdict.records,
        final.stat().st_size,
        verdict.signing,
        verdict.chains,
        differing,
    )


def plan_jobs(
    scenarios: Sequence[Scenario],
    policies: Mapping[str, str] | Sequence[Mapping[str, str]],
    seeds: Sequence[int],
    game: str,
    out: Path,
    allow_other_game: bool = False,
    names: Sequence[str] | None = None,
) -> list[Job]:
    """All runs, every one checked before the first is played.

    ``policies`` are the same for all scenarios, or one choice for each; ``names`` calls the scenarios by other names.

    Raises:
        SettingsError: two scenarios of one name, an unknown policy or grid, a checkpoint trained on the other game
            (unless that is allowed).
    """
    jobs = []
    seen: set[str] = set()
    players = [policies] * len(scenarios) if isinstance(policies, Mapping) else policies
    called = names or [scenario.name for scenario in scenarios]
    for scenario, chosen, name in zip(scenarios, players, called, strict=True):
        slug = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
        if slug in seen:
            raise SettingsError(f"two scenarios are named {name!r}: give each its own name")
        seen.add(slug)
        agents = Core(build_world(scenario)).agents
        for role, policy in make_policies(scenario, chosen).items():
            _require_game(policy, game, allow_other_game)
            if isinstance(policy, Mixture):
                policy.require_agents(agents[role])
        for seed in seeds:
            keeps = scenario.ledger.mode != "off"
            ledger = out / "ledgers" / f"{slug}_seed{seed}.sqlite" if keeps else None
            jobs.append(Job(scenario, dict(chosen), seed, game, ledger, name))
    return jobs


def _require_game(policy: Policy, game: str, allow: bool) -> None:
    """As the checkpoints' own check, with what the command line offers instead."""
    try:
        require_game(policy, game, allow)
    except SettingsError as error:
        trained = getattr(policy, "game", game)
        raise SettingsError(f"{error}: use --game {trained}, or --allow-other-game") from None


def play_all(jobs: Sequence[Job], workers: int) -> Iterator[tuple[int, RunResult]]:
    """(index of the job, its result) as runs finish; in this process when there is one worker."""
    for job in jobs:
        if job.ledger is not None:
            job.ledger.parent.mkdir(parents=True, exist_ok=True)
    if workers == 1 or len(jobs) == 1:
        for index, job in enumerate(jobs):
            yield index, play(job)
        return
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(play, job): index for index, job in enumerate(jobs)}
        for future in as_completed(futures):
            yield futures[future], future.result()
