"""What a sender signs for the other chains of a height: those that are sealed by then hold it to the truth."""

from hashlib import sha256

import pytest

from ledger.check import signed_digest
from ledger.faults import FaultCode
from ledger.identity import sign
from ledger.merkle import EMPTY_ROOT
from ledger.proposal import assemble

from .conftest import ALL, grown, height_drafts


@pytest.fixture
def chain(make_chain):
    return grown(make_chain(siblings=ALL, delegates=3, gamma=10), 1)


def restated(chain, block, sender, name, root):
    """The block with another root that a sender states for a sibling chain, signed anew by sender and producer."""
    others = [each.name for each in chain.state.chains if each is not chain.due]
    submissions = list(block.submissions)
    place = next(n for n, each in enumerate(submissions) if each.sender == sender)
    siblings = list(submissions[place].siblings)
    siblings[others.index(name)] = root
    lie = submissions[place]._replace(siblings=tuple(siblings))
    digest = signed_digest(chain.state, block.header.height, lie)
    submissions[place] = lie._replace(signature=sign(chain.roster.by_address[sender].private_key, digest))
    draw = chain.draw()
    return assemble(chain.state, chain.roster, block.records, draw, tuple(submissions))


def test_a_sender_states_of_sealed_siblings_what_they_sealed_from_it(chain, roster):
    """Whatever it signs: all signatures hold. Of siblings that are still to be sealed it may have handed in other."""
    drafts = height_drafts(roster, 2)
    names = [each.name for each in chain.state.chains]
    sealed = {}
    for place, name in enumerate(names):
        honest = chain.draft(drafts)
        for submission in honest.submissions:
            for other in (each for each in names if each != name):
                lie = restated(chain, honest, submission.sender, other, sha256(b"another").digest())
                fault = chain.check_candidate(lie)
                if names.index(other) > place:
                    assert fault is None
                    continue
                assert fault.code is FaultCode.SUBMISSION
                assert fault.detail.endswith(f"states another root for the {other} chain than it sealed from it")
                assert honest.records[fault.record].sender == submission.sender
                if submission.sender in sealed[other]:  # nor may it deny what it gave
                    denied = restated(chain, honest, submission.sender, other, EMPTY_ROOT)
                    assert chain.check_candidate(denied).code is FaultCode.SUBMISSION
                else:
                    stated = dict(zip([each for each in names if each != name], submission.siblings, strict=True))
                    assert stated[other] == EMPTY_ROOT
        block = chain.seal(drafts)
        sealed[name] = {each.sender for each in block.submissions}
    assert sealed["dispatch"] - sealed["trading"]  # some gave nothing to a sealed sibling
    assert sealed["dispatch"] & sealed["trading"]
    chain.seal(height_drafts(roster, 3))  # the next height starts anew


def test_a_refusal_added_to_a_sealed_chain_is_signed_with_the_next(chain, roster):
    drafts = height_drafts(roster, 2)
    refusals = [chain.absence(chain.draw())]
    block = chain.seal(drafts, None, refusals)
    producer = block.header.producer
    added = next(each.root for each in block.submissions if each.sender == producer)
    rest = [chain.seal(drafts) for _ in chain.state.chains[1:]]
    stated = [each.siblings[0] for later in rest for each in later.submissions if each.sender == producer]
    assert stated
    assert set(stated) == {added}
