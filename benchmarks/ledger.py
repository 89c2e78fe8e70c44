"""Periods a second of the ledger: what is signed, nonces a draw, size of the network, chains a ledger.

"In memory" and "verified" count processor time, so that a busy machine does not change them; "to disk" counts the
clock, with one synced transaction a block. A period is a block of each chain.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agents.policy import make_policies
from envs.core import Core
from envs.world import build_world
from evaluation.playing import periods as play_periods
from ledger import merkle
from ledger.audit import audit_file, load_factories
from ledger.blocks import rows_root
from ledger.chain import Chain
from ledger.identity import Role, check_certificate, verify
from ledger.params import Params
from ledger.records import Draft, Kind
from ledger.roster import NodeSpec, Roster
from ledger.store import Store
from ledger.verify import Verdict, verify_file

ENO, FIRST_SITE = 0, 5  # sender indices: the ENO, four aggregators, then the sites
SITE_LIMIT_W = 30_000
AUDITED = "rural_day"
Siblings = tuple[tuple[str, str], ...]  # (business, rule) beside the dispatch chain under Proof of Energy
COMBINED: tuple[Siblings, ...] = (
    (("trading", "scored_dpos"),),  # the scenarios' default
    (("trading", "scored_dpos"), ("credit", "pos")),
)


def network(sites: int) -> Roster:
    """A network of `sites` prosumers, four aggregators and the ENO."""
    specs = [NodeSpec("eno", Role.ENO, 400_000)]
    specs += [NodeSpec(f"aggregator {i}", Role.AGGREGATOR, 1_000) for i in range(4)]
    specs += [NodeSpec(f"site {i}", Role.PROSUMER, SITE_LIMIT_W) for i in range(sites)]
    return Roster.create(1, specs)


def period(roster: Roster, number: int, active: int) -> list[Draft]:
    """About 3.5 records each of the first `active` sites: order, registration, reading; and the results."""
    senders = range(FIRST_SITE, FIRST_SITE + active)
    site = [member.address for member in roster.members]
    blocks = [[0, 500, 1_000], [0, 700, 2_000]]
    schedule, preference = [1_000 + number] * 8, [0] * 4
    drafts = [
        Draft(
            Kind.ORDER, i, 0, [number, -4_000 + i, 190_000, 200_000, 5_000, blocks, 0, 0, schedule, preference, 0, 0, 0]
        )
        for i in senders
    ]
    drafts += [Draft(Kind.REGISTRATION, i, 0, [number, site[1]]) for i in senders]
    drafts += [Draft(Kind.READING, i, 0, [number, 1_000 + i, 2_000 + number, 0]) for i in senders]
    drafts += [Draft(Kind.OFFER, i, 0, [number, 150_000, 180_000, [20_000, 0], 90_000]) for i in range(1, FIRST_SITE)]
    pairs = [
        (site[i], site[FIRST_SITE + active - 1 - (i - FIRST_SITE)])
        for i in range(FIRST_SITE, FIRST_SITE + len(senders) // 3)
    ]
    drafts += [Draft(Kind.TRADE, ENO, 0, [number, buyer, seller, 1_000, 200_000]) for buyer, seller in pairs]
    rows = [[site[i], 1_000 + i, 2_000 + number, 0, 0] for i in senders]
    drafts.append(Draft(Kind.VERIFICATION, ENO, 0, [number, rows]))
    transfers = [[0, number, buyer, seller, 1_000, 200_000, 200_000] for buyer, seller in pairs]
    drafts.append(Draft(Kind.SETTLEMENT, ENO, 0, [number, transfers]))
    return drafts


def _forget() -> None:
    """Empty what checks remember of earlier blocks: nobody gets this run's signatures and trees for nothing."""
    for remembered in (verify, check_certificate, rows_root, merkle.remembered_root):
        remembered.cache_clear()


def _heights(verdict: Verdict) -> int:
    """How many periods a ledger holds, genesis counted as one."""
    return verdict.chains[-1].height + 1


def _row(name: str, value: float, unit: str) -> dict[str, str | float]:
    return {"name": name, "value": value, "unit": unit}


