"""The audit of what a ledger must hold: each word that was said, nobody new, from the first period to the last."""

import numpy as np
import pytest

from envs.audit import executors
from envs.recorder import Recorder
from envs.records import Scribe
from ledger.audit import audit_file
from ledger.chain import Chain
from ledger.faults import LedgerFault
from ledger.identity import Role, derive_private_key, issue_certificate
from ledger.kinds import Kind
from ledger.records import Draft
from ledger.roster import AUTHORITY
from ledger.verify import verify_file
from tests.envs.play import by_rules, core_of, episode, periods

CYCLES = 14
HEIGHT = 11  # of the block that is altered


def difference_in(path, cycles=CYCLES):
    """Play, verify and audit; the first difference."""
    core = core_of("tiny", None, cycles, str(path))
    episode(core, by_rules(core), (1,))
    verdict = verify_file(path)
    assert verdict.sound, verdict.fault
    return audit_file(path, [executors("tiny", [])]).difference


def add(monkeypatch, make, height=HEIGHT, business="dispatch"):
    """Seal the drafts that `make(chain)` gives in one more block's records."""
    original = Chain.draft

    def wrapped(self, drafts, *rest):
        due = self.height + 1 == height and self.due.name == business
        return original(self, [*drafts, *make(self)] if due else drafts, *rest)

    monkeypatch.setattr(Chain, "draft", wrapped)


def certified(chain, name, key, role, serial, capacity_w):
    authority = chain.roster.authority.private_key
    certificate = issue_certificate(authority, name, key, role, serial, 0, 1 << 40, capacity_w)
    return [Draft(Kind.CERTIFICATE, AUTHORITY, 0, list(certificate.body()))]


def of_first(chain):
    return chain.roster.members[0]


def renewed(chain):
    member = of_first(chain)
    return certified(chain, member.name, member.public_key, member.role, 1_000, 10**10)


def newcomer(chain):
    key = derive_private_key(9, "shadow").public_key.format()
    return certified(chain, "shadow", key, Role.COUNTERPARTY, 1_001, 10**6)


NEWS = {
    "CERTIFICATE": renewed,
    "a newcomer's CERTIFICATE": newcomer,
    "REVOCATION": lambda chain: [Draft(Kind.REVOCATION, AUTHORITY, 0, [of_first(chain).certificate.serial, b""])],
    "SITE": lambda chain: [Draft(Kind.SITE, AUTHORITY, 0, [of_first(chain).address, 99_999, 31, 10**9, 10**9])],
    "CONDITIONS": lambda chain: [Draft(Kind.CONDITIONS, AUTHORITY, 0, [[3], 0, 10**9, 31, 100, 0])],
    "BALLOT": lambda chain: [Draft(Kind.BALLOT, 0, 0, [of_first(chain).address])],
}  # fmt: skip


@pytest.mark.parametrize("news", NEWS)
def test_accounts_do_not_change_while_an_episode_runs(tmp_path, monkeypatch, news):
    """Capacity caps what energy weighs in a draw, and whoever opens the door lets in voters."""
    add(monkeypatch, NEWS[news], CYCLES + 1)  # a revoked site could say nothing any more
    found = difference_in(tmp_path / "news.sqlite")
    assert found is not None
    assert (found.block, found.contract, found.executed) == (CYCLES + 1, "accounts", "none")
    assert found.kind == news.split(" ")[-1]


def operator_reads(chain):
    return [Draft(Kind.READING, chain.roster.index_of[eno_of(chain)], 0, [HEIGHT - 2, 1, 1, 0])]


def eno_of(chain):
    return next(member.address for member in chain.roster.members if member.role is Role.ENO)


def test_a_reading_by_somebody_who_is_no_site(tmp_path, monkeypatch):
    add(monkeypatch, operator_reads)
    found = difference_in(tmp_path / "reading.sqlite")
    assert (found.block, found.contract, found.kind) == (HEIGHT, "settlement", "READING")
    assert found.executed.startswith("one a site")


