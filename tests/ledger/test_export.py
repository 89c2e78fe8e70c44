"""One file a chain, out and in; and whether two files tell one story."""

import json
import os
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.__main__ import main
from ledger.encoding import decode, encode
from ledger.export import MAGIC, exported_rows, import_chain
from ledger.kinds import Kind
from ledger.records import Draft
from ledger.store import Store, StoreError
from ledger.twice import SameRows

from .conftest import FIRST, SIGNINGS, grow, rows_of


@pytest.fixture(scope="module")
def exported(finished, tmp_path_factory):
    target = tmp_path_factory.mktemp("export") / "chain.bin"
    assert main(["export", str(finished["period"][0]), str(target)]) == 0
    return target


@pytest.mark.parametrize("signing", SIGNINGS)
def test_out_and_in_again(finished, tmp_path, capsys, signing):
    path, head = finished[signing]
    first, back, second = tmp_path / "a.bin", tmp_path / "back.sqlite", tmp_path / "b.bin"
    assert main(["export", str(path), str(first), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["blocks"] == 12
    assert main(["import", str(first), str(back), "--head", head.hex(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["head"] == head.hex()
    assert rows_of(back) == rows_of(path)
    assert main(["export", str(back), str(second)]) == 0
    assert first.read_bytes() == second.read_bytes()
    assert {file.name for file in tmp_path.iterdir()} == {"a.bin", "b.bin", "back.sqlite"}


def test_nothing_is_written_over(finished, exported, tmp_path, capsys):
    path = finished["period"][0]
    there = tmp_path / "there"
    there.write_text("kept")
    for command in (["export", str(path), str(there)], ["import", str(exported), str(there)]):
        assert main(command) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert there.read_text() == "kept"
    assert main(["export", str(path), str(tmp_path / "no folder" / "x")]) == 2


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_export_is_refused_and_leaves_nothing(exported, tmp_path_factory, data):
    original = exported.read_bytes()
    folder = tmp_path_factory.mktemp("damaged")
    size = data.draw(st.integers(0, len(original)))
    place = data.draw(st.integers(0, size))
    damaged = original[:place] + data.draw(st.binary(max_size=9)) + original[place:size]
    if damaged == original:
        return
    source = folder / "chain.bin"
    source.write_bytes(damaged)
    assert main(["import", str(source), str(folder / "out.sqlite")]) in (1, 2)
    assert [file.name for file in folder.iterdir()] == ["chain.bin"]


def test_lengths_are_checked_before_memory_is_taken(tmp_path):
    source = tmp_path / "chain.bin"
    for tail, message in (
        (b"\xff\xff\xff\xff", "length"),
        (b"\x00", "length"),
        (b"\x00\x00\x00\x09abc", "ends inside"),
    ):
        source.write_bytes(MAGIC + tail)
        with pytest.raises(StoreError, match=message):
            list(exported_rows(source))


def test_a_disk_that_refuses_leaves_no_half_import(exported, tmp_path, capsys, monkeypatch):
    def full(self, height, data):
        raise StoreError(f"block {height} cannot be written")

    target = tmp_path / "out.sqlite"
    (tmp_path / "out.sqlite.partial").write_text("of an import that was killed")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "append_bytes", full)
        assert main(["import", str(exported), str(target)]) == 2
    assert capsys.readouterr().err == "block 0 cannot be written\n"
    assert list(tmp_path.iterdir()) == []
    assert main(["import", str(exported), str(target)]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["out.sqlite"]


def test_an_open_chain_is_taken_only_when_asked(tmp_path, make_chain):
    path, file = tmp_path / "open.sqlite", tmp_path / "open.bin"
    with Store.create(path) as store:
        grow(make_chain(store=store), 2)
    assert main(["export", str(path), str(file)]) == 0
    assert not import_chain(file, tmp_path / "a.sqlite").sound
    assert import_chain(file, tmp_path / "b.sqlite", closed=False).blocks == 3


def _saved(path, chain_of, blocks, last):
    with Store.create(path) as store:
        chain = chain_of(store)
        grow(chain, blocks)
        if last is not None:
            chain.seal([Draft(Kind.READING, FIRST, 0, [blocks - 1, last, 0, 0])])
    return str(path)


def test_how_two_files_relate(tmp_path, make_chain, capsys):
    same = [_saved(tmp_path / name, lambda store: make_chain(store=store), 3, 1) for name in ("a", "b")]
    short = _saved(tmp_path / "short", lambda store: make_chain(store=store), 2, None)
    forked = _saved(tmp_path / "forked", lambda store: make_chain(store=store), 3, 2)
    foreign = _saved(tmp_path / "foreign", lambda store: make_chain(store=store, name=b"x"), 3, 1)
    for pair, status, relation, common in (
        (same, 0, "same", 5),
        ([short, same[0]], 0, "prefix", 3),
        ([same[0], short], 0, "extension", 3),
        ([same[0], forked], 1, "fork", 4),
        ([same[0], foreign], 1, "foreign", 0),
    ):
        assert main(["consistency", *pair, "--json"]) == status
        view = json.loads(capsys.readouterr().out)
        assert (view["schema"], view["relation"]) == ("gridpact/consistency/2", relation)
        assert view["common_blocks"] == common
        assert (view["equivocator"] is not None) == (relation == "fork")  # the producer due signed both
    assert main(["consistency", same[0], forked]) == 1
    assert "signed both blocks" in capsys.readouterr().out
    assert main(["consistency", same[0], str(tmp_path / "none")]) == 2


def test_records_that_were_taken_out_are_not_the_same_chain(finished, tmp_path, capsys):
    path, _ = finished["period"]
    rows, bare = rows_of(path), tmp_path / "bare"
    parts = decode(rows[4][1])
    parts[4] = parts[4][:-1]
    with Store.create(bare) as store:
        for number, data in [*rows[:4], (4, encode(parts)), *rows[5:]]:
            store.append_bytes(number, data)
    for pair in ([str(path), str(bare)], [str(bare), str(path)]):
        assert main(["consistency", *pair]) == 2
        assert "block 4 holds other records than its header states" in capsys.readouterr().err


def test_a_chain_is_imported_from_a_pipe(exported, finished, tmp_path, capsys):
    """The source is read once: what is stored is what was verified."""
    pipe, target = tmp_path / "pipe", tmp_path / "new.sqlite"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(exported.read_bytes(),))
    writer.start()
    assert main(["import", str(pipe), str(target)]) == 0
    writer.join()
    assert rows_of(target) == rows_of(finished["period"][0])


def test_an_import_that_fails_leaves_nothing(exported, tmp_path, monkeypatch):
    append = Store.append_bytes

    def full(self, number, data):
        if number == 7:
            raise StoreError("disk is full")
        append(self, number, data)

    monkeypatch.setattr(Store, "append_bytes", full)
    with pytest.raises(StoreError, match="disk is full"):
        import_chain(exported, tmp_path / "new.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_what_changes_between_two_readings_is_refused():
    rows = [(number, bytes([number]) * 3) for number in range(5)]
    source = SameRows(lambda: iter(rows))
    assert list(source.first()) == rows
    assert list(source.again()) == rows
    kept, rows = rows, [*rows, (5, b"new")]
    assert list(source.again()) == kept  # what a writer adds meanwhile is not verified, and does not come
    for changed in ([*kept[:2], (2, b"other"), *kept[3:]], kept[:2]):
        rows = changed
        with pytest.raises(StoreError, match="block 2 changed while the file was read"):
            list(source.again())
