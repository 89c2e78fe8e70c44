"""Signatures verified by other processes: what they attest is sound, and no verdict depends on them."""

import io

import pytest

from ledger import ahead, identity
from ledger.blocks import Block, block_digest
from ledger.encoding import decode, encode
from ledger.store import StoreError
from ledger.verify import verify_rows
from tests.ledger.conftest import rows_of


def ask(rows, data, share=ahead.WHOLE):
    """The tags that a helper answers for a block of this chain."""
    genesis = Block.from_bytes(rows[0][1])
    keys = [genesis.records[0].body[2], *(r.body[1] for r in genesis.records if r.kind.name == "CERTIFICATE")]
    letters = [(0, genesis.header.chain_id + b"".join(keys)), (1, data)]
    messages = b"".join(bytes((kind, 0, share)) + len(text).to_bytes(4, "big") + text for kind, text in letters)
    sink = io.BytesIO()
    ahead.serve(io.BytesIO(messages), sink)
    answer = sink.getvalue()
    assert len(answer) == 4 + 32 * int.from_bytes(answer[:4], "big")
    return {answer[at : at + 32] for at in range(4, len(answer), 32)}


def test_a_helper_attests_the_sound_signatures(finished):
    rows = rows_of(finished["period"][0])
    block = Block.from_bytes(rows[5][1])
    tags = ask(rows, rows[5][1])
    assert len(tags) == len(block.submissions) + len(block.votes) + 1
    header = block.header
    certificates = [r.body[1] for r in Block.from_bytes(rows[0][1]).records if r.kind.name == "CERTIFICATE"]
    key = next(each for each in certificates if identity.address_of(each) == header.producer)
    assert identity.tag_of(key, block.producer_signature, block_digest(block.hash)) in tags
    parts = decode(rows[5][1])
    parts[2][0][1] = parts[2][0][1][:63] + bytes([parts[2][0][1][63] ^ 1])  # a vote
    assert len(ask(rows, encode(parts)) & tags) == len(tags) - 1
    assert ask(rows, b"no block") == set()
    assert len(ask(rows, rows[5][1], share=ahead.WHOLE // 2)) == -(-len(tags) // 2)  # the rest is for the check
    assert ask(rows, rows[5][1], share=0) == set()


def test_the_check_takes_what_helpers_found(finished, monkeypatch):
    rows, taken = rows_of(finished["record"][0]), []
    monkeypatch.setattr(ahead, "HEAD_START", 1)
    monkeypatch.setattr(ahead, "PATIENCE_S", 30.0)
    monkeypatch.setattr(ahead, "attest", lambda tags: (taken.extend(tags), identity.attest(tags)))
    identity.verify.cache_clear()
    assert verify_rows(rows, cores=2).sound
    assert len(taken) > 50
    assert not identity._attested  # nothing is left for a later chain


def test_a_helper_that_dies_costs_no_verdict(finished, monkeypatch):
    rows, original = rows_of(finished["period"][0]), ahead._Helper.send

    def dying(self, kind, place, payload, share=0):
        original(self, kind, place, payload, share)
        if self.known_keys:
            self._process.kill()

    monkeypatch.setattr(ahead, "HEAD_START", 1)
    monkeypatch.setattr(ahead._Helper, "send", dying)
    identity.verify.cache_clear()
    assert verify_rows(rows, cores=3).head == verify_rows(rows).head


def failing(rows, at):
    yield from rows[:at]
    raise StoreError("the file is damaged")


@pytest.mark.parametrize("altered", [False, True])
def test_reading_ahead_changes_no_order_of_faults(finished, monkeypatch, altered):
    rows = rows_of(finished["period"][0])
    if altered:
        rows[4] = rows[3]
    monkeypatch.setattr(ahead, "HEAD_START", 8)
    alone, together = (verify_rows(failing(rows, 7), cores=cores) for cores in (1, 2))
    assert together == alone
    assert alone.blocks == (4 if altered else 7)


def test_what_is_attested_is_taken_once_and_only_as_attested():
    key = identity.derive_private_key(3, "somebody")
    public, digest = key.public_key.format(), bytes(range(32))
    unsigned = bytes(63) + b"\x01"  # sound for nobody: only the attestation speaks for it
    identity.verify.cache_clear()
    try:
        identity.attest([identity.tag_of(public, unsigned, digest)])
        assert not identity.verify(public, unsigned, digest[::-1])
        assert identity.verify(public, unsigned, digest)
        identity.verify.cache_clear()
        assert not identity.verify(public, unsigned, digest)
    finally:
        identity.forget_attested()
        identity.verify.cache_clear()
