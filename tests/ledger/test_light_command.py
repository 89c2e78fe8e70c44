"""A light node at the command line, and the checkpoints that it starts from."""

import json

import pytest

from ledger.__main__ import main
from ledger.anchors import Anchors
from ledger.blocks import Block
from ledger.chain import Chain
from ledger.checkpoint import Checkpoint, CheckpointError, checkpoint_files, checkpoint_path
from ledger.identity import display_address
from ledger.params import Params
from ledger.store import Store

from .conftest import ENO, FIRST, blocks_of, grow, period_drafts, rows_of

PERIOD_S = 900
NOW = str(12 * PERIOD_S)


@pytest.fixture(scope="module")
def kept(roster, history, tmp_path_factory):
    """A closed ledger of 12 heights with a trading chain, and a checkpoint every five."""
    path = tmp_path_factory.mktemp("light") / "day.sqlite"
    with Store.create(path) as store:
        params = Params(gamma=5, window_periods=24, siblings=(("trading", "pos"),))
        chain = Chain.create(params, roster, history, store=store)
        anchors = Anchors(chain, 5)
        for period in range(1, 12):
            chain.seal_height(period_drafts(roster, period))
            anchors.keep()
        chain.close(ENO)
        anchors.write(path)
    return path, chain


def followed(capsys, path, *words, checkpoint=0, now=NOW, trusted=()):
    """Exit status and answer of a light node from a checkpoint beside the file."""
    anchor = str(checkpoint_path(path, checkpoint))
    trusted = trusted or ("--ledger", blocks_of(path)[0].header.chain_id.hex())
    status = main(["light", str(path), "--checkpoint", anchor, *trusted, "--now", now, *words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_checkpoints_stand_beside_the_ledger(kept):
    path, chain = kept
    assert [each.name for each in checkpoint_files(path)] == [
        "day.checkpoint-0.json", "day.checkpoint-10.json", "day.checkpoint-5.json", "day.checkpoint.json",
    ]  # fmt: skip
    last = Checkpoint.read(checkpoint_path(path))
    assert (last.height, last.block_hash, last.chain_id) == (12, chain.head, chain.chain_id)
    for file in checkpoint_files(path):
        assert main(["verify", str(path), "--checkpoint", str(file)]) == 0


def test_checkpoints_of_other_ledgers_are_told_apart(make_chain, tmp_path):
    """By their whole name; those of an earlier ledger of the same name go."""
    chain = make_chain()
    first, second = tmp_path / "run.seed1", tmp_path / "run.seed2"
    for path in (first, second):
        Anchors(chain, 5).write(path)
    assert [each.name for each in checkpoint_files(first)] == [
        "run.seed1.checkpoint-0.json",
        "run.seed1.checkpoint.json",
    ]
    chain.seal([])
    Anchors(chain, 5).write(second)
    assert [each.name for each in checkpoint_files(second)] == [
        "run.seed2.checkpoint-1.json",
        "run.seed2.checkpoint.json",
    ]
    assert len(checkpoint_files(first)) == 2


@pytest.mark.parametrize("words", [(), ("--headers",)])
def test_it_follows_from_a_checkpoint_to_the_head(kept, capsys, words):
    path, chain = kept
    authority = ("--authority", chain.roster.authority.public_key.hex())
    for first in (0, 5, 10):
        status, seen = followed(capsys, path, *words, checkpoint=first, trusted=authority)
        assert (status, seen["followed"], seen["fault"]) == (0, True, None)
        assert (seen["from_block"], seen["block"], seen["head"]) == (first, 12, chain.head.hex())
        assert (seen["voted"], seen["validators"]) == (True, 3)
        assert seen["trusted_until_s"] == first * PERIOD_S + 30 * 86_400
    later = ("--checkpoint", str(checkpoint_path(path, 10)), "--checkpoint", str(checkpoint_path(path)))
    status, seen = followed(capsys, path, *words, *later)
    assert (status, seen["block"], seen["trusted_until_s"]) == (0, 12, 12 * PERIOD_S + 30 * 86_400)
    assert seen["voted"] is False  # the last block is the later checkpoint's own


@pytest.mark.parametrize(
    ("anchors", "told"),
    [
        ((None,), "followed: block 12 is the checkpoint's own: the authority's word, no votes were counted"),
        ((5, None), "block 12 continues the checkpoint of block 5 and is a later one's own: the authority's word, no"),
    ],
)
def test_a_checkpoints_own_block_is_the_authoritys_word(kept, tmp_path, capsys, anchors, told):
    """No vote is needed for it, so none is claimed."""
    path, chain = kept
    rows, bare = rows_of(path), tmp_path / "bare.sqlite"
    with Store.create(bare) as store:
        for number, data in rows[:-1]:
            store.append_bytes(number, data)
        store.append_bytes(rows[-1][0], Block.from_bytes(rows[-1][1]).with_votes([]).to_bytes())
    words = [word for height in anchors for word in ("--checkpoint", str(checkpoint_path(path, height)))]
    trusted = ["--ledger", chain.chain_id.hex(), "--now", NOW]
    assert main(["light", str(bare), *words, *trusted]) == 0
    assert told in capsys.readouterr().out
    assert main(["light", str(bare), *words, *trusted, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["voted"] is False


def test_a_site_reads_its_own_and_checks_a_proof(kept, tmp_path, capsys):
    path, chain = kept
    me = chain.roster.members[FIRST]
    status, seen = followed(capsys, path, "--as", me.name, "--block", "3")
    assert status == 0
    trading, dispatch = seen["blocks"]
    assert [record["kind"] for record in trading["records"]] == ["ORDER", "TRADE"]
    assert [record["kind"] for record in dispatch["records"]] == ["READING"]
    assert dispatch["records"][0]["sender"] == display_address(me.address)
    assert dispatch["hidden"] > 0
    record = next(each for block in blocks_of(path) if block.header.height == 7 for each in block.records)
    assert main(["proof", record.id.hex(), str(path)]) == 0
    proof = tmp_path / "proof.json"
    proof.write_text(capsys.readouterr().out)
    status, seen = followed(capsys, path, "--proof", str(proof), checkpoint=5)
    assert (status, seen["proof"]["id"], seen["proof"]["block"]) == (0, record.id.hex(), 7)
    trusted = ["--ledger", chain.chain_id.hex(), "--now", NOW, "--proof", str(proof), "--as", me.name, "--block", "3"]
    assert main(["light", str(path), "--checkpoint", str(checkpoint_path(path, 5)), *trusted]) == 0
    told = capsys.readouterr().out
    assert "followed: block 12 continues the checkpoint of block 5, more than two thirds of 3 validators" in told
    assert f"proven: {record.kind.name} {record.id.hex()} is in" in told
    assert "kind: READING" in told
    proof.write_text(proof.read_text().replace('"inclusion": {"index": 0', '"inclusion": {"index": 1', 1))
    status, seen = followed(capsys, path, "--proof", str(proof), checkpoint=5)
    assert (status, seen["followed"]) == (1, False)
    assert "inclusion" in seen["fault"]


def test_the_trusting_period_runs_by_the_clock_that_is_given(kept, capsys):
    path, _ = kept
    late = str(5 * PERIOD_S + 86_400 + 1)
    status, seen = followed(capsys, path, "--trusting-days", "1", checkpoint=5, now=late)
    assert (status, seen["fault"]) == (1, "the checkpoint is 86401 s old; trusted for 86400 s")
    assert followed(capsys, path, checkpoint=5, now=late)[0] == 0
    status, seen = followed(capsys, path, now=str(10 * PERIOD_S))
    assert (status, seen["fault"]) == (1, "header 12 states a time that is not due")
    status, seen = followed(capsys, path, checkpoint=10, now=str(9 * PERIOD_S - 1))
    assert (status, seen["fault"]) == (1, "the checkpoint is 901 s ahead of the time; at most 900 s are allowed")
    assert followed(capsys, path, checkpoint=None, now=str(11 * PERIOD_S))[0] == 0


@pytest.mark.parametrize("words", [(), ("--headers",)])
@pytest.mark.parametrize("true_height", [5, 12])  # of a block between, and of the last one
def test_a_first_checkpoint_that_states_another_height_is_not_followed(kept, tmp_path, capsys, words, true_height):
    """By the stated height its validators would be trusted longer than by the block's own."""
    path, chain = kept
    old, file = Checkpoint.read(checkpoint_path(path, 5)), tmp_path / "late.json"
    mains = [block for block in blocks_of(path) if block.header.chain_id == chain.chain_id]
    authority, stated = chain.roster.authority.private_key, true_height + 1
    wrong = Checkpoint.issue(authority, chain.chain_id, stated, mains[true_height].hash, old.committee, old.valid_to)
    wrong.write(file)
    trusted = ["--ledger", chain.chain_id.hex(), "--now", NOW, *words, "--json"]
    assert main(["light", str(path), "--checkpoint", str(file), *trusted]) == 1
    fault = json.loads(capsys.readouterr().out)["fault"]
    assert f"states height {stated}" in fault or f"does not follow block {stated}" in fault


def test_a_committee_that_names_a_key_twice_is_no_checkpoint(kept, tmp_path, capsys):
    """One validator five times is not two thirds of five."""
    path, chain = kept
    sound, file = Checkpoint.read(checkpoint_path(path, 5)), tmp_path / "twice.json"
    with pytest.raises(CheckpointError, match="committee names a key twice"):
        Checkpoint.issue(
            chain.roster.authority.private_key, chain.chain_id, 5, sound.block_hash, sound.committee[:1] * 5, 99
        )
    view = sound.view()
    file.write_text(json.dumps(view | {"committee": view["committee"][:1] * 5}))
    trusted = ["--ledger", chain.chain_id.hex(), "--now", NOW]
    assert main(["light", str(path), "--checkpoint", str(file), *trusted]) == 2
    assert capsys.readouterr().err == "committee names a key twice\n"


def test_another_trust_is_not_met(kept, capsys):
    path, chain = kept
    for trusted, message in (
        (("--ledger", "00" * 16), f"the ledger's id is {chain.chain_id.hex()}"),
        (("--authority", chain.roster.members[ENO].public_key.hex()), "the ledger's authority is"),
    ):
        status, seen = followed(capsys, path, trusted=trusted)
        assert status == 1
        assert message in seen["fault"]
    anchor = ["--checkpoint", str(checkpoint_path(path, 5)), "--ledger", "00" * 16, "--now", NOW]
    assert main(["light", str(path), *anchor]) == 1
    assert capsys.readouterr().out.startswith("not followed: the ledger's id is")


@pytest.mark.parametrize("words", [(), ("--headers",)])
def test_a_fork_and_missing_votes_are_not_followed(kept, roster, history, tmp_path, capsys, words):
    path, chain = kept
    rows, trusted = rows_of(path), ("--ledger", chain.chain_id.hex())
    main_rows = [n for n, (_, data) in enumerate(rows) if Block.from_bytes(data).header.chain_id == chain.chain_id]
    last = Block.from_bytes(rows[main_rows[-1]][1])
    poor = tmp_path / "poor.sqlite"
    with Store.create(poor) as store:
        for number, data in rows[: main_rows[-1]]:
            store.append_bytes(number, data)
        store.append_bytes(main_rows[-1], last.with_votes(last.votes[:2]).to_bytes())
    fork = tmp_path / "fork.sqlite"
    with Store.create(fork) as store:
        params = Params(gamma=5, window_periods=24, siblings=(("trading", "pos"),))
        other = Chain.create(params, roster, history, store=store)
        for _ in range(12):
            other.seal_height([])
    assert other.chain_id == chain.chain_id
    anchor = ["--checkpoint", str(checkpoint_path(path, 5)), *trusted, "--now", NOW, *words, "--json"]
    for file, message in ((poor, "2 votes of 3 validators do not suffice"), (fork, "fork|does not follow")):
        assert main(["light", str(file), *anchor]) == 1
        fault = json.loads(capsys.readouterr().out)["fault"]
        assert any(each in fault for each in message.split("|")), fault


def test_a_chain_of_delegates_is_followed_by_a_checkpoint_a_cycle(roster, history, tmp_path, capsys):
    path = tmp_path / "delegates.sqlite"
    with Store.create(path) as store:
        chain = Chain.create(Params(gamma=5, consensus="scored_dpos", delegates=3), roster, history, store=store)
        anchors = Anchors(chain, 96)
        for _ in range(8):
            grow(chain, 1)
            anchors.keep()
        anchors.write(path)
    heights = sorted(each.height for each in anchors.checkpoints)
    assert heights == [0, 3, 6]
    later = [word for height in heights[1:] for word in ("--checkpoint", str(checkpoint_path(path, height)))]
    status, seen = followed(capsys, path, *later, now=str(8 * PERIOD_S))
    assert (status, seen["block"]) == (0, 8)
    status, seen = followed(capsys, path, now=str(8 * PERIOD_S))
    assert (status, seen["fault"]) == (1, "block 8: the validators' certificates ended at 3, or their cycle")
