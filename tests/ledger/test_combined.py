"""Several business chains in one ledger: each seals by its own rule, and none can be changed without the others."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import consensus
from ledger.__main__ import main
from ledger.blocks import Block, Vote, block_digest, vote_digest
from ledger.businesses import OWN_KINDS, business_chain_id
from ledger.chain import Chain
from ledger.encoding import encode
from ledger.faults import FaultCode, LedgerFault
from ledger.identity import sign
from ledger.kinds import Kind
from ledger.light import LightNode
from ledger.lottery import Lottery
from ledger.params import BUSINESSES, Params, genesis_body, params_of
from ledger.proof_parts import ProofError
from ledger.proofs import check_proof, prove
from ledger.proposal import assemble, make_records
from ledger.records import Draft
from ledger.store import Store
from ledger.verify import verify_file, verify_rows

from .conftest import ENO, FIRST, SIGNINGS, event_drafts, period_drafts, rows_of

ALL = (("trading", "scored_dpos"), ("credit", "pos"))
PERIOD_S = 900


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


@pytest.fixture(params=SIGNINGS)
def ledger(request, tmp_path, make_combined):
    path = tmp_path / "combined.sqlite"
    return path, stored(path, make_combined, signing=request.param)


def test_every_height_seals_a_block_of_each_chain(ledger, roster):
    path, chain = ledger
    verdict = verify_file(path, head=chain.head)
    assert verdict.sound, verdict.fault
    assert [(each.business, each.rule, each.height, each.closed) for each in verdict.chains] == [
        ("trading", "scored_dpos", 7, True), ("credit", "pos", 7, True), ("dispatch", "poe", 7, True),
    ]  # fmt: skip
    assert verdict.blocks == 1 + 3 * 7
    assert verdict.head == verdict.chains[-1].head
    blocks = [Block.from_bytes(data) for _, data in rows_of(path)]
    ids = [business_chain_id(chain.chain_id, business) for business in BUSINESSES]
    assert [block.header.chain_id for block in blocks] == [chain.chain_id, *ids * 7]
    for block, business in zip(blocks[1:], BUSINESSES * 7, strict=True):
        kinds = {record.kind for record in block.records} - {Kind.CLOSING}
        if business in OWN_KINDS:
            assert kinds <= OWN_KINDS[business]
            assert kinds & OWN_KINDS[business]
        else:
            assert not kinds & frozenset().union(*OWN_KINDS.values())


@pytest.fixture(scope="module")
def signed_rows(tmp_path_factory, roster, history):
    """The rows of a closed ledger with a signature a sender and period."""

    def build(store):
        params = Params(gamma=10, window_periods=24, delegates=3, siblings=ALL)
        return Chain.create(params, roster, history, store=store)

    path = tmp_path_factory.mktemp("signed") / "signed.sqlite"
    stored(path, build, heights=3)
    return rows_of(path)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_altered_byte_is_found(signed_rows, data):
    rows = list(signed_rows)
    number, block = rows[data.draw(st.integers(0, len(rows) - 1))]
    place = data.draw(st.integers(0, len(block) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda x: x != block[place]))
    rows[number] = (number, block[:place] + bytes([value]) + block[place + 1 :])
    verdict = verify_rows(rows)
    assert not verdict.sound
    # A block's own check finds it, or the next one of its chain does, by the root of the votes.
    assert verdict.block <= (number + 2) // 3 + 1


def test_blocks_link_the_heads_as_they_were(ledger):
    blocks = [Block.from_bytes(data) for _, data in rows_of(ledger[0])]
    assert blocks[0].header.links == ()
    heads = [blocks[0].hash] * 3
    for number, block in enumerate(blocks[1:]):
        place = number % 3
        assert block.header.previous == heads[place]
        assert block.header.links == tuple(heads[:place] + heads[place + 1 :])
        heads[place] = block.hash


def test_a_sender_signs_once_a_height(make_combined, roster):
    chain = grown(make_combined(), 1)
    blocks = chain.seal_height(height_drafts(roster, 2))
    by_sender = {}
    for block in blocks:
        for submission in block.submissions:
            by_sender.setdefault(submission.sender, []).append(submission)
    site, operator = (by_sender[roster.members[node].address] for node in (FIRST, ENO))
    assert [len(site), len(operator)] == [3, 3]  # order, registration, reading; trade, credit, results
    for submissions in (site, operator):
        assert len({each.signature for each in submissions}) == 1
        assert len({each.signed_root(place) for place, each in enumerate(submissions)}) == 1
        assert len({each.root for each in submissions}) == 3


def test_only_the_signature_s_own_place_fits(make_combined, roster):
    chain = make_combined()
    block = chain.propose(height_drafts(roster, 1))
    mine = block.submissions[0]
    for siblings in (mine.siblings[:1], (*mine.siblings, bytes(32)), mine.siblings[::-1]):
        moved = (mine._replace(siblings=siblings), *block.submissions[1:])
        found = chain.check_candidate(assemble(chain.state, roster, block.records, chain.draw(), moved))
        expected = FaultCode.SUBMISSION if len(siblings) != 2 else FaultCode.SUBMISSION_SIGNATURE
        assert found.code is expected


@pytest.mark.parametrize("business", BUSINESSES)
def test_a_record_of_a_foreign_kind_is_refused(make_combined, roster, business):
    chain = make_combined()
    drafts = height_drafts(roster, 1)
    while chain.due.name != business:
        chain.seal(drafts)
    foreign = next(draft for draft in drafts if draft.kind not in chain.due.kinds)
    records = make_records(chain.state, chain.due, roster, [foreign])
    fault = chain.check_candidate(assemble(chain.state, roster, records, chain.draw()))
    assert (fault.code, fault.record, fault.business) == (FaultCode.FOREIGN, 0, business)


def test_a_record_of_another_chain_is_foreign(make_combined, roster):
    chain = make_combined()
    drafts = height_drafts(roster, 1)
    record = chain.seal(drafts).records[0]
    moved = assemble(chain.state, roster, [record], chain.draw())
    assert chain.check_candidate(moved).code is FaultCode.CHAIN_ID


def test_a_block_of_one_business_does_not_stand_in_another_s_place(tmp_path, make_combined):
    path = tmp_path / "moved.sqlite"
    stored(path, make_combined)
    rows = [data for _, data in rows_of(path)]
    for second, due, found in ((5, "trading", "credit"), (6, "credit", "dispatch")):  # of height 2: rows 4, 5, 6
        altered = [*rows[: second - 1], rows[second], rows[second - 1], *rows[second + 1 :]]
        fault = verify_rows(enumerate(altered)).fault
        assert fault == f"{due} block 2: CHAIN_ID: header of the {found} chain"


def test_a_sibling_rewritten_alone_is_betrayed_by_the_links(tmp_path, make_combined):
    """All keys at hand, the trading chain is written again from height 3 on; the others are left as they are."""

    def dearer(period, drafts):
        return [d._replace(body=[*d.body[:4], 1]) if d.kind is Kind.TRADE and period == 3 else d for d in drafts]

    true = stored(tmp_path / "true", make_combined)
    stored(tmp_path / "false", make_combined, alter=dearer)
    true_rows, false_rows = (dict(rows_of(tmp_path / name)) for name in ("true", "false"))
    assert verify_rows(false_rows.items()).sound  # by itself nothing is wrong with it, but its head is another
    assert "head is" in verify_rows(false_rows.items(), head=true.head).fault
    mixed = {n: false_rows[n] if n % 3 == 1 else data for n, data in true_rows.items()}
    verdict = verify_rows(mixed.items())
    assert verdict.fault == "credit block 3: LINKED: the link to the trading chain is not its head"
    assert (verdict.business, verdict.block, verdict.record) == ("credit", 3, None)


def test_a_chain_s_tail_cannot_be_cut_alone(tmp_path, make_combined):
    path = tmp_path / "cut.sqlite"
    chain = stored(path, make_combined)
    rows = [data for _, data in rows_of(path)]
    without = [data for number, data in enumerate(rows) if number not in (19, 16)]  # the last two trading blocks
    assert "trading block 6: CHAIN_ID: header of the credit chain" in verify_rows(enumerate(without)).fault
    assert not verify_rows(enumerate(rows[:-1])).sound  # dispatch has no closing record
    opened = verify_rows(enumerate(rows[:-1]), closed=False)
    assert opened.sound  # a height may be half sealed while the ledger runs
    assert opened.head != chain.head.hex()


@pytest.mark.parametrize("links", ["none", "stale", "one more"])
def test_a_false_link_is_named(make_combined, roster, links):
    chain = grown(make_combined(), 1)
    drafts = height_drafts(roster, 2)
    block = chain.seal(drafts)
    candidate = chain.propose(drafts)
    honest = candidate.header.links
    due = {"none": (), "stale": (block.header.previous, honest[1]), "one more": (*honest, bytes(32))}[links]
    header = candidate.header._replace(links=due)
    forged = Block(header, encode(tuple(header)), b"", (), candidate.submissions, candidate.records)
    key = roster.by_address[header.producer].private_key
    fault = chain.check_candidate(replace(forged, producer_signature=sign(key, block_digest(forged.hash))))
    assert fault.code is FaultCode.LINKED


def test_votes_are_for_one_chain(make_combined, roster):
    chain = make_combined()
    drafts = height_drafts(roster, 1)
    other = make_combined()
    trading = other.seal(drafts)
    eno = roster.members[ENO]
    assert eno.address in chain.state.standing_committee(1)
    council = {vote.validator for vote in trading.votes}
    assert council == set(other.state.chains[0].turns.delegates)
    outsider = next(m for m in roster.members if m.address not in council)
    vote = Vote(outsider.address, sign(outsider.private_key, vote_digest(trading.hash)))
    packed = trading.with_votes(sorted((*trading.votes[1:], vote)))
    assert chain.check(packed).code is FaultCode.VOTE
    assert chain.check(trading) is None


def test_a_ballot_counts_in_every_chain_that_has_delegates(make_combined, roster):
    chain = make_combined(siblings=(("trading", "dpos"), ("credit", "dpos")), delegates=1)
    favourite = roster.members[FIRST].address
    ballots = [Draft(Kind.BALLOT, node, 0, [favourite]) for node in range(FIRST + 1, len(roster))]
    before = [block.header.producer for block in chain.seal_height(ballots)]
    after = [block.header.producer for block in chain.seal_height([])]
    assert favourite not in before[:2]
    assert after[:2] == [favourite, favourite]


def test_all_chains_close_at_one_height(make_combined, roster):
    chain = grown(make_combined(), 2)
    body = [4, chain.due.record_count + 1, chain.due.head]
    chain._seal(chain.draft([], closing=Draft(Kind.CLOSING, ENO, 0, body)), None, ())
    with pytest.raises(LedgerFault) as caught:
        chain.seal([])
    assert caught.value.fault.code is FaultCode.CLOSING
    late = grown(make_combined(), 2)
    late.seal([])
    body = [4, late.due.record_count + 1, late.due.head]
    with pytest.raises(LedgerFault) as caught:
        late._seal(late.draft([], closing=Draft(Kind.CLOSING, ENO, 0, body)), None, ())
    assert caught.value.fault.code is FaultCode.CLOSING


@pytest.mark.parametrize("signing", SIGNINGS)
def test_a_forger_is_refused_in_every_chain_even_where_there_is_nothing_to_alter(make_combined, roster, signing):
    chain = make_combined(signing=signing)
    for drafts in (height_drafts(roster, 1), []):
        for _ in chain.state.chains:
            honest = chain.propose(drafts)
            forged = chain.forge(honest)
            fault = chain.check_candidate(forged, honest)
            unsigned = (FaultCode.SUBMISSION, FaultCode.ROLE, FaultCode.PERIOD)
            assert fault.code in (unsigned if signing == "none" else (FaultCode.SUBMISSION_SIGNATURE,))
            refusal = chain.refuse(forged, fault)
            block = chain.seal(drafts, None, [refusal])
            assert block.records[0].kind is Kind.REFUSAL
            assert block.header.producer != forged.header.producer


@pytest.mark.parametrize(
    "siblings",
    [(("trading", rule),) for rule in consensus.available()] + [ALL, (("credit", "dpos"),)],
    ids=lambda siblings: "-".join(rule for _, rule in siblings),
)
def test_a_run_without_a_ledger_names_the_same_producers(make_combined, roster, history, siblings):
    chain = make_combined(siblings=siblings, name=b"n", signing="none")
    lottery = Lottery(chain.state.params, roster, history, b"n", 0)
    dishonest = [node in (FIRST, FIRST + 2) for node in range(len(roster))]
    drawn = set()
    for period in range(1, 13):
        drafts, turned_away = height_drafts(roster, period), []
        energy_wh = np.array([[10 * i, 700 + period] if i >= FIRST else [0, 0] for i in range(len(roster))], np.int64)
        credit_ppm = np.full(len(roster), 10**6, np.int64)
        credit_ppm[FIRST] = 900_000 - period
        if period > 1:  # before, nothing has been metered
            lottery.push(energy_wh[:, 0], energy_wh[:, 1], credit_ppm)
        for _ in chain.state.chains:
            refusals = []
            while dishonest[node := roster.index_of[(draw := chain.draw(refusals)).producer]]:
                refusals.append(chain.absence(draw))
                turned_away.append(node)
            drawn.add((chain.due.name, chain.seal(drafts, None, refusals).header.producer))
        assert lottery.produce(dishonest) == (node, turned_away)
    assert len({name for name, _ in drawn}) == len(chain.state.chains)


@pytest.mark.parametrize("signing", SIGNINGS)
def test_a_record_of_any_chain_is_proven_under_the_head(tmp_path, make_combined, signing):
    path = tmp_path / "proven.sqlite"
    chain = stored(path, make_combined, signing=signing)
    blocks = [Block.from_bytes(data) for _, data in rows_of(path)]
    main = [block.hash for block in blocks if block.header.chain_id == chain.chain_id]
    for number, business in ((0, "dispatch"), (7, "trading"), (8, "credit"), (9, "dispatch"), (19, "trading")):
        block = blocks[number]
        proof = json.loads(json.dumps(prove(blocks, block.records[0].id)))
        for trusted in (block.hash, main[block.header.height], chain.head):
            proven = check_proof(proof, trusted)
            assert (proven.business, proven.height) == (business, block.header.height)
            assert proven.record == block.records[0]
    proof = prove(blocks, blocks[7].records[0].id)
    other = prove(blocks, blocks[10].records[0].id)
    for part in ("block", "main", "history", "inclusion"):
        with pytest.raises(ProofError):
            check_proof(proof | {part: other[part]}, chain.head)
    with pytest.raises(ProofError, match="links"):
        prove(blocks[:9], blocks[7].records[0].id)  # the main chain has not sealed this height


def _altered(value):
    """Every copy of a JSON value in which one number or one digit of one text is another."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from (value | {key: changed} for changed in _altered(item))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from ([*value[:place], changed, *value[place + 1 :]] for changed in _altered(item))
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, str):
        yield value[:-1] + ("0" if value[-1] != "0" else "1")


