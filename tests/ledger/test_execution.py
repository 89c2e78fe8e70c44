"""Validators compare what a block claims with their own execution: signatures alone convince nobody."""

import pytest

from ledger.faults import FaultCode, LedgerFault
from ledger.kinds import Kind
from ledger.records import Draft
from tests.ledger.conftest import ENO, SIGNINGS, grow, lived, period_drafts, signed_block

LAST_FIELD = -1


def changed(drafts, kind, alter):
    """The drafts with one of a kind altered, and the altered one's place."""
    place = next(n for n, draft in enumerate(drafts) if draft.kind is kind)
    body = [list(map(list, item)) if isinstance(item, list) and item else item for item in drafts[place].body]
    alter(body)
    return [*drafts[:place], drafts[place]._replace(body=body), *drafts[place + 1 :]], place


def pay_more(body):
    body[LAST_FIELD][0][6] += 1_000_000


def credit_energy(body):
    body[1][0][1] += 50


FALSE = {
    "settlement": (Kind.SETTLEMENT, pay_more, "transfers[0].amount_micro"),
    "verification": (Kind.VERIFICATION, credit_energy, "rows[0].generated_wh"),
    "trade": (Kind.TRADE, lambda body: body.__setitem__(4, body[4] + 1), "price_micro"),
}


@pytest.mark.parametrize("signing", SIGNINGS)
@pytest.mark.parametrize("name", FALSE)
def test_a_false_result_with_all_signatures_is_refused(make_chain, roster, signing, name):
    kind, alter, field = FALSE[name]
    chain = make_chain(signing=signing)
    grow(chain, 3)
    honest = period_drafts(roster, 4)
    false, place = changed(honest, kind, alter)
    candidate = signed_block(chain, false)
    assert chain.check_candidate(candidate) is None  # every hash and signature holds
    fault = chain.check_candidate(candidate, executed=honest)
    assert (fault.code, fault.record) == (FaultCode.EXECUTION, place)
    assert field in fault.detail
    head = chain.head
    with pytest.raises(LedgerFault, match="EXECUTION"):
        chain.seal(false, executed=honest)
    assert chain.head == head
    assert chain.seal(honest, executed=honest).header.height == 4


def test_results_left_out_and_results_invented_are_refused(make_chain, roster):
    chain = lived(make_chain())
    honest = period_drafts(roster, 2)
    short = [draft for draft in honest if draft.kind is not Kind.SETTLEMENT]
    fault = chain.check_candidate(signed_block(chain, short), executed=honest)
    assert (fault.code, fault.record) == (FaultCode.EXECUTION, None)
    assert "SETTLEMENT is missing" in fault.detail
    extra = [*honest, Draft(Kind.CREDIT, ENO, 0, [0, [[roster.members[3].address, 900_000, 0]]])]
    fault = chain.check_candidate(signed_block(chain, extra), executed=honest)
    assert (fault.code, fault.record) == (FaultCode.EXECUTION, len(honest))


def test_what_others_say_is_not_executed(make_chain, roster):
    """Orders and readings are the senders' own: their signatures stand for them."""
    chain = lived(make_chain())
    honest = period_drafts(roster, 2)
    other, _ = changed(honest, Kind.READING, lambda body: body.__setitem__(1, body[1] + 1))
    assert chain.check_candidate(chain.propose(other), executed=honest) is None


@pytest.mark.parametrize("signing", SIGNINGS)
def test_a_producer_with_the_operators_help_is_refused_and_the_next_one_seals(make_chain, roster, signing):
    chain = make_chain(signing=signing)
    grow(chain, 2)
    drafts = period_drafts(roster, 3)
    honest = chain.propose(drafts)
    false = chain.misstate(honest)
    assert chain.check_candidate(false) is None
    fault = chain.check_candidate(false, false, drafts)
    assert fault.code is FaultCode.EXECUTION
    assert "SETTLEMENT" in fault.detail
    refusals = [chain.refuse(false, fault)]
    block = chain.seal(drafts, chain.draw(refusals), refusals, drafts)
    assert block.header.producer != false.header.producer
    assert block.records[0].body[3] == FaultCode.EXECUTION
