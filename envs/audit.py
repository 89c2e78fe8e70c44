"""The rules of a scenario executed again from what a ledger holds: orders, readings, promises, evidence.

No phase is written a second time: the arrays of one world are rebuilt from records and handed to the phases that the
run itself calls; the Scribe that wrote the ledger says what it would write. What no record holds is taken from the
operator's word and named in `docs/ledger.md`: which offers win a request, the dispatch with its safety check, and how
much of a planned cut was switched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from envs.config import parse_overrides
from envs.generate import generate
from envs.mechanisms import mechanisms_of
from envs.phases.clear import admit_blocks, offers_of, taken_blocks, tariffs_of
from envs.phases.deliver import enter_events
from envs.phases.network import limits_of, new_desk
from envs.phases.route import share_losses
from envs.phases.settle import settle
from envs.phases.standing import expire_baselines, update_standing
from envs.phases.trigger import silent_stage
from envs.phases.verify import verify
from envs.phases.violations import effects, relative_effects
from envs.records import Scribe, event_id, quoted_blocks, roster_of
from envs.types import (
    GRID,
    HORIZON,
    HOURS,
    LAST_RESORT,
    PPM,
    REQUESTS,
    Claims,
    Energy,
    Floats,
    Ints,
    Offers,
    Orders,
    Payments,
    Stage,
    State,
    Trades,
    Transport,
    Verdict,
)
from envs.world import World, build_world
from ledger.audit import Execution, Expected, Impossible, Sealed
from ledger.records import Draft, Kind, Record
from ledger.roster import AUTHORITY

_TRADED = (Kind.TRADE, Kind.PATHS)
_SETTLED = (Kind.VERIFICATION, Kind.VTX, Kind.ATX, Kind.SETTLEMENT, Kind.GRID, Kind.STATUS)


class Outcome:
    """What a period led to (``envs.types.Outcome``), for one world."""

    def __init__(
        self, state: State, trades: Trades, energy: Energy, verdict: Verdict, transport: Transport, payments: Payments
    ) -> None:
        self.period, self.trades, self.energy, self.verdict = state.period, trades, energy, verdict
        self.transport, self.payments = transport, payments
        self.credit_ppm, self.score_ppm = state.credit_ppm, state.score_ppm


class Market:
    """Executes a ledger of one scenario again, height by height."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.mechanisms = mechanisms_of(world.scenario)
        self.roster = roster_of(world)
        self.scribe = Scribe(world, self.roster)
        self.index = {address: i for i, address in enumerate(self.scribe.addresses)}
        one = np.zeros(1, np.int64)
        self.state = generate(world, one.astype(np.uint64), one)  # seed 0: no draw of it is used
        self.trades: Trades | None = None  # of the period whose results are due
        self.cut_wh = one  # (N,) planned for that period
        self.refused: list[int] = []  # sites whose block was refused in it
        self.trading = f"trading:{world.scenario.market.trading}"
        self.dispatch = f"dispatch:{world.scenario.market.dispatch}"
        self.known = {draft.body[0]: draft.body[2] for draft in self.scribe.contracts()}  # rule → hash of parameters
        self.announced: list[Record] = []  # versions of rules that came after genesis
        self.contracts: tuple[str, ...] = ("rules", "accounts", self.trading, self.dispatch, "settlement", "standing")

    def execute(self, block: Sealed) -> Iterator[Execution]:
        """What the block must hold; Impossible where it lacks orders or readings."""
        if block.height == 0:
            yield self._rules(self.scribe.contracts())
            yield self._accounts()
            return
        self._require_known_rules(block)
        drafts = self._results(block) if self.trades is not None else self.scribe.last_accounts()
        yield self._execution("settlement", _SETTLED, drafts)
        yield self._execution("standing", (Kind.CREDIT,), drafts)
        orders = _of(block, Kind.ORDER)
        if orders:
            yield from self._promises(block, orders)
        else:
            yield self._execution(self.trading, _TRADED, [])
            yield self._execution(self.dispatch, (Kind.TTX, Kind.DTX), [])

    def _rules(self, drafts: list[Draft]) -> Execution:
        sender = self.roster.authority.address
        expected = [Expected(bytes(d.body[0]).decode(), d.kind, sender, 0, d.body) for d in drafts]
        return Execution("rules", frozenset((Kind.CONTRACT,)), expected)

    def _require_known_rules(self, block: Sealed) -> None:
        """Impossible where a rule is in force in a version whose parameters are not this scenario's."""
        self.announced += _of(block, Kind.CONTRACT)
        for record in self.announced:
            name, version, parameters, start = record.body
            if start <= block.height and self.known.get(name) != parameters:
                rule, stated = name.decode("ascii", "backslashreplace"), f"version {version} from block {start} on"
                raise Impossible(rule, Kind.CONTRACT, stated, "a version with this scenario's parameters")

    def _accounts(self) -> Execution:
        """Who takes part, with which capacity: also the settings that no contract hashes."""
        certificates = [member.certificate for member in self.roster.members]
        drafts = [Draft(Kind.CERTIFICATE, AUTHORITY, 0, list(each.body())) for each in certificates if each is not None]
        sender = self.roster.authority.address
        expected = [Expected("accounts", draft.kind, sender, 0, draft.body) for draft in drafts + self.scribe.sites()]
        return Execution("accounts", frozenset((Kind.CERTIFICATE, Kind.SITE)), expected)

    def _execution(self, contract: str, kinds: Sequence[Kind], drafts: Sequence[Draft]) -> Execution:
        addresses = self.scribe.addresses
        expected = [
            Expected(contract, draft.kind, addresses[draft.sender], draft.event, draft.body)
            for draft in drafts
            if draft.kind in kinds
        ]
        return Execution(contract, frozenset(kinds), expected)

    # Results of the period before.

    def _results(self, block: Sealed) -> list[Draft]:
        world, state, trades = self.world, self.state, self.trades
        assert trades is not None
        claims = Claims(*self._readings(block))
        energy = self._energy(block)
        verdict = verify(world, state, claims, energy, witness_noise=0.0)
        payments = settle(world, state, trades, energy, verdict)
        update_standing(world, state, trades, verdict, [self.refused])
        outcome = Outcome(state, trades, energy, verdict, share_losses(world, trades, verdict), payments)
        drafts = self.scribe.results(0, state, outcome)
        drafts[-1].body[-1] = self._one(block, Kind.STATUS).body[-1]  # the weather is the operator's word
        expire_baselines(state)
        state.period += 1
        self.trades = None
        return drafts

    def _readings(self, block: Sealed) -> Ints:
        """(3, 1, N) generated, consumed, storage Wh as the sites said."""
        records = self._by_site(block, Kind.READING, "settlement")
        return np.array([record.body[1:4] for record in records], np.int64).T[:, None].copy()

    def _energy(self, block: Sealed) -> Energy:
        """What the witnesses accepted stands for what was metered; what nobody recorded is zero."""
        rows = self._one(block, Kind.VERIFICATION).body[1]
        grid = self._one(block, Kind.GRID).body
        _, voltage, loading, twin_voltage, twin_loading, flow, _, technical, *_, reactive = grid
        assert isinstance(rows, list)
        if [row[0] for row in rows] != self.scribe.addresses[: self.world.sites]:
            raise Impossible("settlement", Kind.VERIFICATION, f"{len(rows)} rows", "one row a site, in their order")
        accepted = np.array([row[1:4] for row in rows], np.int64).T[:, None].copy()
        nothing = np.zeros_like(accepted[0])
        floats = [np.array([side]) / PPM for side in (voltage, loading, twin_voltage, twin_loading)]
        return Energy(
            generated_wh=accepted[0],
            consumed_wh=accepted[1],
            storage_wh=accepted[2],
            natural_wh=nothing,
            available_wh=nothing,
            cut_wh=self._switched(block),
            shed_wh=nothing,
            cycled_wh=nothing,
            reactive_varh=np.array([reactive], np.int64),
            flow_wh=np.array([flow], np.int64),
            technical_loss_wh=np.array([technical], np.int64),
            voltage_pu=floats[0],
            loading=floats[1],
            twin_voltage_pu=floats[2],
            twin_loading=floats[3],
            converged=np.ones(1, np.bool_),
        )

    def _switched(self, block: Sealed) -> Ints:
        """(1, N) Wh cut, by the rows of the last resort, at most what was planned, in its direction."""
        rows = self._one(block, Kind.SETTLEMENT).body[1]
        assert isinstance(rows, list)
        cut_wh = np.zeros((1, self.world.sites), np.int64)
        for flow, _, _, payee, wh, *_ in rows:
            site = self.index.get(payee, self.world.sites)
            if flow == LAST_RESORT and site < self.world.sites:
                cut_wh[0, site] = np.sign(self.cut_wh[site]) * min(wh, abs(self.cut_wh[site]))
        return cut_wh

    def _one(self, block: Sealed, kind: Kind) -> Record:
        found = _of(block, kind)
        if len(found) != 1:
            raise Impossible("settlement", kind, f"{len(found)} records", "one a period")
        return found[0]

    def _by_site(self, block: Sealed, kind: Kind, contract: str) -> list[Record]:
        """The records of a kind, one a site in the sites' order."""
        by_sender = {record.sender: record for record in _of(block, kind)}
        missing = [i for i, each in enumerate(self.scribe.addresses[: self.world.sites]) if each not in by_sender]
        if missing:
            raise Impossible(contract, kind, f"none of site {missing[0]}", "one a site")
        return [by_sender[address] for address in self.scribe.addresses[: self.world.sites]]

    # Promises of the coming period.

    def _promises(self, block: Sealed, orders: list[Record]) -> Iterator[Execution]:
        state, sites = self.state, self.world.sites
        books = self._by_site(block, Kind.ORDER, self.trading)
        columns = np.array([record.body[1:5] for record in books], np.int64).T[:, None].copy()
        quantity, opening, limit, requote = columns
        trades = self.mechanisms.trading.clear(Orders(opening, limit, quantity, requote), tariffs_of(self.world))
        yield self._execution(self.trading, _TRADED, self.scribe.trades(0, state.period, trades))
        self._register(block)
        stage, ordered, member = self._stage(block)
        offers = self._offers(stage, books, ordered)
        enter_events(state, stage, ordered, member, self._paid(block, stage, offers))
        yield self._execution(self.dispatch, (Kind.DTX,), [self._dispatched(r, offers) for r in _of(block, Kind.DTX)])
        self.trades = trades
        self.refused = [site for r in _of(block, Kind.REFUSAL) if (site := self.index.get(r.body[2], sites)) < sites]

    def _stage(self, block: Sealed) -> tuple[Stage, Ints, Ints]:
        """The stage as offers and triggers tell it, what the dispatches order (1, R, N), and members (1, N)."""
        world, sites = self.world, self.world.sites
        baseline_w = np.zeros((1, HORIZON, sites))
        stage = silent_stage(world, baseline_w, np.zeros_like(baseline_w))
        ordered, member = np.zeros((1, REQUESTS, sites), np.int64), np.full((1, sites), -1, np.int64)
        self.cut_wh = np.zeros(sites, np.int64)
        for record in _of(block, Kind.OFFER):
            a = self._aggregator(record.sender, record.kind)
            _, stage.subsidy[0, a], stage.offer_price[0, a], stage.offer_wh[0, :, a], _ = record.body
        for record in _of(block, Kind.TTX):
            r = self._request(record)
            _, cause, _, periods, way, place, need_w, asked, reserve, upper_price = record.body
            if not 1 <= periods <= HORIZON:
                raise Impossible(self.dispatch, record.kind, f"{periods} periods", f"1 to {HORIZON}")
            stage.cause[0, r], stage.duration[0, r], stage.direction[0, r] = cause, periods, way
            stage.need_w[0, r], stage.asked_wh[0, r], stage.upper_price[0, r] = need_w, asked, upper_price
            stage.reserve[0, r] = reserve
            if r == GRID:
                stage.effect[0, r] = self._effects(record, place)
            self.scribe.begin_event(record.event)
        for record in _of(block, Kind.DTX):
            r = self._request(record)
            for site, aggregator, wh, _, base_w in record.body[5]:
                i = self._site(site, record.kind)
                ordered[0, r, i], member[0, i] = wh, self._aggregator(aggregator, record.kind)
                if len(base_w) != stage.duration[0, r]:
                    raise Impossible(
                        self.dispatch, record.kind, f"{len(base_w)} baselines", "one a period of the event"
                    )
                baseline_w[0, : len(base_w), i] = base_w
            for site, wh in record.body[6] if r == GRID else ():
                self.cut_wh[self._site(site, record.kind)] = wh
        return stage, ordered, member

    def _register(self, block: Sealed) -> None:
        """Who is whose member from now on."""
        for record in _of(block, Kind.REGISTRATION):
            a = self._aggregator(record.body[1], record.kind) if record.body[1] else -1
            self.state.aggregator[0, self._site(record.sender, record.kind)] = a

    def _offers(self, stage: Stage, books: list[Record], ordered: Ints) -> list[Offers]:
        """What each aggregator could offer to each request: its sealed volume, at most what its members quoted."""
        try:
            block_wh, block_price = quoted_blocks([record.body[5] for record in books])
        except ValueError as error:
            raise Impossible(self.dispatch, Kind.ORDER, *error.args) from None
        member, found = self.state.aggregator, []
        for r in range(REQUESTS):
            blocks = admit_blocks(stage, block_wh, block_price, r, member, taken_blocks(stage, r, ordered[:, GRID]))
            found.append(offers_of(self.state, stage, r, blocks, self.world.sites))
        return found

    def _paid(self, block: Sealed, stage: Stage, offers: list[Offers]) -> Ints:
        """(1, R, A) what the recorded awards are paid, by the request's mechanism."""
        awarded, paid = np.zeros((2, 1, REQUESTS, self.world.aggregators), np.int64)
        for record in _of(block, Kind.DTX):
            for a, _, wh, price in record.body[4]:
                at = 0, self._request(record), self._aggregator(a, record.kind)
                awarded[at], paid[at] = wh, price
        for r in range(REQUESTS):
            # Where inverters answer to voltage the effects depend on the operator's forecast: its word stands.
            if r != GRID or self.world.scenario.grid.reactive != "q_of_u":
                paid[:, r] = self.mechanisms.request.pay(offers[r], awarded[:, r])
        return paid

    def _effects(self, record: Record, place: int) -> Floats:
        """(N,) effect of the sites at a trigger's bus or branch, the most effective one = 1."""
        limits, feeder, relative = limits_of(self.world), self.world.feeder, np.empty(self.world.sites)
        if not -feeder.branch_count <= place < feeder.bus_count:
            allowed = f"{-feeder.branch_count} to {feeder.bus_count - 1}"
            raise Impossible(self.dispatch, record.kind, f"place {place}", allowed)
        desk = new_desk(limits)
        desk.magnitude[:] = 1.0
        effects(limits, desk, place)
        relative_effects(desk, relative)
        return relative

    def _site(self, address: bytes, kind: Kind) -> int:
        site = self.index.get(address, self.world.sites)
        if site >= self.world.sites:
            raise Impossible(self.dispatch, kind, f"address {address.hex()}", "a site")
        return site

    def _aggregator(self, address: bytes, kind: Kind) -> int:
        a = self.index.get(address, -1) - self.world.sites
        if not 0 <= a < self.world.aggregators:
            raise Impossible(self.dispatch, kind, f"address {address.hex()}", "an aggregator")
        return a

    def _request(self, record: Record) -> int:
        """Which request a trigger or dispatch belongs to, by its event's number."""
        for r in range(REQUESTS):
            if record.event == event_id(self.state.period, r):
                return r
        allowed = " or ".join(str(event_id(self.state.period, r)) for r in range(REQUESTS))
        raise Impossible(self.dispatch, record.kind, f"event {record.event}", f"event {allowed}")

    def _dispatched(self, record: Record, offers: list[Offers]) -> Draft:
        """The Dtx with volumes as quoted, prices by the request's mechanism, subsidies as published and baselines as
        fixed by earlier events.
        """
        state, body, r = self.state, list(record.body), self._request(record)
        slot = r * HORIZON + state.period % HORIZON
        paid, subsidy = state.events.paid[0, slot], state.events.subsidy[0, slot]
        awards, adjustments = body[4], body[5]
        assert isinstance(awards, list)
        assert isinstance(adjustments, list)
        rows = [(self._aggregator(a, record.kind), wh) for a, _, wh, _ in awards]
        body[4] = [[self.scribe.addresses[self.world.sites + a], int(offers[r].wh[0, a]), wh, int(paid[a])]
                   for a, wh in rows]  # fmt: skip
        periods = int(state.events.duration[0, slot])
        body[5] = [
            [site, a, wh, int(subsidy[self.index[site]]), _whole(state.baseline_w[0, :periods, self.index[site]])]
            for site, a, wh, _, _ in adjustments
        ]
        return Draft(Kind.DTX, self.scribe.eno, record.event, body)


def _of(block: Sealed, kind: Kind) -> list[Record]:
    return [record for record in block.records if record.kind is kind]


def _whole(values: np.ndarray) -> list[int]:
    whole: list[int] = values.astype(np.int64).tolist()
    return whole


def executors(config: str, overrides: Sequence[str]) -> Market:
    """What the audit calls: the rules of a scenario. Raises SettingsError for one that cannot be."""
    return Market(build_world(config, parse_overrides(overrides)))


assert HOURS == 0.25  # a Ttx states W, an order Wh a period
