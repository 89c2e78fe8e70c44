"""A light node takes what the checkpoint vouches for and nothing else; levels read what they may."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.access import AccessFault, Level, Shown, check_shown, show_records
from ledger.chain import Chain
from ledger.checkpoint import Checkpoint
from ledger.history import prove_history
from ledger.identity import Role, address_of
from ledger.kinds import Kind
from ledger.light import DAY_S, LightFault, LightNode
from ledger.params import Params
from ledger.proof_parts import ProofError
from ledger.proofs import prove
from ledger.records import Draft
from ledger.roster import NodeSpec, Roster

from .conftest import AGGREGATOR, FIRST, grow, lived, period_drafts

PERIOD_S = 900


class Kept:
    """A store in memory."""

    def __init__(self):
        self.blocks = []

    def append(self, block):
        self.blocks.append(block)


@pytest.fixture
def network(make_chain):
    """A chain of 9 blocks, the checkpoint of block 3, a light node that starts from it."""
    store = Kept()
    chain = make_chain(store=store)
    grow(chain, 3)
    checkpoint = chain.checkpoint()
    grow(chain, 6)
    node = LightNode(chain.genesis.records[0].body, checkpoint, 9 * PERIOD_S, DAY_S, keep_blocks=4)
    return chain, store.blocks, checkpoint, node


def headers(blocks):
    return [block.header_raw for block in blocks]


def test_it_follows_headers_and_checks_proofs(network):
    chain, blocks, _, node = network
    assert (node.height, node.head) == (3, blocks[3].hash)
    node.extend(headers(blocks[4:7]), blocks[6].votes, 7 * PERIOD_S)
    node.extend(headers(blocks[7:]), blocks[9].votes, 9 * PERIOD_S)
    assert (node.height, node.head) == (9, chain.head)
    old = json.loads(json.dumps(prove(blocks, blocks[2].records[0].id)))  # its own header was never here
    assert node.check(old).record == blocks[2].records[0]
    with pytest.raises(ProofError, match="meets no header"):
        node.check(prove(blocks[:5], blocks[2].records[0].id))  # reaches to block 4, which is pruned
    node.trust(chain.checkpoint(), 9 * PERIOD_S)


def continues(blocks, old, new):
    """The proof that block `new` continues block `old`, as it comes out of a file."""
    return json.loads(json.dumps(prove_history(headers(blocks), [block.hash for block in blocks], old, new)))


def test_it_skips_headers_by_their_history_root(network):
    chain, blocks, _, node = network
    node.skip(continues(blocks, 3, 9), chain.head, blocks[9].votes, 9 * PERIOD_S)
    assert (node.height, node.head) == (9, chain.head)
    for record in (blocks[2].records[0], blocks[5].records[0]):  # of headers that were never here
        assert node.check(prove(blocks, record.id)).record == record
    grow(chain, 1)
    node.extend(headers(blocks[10:]), blocks[10].votes, 10 * PERIOD_S)
    assert node.head == chain.head


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: (continues(b, 4, 9), b[9].hash, b[9].votes), "not shown to continue block 3: from"),
        (lambda b: (continues(b, 3, 8), b[9].hash, b[9].votes), "not shown to continue block 3: to"),
        (lambda b: (continues(b, 3, 9) | {"inclusion": []}, b[9].hash, b[9].votes), "not in the history"),
        (lambda b: (continues(b, 3, 9) | {"consistency": []}, b[9].hash, b[9].votes), "does not begin with"),
        (lambda b: (continues(b, 3, 3), b[3].hash, b[3].votes), "no header to take"),
        (lambda b: (None, b[9].hash, b[9].votes), "the proof has no schema"),
        (lambda b: (continues(b, 3, 9), b[9].hash, b[9].votes[:2]), "2 votes of 3"),
        (lambda b: (continues(b, 3, 9), b[9].hash, b[8].votes), "0 votes of 3"),
        (lambda b: (continues(b, 3, 9), b[9].hash, b[9].votes, 7 * PERIOD_S), "not due"),
        (lambda b: (continues(b, 3, 9), b[9].hash, b[9].votes, 3 * PERIOD_S + DAY_S + 1), "trusted for"),
    ],
)
def test_what_it_does_not_skip_to(network, change, message):
    _, blocks, _, node = network
    proof, head, votes, *now_s = change(blocks)
    with pytest.raises(LightFault, match=message):
        node.skip(proof, head, votes, *(now_s or [9 * PERIOD_S]))
    assert node.height == 3


def test_a_later_checkpoint_must_be_of_the_same_history(network, make_chain):
    chain, blocks, _, node = network
    late = chain.checkpoint()
    with pytest.raises(LightFault, match="block 9 is not shown to be of this history"):
        node.trust(late, 9 * PERIOD_S)
    node.trust(late, 9 * PERIOD_S, continues(blocks, 3, 9))  # slept through six headers
    assert (node.height, node.checkpoint) == (9, late)
    kept = Kept()
    fork = make_chain(store=kept)
    grow(fork, 3)
    for period in range(2, 10):
        fork.seal([Draft(Kind.READING, FIRST, 0, [period, 1, 0, 0])])
    for proof in (continues(kept.blocks, 9, 11), continues(blocks[:9] + kept.blocks[9:], 9, 11)):
        with pytest.raises(LightFault, match="block 11 is not shown"):
            node.trust(fork.checkpoint(), 11 * PERIOD_S, proof)
    assert node.checkpoint == late


def test_a_checkpoint_among_skipped_headers_needs_the_proof(make_chain):
    kept = Kept()
    chain = make_chain(store=kept)
    node = LightNode(chain.genesis.records[0].body, chain.checkpoint(), 0, DAY_S)
    grow(chain, 5)
    between = chain.checkpoint()
    grow(chain, 4)
    node.skip(continues(kept.blocks, 0, 9), chain.head, kept.blocks[9].votes, 9 * PERIOD_S)
    with pytest.raises(LightFault, match="block 5 is not shown"):
        node.trust(between, 9 * PERIOD_S)
    wrong = Checkpoint.issue(
        chain.roster.authority.private_key, chain.chain_id, 6, between.block_hash, between.committee, between.valid_to
    )
    with pytest.raises(LightFault, match="states height 6"):
        node.trust(wrong, 9 * PERIOD_S, continues(kept.blocks, 5, 9))
    node.trust(between, 9 * PERIOD_S, continues(kept.blocks, 5, 9))
    assert (node.height, node.checkpoint) == (9, between)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: (headers(b[5:7]), b[6].votes), "does not follow"),
        (lambda b: (headers(b[4:7]), b[5].votes), "0 votes of 3"),
        (lambda b: (headers(b[4:7]), b[6].votes[:2]), "2 votes of 3"),
        (lambda b: (headers(b[4:7]), (b[6].votes[0],) * 3), "1 votes of 3"),
        (lambda b: ([], ()), "no header"),
        (lambda b: ([b"\xc0"], ()), "no header: a header is a list"),
        (lambda b: (headers(b[4:]), b[9].votes), "not due"),  # block 9 at 7 o'clock
    ],
)
def test_what_does_not_count(network, change, message):
    _, blocks, _, node = network
    with pytest.raises(LightFault, match=message):
        node.extend(*change(blocks), 7 * PERIOD_S)
    assert node.height == 3


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=3))
def test_noise_is_refused(noise):
    nodes = Roster.create(1, [NodeSpec("eno", Role.ENO, 10)])
    chain = Chain.create(Params(gamma=5), nodes)
    node = LightNode(chain.genesis.records[0].body, chain.checkpoint(), 0)
    with pytest.raises(LightFault):
        node.extend(noise, (), 900)
    with pytest.raises(ProofError):
        node.check({"headers": [each.hex() for each in noise]})


def test_a_long_fork_signed_with_expired_keys_is_refused():
    """The old committee's keys leak after their certificates have ended, and write another history."""
    nodes = Roster.create(1, [NodeSpec(f"n{i}", Role.ENO, 10) for i in range(3)], valid_to=20)
    true, store = Chain.create(Params(gamma=5), nodes, name=b"x"), Kept()
    start = true.checkpoint()
    for _ in range(5):
        true.seal([])
    node = LightNode(true.genesis.records[0].body, true.checkpoint(), 5 * PERIOD_S, trusting_period_s=10 * PERIOD_S)
    fork = Chain.create(Params(gamma=5), nodes, name=b"x", store=store)
    for period in range(18):
        fork.seal([Draft(Kind.PATHS, 0, 0, [period, []])])
    raws, votes = headers(store.blocks[1:]), store.blocks[-1].votes
    # A node that is up to date holds another block 5; one that has slept is told by the age of its checkpoint.
    with pytest.raises(LightFault, match="does not follow"):
        node.extend(raws, votes, 12 * PERIOD_S)
    with pytest.raises(LightFault, match="does not follow block 5"):
        node.extend(raws[5:], votes, 12 * PERIOD_S)
    with pytest.raises(LightFault, match="trusted for"):
        node.extend(raws, votes, 18 * PERIOD_S)
    with pytest.raises(LightFault, match="trusted for"):
        LightNode(true.genesis.records[0].body, start, 18 * PERIOD_S, trusting_period_s=10 * PERIOD_S)
    # And beyond the certificates' end no vote of these keys counts, however fresh the checkpoint.
    patient = LightNode(true.genesis.records[0].body, start, 0, trusting_period_s=10**9)
    patient.extend(raws, votes, 40 * PERIOD_S)
    expired = Checkpoint.issue(
        nodes.authority.private_key, true.chain_id, 0, start.block_hash, start.committee, valid_to=17
    )
    careful = LightNode(true.genesis.records[0].body, expired, 0, trusting_period_s=10**9)
    with pytest.raises(LightFault, match="certificates ended at 17"):
        careful.extend(raws, votes, 40 * PERIOD_S)
    with pytest.raises(LightFault, match="one of the two is a fork"):
        patient.trust(true.checkpoint(), 20 * PERIOD_S)


