"""Proofs that stand alone: they hold for every record, and nothing but a sound one holds."""

import copy
import json
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import merkle
from ledger.__main__ import main
from ledger.checkpoint import Checkpoint, CheckpointError
from ledger.encoding import encode
from ledger.kinds import Kind
from ledger.proof_parts import ProofError
from ledger.proofs import check_proof, prove

from .conftest import FIRST, SIGNINGS, blocks_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("signing", SIGNINGS)
def test_every_record_is_proven_under_its_block_and_the_head(finished, signing):
    path, head = finished[signing]
    blocks = blocks_of(path)
    for block in (blocks[0], blocks[3], blocks[-1]):
        for record in block.records:
            proof = json.loads(json.dumps(prove(blocks, record.id)))
            for trusted in (block.hash, head):
                proven = check_proof(proof, trusted)
                assert (proven.record, proven.height) == (record, block.header.height)
                assert proven.signed == (signing != "none")


def _leaves(value, place=()):
    """Every place of a JSON value that holds no container."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in _leaves(item, (*place, key))]
    if isinstance(value, list):
        return [leaf for key, item in enumerate(value) for leaf in _leaves(item, (*place, key))]
    return [(place, value)]


@pytest.mark.parametrize("signing", SIGNINGS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_an_altered_proof_proves_nothing_else(finished, signing, data):
    blocks = blocks_of(finished[signing][0])
    block = blocks[5]
    proof = prove(blocks, data.draw(st.sampled_from(block.records)).id)
    place, value = data.draw(st.sampled_from(_leaves(proof)))
    if isinstance(value, str) and data.draw(st.booleans()):
        spot = data.draw(st.integers(0, len(value) - 1))
        new = value[:spot] + data.draw(st.sampled_from("0123456789abcdef-")) + value[spot + 1 :]
    else:
        new = data.draw(JSON)
    if new == value and type(new) is type(value):
        return
    changed = copy.deepcopy(proof)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = new
    try:
        proven = check_proof(changed, blocks[-1].hash)
    except ProofError:
        return
    assert place[0] == "signature"  # the sender's own tree: its root doesn't bind the number of its leaves
    assert place[-1] in ("index", "count")
    assert proven == check_proof(proof, blocks[-1].hash)


def _other_places(leaf, part, tree_root):
    """Pairs of index and count, other than the tree's own, from which the path leads to the root, too."""
    path = [bytes.fromhex(text) for text in part["path"]]
    pairs = [(index, count) for count in range(1, 40) for index in range(count)]
    found = [pair for pair in pairs if merkle.check_inclusion(leaf, *pair, path, tree_root)]
    return [pair for pair in found if pair != (part["index"], part["count"])]


