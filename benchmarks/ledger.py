"""Periods a second of the ledger: what is signed, nonces a draw, size of the network, chains a ledger.

"In memory" and "verified" count processor time, so that a busy machine does not change them; "to disk" counts the
clock, with one synced transaction a block. A period is a block of each chain. The genesis block holds a week of every
site's history; what it takes is stated on its own, where not said otherwise. `python -m benchmarks.ledger` prints the
tables of docs/ledger.md.
"""

from __future__ import annotations

import itertools
import math
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from agents.policy import make_policies
from envs.core import Core
from envs.world import build_world
from evaluation.playing import periods as play_periods
from ledger import merkle
from ledger.audit import audit_file, load_factories
from ledger.blocks import Block, rows_root
from ledger.chain import Chain
from ledger.identity import Role, address_of, check_certificate, verify
from ledger.kinds import Kind
from ledger.params import Params
from ledger.records import Draft
from ledger.roster import NodeSpec, Roster
from ledger.store import Store
from ledger.verify import CORES, verify_rows

ENO, FIRST_SITE = 0, 5  # sender indices: the ENO, four aggregators, then the sites
SITE_LIMIT_W = 30_000
AUDITED, DAY = "rural_day", 96  # periods
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


def period(roster: Roster, number: int, active: int, records: int) -> list[Draft]:
    """`records` drafts: order, registration and reading of the first `active` sites, the aggregators' offers, the
    operator's results, and trades for the rest. What has been metered is of the period before.
    """
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
    drafts += [Draft(Kind.READING, i, 0, [number - 1, 1_000 + i, 2_000 + number, 0]) for i in senders]
    drafts += [Draft(Kind.OFFER, i, 0, [number, 150_000, 180_000, [20_000, 0], 90_000]) for i in range(1, FIRST_SITE)]
    rows = [[site[i], 1_000 + i, 2_000 + number, 0, 0] for i in senders]
    results = [
        Draft(Kind.VERIFICATION, ENO, 0, [number - 1, rows]),
        Draft(Kind.CREDIT, ENO, 0, [number - 1, [[site[i], 900_000 + i, 500_000 + number] for i in senders]]),
        Draft(Kind.STATUS, ENO, 0, [number - 1, 300_000, 80_000, 200_000, 20_000, 500_000 + number]),
    ]
    trades = records - len(drafts) - len(results) - 1  # and the settlement of them
    pairs = [(site[senders[i % active]], site[senders[(active - 1 - 2 * i) % active]]) for i in range(trades)]
    drafts += [Draft(Kind.TRADE, ENO, 0, [number, buyer, seller, 1_000, 200_000]) for buyer, seller in pairs]
    transfers = [[0, number - 1, buyer, seller, 1_000, 200_000, 200_000] for buyer, seller in pairs]
    return [*drafts, *results, Draft(Kind.SETTLEMENT, ENO, 0, [number - 1, transfers])]


def _forget() -> None:
    """Empty what checks remember of earlier blocks: nobody gets this run's signatures and trees for nothing."""
    for remembered in (address_of, verify, check_certificate, rows_root, merkle.remembered_root):
        remembered.cache_clear()


def _row(name: str, value: float, unit: str) -> dict[str, str | float]:
    return {"name": name, "value": value, "unit": unit}


def _median_s(chain: Chain, drafts: Sequence[Sequence[Draft]]) -> float:
    """Processor seconds of the median period: what other programs do to single ones does not count."""
    marks = [time.process_time()]
    for each in drafts:
        chain.seal_height(each)
        marks.append(time.process_time())
    return float(np.median(np.diff(marks)))


def _verify_s(rows: Sequence[tuple[int, bytes]], clock: Callable[[], float], cores: int = 1) -> float:
    """Seconds in which stored blocks are checked; RuntimeError where they are not sound."""
    _forget()
    start_s = clock()
    verdict = verify_rows(rows, closed=False, cores=cores)
    seconds = clock() - start_s
    if not verdict.sound:
        raise RuntimeError(str(verdict.fault))
    return seconds


def _rows_of(path: Path) -> list[tuple[int, bytes]]:
    store = Store.open(path)
    try:
        return list(store.rows())
    finally:
        store.close()


def _one(
    roster: Roster, active: int, records: int, gamma: int, signing: str, periods: int, siblings: Siblings = ()
) -> list[dict[str, str | float]]:
    """Seal `periods` periods in memory; seal, store and verify them. The genesis block with its week is on its own."""
    rng = np.random.default_rng(0)
    history = rng.integers(0, 2_000, (2, len(roster), 672))
    history[:, :FIRST_SITE] = 0
    drafts = [period(roster, number, active, records) for number in range(1, periods + 1)]
    label = f"ledger {signing} gamma={gamma} nodes={len(roster) - FIRST_SITE} records={records}"
    label += f" chains={1 + len(siblings)}" if siblings else ""
    params = Params(gamma=gamma, signing=signing, siblings=siblings)
    chain = Chain.create(params, roster, (history[0], history[1]))
    chain.seal_height([])  # nothing has been metered yet
    _forget()
    memory_s = _median_s(chain, drafts)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.sqlite"
        with Store.create(path) as store:
            chain = Chain.create(params, roster, (history[0], history[1]), store=store)
            chain.seal_height([])
            _forget()
            start_s = time.perf_counter()
            for each in drafts:
                chain.seal_height(each)
            seal_s = (time.perf_counter() - start_s) / periods
        rows = _rows_of(path)
    genesis_s = min(_verify_s(rows[:1], time.process_time) for _ in range(3))
    verify_s = (_verify_s(rows, time.process_time) - genesis_s) / periods
    last = [Block.from_bytes(data) for _, data in rows[-1 - len(siblings) :]]
    made = len({(each.sender, each.signature) for block in last for each in block.submissions})
    made += sum(bool(block.producer_signature) + len(block.votes) for block in last)
    size_kb = sum(len(data) for _, data in rows[1:]) / periods / 1000
    return [
        _row(f"{label} sealed in memory", 1 / memory_s, "periods/s"),
        _row(f"{label} sealed to disk", 1 / seal_s, "periods/s"),
        _row(f"{label} verified", 1 / verify_s, "periods/s"),
        _row(f"{label} bytes", size_kb, "kB/period"),
        _row(f"{label} signatures", made, "of the last period"),
        _row(f"{label} genesis verified", genesis_s * 1000, "ms"),
    ]


