"""A small network and its chain, shared by the ledger's tests."""

from dataclasses import replace

import numpy as np
import pytest

from ledger.blocks import Block, block_digest, rows_root
from ledger.chain import Chain
from ledger.check_period import due_periods
from ledger.encoding import encode
from ledger.faults import FaultCode, LedgerFault
from ledger.forgery import signed_anyway
from ledger.identity import Role, sign
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


def fault_of(chain, drafts):
    """The fault that a block of these drafts meets."""
    with pytest.raises(LedgerFault) as caught:
        chain.seal(drafts)
    return caught.value.fault


def rebuilt(chain, block, submissions=None, **header) -> Block:
    """The block with other submissions or header values; its producer signs again."""
    submissions = block.submissions if submissions is None else tuple(submissions)
    header = block.header._replace(**({"submissions_root": rows_root(submissions)} | header))
    made = Block(header, encode(tuple(header)), b"", (), submissions, block.records)
    key = chain.roster.by_address[header.producer].private_key
    return replace(made, producer_signature=sign(key, block_digest(made.hash)))


def reading(sender, period, generated_wh=10):
    return Draft(Kind.READING, sender, 0, [period, generated_wh, 700, 0])


ALL = (("trading", "scored_dpos"), ("credit", "pos"))


@pytest.fixture
def make_combined(roster, history):
    def build(store=None, siblings=ALL, name=b"combined", **settings) -> Chain:
        params = Params(**({"gamma": 10, "window_periods": 24, "delegates": 3, "siblings": siblings} | settings))
        return Chain.create(params, roster, history, name=name, store=store)

    return build


def credit(roster, height):
    rows = [[roster.members[FIRST].address, 900_000 - height, 800_000]]
    joining = Draft(Kind.REGISTRATION, FIRST, 0, [height - 1, roster.members[1].address])
    return [joining, Draft(Kind.CREDIT, ENO, 0, [height - 2, rows])][: min(height, 2)]


def height_drafts(roster, height):
    event = event_drafts(roster, height - 2) if 2 <= height <= 4 else []
    return [*event, *period_drafts(roster, height), *credit(roster, height)]


def grown(chain, heights, alter=None):
    for height in range(chain.height + 1, chain.height + heights + 1):
        drafts = height_drafts(chain.roster, height)
        chain.seal_height(drafts if alter is None else alter(height, drafts))
    return chain


def stored(path, build, heights=6, alter=None, **settings):
    with Store.create(path) as store:
        chain = grown(build(store=store, **settings), heights, alter)
        chain.close(ENO, height_drafts(chain.roster, heights + 1))
    return chain


@pytest.fixture(scope="module")
def signed_rows(tmp_path_factory, roster, history):
    """The rows of a closed ledger with a signature a sender and period."""

    def build(store):
        params = Params(gamma=10, window_periods=24, delegates=3, siblings=ALL)
        return Chain.create(params, roster, history, store=store)

    path = tmp_path_factory.mktemp("signed") / "signed.sqlite"
    stored(path, build, heights=3)
    return rows_of(path)


def refused(chain, drafts) -> FaultCode:
    """The code of that fault; the chain stays where it was."""
    before = chain.head
    code = fault_of(chain, drafts).code
    assert chain.head == before
    return code
