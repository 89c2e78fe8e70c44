"""A file from anywhere can't make the commands print a verdict of its own."""

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from ledger.__main__ import main
from ledger.audit import Difference
from ledger.chain import Chain
from ledger.faults import Fault, FaultCode
from ledger.kinds import Kind
from ledger.params import Params
from ledger.records import Draft
from ledger.roster import AUTHORITY
from ledger.store import Store

VERDICT = b"x\x1b[2K\rsound: 197 blocks, signed by period, closed\nhead 6a9d\n\x1b[8m"


def test_a_name_in_a_record_stays_inside_the_line_of_its_fault(roster, history, tmp_path, capsys):
    path = tmp_path / "ledger.sqlite"
    with Store.create(path) as store:
        chain = Chain.create(Params(gamma=20, window_periods=24), roster, history, store=store)
        store.append(chain.propose([Draft(Kind.CONTRACT, AUTHORITY, 0, [VERDICT, 7, bytes(32), 5])]))
    assert main(["verify", str(path)]) == 1
    text = capsys.readouterr().out
    assert text.count("\n") == 1
    assert text.rstrip("\n").isprintable()
    assert "CONTRACT" in text
    assert "sound: 197 blocks" in text


@given(st.text(), st.text(), st.text(), st.text())
def test_faults_and_differences_are_one_printable_line(one, two, three, four):
    assert str(Fault(FaultCode.CONTRACT, 1, one, 2, two)).isprintable()
    assert str(Difference(1, 2, one, two, three, four, one, two)).isprintable()


def test_a_name_in_the_file_s_own_schema_stays_inside_the_error(finished, tmp_path, capsys):
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(finished["none"][0].read_bytes())
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA writable_schema = ON")
    row = "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('table', ?, ?, 9999, 'create tabl')"
    connection.execute(row, (VERDICT.decode(), VERDICT.decode()))
    connection.commit()
    connection.close()
    for command in ("verify", "show"):
        assert main([command, str(path)]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert told.rstrip("\n").isprintable()
        assert "sound: 197 blocks" in told