@pytest.mark.parametrize("number", [7, 8, 9])
def test_an_altered_proof_proves_nothing_else(signed_rows, number):
    blocks = [Block.from_bytes(data) for _, data in signed_rows]
    proof, head = prove(blocks, blocks[number].records[0].id), blocks[-1].hash
    proven, refused = check_proof(proof, head), 0
    assert proven.height == 3
    for altered in _altered(proof):
        try:
            assert check_proof(altered, head) == proven  # the number of leaves in a tree is not bound by its root
        except ProofError:
            refused += 1
    assert refused >= 15


def test_a_light_node_follows_the_main_chain_and_checks_proofs_of_the_others(make_combined, roster):
    kept = []
    chain = make_combined(store=type("Kept", (), {"append": lambda self, block: kept.append(block)})())
    grown(chain, 2)
    node = LightNode(chain.genesis.records[0].body, chain.checkpoint(), 2 * PERIOD_S)
    grown(chain, 3)
    mine = [block for block in kept if block.header.chain_id == chain.chain_id][3:]
    node.extend([block.header_raw for block in mine], mine[-1].votes, 5 * PERIOD_S)
    assert node.head == chain.head
    trade = next(record for record in kept[-3].records if record.kind is Kind.TRADE)
    assert node.check(prove(kept, trade.id)).business == "trading"


