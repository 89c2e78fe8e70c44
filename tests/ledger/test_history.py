"""One head continues another: shown by two headers and log n hashes, and by nothing else."""

import copy
import json
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import merkle
from ledger.__main__ import main
from ledger.chain import Chain
from ledger.encoding import encode
from ledger.faults import FaultCode, LedgerFault
from ledger.history import check_history, prove_history
from ledger.kinds import Kind
from ledger.params import Params
from ledger.proof_parts import ProofError
from ledger.proofs import check_proof, prove
from ledger.records import Draft
from ledger.store import Store

from .conftest import FIRST, SIGNINGS, blocks_of, grow, period_drafts, signed_block
from .test_proofs import JSON, _leaves


class Kept:
    """A store in memory."""

    def __init__(self):
        self.blocks = []

    def append(self, block):
        self.blocks.append(block)


def proof_of(blocks, old, new):
    """The proof between two blocks of a chain, as it comes out of a file."""
    headers, hashes = [block.header_raw for block in blocks], [block.hash for block in blocks]
    return json.loads(json.dumps(prove_history(headers, hashes, old, new)))


def test_every_block_continues_every_earlier_one(finished):
    blocks = blocks_of(finished["none"][0])
    for new in range(len(blocks)):
        for old in range(new + 1):
            proof = proof_of(blocks, old, new)
            found = check_history(proof, blocks[old].hash, blocks[new].hash)
            assert (found.old, found.new) == (blocks[old].header, blocks[new].header)
            for wrong in (blocks[old].hash, blocks[new].hash), (blocks[new].hash, blocks[old].hash):
                if wrong != (blocks[old].hash, blocks[new].hash):
                    with pytest.raises(ProofError, match="the header's hash is"):
                        check_history(proof, *wrong)
    with pytest.raises(ProofError, match="which is later"):
        proof_of(blocks, 5, 4)


def test_headers_root_the_main_chains_past(make_chain):
    kept = Kept()
    chain = make_chain(store=kept, siblings=(("trading", "pos"),))
    assert chain.genesis.header.history_root == merkle.EMPTY_ROOT
    for period in range(1, 6):
        chain.seal_height(period_drafts(chain.roster, period))
    mains = [merkle.leaf_hash(each.hash) for each in kept.blocks if each.header.chain_id == chain.chain_id]
    for block in kept.blocks:  # of both chains
        assert block.header.history_root == merkle.root(mains[: block.header.height])


@pytest.mark.parametrize("signing", SIGNINGS)
def test_a_forged_history_root_is_refused(make_chain, signing, monkeypatch):
    """Producer and all signers agree on another past: the block is sound but for the root."""
    chain = make_chain(signing=signing)
    grow(chain, 4)
    forged = merkle.root([merkle.leaf_hash(bytes(32))] * 5)
    monkeypatch.setattr(chain.state, "history_root", forged)
    block = signed_block(chain, period_drafts(chain.roster, 5))
    monkeypatch.undo()
    assert block.header.history_root == forged
    fault = chain.check_candidate(block)
    assert (fault.code, fault.height) == (FaultCode.HISTORY_ROOT, 5)
    with pytest.raises(LedgerFault, match="block 5: HISTORY_ROOT: history root is not that of the main chain's"):
        chain.append(block)
    grow(chain, 1)
    assert chain.height == 5


@pytest.fixture(scope="module")
def forks(finished, tmp_path_factory, roster, history):
    """The blocks of two chains with their first six in common: the finished one, and one that parts from it."""
    path = tmp_path_factory.mktemp("fork") / "fork.sqlite"
    with Store.create(path) as store:
        chain = Chain.create(Params(gamma=10, window_periods=24), roster, history, store=store)
        grow(chain, 5)
        for period in range(4, 10):
            chain.seal([Draft(Kind.READING, FIRST, 0, [period, 1, 0, 0])])
    true, forked = blocks_of(finished["period"][0]), blocks_of(path)
    assert [a.hash == b.hash for a, b in zip(true, forked, strict=True)] == [True] * 6 + [False] * 6
    return path, true, forked


def test_no_proof_leads_from_one_fork_to_another(forks):
    _, true, forked = forks
    old, new = true[8].hash, forked[11].hash
    mixed = proof_of([*true[:9], *forked[9:]], 8, 11)  # what a liar makes of both
    for proof in (
        mixed,
        proof_of(forked, 8, 11) | {"from": mixed["from"]},
        proof_of(true, 8, 11) | {"to": mixed["to"]},
    ):
        with pytest.raises(ProofError, match="block 8 is not in the history of block 11"):
            check_history(proof, old, new)
    check_history(proof_of(forked, 5, 11), true[5].hash, new)  # from where both were one
    record = true[8].records[0].id
    with pytest.raises(ProofError, match="history: block 8 is not in the history of block 11"):
        check_proof(prove(true, record) | {"head": forked[11].header_raw.hex()}, new)


