"""Attacks on who produces and in which order: each is detected and named, or gains nothing."""

import json
import sqlite3
from collections import Counter
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from ledger import consensus
from ledger.__main__ import main
from ledger.blocks import Block
from ledger.chain import Chain
from ledger.checkpoint import Checkpoint
from ledger.consensus.base import next_seed
from ledger.faults import FaultCode
from ledger.kinds import Kind
from ledger.params import Params
from ledger.proposal import assemble
from ledger.records import Draft
from ledger.signer import DoubleSignError, Signer
from ledger.verify import verify_rows

from .conftest import (
    ENO,
    FIRST,
    LAST,
    fault_of,
    lived,
    period_drafts,
    reading,
    rebuilt,
    rows_of,
)


def test_inflated_energy_moves_no_weight(make_chain):
    honest, boasting = make_chain(), make_chain()
    for period in range(1, 5):
        drafts = period_drafts(honest.roster, period)
        honest.seal(drafts)
        boasting.seal([d._replace(body=[d.body[0], 10**9, 0, 0]) if d.kind is Kind.READING else d for d in drafts])
    assert honest.state.weights() == boasting.state.weights()
    assert honest.state.main.seed == boasting.state.main.seed


def test_grinding_leaves_the_next_draw_alone(make_chain):
    drawn = set()
    for variant in range(16):  # orders of records, other records, none: sixteen roots and block hashes
        chain = lived(make_chain())
        others = [draft for draft in period_drafts(chain.roster, 2) if draft.kind is not Kind.READING]
        block = chain.seal([reading(FIRST, 0, variant), *others[:variant]])
        drawn.add(chain.draw())
        if variant:
            fault = lived(make_chain()).check_candidate(rebuilt(chain, block, time_s=block.header.time_s + variant))
            assert fault.code is FaultCode.TIME
    assert len(drawn) == 1


def _grinder_wins(preimage_of, variants, blocks):
    """Blocks won by node 0 of six equal nodes that, when it produces, tries `variants` of its block."""
    names = [sha256(bytes([i])).digest()[:20] for i in range(6)]
    draw = consensus.rule("poe").draw
    seed, producer, won = bytes(32), names[1], 0
    for height in range(blocks):
        tries = variants if producer == names[0] else 1
        seeds = [preimage_of(seed, producer, b"%d root %d" % (height, variant)) for variant in range(tries)]
        drawn = [(draw(each, height, 0, names, [1] * 6, 20, ()).producer, each) for each in dict.fromkeys(seeds)]
        producer, seed = next((pair for pair in drawn if pair[0] == names[0]), drawn[0])
        won += producer == names[0]
    return won / blocks


def test_a_grinder_wins_its_share_here_and_most_blocks_with_a_root_in_the_seed():
    blocks = 1_500
    band = 4 * np.sqrt(5 / 36 / blocks)
    share = _grinder_wins(lambda seed, producer, root: next_seed(seed, producer), 16, blocks)
    assert abs(share - 1 / 6) < band
    share = _grinder_wins(lambda seed, producer, root: sha256(seed + producer + root).digest(), 16, blocks)
    assert abs(share - 0.77) < 0.08


def test_ten_parts_of_a_site_win_no_more_than_the_site():
    names = [sha256(bytes([i])).digest()[:20] for i in range(15)]
    draw, blocks = consensus.rule("poe").draw, 1_500
    for weights, mine in (([30, 10, 10, 10, 10, 30], 1), ([3] * 10 + [10, 10, 10, 10, 30], 10)):
        won = Counter(
            draw(sha256(b"%d" % i).digest(), 1, 0, names[: len(weights)], weights, 60, ()).producer
            for i in range(blocks)
        )
        share = sum(won[name] for name in names[:mine]) / blocks
        assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / blocks)


@pytest.mark.parametrize("drift_s", [-900, -1, 1, 900])
def test_timestamp_drift(make_chain, drift_s):
    chain = make_chain()
    block = chain.propose([])
    fault = chain.check_candidate(rebuilt(chain, block, time_s=block.header.time_s + drift_s))
    assert fault.code is FaultCode.TIME