@pytest.mark.parametrize("signing", SIGNINGS)
def test_a_proof_holds_at_its_position_alone(finished, tmp_path, capsys, signing):
    """A root would take other pairs of index and count for the same path; the header states the number of records."""
    path, head = finished[signing]
    block = blocks_of(path)[5]
    record = block.records[-1]
    assert main(["proof", record.id.hex(), str(path)]) == 0
    proof = json.loads(capsys.readouterr().out)
    others = _other_places(record.id, proof["inclusion"], block.header.records_root)
    assert others
    file = tmp_path / "proof.json"
    file.write_text(json.dumps(proof))
    assert main(["check-proof", str(file), "--head", head.hex(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["position"] == len(block.records) - 1
    for index, count in others:
        file.write_text(json.dumps(proof | {"inclusion": proof["inclusion"] | {"index": index, "count": count}}))
        assert main(["check-proof", str(file), "--head", head.hex()]) == 1
        assert f"inclusion: {count} records where the header states {len(block.records)}" in capsys.readouterr().out


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_anything_else_is_refused_cleanly(value):
    with pytest.raises(ProofError):
        check_proof(value, bytes(32))
    with pytest.raises(CheckpointError):
        Checkpoint.from_view(value)


@pytest.mark.parametrize("name", ["height", "time_s", "round", "nonce", "record_count"])
def test_a_header_of_numbers_beyond_eight_bytes_is_no_header(finished, name):
    blocks = blocks_of(finished["period"][0])
    proof = prove(blocks, blocks[0].records[1].id)
    raw = encode(tuple(blocks[0].header._replace(**{name: 2**70})))
    alone = proof | {"block": raw.hex(), "main": raw.hex(), "head": raw.hex(), "history": []}
    with pytest.raises(ProofError, match=f"header.{name} is no integer"):
        check_proof(alone, sha256(raw).digest())


def test_a_swapped_sender_certificate_and_chain_are_named(finished, make_chain):
    blocks = blocks_of(finished["period"][0])
    head = blocks[-1].hash
    readings = [record for record in blocks[4].records if record.kind is Kind.READING]
    mine, other = (prove(blocks, record.id) for record in readings[:2])
    for part, key, message in (
        ("signature", "certificate", "not the sender's"),
        ("signature", "inclusion", "signature: inclusion"),
        ("signature", "submission", "signature: submission"),
    ):
        swapped = copy.deepcopy(mine)
        swapped[part][key] = other[part][key]
        if swapped != mine:
            with pytest.raises(ProofError, match=message):
                check_proof(swapped, head)
    with pytest.raises(ProofError, match="inclusion"):
        check_proof(mine | {"record": other["record"]}, head)
    foreign = encode(make_chain(name=b"other").genesis.records[0].body).hex()
    with pytest.raises(ProofError, match="chain id"):
        check_proof(mine | {"genesis": foreign}, head)
    with pytest.raises(ProofError, match="not in the history"):
        check_proof(mine | {"history": mine["history"][::-1]}, head)
    with pytest.raises(ProofError, match="a path from a block to itself"):
        check_proof(mine | {"head": mine["main"]}, blocks[4].hash)
    with pytest.raises(ProofError, match="neither is it nor links it"):
        check_proof(mine | {"main": blocks[5].header_raw.hex()}, head)
    with pytest.raises(ProofError, match="trusted hash"):
        check_proof(mine, bytes(32))
    with pytest.raises(ProofError, match="signature is no dict"):
        check_proof(mine | {"signature": None}, head)


def test_commands(finished, roster, tmp_path, capsys):
    path, head = finished["period"]
    record = next(r for r in blocks_of(path)[2].records if r.sender == roster.members[FIRST].address)
    assert main(["proof", record.id.hex(), str(path)]) == 0
    file = tmp_path / "proof.json"
    file.write_text(capsys.readouterr().out)
    assert main(["check-proof", str(file), "--head", head.hex(), "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["schema"] == "gridpact/proof-verdict/3"
    assert (verdict["id"], verdict["block"], verdict["trusted_block"]) == (record.id.hex(), 2, 11)
    assert main(["check-proof", str(file), "--head", head.hex()]) == 0
    assert "proven: ORDER" in capsys.readouterr().out
    assert main(["check-proof", str(file), "--head", "00" * 32, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["proven"] is False
    assert main(["proof", "00" * 32, str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_checkpoint_anchors_a_proof(finished, roster, tmp_path, capsys):
    path, head = finished["period"]
    blocks = blocks_of(path)
    file, anchor = tmp_path / "proof.json", tmp_path / "checkpoint.json"
    file.write_text(json.dumps(prove(blocks, blocks[1].records[0].id)))
    key = roster.authority.private_key
    checkpoint = Checkpoint.issue(key, blocks[0].header.chain_id, 11, head)
    assert Checkpoint.from_view(checkpoint.view()) == checkpoint
    anchor.write_text(json.dumps(checkpoint.view()))
    command = ["check-proof", str(file), "--checkpoint", str(anchor), "--authority"]
    assert main([*command, roster.authority.public_key.hex()]) == 0
    assert main([*command, roster.members[0].public_key.hex()]) == 1
    assert "did not sign" in capsys.readouterr().out
    for broken in ("{", "[]", '{"schema": "gridpact/checkpoint/2", "height": -1}', "9" * 5000):
        anchor.write_text(broken)
        assert main([*command, roster.authority.public_key.hex()]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    for missing in (
        ["check-proof", str(tmp_path), "--head", "00" * 32],
        [*command[:3], "nope.json", *command[4:], "02" * 33],
    ):
        assert main(missing) == 2
        assert capsys.readouterr().err.endswith("is no file\n")
    with pytest.raises(SystemExit, match="2"):
        main(command[:4])
    with pytest.raises(SystemExit, match="2"):
        main(["check-proof", str(file)])


@pytest.mark.parametrize("text", ["", "{", "9" * 5000, "[" * 100_000, "\udcff"])
def test_a_file_that_is_no_json(tmp_path, capsys, text):
    file = tmp_path / "proof.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    status = main(["check-proof", str(file), "--head", "00" * 32])
    captured = capsys.readouterr()
    assert (status, captured.err.count("\n")) == (2, 1)
