"""A small network and its chain, shared by the ledger's tests."""

import numpy as np
import pytest

from ledger.blocks import Block
from ledger.chain import Chain
from ledger.check_period import due_periods
from ledger.forgery import signed_anyway
from ledger.identity import Role
from ledger.kinds import Kind
from ledger.params import Params
from ledger.records import Draft
from ledger.roster import NodeSpec, Roster
from ledger.store import Store

ENO, AGGREGATOR, FIRST, LAST = 0, 1, 3, 7  # sender indices: ENO, two aggregators, prosumers 3..7
SIGNINGS = ["none", "period", "record"]


@pytest.fixture(scope="session")
def roster() -> Roster:
    specs = [NodeSpec("eno", Role.ENO, 400_000)]
    specs += [NodeSpec(f"aggregator {i}", Role.AGGREGATOR, 1_000) for i in range(2)]
    specs += [NodeSpec(f"prosumer {i}", Role.PROSUMER, 20_000) for i in range(5)]
    return Roster.create(7, specs)


@pytest.fixture(scope="session")
def history(roster):
    values = np.random.default_rng(1).integers(0, 2_000, (2, len(roster), 20))
    values[:, :FIRST] = 0
    return values[0], values[1]


def period_drafts(roster: Roster, height: int) -> list[Draft]:
    """A block's orders, offer and trade of the coming period; readings, verification and settlement of the last one."""
    site = [member.address for member in roster.members]
    coming, last = (due_periods(height)[kind] for kind in (Kind.ORDER, Kind.READING))
    drafts = [
        Draft(
            Kind.ORDER, i, 0, [coming, -500 * i, 190_000, 200_000, 0, [[0, 100, 50_000]], 0, 0, [1, -2], [0], 0, 0, 0]
        )
        for i in range(FIRST, LAST + 1)
    ]
    if last >= 0:
        drafts += [Draft(Kind.READING, i, 0, [last, 10 * i, 700 + height, -i]) for i in range(FIRST, LAST + 1)]
    drafts.append(Draft(Kind.OFFER, AGGREGATOR, 0, [coming, 70_000, 90_000, [3_000, 0], 500_000]))
    drafts.append(Draft(Kind.TRADE, ENO, 0, [coming, site[3], site[4], 250, 210_000]))
    if last >= 0:
        rows = [[site[i], 10 * i, 700 + height, -i, 0] for i in range(FIRST, LAST + 1)]
        drafts.append(Draft(Kind.VERIFICATION, ENO, 0, [last, rows]))
        drafts.append(Draft(Kind.SETTLEMENT, ENO, 0, [last, [[0, last, site[3], site[4], 250, 210_000, 52_500]]]))
    return drafts


def event_drafts(roster: Roster, step: int, start: int = 1) -> list[Draft]:
    """Event 1 over three blocks: TTX and DTX in the first, which promises period `start`, VTX in the second, ATX in
    the third.
    """
    site = roster.members[FIRST].address
    steps = [
        [
            Draft(Kind.TTX, ENO, 1, [b"", 1, start, 2, -1, 3, 16_000, 4_000, 90_000, 0]),
            Draft(Kind.DTX, ENO, 1, [b"", 1, 0, [], [], [[site, site, 4_000, 60_000, [-5, 6]]], [], [1], [2]]),
        ],
        [Draft(Kind.VTX, ENO, 1, [b"", [[start, site, 4_000, 3_900]]])],
        [Draft(Kind.ATX, ENO, 1, [b"", [], [[4, start, roster.members[ENO].address, site, 3_900, 60_000, 234_000]]])],
    ]
    return steps[step]


@pytest.fixture
def make_chain(roster, history):
    def build(store=None, name=b"test", **settings) -> Chain:
        params = Params(**({"gamma": 20, "window_periods": 24} | settings))
        return Chain.create(params, roster, history, name=name, store=store)

    return build


def lived(chain: Chain) -> Chain:
    """The chain after an empty block: from now on there is a period that has passed and can be metered."""
    chain.seal([])
    return chain


def grow(chain: Chain, blocks: int) -> None:
    """Seal blocks with a dispatch event in blocks 2 to 4."""
    for _ in range(blocks):
        period = chain.height + 1
        extra = event_drafts(chain.roster, period - 2) if 2 <= period <= 4 else []
        chain.seal([*extra, *period_drafts(chain.roster, period)])


def signed_block(chain: Chain, drafts, draw=None, refusals=()) -> Block:
    """A candidate whose producer guards its key by no signer."""
    return signed_anyway(chain.state, chain.roster, chain.draft(drafts, draw, refusals))


@pytest.fixture(scope="session")
def finished(tmp_path_factory, roster, history):
    """A closed chain of 12 blocks a signing mode: mode -> (path, head)."""
    made = {}
    for signing in SIGNINGS:
        path = tmp_path_factory.mktemp("ledger") / f"{signing}.sqlite"
        with Store.create(path) as store:
            params = Params(gamma=10, window_periods=24, signing=signing)
            chain = Chain.create(params, roster, history, store=store)
            grow(chain, 10)
            chain.close(ENO, period_drafts(roster, 11))
        made[signing] = (path, chain.head)
    return made


def rows_of(path):
    store = Store.open(path)
    try:
        return list(store.rows())
    finally:
        store.close()


def blocks_of(path) -> list[Block]:
    return [Block.from_bytes(data) for _, data in rows_of(path)]