def test_equivocation_in_a_sibling_convicts_everywhere(make_combined, roster):
    chain = make_combined()
    drafts = height_drafts(roster, 1)
    one, two = chain.equivocate(chain.draft(drafts))
    guilty, body = one.header.producer, chain.accuse(one, two)
    chain.seal_height([Draft(Kind.EQUIVOCATION, FIRST + 1, 0, body)])
    for _ in chain.state.chains:
        assert guilty not in chain.state.weights()
        assert guilty not in chain.state.committee(2)
        chain.seal([])


@pytest.mark.parametrize(
    ("siblings", "message"),
    [
        ((("gossip", "poe"),), "siblings are gossip; allowed: trading, credit"),
        ((("credit", "poe"), ("trading", "poe")), "in this order"),
        ((("trading", "poe"), ("trading", "poe")), "each once"),
        ((("dispatch", "poe"),), "allowed: trading, credit"),
        ((("trading", "luck"),), "consensus rule 'luck' is unknown"),
    ],
)
def test_siblings_that_cannot_be(siblings, message):
    with pytest.raises(ValueError, match=message):
        Params(siblings=siblings)


def test_the_settings_survive_the_genesis_record():
    params = Params(siblings=ALL, consensus="pow")
    assert params_of(genesis_body(params, b"n", 5, bytes(33))) == params
    assert params.businesses == (*ALL, ("dispatch", "pow"))