def _median_s(chain: Chain, drafts: Sequence[Sequence[Draft]]) -> float:
    """Processor seconds of the median period: what other programs do to single ones does not count."""
    marks = [time.process_time()]
    for each in drafts:
        chain.seal_height(each)
        marks.append(time.process_time())
    return float(np.median(np.diff(marks)))


def _one(
    roster: Roster, active: int, gamma: int, signing: str, periods: int, siblings: Siblings = ()
) -> list[dict[str, str | float]]:
    """Seal `periods` periods in memory; seal, store and verify them."""
    rng = np.random.default_rng(0)
    history = rng.integers(0, 2_000, (2, len(roster), 672))
    history[:, :FIRST_SITE] = 0
    drafts = [period(roster, number, active) for number in range(periods)]
    label = f"ledger {signing} gamma={gamma} nodes={len(roster) - FIRST_SITE} records={len(drafts[0])}"
    label += f" chains={1 + len(siblings)}" if siblings else ""
    params = Params(gamma=gamma, signing=signing, siblings=siblings)
    chain = Chain.create(params, roster, (history[0], history[1]))
    _forget()
    memory_s = _median_s(chain, drafts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.sqlite"
        with Store.create(path) as store:
            chain = Chain.create(params, roster, (history[0], history[1]), store=store)
            _forget()
            start_s = time.perf_counter()
            for each in drafts:
                chain.seal_height(each)
            seal_s = (time.perf_counter() - start_s) / periods
        size_kb = path.stat().st_size / 1000
        _forget()
        start_s = time.process_time()
        verdict = verify_file(path, closed=False)
        verify_s = (time.process_time() - start_s) / _heights(verdict)
    if not verdict.sound:
        raise RuntimeError(f"{label}: {verdict.fault}")
    return [
        _row(f"{label} sealed in memory", 1 / memory_s, "periods/s"),
        _row(f"{label} sealed to disk", 1 / seal_s, "periods/s"),
        _row(f"{label} verified", 1 / verify_s, "periods/s"),
        _row(f"{label} file", size_kb / _heights(verdict), "kB/period"),
    ]


def _audited(periods: int) -> list[dict[str, str | float]]:
    """Verify and execute again the ledger of a played scenario."""
    scenario = build_world(AUDITED).scenario
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.sqlite"
        core = Core(build_world(AUDITED), periods, str(path))
        core.reset(np.zeros(1, np.uint64))
        for _ in play_periods(core, make_policies(scenario, {}), "simultaneous"):
            pass
        size_kb = path.stat().st_size / 1000
        shares_s = []
        for cores in (1, 2):
            _forget()
            start_s = time.process_time()
            verdict = verify_file(path, cores=cores)
            shares_s.append((time.process_time() - start_s) / _heights(verdict))
        markets = [factory(AUDITED, []) for factory in load_factories(None)]
        start_s = time.process_time()
        report = audit_file(path, markets)
        audit_s = (time.process_time() - start_s) / _heights(verdict)
    if not verdict.sound or report.difference is not None:
        raise RuntimeError(f"{AUDITED}: {verdict.fault or report.difference}")
    label = f"ledger of {AUDITED}"
    return [
        _row(f"{label} verified", 1 / shares_s[0], "periods/s"),
        _row(f"{label} verified, signatures by a helper on a second core", 1 / shares_s[1], "periods/s"),
        _row(f"{label} executed again (audit)", 1 / audit_s, "periods/s"),
        _row(f"{label} file", size_kb / _heights(verdict), "kB/period"),
    ]


def run(periods: int = 20) -> list[dict[str, str | float]]:
    """Rows of name, value, unit over nodes and active sites x gamma x signing, and over chains; durability of the
    files is full.
    """
    rosters = {sites: network(sites) for sites in (30, 150)}
    rows: list[dict[str, str | float]] = []
    sizes = ((30, 30), (150, 30), (150, 150))
    for (sites, active), gamma, signing in itertools.product(sizes, (10, 100), ("none", "period", "record")):
        rows += _one(rosters[sites], active, gamma, signing, periods)
    for siblings in COMBINED:
        rows += _one(rosters[30], 30, 100, "period", periods, siblings)
    return rows + _audited(96)


if __name__ == "__main__":
    for row in run():
        print(f"{row['name']:70s}{row['value']:10.1f} {row['unit']}")
