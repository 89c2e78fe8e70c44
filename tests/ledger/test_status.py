import pytest

from ledger.faults import LedgerFault
from ledger.kinds import Kind
from ledger.records import Draft
from ledger.roster import AUTHORITY
from tests.ledger.conftest import ENO, FIRST, lived


def site(address, types, sender=AUTHORITY):
    return Draft(Kind.SITE, sender, 0, [address, 3, types, 5_000, 0])


def status(period):
    return Draft(Kind.STATUS, ENO, 0, [period, 300_000, 80_000, 190_000, 4_000, 612_345])


def test_a_period_has_one_status_and_only_certified_nodes_stand_somewhere(make_chain, roster):
    chain = make_chain()
    address = roster.members[FIRST].address
    lived(chain).seal([site(address, 3), status(0)])
    chain.seal([status(1)])
    for draft, reason in (
        (site(bytes(20), 3), "STATUS: 0+ has no certificate"),
        (site(address, 0), "STATUS: energy types 0"),
        (site(address, 32), "STATUS: energy types 32"),
        (site(address, 3, ENO), "ROLE: SITE is not for"),
        (status(1), "STATUS: the status of period 1 was stated before"),
        (status(0), "STATUS: the status of period 0 was stated before"),
    ):
        with pytest.raises(LedgerFault, match=reason):
            chain.seal([draft])
    with pytest.raises(LedgerFault, match="period 2 was stated before"):
        chain.seal([status(2), status(2)])
    chain.seal([status(2)])