def test_commands(tmp_path, make_combined, capsys):
    path, file, back = tmp_path / "a.sqlite", tmp_path / "a.bin", tmp_path / "b.sqlite"
    chain = stored(path, make_combined)
    assert main(["verify", str(path), "--head", chain.head.hex()]) == 0
    printed = capsys.readouterr().out
    assert "credit: pos, height 7, " in printed
    assert main(["verify", str(path), "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["schema"], verdict["chains"][0]["business"]) == ("gridpact/verdict/2", "trading")
    assert main(["show", str(path), "--json"]) == 0
    chains = json.loads(capsys.readouterr().out)["chains"]
    assert [each["consensus"] for each in chains] == ["scored_dpos", "pos", "poe"]
    assert chains[0]["records"]["TRADE"] == 7
    assert main(["show", str(path), "--block", "3", "--chain", "credit"]) == 0
    assert "REGISTRATION" in capsys.readouterr().out
    assert main(["show", str(path), "--block", "8", "--chain", "credit"]) == 2
    assert "blocks 1..7 of credit, not 8" in capsys.readouterr().err
    for what in ([], ["--event", "1"], ["--contracts"], ["--joining"]):
        with pytest.raises(SystemExit, match="2"):
            main(["show", str(path), *what, "--chain", "credit"])
        assert "it goes with --block" in capsys.readouterr().err.splitlines()[-1]
    assert main(["export", str(path), str(file)]) == 0
    assert main(["import", str(file), str(back), "--head", chain.head.hex()]) == 0
    assert rows_of(back) == rows_of(path)
    capsys.readouterr()
    other = tmp_path / "c.sqlite"
    stored(other, make_combined, heights=5)
    assert main(["consistency", str(path), str(other)]) == 1
    assert "fork: 16 blocks in common, first difference in trading block 6" in capsys.readouterr().out
