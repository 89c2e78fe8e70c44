"""Who may write and produce: certificates, renewal, roles."""

import numpy as np
import pytest

from ledger.chain import Chain
from ledger.faults import FaultCode
from ledger.identity import Role, issue_certificate
from ledger.kinds import Kind
from ledger.params import Params
from ledger.records import Draft
from ledger.roster import AUTHORITY, NodeSpec, Roster

from .conftest import AGGREGATOR, ENO, FIRST, LAST, refused


def test_revoked_and_expired_certificates(make_chain, roster):
    chain = make_chain()
    serial = roster.members[FIRST].certificate.serial
    chain.seal([])
    reading = Draft(Kind.READING, FIRST, 0, [0, 2, 3, 0])
    assert refused(chain, [Draft(Kind.REVOCATION, ENO, 0, [serial, b""])]) is FaultCode.ROLE
    chain.seal([Draft(Kind.REVOCATION, AUTHORITY, 0, [serial, b"key lost"]), reading])
    assert refused(chain, [reading]) is FaultCode.REVOKED
    assert refused(chain, [Draft(Kind.REVOCATION, AUTHORITY, 0, [serial, b""])]) is FaultCode.REVOKED
    for _ in range(8):
        assert chain.seal([]).header.producer != roster.members[FIRST].address
    brief = Roster.create(1, [NodeSpec("eno", Role.ENO, 10), NodeSpec("p", Role.PROSUMER, 10)]).join(
        1, NodeSpec("late", Role.PROSUMER, 10), 1, 1
    )
    chain = Chain.create(Params(gamma=5), brief)
    registration = Draft(Kind.REGISTRATION, 2, 0, [0, b""])
    chain.seal([registration])
    assert refused(chain, [registration]) is FaultCode.CERTIFICATE


def test_a_node_joins(make_chain, roster):
    chain = make_chain()
    chain.roster = roster.join(7, NodeSpec("newcomer", Role.PROSUMER, 9_000), 1)
    member = chain.roster.members[-1]
    reading = Draft(Kind.READING, len(roster), 0, [0, 2, 3, 0])
    joining = Draft(Kind.CERTIFICATE, AUTHORITY, 0, list(member.certificate.body()))
    assert refused(chain, [reading]) is FaultCode.UNKNOWN_SENDER
    forged = [*joining.body[:6], 10**6, joining.body[7]]
    assert refused(chain, [joining._replace(body=forged)]) is FaultCode.CERTIFICATE
    chain.seal([joining])
    chain.seal([reading])
    assert refused(chain, [joining]) is FaultCode.CERTIFICATE


def test_senders_and_kinds(make_chain, history):
    chain = make_chain()
    with pytest.raises(ValueError, match="sender 99"):
        chain.propose([Draft(Kind.READING, 99, 0, [1, 2, 3, 0])])
    with pytest.raises(
        ValueError, match=r"READING has 2 fields; allowed: 4 \(period, generated_wh, consumed_wh, storage_wh\)"
    ):
        chain.propose([Draft(Kind.READING, FIRST, 0, [1, 2])])
    with pytest.raises(ValueError, match=r"READING.generated_wh is no uint: 1.5"):
        chain.propose([Draft(Kind.READING, FIRST, 0, [1, 1.5, 2, 0])])
    assert (
        refused(chain, [Draft(Kind.ORDER, AUTHORITY, 0, [1, 2, 3, 4, 5, [], 0, 0, [], [], 0, 0, 0])]) is FaultCode.ROLE
    )
    assert refused(chain, [Draft(Kind.HISTORY, AUTHORITY, 0, [bytes(20), [], []])]) is FaultCode.GENESIS
    assert chain.seal([Draft(Kind.OFFER, AGGREGATOR, 0, [0, 2, 3, [4], 5])]).records[0].kind is Kind.OFFER


def test_a_certificate_is_renewed(make_chain, roster):
    chain = make_chain(window_periods=20)
    member = roster.members[LAST]

    def certificate(role, serial, capacity_w):
        issued = issue_certificate(
            roster.authority.private_key, member.name, member.public_key, role, serial, 0, 99, capacity_w
        )
        return Draft(Kind.CERTIFICATE, AUTHORITY, 0, issued.body())

    assert refused(chain, [certificate(Role.ENO, 90, 4)]) is FaultCode.CERTIFICATE
    assert refused(chain, [certificate(Role.PROSUMER, 1, 4)]) is FaultCode.CERTIFICATE
    assert refused(chain, [certificate(Role.PROSUMER, n, 4) for n in (90, 91)]) is FaultCode.CERTIFICATE
    chain.seal([Draft(Kind.REVOCATION, AUTHORITY, 0, [member.certificate.serial, b""])])
    reading = Draft(Kind.READING, LAST, 0, [1, 2, 3, 0])  # of the period before block 3
    assert refused(chain, [reading]) is FaultCode.REVOKED
    before = chain.state.window.weights()
    chain.seal([certificate(Role.PROSUMER, 90, 4)])
    chain.seal([reading])
    after = chain.state.window.weights()
    assert after[LAST] == 500_000 * 2 * (4 * 20 // 4)
    assert np.array_equal(after[:LAST], before[:LAST])


def test_a_counterparty_neither_writes_nor_produces():
    nodes = Roster.create(1, [NodeSpec("eno", Role.ENO, 10), NodeSpec("supplier", Role.COUNTERPARTY, 0)])
    chain = Chain.create(Params(gamma=5), nodes)
    assert refused(chain, [Draft(Kind.READING, 1, 0, [1, 2, 3, 0])]) is FaultCode.ROLE
    with pytest.raises(ValueError, match="no address is left"):
        chain.draw([chain.absence(chain.draw())])