def test_checkpoints_that_are_not_taken(network, make_chain):
    chain, _, checkpoint, node = network
    body, key = chain.genesis.records[0].body, chain.roster.members[AGGREGATOR].private_key
    thief = Checkpoint.issue(key, chain.chain_id, 3, checkpoint.block_hash, checkpoint.committee, 99)
    plain = Checkpoint.issue(chain.roster.authority.private_key, chain.chain_id, 3, checkpoint.block_hash)
    earlier = make_chain().checkpoint()
    for bad, message in ((thief, "not signed"), (plain, "no validators"), (earlier, "older than")):
        with pytest.raises(LightFault, match=message):
            node.trust(bad, 4 * PERIOD_S)
    with pytest.raises(LightFault, match="another chain"):
        LightNode(body, make_chain(name=b"y").checkpoint(), 0)
    unsigned = make_chain(signing="none")
    with pytest.raises(LightFault, match="without signatures"):
        LightNode(unsigned.genesis.records[0].body, unsigned.checkpoint(), 0)


def test_a_later_checkpoint_does_not_mend_a_wrong_height(network):
    chain, blocks, checkpoint, _ = network
    authority, genesis = chain.roster.authority.private_key, chain.genesis.records[0].body
    wrong = Checkpoint.issue(authority, chain.chain_id, 4, checkpoint.block_hash, checkpoint.committee, 99)
    node = LightNode(genesis, wrong, 9 * PERIOD_S)
    with pytest.raises(LightFault, match="states height 4 of a block that has another one"):
        node.trust(chain.checkpoint(), 9 * PERIOD_S, continues(blocks, 3, 9))
    with pytest.raises(LightFault, match="states height 4"):
        node.skip(continues(blocks, 3, 9), chain.head, blocks[9].votes, 9 * PERIOD_S)
    with pytest.raises(LightFault, match=r"the checkpoint is 2701 s ahead of the time; at most 900 s"):
        LightNode(genesis, checkpoint, -1)