def test_a_later_block_that_keeps_the_old_one_but_not_its_past_is_refused(forks):
    """A liar's header roots block 8 at its place, over another past: its tree does not begin with the old one."""
    _, true, forked = forks
    hashes = [block.hash for block in forked]
    hashes[8] = true[8].hash
    leaves = [merkle.leaf_hash(each) for each in hashes[:11]]
    lying = forked[11].header._replace(history_root=merkle.root(leaves))
    headers = [block.header_raw for block in (*true[:9], *forked[9:11])] + [encode(tuple(lying))]
    proof = prove_history(headers, hashes, 8, 11)
    new = sha256(headers[11]).digest()
    with pytest.raises(ProofError, match="consistency: block 11's history does not begin with that of block 8"):
        check_history(proof, true[8].hash, new)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_an_altered_history_proof_proves_nothing(finished, data):
    blocks = blocks_of(finished["period"][0])
    proof = proof_of(blocks, data.draw(st.integers(0, 8)), 11)
    old = sha256(bytes.fromhex(proof["from"])).digest()
    place, value = data.draw(st.sampled_from(_leaves(proof)))
    if isinstance(value, str) and data.draw(st.booleans()):
        spot = data.draw(st.integers(0, len(value) - 1))
        new = value[:spot] + data.draw(st.sampled_from("0123456789abcdef-")) + value[spot + 1 :]
    else:
        new = data.draw(JSON)
    changed = copy.deepcopy(proof)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = new
    if changed == proof:
        return
    with pytest.raises(ProofError):
        check_history(changed, old, blocks[11].hash)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_parts_that_are_missing_or_foreign(finished, data):
    blocks = blocks_of(finished["period"][0])
    proof = proof_of(blocks, 5, 11)
    name = data.draw(st.sampled_from(sorted(proof)))
    changed = proof | {name: data.draw(JSON)} if data.draw(st.booleans()) else {k: proof[k] for k in proof if k != name}
    with pytest.raises(ProofError):
        check_history(changed, blocks[5].hash, blocks[11].hash)
    with pytest.raises(ProofError):
        check_history(data.draw(JSON), blocks[5].hash, blocks[11].hash)


def test_commands(finished, forks, tmp_path, capsys):
    path, _ = finished["period"]
    fork_path, true, forked = forks
    file = tmp_path / "history.json"
    sizes = []
    for old, new in ((0, 11), (1, 11), (5, 7), (11, 11)):
        for words in ([str(old), str(new)], [true[old].hash.hex(), true[new].hash.hex()]):
            assert main(["history", str(path), "--from", words[0], "--to", words[1]]) == 0
            file.write_text(capsys.readouterr().out)
            known = ["--from", true[old].hash.hex(), "--to", true[new].hash.hex()]
            assert main(["check-history", str(file), *known]) == 0
            assert f"proven: block {new} continues block {old} of ledger " in capsys.readouterr().out
            assert main(["check-history", str(file), *known, "--json"]) == 0
            view = json.loads(capsys.readouterr().out)
            assert (view["proven"], view["from_block"], view["to_block"]) == (True, old, new)
            assert main(["check-history", str(file), *known[:2], "--to", forked[11].hash.hex()]) == 1
            assert "not proven: to: the header's hash is" in capsys.readouterr().out
        sizes.append(file.stat().st_size)
    assert max(sizes) < 4_000
    assert main(["history", str(fork_path), "--from", true[8].hash.hex()]) == 2
    assert "it is of a fork, or later than all of them" in capsys.readouterr().err
    assert main(["history", str(path), "--from", "8"]) == 0  # to the last block
    assert json.loads(capsys.readouterr().out)["to"] == true[11].header_raw.hex()


def test_a_proof_is_made_under_the_head_that_somebody_knows(finished, tmp_path, capsys):
    path, _ = finished["period"]
    blocks, file = blocks_of(path), tmp_path / "proof.json"
    record = blocks[3].records[0].id.hex()
    for to in (3, 4, 7, 11):
        assert main(["proof", record, str(path), "--to", blocks[to].hash.hex()]) == 0
        file.write_text(capsys.readouterr().out)
        for trusted in range(12):
            known = main(["check-proof", str(file), "--head", blocks[trusted].hash.hex(), "--json"]) == 0
            assert known == (trusted in (3, to))
            capsys.readouterr()


def test_the_proof_of_a_record_grows_with_the_logarithm(make_chain):
    kept = Kept()
    chain = make_chain(store=kept, signing="none", gamma=1, name=b"long")
    for height in range(1, 130):
        chain.seal(period_drafts(chain.roster, height) if height == 1 else [])
    for to, hashes in ((1, 0), (8, 3), (32, 5), (128, 7), (129, 8)):
        proof = prove(kept.blocks, kept.blocks[1].records[0].id, to)
        assert len(proof["history"]) == hashes
        assert check_proof(proof, kept.blocks[to].hash).height == 1
        assert len(json.dumps(proof)) < 3_500