@pytest.mark.parametrize(("kind", "business"), [(Kind.ORDER, "trading"), (Kind.OFFER, "dispatch")])
def test_nothing_is_promised_after_the_last_period(tmp_path, monkeypatch, kind, business):
    kept = []
    original = Scribe.promises

    def promises(self, *rest):
        drafts = original(self, *rest)
        kept[:] = [draft for draft in drafts if draft.kind is kind][:1]
        return drafts

    monkeypatch.setattr(Scribe, "promises", promises)
    add(monkeypatch, lambda chain: [d._replace(body=[CYCLES, *d.body[1:]]) for d in kept], CYCLES + 1, business)
    found = difference_in(tmp_path / "late.sqlite")
    assert (found.block, found.kind, found.executed) == (CYCLES + 1, kind.name, "none")


@pytest.mark.parametrize("aggregator", [0, 1])
def test_an_operator_that_hears_no_offer_of_one_aggregator(tmp_path, monkeypatch, aggregator):
    """It plays as if the offer were zero, and leaves the aggregator's record out."""
    honest = Scribe._offers

    def deaf(self, b, period, stage):
        drafts = honest(self, b, period, stage)
        return drafts if period != HEIGHT - 1 else [*drafts[:aggregator], *drafts[aggregator + 1 :]]

    monkeypatch.setattr(Scribe, "_offers", deaf)
    found = difference_in(tmp_path / "deaf.sqlite")
    assert (found.block, found.contract, found.kind) == (HEIGHT, "dispatch", "OFFER")
    assert (found.recorded, found.executed) == (f"none of aggregator {aggregator}", "one a aggregator")


def test_a_ledger_that_is_closed_before_its_last_period(tmp_path, monkeypatch):
    begin = Recorder.begin
    monkeypatch.setattr(Recorder, "begin", lambda self, *rest: begin(self, *rest[:2], 96, *rest[3:]))
    found = difference_in(tmp_path / "early.sqlite")
    assert (found.block, found.kind, found.recorded) == (CYCLES + 1, "FORECAST", "none of site 0")


@pytest.mark.parametrize(
    ("name", "height", "fault"), [("seal", 6, "ORDER of period 6 where 7"), ("finish", CYCLES, "")]
)
def test_a_height_without_a_period(tmp_path, monkeypatch, name, height, fault):
    """Idle blocks would part promises from what was metered: the chain knows no other clock than its own."""
    original = getattr(Recorder, name)

    def idle(self, *rest):
        chain = self.books[0].chain
        if chain.height == height:
            chain.seal_height([])
        return original(self, *rest)

    monkeypatch.setattr(Recorder, name, idle)
    with pytest.raises(LedgerFault, match=fault or f"READING of period {CYCLES - 1} where {CYCLES} is due"):
        difference_in(tmp_path / "idle.sqlite")


def test_a_ledger_that_idles_before_it_is_closed(tmp_path, monkeypatch):
    close = Chain.close

    def idle(self, *rest):
        self.seal_height([])
        return close(self, *rest)

    monkeypatch.setattr(Chain, "close", idle)
    found = difference_in(tmp_path / "idle.sqlite")
    assert (found.block, found.contract, found.kind, found.recorded) == (CYCLES + 2, "rules", "CLOSING", "none")


def test_a_ledger_is_not_closed_while_it_owes_money(tmp_path):
    """In the middle of two events: their orders are sealed, nobody has verified or paid them."""
    core = core_of("rural_day", None, 96, str(tmp_path / "owing.sqlite"))
    core.reset(np.array([1], np.uint64))
    for trace in periods(core, by_rules(core)):
        if trace.stage.duration.max() > 1:
            break
    with pytest.raises(LedgerFault, match="CLOSING: closed before the ATX of event"):
        core.recorder.finish()
    core.recorder.abandon()
    assert not verify_file(tmp_path / "owing.sqlite").sound