def _played(path: Path, periods: int) -> None:
    """Play the scenario into a ledger."""
    core = Core(build_world(AUDITED), periods, str(path))
    core.reset(np.zeros(1, np.uint64))
    for _ in play_periods(core, make_policies(build_world(AUDITED).scenario, {}), "simultaneous"):
        pass


def _audited(periods: int, executed: bool) -> list[dict[str, str | float]]:
    """Verify the ledger of a played scenario on one core and with helpers on the others, the best of three; `executed`:
    audit it, too. The genesis block counts, and the start of the helpers.
    """
    label = f"ledger of {AUDITED}, {periods} periods"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "played.sqlite"
        _played(path, periods)
        blocks = _rows_of(path)
        clocks = (("processor time of the check", time.process_time), ("clock", time.perf_counter))
        found = [
            _row(
                f"{label} verified, {name}, cores={cores}",
                periods / min(_verify_s(blocks, clock, cores) for _ in range(3)),
                "periods/s",
            )
            for (name, clock), cores in itertools.product(clocks, (1, CORES))
        ]
        found.append(_row(f"{label} bytes", sum(len(data) for _, data in blocks[1:]) / periods / 1000, "kB/period"))
        records = [record for _, data in blocks for record in Block.from_bytes(data).records]
        for kind in (Kind.PATHS, Kind.STATUS):
            size = sum(len(record.raw) for record in records if record.kind is kind)
            found.append(_row(f"{label} {kind.name} records", size / periods, "bytes/period"))
        if executed:
            markets = [factory(AUDITED, []) for factory in load_factories(None)]
            start_s = time.process_time()
            report = audit_file(path, markets)
            audit_s = time.process_time() - start_s
            if report.difference is not None:
                raise RuntimeError(f"{label}: {report.difference}")
            found.append(_row(f"{label} executed again (audit), processor time", periods / audit_s, "periods/s"))
    return found


def run(periods: int = 20) -> list[dict[str, str | float]]:
    """Rows of name, value, unit over nodes and active sites x gamma x signing, and over chains; durability of the
    files is full.
    """
    rosters = {sites: network(sites) for sites in (30, 150)}
    rows: list[dict[str, str | float]] = []
    sizes = ((30, 30, 120), (150, 30, 120), (150, 150, 500))  # sites, those that write, records
    for (sites, active, records), gamma, signing in itertools.product(sizes, (10, 100), ("none", "period", "record")):
        rows += _one(rosters[sites], active, records, gamma, signing, periods)
    for siblings in COMBINED:
        rows += _one(rosters[30], 30, 120, 100, "period", periods, siblings)
    return rows + _audited(DAY, executed=True) + _audited(7 * DAY, executed=False)


def tables(rows: Sequence[dict[str, str | float]]) -> str:
    """The rows as the two tables of docs/ledger.md."""
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for row in rows:
        known = re.fullmatch(
            r"ledger (\w+) gamma=(\d+) nodes=(\d+) records=(\d+)(?: chains=(\d+))? (.+)", str(row["name"])
        )
        if known is not None:
            signing, gamma, nodes, records, chains, what = known.groups()
            found.setdefault((chains or "1", nodes, records, gamma, signing), {})[what] = float(row["value"])
    measured = ("sealed in memory", "verified", "bytes")
    first = [
        "| nodes | records | γ | signing | in memory | verified | kB a period |",
        "|---:|---:|---:|---|---:|---:|---:|",
    ]
    second = ["| chains | in memory | to disk | verified | kB a period |", "|---:|---:|---:|---:|---:|"]
    genesis_ms: dict[str, float] = {}
    for (chains, *settings), values in found.items():
        genesis_ms[settings[0]] = min(values["genesis verified"], genesis_ms.get(settings[0], math.inf))
        if chains == "1":
            first.append(f"| {' | '.join(settings)} | {' | '.join(f'{values[what]:,.0f}' for what in measured)} |")
        else:
            numbers = [values[what] for what in ("sealed in memory", "sealed to disk", *measured[1:])]
            second.append(f"| {chains} | {' | '.join(f'{number:,.0f}' for number in numbers)} |")
    rest = [f"genesis block of {nodes} sites: {value:,.0f} ms" for nodes, value in genesis_ms.items()]
    rest += [
        f"{row['name']}: {row['value']:.0f}"
        for row in rows
        if " period gamma=100 " in str(row["name"]) and str(row["name"]).endswith("signatures")
    ]
    rest += [f"{row['name']}: {row['value']:,.0f} {row['unit']}" for row in rows if AUDITED in str(row["name"])]
    return "\n".join([*first, "", *second, "", *rest])


if __name__ == "__main__":
    print(tables(run()))