@pytest.mark.parametrize("siblings", [(), (("trading", "scored_dpos"), ("credit", "pos"))])
@pytest.mark.parametrize("rule", ["dpos", "scored_dpos"])
def test_delegates_are_believed_for_their_cycle(make_chain, rule, siblings):
    """A checkpoint a cycle leads a light node along a chain whose validators are elected."""
    kept = Kept()
    chain = make_chain(store=kept, consensus=rule, delegates=3, siblings=siblings)
    before = chain.checkpoint()
    node = LightNode(chain.genesis.records[0].body, before, 0)
    turns, councils, checkpoints = chain.state.main.turns, set(), 1
    for height in range(1, 13):
        cycle = turns.cycle
        chain.seal_height(period_drafts(chain.roster, height))
        mains = [block for block in kept.blocks if block.header.chain_id == chain.chain_id]
        if turns.cycle != cycle and height > 1:  # elected anew: the old delegates' time is over
            assert node.checkpoint.valid_to == height - 1
            with pytest.raises(LightFault, match=f"ended at {height - 1}, or their cycle"):
                node.extend(headers(mains[-1:]), mains[-1].votes, height * PERIOD_S)
            node.trust(before, height * PERIOD_S)
            checkpoints += 1
        node.extend(headers(mains[-1:]), mains[-1].votes, height * PERIOD_S)
        before = chain.checkpoint()
        councils.add(node.checkpoint.committee)
        assert before.valid_to == height + (len(turns.queue) or 3)
    assert (node.head, checkpoints) == (chain.head, 4)
    assert all(len(council) == 3 for council in councils)


