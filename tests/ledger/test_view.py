"""What a node of each level may read, shown from a file and proven under the block's root."""

import json
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import merkle
from ledger.__main__ import main
from ledger.blocks import Block, parse_header
from ledger.chain import Chain
from ledger.checkpoint import Checkpoint
from ledger.encoding import decode, encode
from ledger.history import prove_history
from ledger.identity import Role, derive_private_key, display_address, issue_certificate
from ledger.kinds import Kind
from ledger.levels import LEVEL_OF, PRODUCERS, RIGHTS, VOTERS, Level
from ledger.light import LightNode
from ledger.params import Params
from ledger.proof_parts import ProofError
from ledger.records import Draft
from ledger.roster import AUTHORITY
from ledger.store import Store
from ledger.view import check_seen, view
from tests.ledger.conftest import FIRST, LAST, grow, period_drafts, rows_of
from tests.ledger.test_proofs import JSON, _leaves


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
    seen = seen_by(capsys, path, "prosumer 0", "--block", "5")
    assert (seen["level"], seen["votes"]) == ("light", False)
    (block,) = seen["blocks"]
    clear = [record for record in block["records"] if "fields" in record]
    assert [record["kind"] for record in clear] == ["ORDER", "READING", "TRADE"]
    assert {record["sender"] for record in clear} == {"prosumer 0", "eno"}
    assert [set(record) for record in block["records"] if "fields" not in record] == [{"position", "id"}] * 11
    assert (block["readable"], block["hidden"], block["proven"]) == (3, 11, True)
    stored = Block.from_bytes(rows_of(path)[5][1])
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


def test_a_name_that_two_nodes_have_is_asked_by_address(roster, tmp_path, capsys):
    key = derive_private_key(7, "namesake")
    authority = roster.authority.private_key
    twin = issue_certificate(authority, "prosumer 0", key.public_key.format(), Role.PROSUMER, 99, 0, 9, 5_000)
    path = tmp_path / "twins.sqlite"
    with Store.create(path) as store:
        chain = Chain.create(
            Params(gamma=20), roster, extra_records=[Draft(Kind.CERTIFICATE, AUTHORITY, 0, twin.body())], store=store
        )
        grow(chain, 1)
    assert main(["view", str(path), "--as", "prosumer 0", "--block", "1"]) == 2
    told = capsys.readouterr().err
    addresses = [display_address(address) for address in (roster.members[FIRST].address, twin.address)]
    assert f"2 nodes are certified as 'prosumer 0': ask by address ({', '.join(addresses)})" in told
    for address in addresses:
        assert main(["view", str(path), "--as", address, "--block", "1"]) == 0


@pytest.fixture(scope="module")
def combined(tmp_path_factory, roster):
    """A ledger with a trading chain beside dispatch, eight heights: file and head."""
    path = tmp_path_factory.mktemp("combined") / "combined.sqlite"
    with Store.create(path) as store:
        params = Params(gamma=5, window_periods=24, siblings=(("trading", "pos"),))
        chain = Chain.create(params, roster, name=b"combined", store=store)
        for period in range(1, 9):
            chain.seal_height(period_drafts(roster, period))
    return path, chain.head


def test_who_may_not_read_verifies_by_hash(combined, tmp_path, capsys):
    path, head = combined
    file = tmp_path / "seen.json"
    file.write_text(json.dumps(seen_by(capsys, path, "prosumer 0", "--block", "3")))
    assert main(["check-view", str(file), "--head", head.hex(), "--json"]) == 0
    trading, dispatch = json.loads(capsys.readouterr().out)["blocks"]
    assert (trading["chain"], dispatch["chain"]) == ("trading", "dispatch")
    assert (trading["block"], trading["trusted_block"]) == (3, 8)
    assert [record["kind"] for record in trading["records"]] == ["ORDER", "TRADE"]
    assert [record["kind"] for record in dispatch["records"]] == ["READING"]
    assert (trading["hidden"], dispatch["hidden"]) == (4, 7)
    assert main(["check-view", str(file), "--head", head.hex()]) == 0
    assert "chain: trading" in capsys.readouterr().out
    assert main(["check-view", str(file), "--head", "00" * 32]) == 1
    assert "not proven: no header of the proof has the trusted hash" in capsys.readouterr().out
    blocks = [Block.from_bytes(data) for _, data in rows_of(path)]
    hidden = next(record for record in blocks[5].records if record.sender != blocks[5].records[0].sender)
    answer = json.loads(file.read_text())
    answer["blocks"][0]["records"][0]["raw"] = hidden.raw.hex()  # a full node that shows another's record for one's own
    file.write_text(json.dumps(answer))
    assert main(["check-view", str(file), "--head", head.hex()]) == 1
    assert "not what its id says" in capsys.readouterr().out


def test_a_sibling_s_own_hash_does_not_tell_its_business(combined):
    """Of a trading block alone nothing binds the main header, which a full node could make up to rename the chain."""
    path, _ = combined
    with Store.open(path) as store:
        trading, dispatch = view(store, "prosumer 0", 3, None)["blocks"]
    raw = bytes.fromhex(trading["place"]["block"])
    digest = sha256(raw).digest()
    forged = parse_header(raw)._replace(links=(digest,), history_root=bytes(32))
    made_up = encode(tuple(forged)).hex()
    place = trading["place"] | {"main": made_up, "head": made_up, "history": []}
    with pytest.raises(ProofError, match="does not tell of which business"):
        check_seen(trading | {"place": place}, digest)
    with pytest.raises(ProofError, match="does not tell of which business"):
        check_seen(trading, digest)
    own = bytes.fromhex(dispatch["hash"])
    assert check_seen(dispatch, own).business == "dispatch"
    assert check_seen(trading, own).business == "trading"


