"""What a node of each level may read, shown from a file and proven under the block's root."""

import json

import pytest

from ledger.__main__ import main
from ledger.blocks import Block
from ledger.chain import Chain
from ledger.encoding import decode, encode
from ledger.identity import Role
from ledger.levels import LEVEL_OF, PRODUCERS, RIGHTS, VOTERS, Level
from ledger.params import Params
from ledger.records import Draft, Kind
from ledger.roster import AUTHORITY
from ledger.store import Store
from tests.ledger.conftest import FIRST, LAST, grow, rows_of


def seen_by(capsys, path, node, *what):
    assert main(["view", str(path), "--json", "--as", node, *what]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "gridpact/view/1"
    return answer


def test_rights_are_those_that_the_chain_enforces(roster, history):
    assert {Role.ENO, Role.AGGREGATOR} == VOTERS
    assert {Role.ENO, Role.AGGREGATOR, Role.PROSUMER} == PRODUCERS
    assert [level for level in Level if not RIGHTS[level].reads_all] == [Level.LIGHT]
    assert not RIGHTS[Level.FULL].votes
    assert not RIGHTS[Level.FULL].produces
    chain = Chain.create(Params(window_periods=24), roster, history)
    levels = {member.address: LEVEL_OF[member.role] for member in roster.members}
    assert {levels[address] for address in chain.state.committee(1)} == {Level.SUPER, Level.CONSENSUS}
    assert set(chain.state.weights()) == {address for address, level in levels.items() if RIGHTS[level].produces}


def test_a_site_reads_its_own_and_the_others_are_ids(finished, capsys):
    path, _ = finished["period"]
    seen = seen_by(capsys, path, "prosumer 0", "--block", "1")
    assert (seen["level"], seen["votes"]) == ("light", False)
    (block,) = seen["blocks"]
    clear = [record for record in block["records"] if "fields" in record]
    assert [record["kind"] for record in clear] == ["ORDER", "READING", "TRADE"]
    assert {record["sender"] for record in clear} == {"prosumer 0", "eno"}
    assert [set(record) for record in block["records"] if "fields" not in record] == [{"position", "id"}] * 11
    assert (block["readable"], block["hidden"], block["proven"]) == (3, 11, True)
    stored = Block.from_bytes(rows_of(path)[1][1])
    assert [record["id"] for record in block["records"]] == [record.id.hex() for record in stored.records]


@pytest.mark.parametrize(("node", "level"), [("eno", "super"), ("aggregator 1", "consensus"), ("authority", "full")])
def test_who_reads_all(finished, capsys, node, level):
    seen = seen_by(capsys, finished["none"][0], node, "--block", "2")
    assert seen["level"] == level
    assert all("fields" in record for record in seen["blocks"][0]["records"])


def test_an_event_is_open_as_far_as_its_trigger(finished, roster, capsys):
    path, _ = finished["period"]
    everything = seen_by(capsys, path, "eno", "--event", "1")
    kinds = [record["kind"] for block in everything["blocks"] for record in block["records"]]
    assert kinds == ["TTX", "DTX", "VTX", "ATX"]
    address = main_address(capsys, path)
    seen = seen_by(capsys, path, address, "--event", "1")
    records = [record for block in seen["blocks"] for record in block["records"]]
    assert [record.get("kind") for record in records] == ["TTX", None, None, None]
    ids = [record["id"] for block in everything["blocks"] for record in block["records"]]
    assert [record["id"] for record in records] == ids


def main_address(capsys, path):
    """The address of prosumer 4 as the view prints it."""
    node = seen_by(capsys, path, f"prosumer {LAST - FIRST}", "--block", "1")["node"]
    return node.split("(")[1].rstrip(")")


def test_records_that_are_not_the_roots_are_not_proven(finished, tmp_path, capsys):
    rows = rows_of(finished["none"][0])
    parts = decode(rows[3][1])
    parts[4] = parts[4][1:]
    path = tmp_path / "altered.sqlite"
    with Store.create(path) as store:
        for height, data in [*rows[:3], (3, encode(parts)), *rows[4:]]:
            store.append_bytes(height, data)
    assert main(["view", str(path), "--as", "eno", "--block", "3"]) == 1
    assert capsys.readouterr().out == "not proven: the ids are not those of block 3\n"
    assert main(["view", str(path), "--as", "eno", "--block", "3", "--json"]) == 1
    answer = {"schema": "gridpact/view/1", "proven": False, "fault": "the ids are not those of block 3"}
    assert {name: value for name, value in json.loads(capsys.readouterr().out).items() if value is not None} == answer
    assert main(["view", str(path), "--as", "eno", "--block", "4"]) == 0


def test_strangers_and_revoked_nodes_are_refused(roster, tmp_path, capsys):
    path = tmp_path / "revoked.sqlite"
    with Store.create(path) as store:
        chain = Chain.create(Params(gamma=20, window_periods=24), roster, store=store)
        grow(chain, 1)
        serial = roster.members[FIRST].certificate.serial
        chain.seal([Draft(Kind.REVOCATION, AUTHORITY, 0, [serial, b"sold"])])
    for arguments, message in (
        (["--as", "prosumer 0", "--block", "1"], "its certificate is revoked"),
        (["--as", "nobody", "--block", "1"], "no node 'nobody' (allowed: an address, or one of aggregator 0"),
        (["--as", "eno", "--block", "9"], "holds no block 9"),
        (["--as", "eno", "--event", "9"], "holds no event 9"),
    ):
        assert main(["view", str(path), *arguments]) == 2
        printed = capsys.readouterr().err
        assert message in printed
        assert printed.count("\n") == 1
