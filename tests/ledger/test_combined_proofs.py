"""Several business chains in one ledger: votes, closing, proofs, light nodes and what settings allow."""

import json

import numpy as np
import pytest

from ledger import consensus
from ledger.__main__ import main
from ledger.blocks import Block, Vote, vote_digest
from ledger.faults import FaultCode, LedgerFault
from ledger.identity import sign
from ledger.kinds import Kind
from ledger.light import LightNode
from ledger.lottery import Lottery
from ledger.params import Params, genesis_body, params_of
from ledger.proof_parts import ProofError
from ledger.proofs import check_proof, prove
from ledger.records import Draft

from .conftest import ALL, ENO, FIRST, SIGNINGS, grown, height_drafts, rows_of, stored

PERIOD_S = 900


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