def test_an_answer_without_blocks_proves_nothing(combined, tmp_path, capsys):
    path, head = combined
    file = tmp_path / "empty.json"
    file.write_text(json.dumps(seen_by(capsys, path, "prosumer 0", "--block", "3") | {"blocks": []}))
    assert main(["check-view", str(file), "--head", head.hex()]) == 1
    assert capsys.readouterr().out == "not proven: blocks: the answer shows none\n"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"blocks": []}, "the answer shows none"),
        (lambda answer: {"blocks": answer["blocks"][:1]}, "1 of height 3 are left out"),
        (lambda answer: {"blocks": answer["blocks"][1:]}, "1 of height 3 are left out"),
        (lambda answer: {"blocks": answer["blocks"] * 2}, "one is shown twice"), ({"height": 4}, "not of height 4"),
        ({"height": None}, "the number that was asked for"), ({"height": 3.0}, "the number that was asked for"),
        ({"event": 1}, "the number that was asked for"),
        ({"height": None, "event": "1"}, "the number that was asked for"),
    ],
)  # fmt: skip
def test_a_height_is_shown_whole(combined, tmp_path, capsys, change, fault):
    path, head = combined
    file = tmp_path / "seen.json"
    answer = seen_by(capsys, path, "prosumer 0", "--block", "3")
    file.write_text(json.dumps(answer | (change(answer) if callable(change) else change)))
    assert main(["check-view", str(file), "--head", head.hex()]) == 1
    assert fault in capsys.readouterr().out


def test_an_inner_node_does_not_pass_for_many_ids(combined):
    """A full node that merges two ids into the node above them keeps the root, not the number of records."""
    path, head = combined
    with Store.open(path) as store:
        trading = view(store, "prosumer 0", 3, None)["blocks"][0]
    ids = [bytes.fromhex(text) for text in trading["ids"]]
    assert len(ids) == 6
    merged = [merkle.node_hash(*ids[at : at + 2]) for at in (0, 2, 4)]
    assert merkle.root(merged) == merkle.root(ids)
    with pytest.raises(ProofError, match="the ids are not those of block 3"):
        check_seen(trading | {"ids": [digest.hex() for digest in merged], "records": []}, head)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_an_altered_view_shows_nothing_else(combined, data):
    path, head = combined
    with Store.open(path) as store:
        part = json.loads(json.dumps(view(store, "prosumer 1", 4, None)["blocks"][data.draw(st.integers(0, 1))]))
    seen = check_seen(part, head)
    place, value = data.draw(st.sampled_from(_leaves(part)))
    if isinstance(value, str) and value and data.draw(st.booleans()):
        spot = data.draw(st.integers(0, len(value) - 1))
        new = value[:spot] + data.draw(st.sampled_from("0123456789abcdef-")) + value[spot + 1 :]
    else:
        new = data.draw(JSON)
    holder = part
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = new
    try:
        found = check_seen(part, head)
    except ProofError:
        return
    assert found == seen  # the words beside the bytes don't count


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_anything_else_is_no_view(value):
    with pytest.raises(ProofError):
        check_seen(value, bytes(32))
    with pytest.raises(ProofError):
        check_seen({"place": value, "ids": value, "records": value}, bytes(32))


def test_a_block_that_no_main_block_links_yet_cannot_be_checked(roster, tmp_path, capsys):
    path = tmp_path / "open.sqlite"
    with Store.create(path) as store:
        params = Params(gamma=5, window_periods=24, siblings=(("trading", "pos"),))
        chain = Chain.create(params, roster, store=store)
        chain.seal(period_drafts(roster, 1))  # of trading alone
    (block,) = seen_by(capsys, path, "eno", "--block", "1")["blocks"]
    assert (block["proven"], block["place"]) == (True, None)
    with pytest.raises(ProofError, match="place is no dict"):
        check_seen(block, chain.head)


def test_a_light_node_keeps_what_it_read_for_the_last_months(combined, roster):
    path, head = combined
    with Store.open(path) as store:
        blocks = list(store.blocks())
        answers = {height: view(store, "prosumer 2", height, None)["blocks"] for height in (1, 3, 5, 8)}
    mains = [block for block in blocks if block.header.chain_id == blocks[0].header.chain_id]
    authority, keys = roster.authority.private_key, [member.public_key for member in roster.members[:FIRST]]
    start = Checkpoint.issue(authority, mains[0].header.chain_id, 0, mains[0].hash, keys, 99)
    node = LightNode(blocks[0].records[0].body, start, 0, keep_blocks=4)
    with pytest.raises(ProofError, match="meets no header"):
        node.read(answers[5][0])
    headers, hashes = [block.header_raw for block in mains], [block.hash for block in mains]
    node.skip(prove_history(headers, hashes, 0, 8), head, mains[8].votes, 8 * 900)
    for height, parts in answers.items():
        kinds = [record.kind for part in parts for record in node.read(part)]
        assert kinds == [Kind.ORDER, Kind.READING][:height], height
    assert [record.body[0] for record in node.records] == [4, 3, 7, 6]  # blocks 5..8; older was only looked at
    again = len(node.records)
    node.read(answers[8][0])
    assert len(node.records) == again
