"""The audit of foreign figures: whatever stands in a ledger, the answer is a verdict."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from envs.audit import executors
from ledger.audit import audit_rows
from ledger.blocks import Block
from ledger.encoding import EncodingError
from ledger.kinds import Kind
from ledger.ranges import INT64
from ledger.records import Record
from ledger.store import Store
from tests.envs.play import by_rules, core_of, episode

SETTINGS = ["ledger.mode=hashes"]
CYCLES = 6
EDGES = [0, 1, -1, 2**20, 10**6, 10**7, 2**30, 2**32, 2**40, -(2**32), -(2**40), INT64, -INT64, INT64 - 1]
SKIPPED = (Kind.GENESIS, Kind.CERTIFICATE, Kind.CONTRACT, Kind.CLOSING)  # equal to the scenario's or not executed


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("foreign") / "day.sqlite"
    core = core_of("tiny", {"ledger": {"mode": "hashes"}}, CYCLES, str(path))
    episode(core, by_rules(core), (1,))
    with Store.open(path) as store:
        return list(store.rows())


def altered(value, draw):
    """The value with one of its parts replaced by an extreme one, left out or doubled."""
    if type(value) is int:
        return draw(st.sampled_from(EDGES))
    if type(value) is bytes:
        return draw(st.sampled_from([b"", bytes(20), bytes(32), value[::-1]]))
    if not value or draw(st.integers(0, 7)) == 0:
        return draw(st.sampled_from([[], value[:-1], value + value[-1:], value[::-1]]))
    place = draw(st.integers(0, len(value) - 1))
    return [*value[:place], altered(value[place], draw), *value[place + 1 :]]


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_an_altered_record_gets_a_verdict(rows, data):
    """Unverified here, so that the figures are met by who executes them: nothing that was read raises."""
    number, raw = data.draw(st.sampled_from(rows[1:]))
    block = Block.from_bytes(raw)
    places = [n for n, record in enumerate(block.records) if record.kind not in SKIPPED]
    assume(places)
    kinds = sorted({block.records[n].kind for n in places})
    kind = data.draw(st.sampled_from(kinds))
    old = block.records[data.draw(st.sampled_from([n for n in places if block.records[n].kind is kind]))]
    values = (old.chain_id, old.kind, old.sender, old.nonce, old.expiry, old.event)
    try:
        new = Record.from_bytes(Record.create(*values, altered(old.body, data.draw)).raw)
    except EncodingError:
        assume(False)
    records = [new if record == old else record for record in block.records]
    forged = Block(block.header, block.header_raw, b"", (), (), tuple(records)).to_bytes()
    report = audit_rows([*rows[:number], (number, forged), *rows[number + 1 :]], [executors("tiny", SETTINGS)])
    if new == old:
        assert report.difference is None
    elif report.difference is not None:
        assert str(report.difference).isprintable()


@pytest.mark.parametrize("error", [ArithmeticError, ZeroDivisionError, OverflowError, ValueError])
def test_figures_that_end_the_execution_are_a_difference(rows, error):
    class Strict:
        contracts, findings = ("strict",), []

        def execute(self, sealed):
            if sealed.height == 2:
                raise error("3.0 pu apart")
            return ()

    report = audit_rows(rows, [Strict()])
    assert 0 < report.blocks < len(rows)
    assert str(report.difference) == (
        "block 2: execution: block numbers is not executable, re-execution gives 3.0 pu apart"
    )
