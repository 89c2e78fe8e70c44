"""Versions of rules: registered one after the other, in force after the block that announces them."""

import json
from hashlib import sha256

import pytest

from ledger.__main__ import main
from ledger.chain import Chain
from ledger.contracts import Version, in_force
from ledger.faults import LedgerFault
from ledger.kinds import Kind
from ledger.params import Params
from ledger.records import Draft
from ledger.roster import AUTHORITY
from ledger.store import Store
from tests.ledger.conftest import ENO, FIRST, period_drafts

HASHES = [sha256(b"parameters %d" % number).digest() for number in range(4)]


def contract(version, from_height, name=b"settlement", parameters=None, sender=AUTHORITY):
    return Draft(
        Kind.CONTRACT, sender, 0, [name, version, HASHES[version] if parameters is None else parameters, from_height]
    )


def chain_of(roster, store=None):
    genesis = [contract(1, 0), contract(1, 0, b"standing")]
    return Chain.create(Params(gamma=20, window_periods=24), roster, None, genesis, store=store)


def test_a_version_rules_from_its_height_on():
    versions = (Version(1, HASHES[1], 0), Version(2, HASHES[2], 5), Version(3, HASHES[3], 9))
    found = [in_force(versions, height) for height in (0, 4, 5, 8, 9, 99)]
    assert [each.version for each in found] == [1, 1, 2, 2, 3, 3]
    assert in_force(versions[1:], 4) is None


def test_versions_follow_each_other(roster):
    chain = chain_of(roster)
    chain.seal([contract(2, 4), *period_drafts(roster, 1)])
    chain.seal([contract(3, 6), contract(1, 3, b"tariff"), *period_drafts(roster, 2)])
    assert chain.state.contracts[b"settlement"] == tuple(
        Version(*each) for each in ((1, HASHES[1], 0), (2, HASHES[2], 4), (3, HASHES[3], 6))
    )
    assert len(chain.state.contracts[b"standing"]) == len(chain.state.contracts[b"tariff"]) == 1


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        (contract(2, 2, parameters=b""), "settlement: version 2 without the hash"),
        (contract(1, 9), "settlement: version 1 where version 2 is due"),
        (contract(3, 9), "settlement: version 3 where version 2 is due"),
        (contract(2, 9, b"tariff"), "tariff: version 2 where version 1 is due"),
        (contract(2, 1), "from height 1 on; 2 is the earliest"),
        (contract(1, 9, b""), "a contract has a name"),
        (contract(2, 9, sender=ENO), "ROLE: CONTRACT is not for"),
        (contract(2, 9, sender=FIRST), "ROLE: CONTRACT is not for"),
    ],
)  # fmt: skip
def test_what_breaks_the_order_is_refused(roster, draft, reason):
    chain = chain_of(roster)
    with pytest.raises(LedgerFault, match=reason):
        chain.seal([draft])
    assert chain.height == 0


def test_a_later_version_does_not_overtake_an_earlier_one(roster):
    chain = chain_of(roster)
    chain.seal([contract(2, 9)])
    with pytest.raises(LedgerFault, match="CONTRACT: settlement: version 3 from height 9 on; 10 is the earliest"):
        chain.seal([contract(3, 9)])
    with pytest.raises(LedgerFault, match="version 2 where version 3 is due"):
        chain.seal([contract(2, 12)])


def test_show_says_which_rule_was_in_force(roster, tmp_path, capsys):
    path = tmp_path / "rules.sqlite"
    with Store.create(path) as store:
        chain = chain_of(roster, store)
        chain.seal([contract(2, 3), *period_drafts(roster, 1)])
        for period in (2, 3):
            chain.seal(period_drafts(roster, period))
    for height, version in ((["2"], 1), (["3"], 2), ([], 2)):
        assert main(["show", str(path), "--json", "--contracts", *height]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["schema"] == "gridpact/contracts/1"
        rules = {each["name"]: each for each in found["contracts"]}
        assert rules["settlement"]["version"] == version
        assert rules["settlement"]["parameter_hash"] == HASHES[version].hex()
        assert rules["standing"] == {
            "name": "standing", "version": 1, "from_height": 0, "parameter_hash": HASHES[1].hex()
        }  # fmt: skip
    assert main(["show", str(path), "--contracts"]) == 0
    assert f"name settlement, version 2, parameter_hash {HASHES[2].hex()}, from_height 3" in capsys.readouterr().out
    for height in ("-1", "4", "9999"):
        assert main(["show", str(path), "--contracts", height]) == 2
        assert capsys.readouterr() == ("", f"{path} holds blocks 0..3, not {height}\n")