def test_equivocation_is_convicted_by_evidence(make_chain):
    chain = lived(make_chain())
    one, two = chain.equivocate(chain.draft([reading(FIRST, 0), reading(LAST, 0)]))
    assert chain.check_candidate(one) is chain.check_candidate(two) is None  # each is sound for who sees one
    guilty = one.header.producer
    body = chain.accuse(one, two)
    reporter = next(i for i, m in enumerate(chain.roster.members) if m.address != guilty)
    innocent = chain.roster.members[reporter].address
    for lie in (
        chain.accuse(one, one),
        [innocent, *body[1:]],
        [*body[:2], bytes(64), *body[3:]],
        [*body[:3], b"\xc0", body[4]],
    ):
        fault = fault_of(chain, [Draft(Kind.EQUIVOCATION, reporter, 0, lie)])
        assert (fault.code, fault.record) == (FaultCode.EQUIVOCATION, 0)
    chain.seal([Draft(Kind.EQUIVOCATION, reporter, 0, body)])
    assert fault_of(chain, [Draft(Kind.EQUIVOCATION, reporter, 0, body)]).code is FaultCode.EQUIVOCATION
    assert guilty not in chain.state.weights()
    assert guilty not in chain.state.committee(chain.height + 1)
    assert all(chain.seal([]).header.producer != guilty for _ in range(30))
    chain.seal([reading(chain.roster.index_of[guilty], chain.height - 1)])  # it is still metered


def test_a_signer_does_not_sign_two_blocks_of_a_height(make_chain):
    chain = make_chain()
    key = chain.roster.members[ENO].private_key
    signer = Signer(key)
    first = signer.vote(3, bytes(32))
    assert signer.vote(3, bytes(32)) == first
    for height, block_hash in ((3, bytes([1]) * 32), (2, bytes(32))):
        with pytest.raises(DoubleSignError, match="signed already"):
            signer.vote(height, block_hash)
        with pytest.raises(DoubleSignError, match="signed already"):
            Signer(key, signer.last).vote(height, block_hash)  # after a restart
    signer.vote(4, bytes([1]) * 32)


def test_reordering_of_records_and_blocks(make_chain, finished):
    chain = lived(make_chain())
    block = chain.propose([reading(FIRST, 0), period_drafts(chain.roster, 2)[0]])
    swapped = replace(block, records=block.records[::-1])
    assert chain.check_candidate(swapped).code is FaultCode.RECORDS_ROOT
    recomputed = assemble(chain.state, chain.roster, block.records[::-1], chain.draw())
    assert chain.check_candidate(recomputed).code is FaultCode.NONCE
    rows = rows_of(finished["period"][0])
    rows[3], rows[4] = (3, rows[4][1]), (4, rows[3][1])
    verdict = verify_rows(rows)
    assert verdict.fault == "block 3: HEIGHT: height 4 where 3 is due"
    assert verdict.blocks == 3


def test_truncation_meets_the_checkpoint(finished, roster, tmp_path, capsys):
    path, head = finished["period"]
    rows = rows_of(path)
    chain_id = Block.from_bytes(rows[0][1]).header.chain_id
    checkpoint = Checkpoint.issue(roster.authority.private_key, chain_id, 11, head)
    assert verify_rows(rows, checkpoint=checkpoint).sound
    verdict = verify_rows(rows[:9], closed=False, checkpoint=checkpoint)
    assert verdict.fault == "block 9: CHECKPOINT: the chain ends before the checkpoint of block 11: its tail was cut"
    assert "CLOSING" in verify_rows(rows[:9]).fault
    by_thief = Checkpoint.issue(roster.members[ENO].private_key, chain_id, 11, head)
    assert "another chain or authority" in verify_rows(rows, checkpoint=by_thief).fault
    file, cut = tmp_path / "checkpoint.json", tmp_path / "cut.sqlite"
    file.write_text(json.dumps(checkpoint.view()))
    cut.write_bytes(path.read_bytes())
    connection = sqlite3.connect(cut)
    connection.execute("DELETE FROM blocks WHERE number > 8")
    connection.commit()
    connection.close()
    assert main(["verify", str(cut), "--open"]) == 0
    assert main(["verify", str(cut), "--open", "--checkpoint", str(file)]) == 1
    assert "tail was cut" in capsys.readouterr().out
    assert main(["verify", str(path), "--checkpoint", str(file)]) == 0


def test_a_chain_with_other_rules_is_another_chain(roster, history):
    heads = {
        Chain.create(Params(gamma=5, window_periods=24, **{name: value}), roster, history).chain_id
        for name, value in (("delegates", 3), ("bar_cycles", 7), ("consensus", "pos"), ("period_s", 60))
    }
    assert len(heads) == 4