def test_a_cycle_that_refusals_cut_short_needs_the_next_checkpoint(make_chain):
    """Votes of newly elected delegates are not those of the checkpoint's: refused, never believed by mistake."""
    kept = Kept()
    chain = make_chain(store=kept, consensus="scored_dpos", delegates=2, bar_cycles=2)
    start = chain.checkpoint()
    node = LightNode(chain.genesis.records[0].body, start, 0)
    absent = chain.absence(chain.draw())
    chain.seal([], refusals=[absent])  # elected without the absent one: another council than the checkpoint's
    mine = kept.blocks[-1]
    assert {vote.validator for vote in mine.votes} != {address_of(key) for key in start.committee}
    with pytest.raises(LightFault, match="1 votes of 2 validators do not suffice"):
        node.extend([mine.header_raw], mine.votes, PERIOD_S)
    node.trust(chain.checkpoint(), PERIOD_S, continues(kept.blocks, 0, 1))
    assert node.head == chain.head


def test_a_site_reads_its_own_records_and_verifies_the_others(make_chain):
    chain = lived(make_chain())
    block = chain.seal(period_drafts(chain.roster, 2))
    me, other = (chain.roster.members[i].address for i in (FIRST, FIRST + 1))
    shown = show_records(block, Level.LIGHT, me)
    readable = check_shown(block.header, shown)
    assert [record.kind for record in readable if record.sender == me] == [Kind.ORDER, Kind.READING]
    trade = next(record for record in readable if record.sender != me)
    assert (trade.kind, trade.body[1]) == (Kind.TRADE, me)
    assert len(readable) == 3
    hidden = [item.id for item, record in zip(shown, block.records, strict=True) if record.sender == other]
    assert hidden == [record.id for record in block.records if record.sender == other]
    for level in (Level.SUPER, Level.CONSENSUS, Level.FULL):
        assert check_shown(block.header, show_records(block, level, me)) == list(block.records)
    with pytest.raises(AccessFault, match="ids"):
        check_shown(block.header, shown[1:])
    spot = next(i for i, item in enumerate(shown) if item.raw)
    foreign = next(record.raw for record in block.records if record.sender == other)
    with pytest.raises(AccessFault, match=f"record {spot}"):
        check_shown(block.header, [*shown[:spot], Shown(shown[spot].id, foreign), *shown[spot + 1 :]])
    public = show_records(chain.genesis, Level.LIGHT, me)
    clear = check_shown(chain.genesis.header, public)
    assert {r.kind for r in clear} == {Kind.GENESIS, Kind.CERTIFICATE, Kind.HISTORY}
    assert [r.body[0] for r in clear if r.kind is Kind.HISTORY] == [me]
