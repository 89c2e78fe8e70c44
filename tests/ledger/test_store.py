"""The ledger file: every altered value in it is found, and the commands say what they find."""

import json
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import ahead, identity
from ledger.__main__ import main
from ledger.blocks import Block
from ledger.consensus import Draw
from ledger.encoding import decode, encode
from ledger.kinds import Kind
from ledger.proposal import assemble
from ledger.records import Record
from ledger.state import ChainState
from ledger.store import Store, StoreError
from ledger.verify import verify_file, verify_rows

from .conftest import SIGNINGS, grow, rows_of


@pytest.mark.parametrize("signing", SIGNINGS)
def test_a_finished_run_is_one_sound_file(finished, signing):
    path, head = finished[signing]
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    verdict = verify_file(path, head=head)
    assert verdict.sound
    assert (verdict.head, verdict.blocks, verdict.events, verdict.closed) == (head.hex(), 12, 1, True)
    assert verdict.signing == signing


@pytest.mark.parametrize("signing", SIGNINGS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_altered_byte_is_found(finished, signing, data):
    rows = rows_of(finished[signing][0])
    row = data.draw(st.integers(0, len(rows) - 1))
    height, block = rows[row]
    if data.draw(st.integers(0, 9)) == 0:
        rows[row] = (data.draw(st.integers(-(2**63), 2**63 - 1).filter(lambda x: x != height)), block)
        rows.sort()
        found = verify_rows(rows)
        assert not found.sound
        return
    place = data.draw(st.integers(0, len(block) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda x: x != block[place]))
    rows[row] = (height, block[:place] + bytes([value]) + block[place + 1 :])
    found = verify_rows(rows)
    assert not found.sound
    assert found.block <= height + 1


@pytest.mark.parametrize("signing", ["period", "record"])
def test_an_altered_record_is_named(finished, signing):
    """A reading with another number, in a block whose roots were left alone: block and sender are told."""
    rows = rows_of(finished[signing][0])
    block = Block.from_bytes(rows[4][1])
    place = max(k for k, record in enumerate(block.records) if record.kind is Kind.READING)
    old = block.records[place]
    body = [old.body[0], old.body[1] + 1_000, *old.body[2:]]
    new = Record.create(old.chain_id, old.kind, old.sender, old.nonce, old.expiry, old.event, body)
    records = (*block.records[:place], new, *block.records[place + 1 :])
    rows[4] = (4, replace(block, records=records).to_bytes())
    found = verify_rows(rows)
    assert (found.sound, found.block) == (False, 4)
    assert block.records[found.record].sender == old.sender


@pytest.mark.parametrize("signing", SIGNINGS)
@pytest.mark.parametrize("row", range(12))
def test_lost_swapped_and_added_rows_are_found(finished, signing, row):
    rows = rows_of(finished[signing][0])
    assert not verify_rows(rows[:row] + rows[row + 1 :]).sound
    assert not verify_rows(rows[:row]).sound
    assert not verify_rows([*rows, (12, rows[row][1])]).sound
    other = (row + 1) % len(rows)
    swapped = dict(rows) | {row: rows[other][1], other: rows[row][1]}
    assert not verify_rows(sorted(swapped.items())).sound


@pytest.mark.parametrize("signing", ["period", "record"])
@pytest.mark.parametrize("row", range(12))
def test_a_vote_taken_away_is_found(finished, signing, row):
    rows = rows_of(finished[signing][0])
    header, signature, votes, submissions, records = decode(rows[row][1])
    rows[row] = (row, encode([header, signature, votes[1:], submissions, records]))
    assert verify_rows(rows).sound == (row == 0)  # genesis has no votes to take


def test_a_cut_tail_needs_the_closing_record_or_the_head(finished):
    path, head = finished["period"]
    rows = rows_of(path)[:-1]
    assert verify_rows(rows, closed=False).sound
    assert "CLOSING" in verify_rows(rows).fault
    assert "head is" in verify_rows(rows, closed=False, head=head).fault


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE blocks SET number = 40 WHERE number = 3",
        "UPDATE blocks SET block = x'' WHERE number = 3",
        "UPDATE blocks SET block = zeroblob(20000000) WHERE number = 3",
        "DELETE FROM blocks WHERE number = 3",
        "DELETE FROM blocks",
        "INSERT INTO blocks SELECT number + 12, block FROM blocks WHERE number = 11",
        "INSERT INTO blocks VALUES (-1, x'00')",
    ],
)
def test_statements_that_alter_the_table(finished, tmp_path, capsys, statement):
    path = tmp_path / "altered.sqlite"
    shutil.copy(finished["period"][0], path)
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    assert main(["verify", str(path)]) == 1
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA user_version = 3",
        "PRAGMA application_id = 1",
        "CREATE TABLE notes (text)",
        "ALTER TABLE blocks ADD COLUMN note TEXT",
        "CREATE INDEX i ON blocks (block)",
        "CREATE TRIGGER t AFTER INSERT ON blocks BEGIN DELETE FROM blocks; END",
    ],
)
def test_a_changed_layout_is_no_ledger(finished, tmp_path, capsys, statement):
    path = tmp_path / "altered.sqlite"
    shutil.copy(finished["period"][0], path)
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    for command in ("verify", "show"):
        assert main([command, str(path)]) == 2
        assert "no ledger of layout 2" in capsys.readouterr().err


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_files_never_crash(finished, tmp_path_factory, data):
    original = finished["period"][0].read_bytes()
    size = data.draw(st.integers(0, len(original)))
    place = data.draw(st.integers(0, max(size - 1, 0)))
    noise = data.draw(st.binary(max_size=40))
    path = tmp_path_factory.mktemp("damaged") / "x.sqlite"
    path.write_bytes(original[:place] + noise + original[place + len(noise) : size])
    assert main(["verify", str(path)]) in (0, 1, 2)
    assert main(["show", str(path)]) in (0, 2)


