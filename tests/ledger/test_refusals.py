"""Turns that came to nothing: what counts as evidence of them, and what a signature from elsewhere is worth."""

from dataclasses import replace

import pytest

from ledger.blocks import block_digest
from ledger.encoding import encode
from ledger.faults import FaultCode
from ledger.identity import sign

from .conftest import SIGNINGS, grow, period_drafts, signed_block


def signed_anew(chain, block, **header):
    """The block with other header values, signed by whom it then names as its producer."""
    header = block.header._replace(**header)
    made = replace(block, header=header, header_raw=encode(tuple(header)))
    if chain.state.params.signing == "none":
        return made
    key = chain.roster.by_address[header.producer].private_key
    return replace(made, producer_signature=sign(key, block_digest(made.hash)))


def fault_of(chain, turn):
    """What the next producer's block with this refusal of the due producer meets, had all validators witnessed it."""
    after = chain.draw([chain.absence(chain.draw())])
    return chain.check_candidate(signed_block(chain, [], after, [turn]), witnessed=[turn])


def test_refusals_are_evidence(make_chain):
    chain = make_chain()
    draw = chain.draw()
    absence = chain.absence(draw)
    block = chain.seal([], None, [absence])
    assert block.header.producer != draw.producer
    due = chain.draw()
    innocent = next(m.address for m in chain.roster.members if m.address != due.producer)
    for lie in (
        chain.absence(due)._replace(producer=innocent),  # was not due
        chain.absence(due)._replace(fault=FaultCode.TIME),  # no block behind it
        chain.absence(due)._replace(fault=FaultCode.TIME, header=bytes(32), signature=bytes(64)),
        chain.absence(due)._replace(header=chain.propose([]).header_raw),  # absent, and yet a block
    ):
        assert fault_of(chain, lie).code is FaultCode.REFUSAL


@pytest.mark.parametrize("signing", SIGNINGS)
def test_a_signature_on_an_old_sound_block_is_no_evidence(make_chain, signing):
    chain = make_chain(signing=signing)
    sealed = {}
    while chain.height < 2 or chain.draw().producer not in sealed:
        block = chain.seal(period_drafts(chain.roster, chain.height + 1))
        sealed[block.header.producer] = block
    old, due = sealed[chain.draw().producer], chain.draw()
    replay = chain.absence(due)._replace(
        fault=FaultCode.SUBMISSION_SIGNATURE, header=old.header_raw, signature=old.producer_signature
    )
    fault = fault_of(chain, replay)
    assert (fault.code, fault.record, fault.height) == (FaultCode.REFUSAL, 0, chain.height + 1)
    assert "not of the turn that was due" in fault.detail


@pytest.mark.parametrize("signing", SIGNINGS)
def test_the_refused_header_is_of_the_turn_that_was_due(make_chain, signing):
    chain = make_chain(signing=signing)
    grow(chain, 1)
    due = chain.draw()
    forged = chain.forge(chain.propose(period_drafts(chain.roster, 2)))
    other = next(member.address for member in chain.roster.members if member.address != due.producer)
    told = chain.refuse(forged, chain.check_candidate(forged, chain.propose(period_drafts(chain.roster, 2))))
    for change in (
        {"chain_id": bytes(16)}, {"height": 1}, {"height": 3}, {"round": due.round + 1}, {"producer": other},
    ):  # fmt: skip
        lie = signed_anew(chain, forged, **change)
        fault = fault_of(chain, told._replace(header=lie.header_raw, signature=lie.producer_signature))
        assert fault.code is FaultCode.REFUSAL, change
        assert "not of the turn that was due" in fault.detail
    altered = encode(tuple(forged.header._replace(time_s=forged.header.time_s + 1)))
    unsigned = told._replace(header=altered) if signing != "none" else told._replace(signature=bytes(64))
    assert fault_of(chain, unsigned).code is FaultCode.REFUSAL
    assert fault_of(chain, told) is None
    block = chain.seal([], None, [told])
    assert block.records[0].body[4:] == [forged.header_raw, forged.producer_signature]
