"""Who comes under ten names weighs what it weighs under one, by every rule that says so, on chains that seal blocks."""

from collections import Counter

import numpy as np
import pytest

from ledger import consensus
from ledger.chain import Chain
from ledger.check_joining import decisions
from ledger.identity import Role, derive_private_key
from ledger.joining import EnergyType, apply_for
from ledger.kinds import Kind
from ledger.params import Params
from ledger.records import Draft
from ledger.roster import AUTHORITY, NodeSpec, Roster

ENO, AGGREGATOR, SITES, PARTS = 0, 1, 20, 10
CAPACITY_W, WH = 20_000, 1_000  # of a site, and what each consumed in every period of the history


def network(parts: int, rule: str, conditions: tuple[Draft, ...] = ()) -> tuple[Chain, set[bytes]]:
    """Twenty sites and one that comes as `parts`, each with its part of meter and certificate; `rule` for trading."""
    specs = [NodeSpec("eno", Role.ENO, 400_000), NodeSpec("aggregator", Role.AGGREGATOR, 1_000)]
    specs += [NodeSpec(f"site {i}", Role.PROSUMER, CAPACITY_W) for i in range(SITES)]
    specs += [NodeSpec(f"part {i}", Role.PROSUMER, CAPACITY_W // parts) for i in range(parts)]
    roster = Roster.create(7, specs)
    consumed_wh = np.full((len(roster), 24), WH // parts, np.int64)
    consumed_wh[: 2 + SITES] = WH
    consumed_wh[:2] = 0
    params = Params(gamma=20, window_periods=24, siblings=(("trading", rule),), signing="none")
    chain = Chain.create(params, roster, (np.zeros_like(consumed_wh), consumed_wh), conditions, name=b"sybil")
    # Everybody's credit is a little below one by now, other than a newcomer's.
    credit_ppm = np.random.default_rng(3).integers(900_000, 1_000_000, 2 + SITES).tolist() + [950_000] * parts
    rows = [[member.address, ppm, 0] for member, ppm in zip(roster.members, credit_ppm, strict=True)]
    chain.seal_height([])
    chain.seal_height([Draft(Kind.CREDIT, ENO, 0, [0, rows])])
    chain.seal_height([])
    return chain, {member.address for member in roster.members[2 + SITES :]}


def weight_of(chain: Chain, mine: set[bytes]) -> float:
    """Share of the weights in the draw of trading's next block."""
    assert chain.due.name == "trading"
    weights = chain.state.weights()
    return sum(weights[address] for address in mine) / sum(weights.values())


def sealed_by(chain: Chain, mine: set[bytes], heights: int) -> Counter[bool]:
    """Whether trading's blocks were theirs."""
    return Counter(chain.seal_height([])[0].header.producer in mine for _ in range(heights))


@pytest.mark.parametrize("rule", consensus.available())
def test_ten_parts_of_a_site_weigh_what_the_site_weighs(rule):
    before, after = weight_of(*network(1, rule)), weight_of(*network(PARTS, rule))
    if rule == "pow":  # it counts machines, and who has one name or ten is the same machine
        assert after > 5 * before
    else:
        assert after == pytest.approx(before)


@pytest.mark.parametrize("rule", ["dpos", "scored_dpos"])
def test_parts_of_a_site_win_no_seat_among_delegates(rule):
    chain, parts = network(PARTS, rule)
    assert sealed_by(chain, parts, 30)[True] == 0
    assert not parts & set(chain.state.chains[0].turns.delegates)


def test_newcomers_without_energy_stay_out_of_the_trading_chain():
    chain, _ = network(1, "scored_dpos", (Draft(Kind.CONDITIONS, AUTHORITY, 0, [[3], 1, 20_000, 31, 20, 0]),))
    keys = [derive_private_key(7, f"new {i}") for i in range(PARTS)]
    bodies = [apply_for(key, chain.chain_id, f"new {i}", 1, EnergyType.LOAD, 1, [], []) for i, key in enumerate(keys)]
    chain.seal_height([Draft(Kind.APPLICATION, AGGREGATOR, 0, body) for body in bodies])
    chain.seal_height([Draft(Kind.ADMISSION, ENO, 0, body) for body in decisions(chain.state)])
    roster = chain.roster
    for i in range(PARTS):
        roster = roster.join(7, NodeSpec(f"new {i}", Role.PROSUMER, 1), chain.height + 1)
    joined = roster.members[-PARTS:]
    chain.seal_height([Draft(Kind.CERTIFICATE, AUTHORITY, 0, list(each.certificate.body())) for each in joined])
    chain.roster = roster
    newcomers = {member.address for member in joined}
    assert newcomers <= set(chain.state.weights())
    assert weight_of(chain, newcomers) == 0.0
    assert sealed_by(chain, newcomers, 25)[True] == 0
    assert not newcomers & set(chain.state.chains[0].turns.delegates)