def test_not_a_ledger(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("no database " * 100)
    empty = tmp_path / "empty"
    empty.touch()
    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    for path in (text, empty, other, tmp_path, tmp_path / "missing"):
        for command in ("verify", "show"):
            assert main([command, str(path)]) == 2
            captured = capsys.readouterr()
            assert captured.out == ""
            assert captured.err.count("\n") == 1
    assert not (tmp_path / "missing").exists()


def test_commands(finished, capsys):
    path, head = finished["period"]
    assert main(["verify", str(path), "--head", head.hex()]) == 0
    assert capsys.readouterr().out.endswith(f"head {head.hex()}\n")
    assert main(["verify", str(path), "--head", "00" * 32]) == 1
    capsys.readouterr()
    assert main(["verify", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sound"] is True
    assert main(["show", str(path), "--json"]) == 0
    overview = json.loads(capsys.readouterr().out)
    assert overview["events"] == {"1": ["TTX@2", "DTX@2", "VTX@3", "ATX@4"]}
    assert overview["nodes"] == {"ENO": 1, "AGGREGATOR": 2, "PROSUMER": 5}
    assert main(["show", str(path), "--event", "1", "--json"]) == 0
    records = json.loads(capsys.readouterr().out)["records"]
    assert records[3]["fields"]["trail"] == [record["id"] for record in records[:3]]
    assert main(["show", str(path), "--block", "2"]) == 0
    shown = capsys.readouterr().out
    assert "energy_wh: 250" in shown
    assert "prosumer 1 (G" in shown
    assert main(["show", str(path), "--block", "99"]) == 2
    assert main(["show", str(path), "--event", "9"]) == 2


def test_as_a_program(finished):
    path, head = finished["none"]
    done = subprocess.run([sys.executable, "-m", "ledger", "verify", str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert head.hex() in done.stdout


def test_a_running_ledger_can_be_read(tmp_path, roster, make_chain):
    path = tmp_path / "run.sqlite"
    store = Store.create(path, durability="normal")
    chain = make_chain(store=store)
    grow(chain, 2)
    assert verify_file(path, closed=False).head == chain.head.hex()
    grow(chain, 1)
    assert verify_file(path, closed=False).blocks == 4
    store.close()
    with pytest.raises(StoreError, match="never written over"):
        Store.create(path)
    reader = Store.open(path)
    with pytest.raises(StoreError, match="to read"):
        reader.append(chain.genesis)
    reader.close()
    with pytest.raises(ValueError, match="allowed: full, normal"):
        Store.create(tmp_path / "x", durability="none")


def test_a_killed_writer_leaves_a_sound_ledger(tmp_path):
    path = tmp_path / "killed.sqlite"
    program = f"""
import os
from ledger.chain import Chain
from ledger.identity import Role
from ledger.params import Params
from ledger.roster import NodeSpec, Roster
from ledger.store import Store

roster = Roster.create(1, [NodeSpec("eno", Role.ENO, 10)])
chain = Chain.create(Params(gamma=5), roster, store=Store.create({str(path)!r}))
chain.seal([])
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == 9
    assert verify_file(path, closed=False).blocks == 2


@pytest.mark.parametrize(("position", "value"), [(9, 7), (10, b"proof_of_luck"), (10, b"\xff"), (6, 0), (6, 1 << 40)])
def test_foreign_settings_are_refused(tmp_path, capsys, make_chain, position, value):
    chain = make_chain(signing="none")
    body = list(chain.genesis.records[0].body)
    body[position] = value
    good = chain.genesis.records[0]
    record = Record.create(good.chain_id, good.kind, good.sender, good.nonce, good.expiry, 0, body)
    draw = Draw(good.sender, 0, 0, bytes(32))
    forged = assemble(ChainState(good.body), chain.roster, [record], draw)
    path = tmp_path / "foreign.sqlite"
    with Store.create(path) as store:
        store.append(forged)
    assert main(["verify", str(path)]) == 1
    assert "block 0, record 0: GENESIS" in capsys.readouterr().out
    assert main(["show", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("signing", SIGNINGS)
def test_signatures_verified_ahead_change_no_verdict(finished, monkeypatch, signing):
    rows = rows_of(finished[signing][0])
    altered = [rows]
    for row, part, at in ((4, 2, 1), (5, 3, 2)):  # a vote's signature, a submission's
        block = decode(rows[row][1])
        if block[part]:
            block[part][0][at] = block[part][0][at][:63] + bytes([block[part][0][at][63] ^ 1])
        altered.append([*rows[:row], (row, encode(block)), *rows[row + 1 :]])
    header, *rest = decode(rows[3][1])
    fields = decode(header)
    fields[2] = 1 << 200  # a height that no digest can hold
    altered.append([*rows[:3], (3, encode([encode(fields), *rest])), *rows[4:]])
    monkeypatch.setattr(ahead, "HEAD_START", 1)
    monkeypatch.setattr(ahead, "PATIENCE_S", 30.0)
    plain = [verify_rows(each) for each in altered]
    for cores in (2, 3):
        identity.verify.cache_clear()
        assert [verify_rows(each, cores=cores) for each in altered] == plain
    assert [verdict.sound for verdict in plain] == [True, *([signing == "none"] * 2), False]
