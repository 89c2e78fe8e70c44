"""The rules of a scenario executed again from what a ledger holds: forecasts, orders, readings, evidence.

No phase is written a second time: the arrays of one world are rebuilt from records and handed to the phases that the
run itself calls; the Scribe that wrote the ledger says what it would write. What no record holds is taken from the
operator's word and named in `docs/ledger.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from envs.certify import KEEPS, Certificate, certify, last_problems, watching
from envs.config import parse_overrides
from envs.generate import follow_plans, generate
from envs.mechanisms import mechanisms_of
from envs.metered import check_metered
from envs.money import LAST_RESORT
from envs.phases.clear import trade
from envs.phases.deliver import enter_events
from envs.phases.route import share_losses
from envs.phases.safe import promise
from envs.phases.settle import settle
from envs.phases.standing import expire_baselines, remember_set_points, update_standing
from envs.phases.trigger import open_period
from envs.phases.verify import verify
from envs.recorder import params_of, week_before
from envs.records import Scribe, event_id, roster_of
from envs.reread import Reader, of_kind, only
from envs.resources.site import advance_twins, plans_ahead, stores_of
from envs.types import (
    HORIZON,
    TWIN,
    Claims,
    Energy,
    Ints,
    Payments,
    Plan,
    Quotes,
    State,
    Trades,
    Transport,
    Verdict,
)
from envs.world import World, build_world
from ledger.audit import Execution, Expected, Impossible, Sealed
from ledger.consensus.base import SETTINGS_MARK
from ledger.kinds import Kind
from ledger.params import genesis_body
from ledger.proposal import history_drafts
from ledger.records import Draft, Record
from ledger.roster import AUTHORITY

_TRADED = (Kind.TRADE, Kind.PATHS)
_DISPATCHED = (Kind.REGISTRATION, Kind.DTX)
_SETTLED = (Kind.VERIFICATION, Kind.VTX, Kind.ATX, Kind.SETTLEMENT, Kind.GRID, Kind.STATUS)
# Who takes part is settled at genesis: nobody joins an episode, and its nodes name no delegates.
_ACCOUNTS = frozenset((
    Kind.CERTIFICATE, Kind.REVOCATION, Kind.HISTORY, Kind.SITE, Kind.CONDITIONS, Kind.APPLICATION, Kind.ADMISSION,
    Kind.BALLOT,
))  # fmt: skip
CLOSING_BLOCKS = 2  # after an episode's last period: its results, then the accounts of its last events


class Outcome:
    """What a period led to (``envs.types.Outcome``), for one world."""

    def __init__(
        self, state: State, trades: Trades, energy: Energy, verdict: Verdict, transport: Transport, payments: Payments
    ) -> None:
        self.period, self.trades, self.energy, self.verdict = state.period, trades, energy, verdict
        self.transport, self.payments = transport, payments
        self.credit_ppm, self.score_ppm = state.credit_ppm, state.score_ppm


class Market:
    """Executes a ledger of one scenario again, height by height; ``findings`` certifies each dispatch on the way."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.mechanisms = mechanisms_of(world.scenario)
        self.roster = roster_of(world)
        self.scribe = Scribe(world, self.roster)
        self.reader = Reader(world, self.scribe)
        one = np.zeros(1, np.int64)
        self.state = generate(world, one.astype(np.uint64), one)  # seed 0: of its draws none but delays are used
        self.last_period = 0
        self.promised: tuple[Quotes, Trades, Plan] | None = None  # for the period whose results are due
        self.refused: list[int] = []  # sites whose block was refused in it
        self.trading = f"trading:{world.scenario.market.trading}"
        self.dispatch = f"dispatch:{world.scenario.market.dispatch}"
        self.known = {draft.body[0]: draft.body[2] for draft in self.scribe.contracts()}  # rule → hash of parameters
        self.announced: list[Record] = []  # versions of rules that came after genesis
        self.contracts: tuple[str, ...] = (
            "rules", "accounts", self.trading, "trigger", self.dispatch, "certificate", "settlement", "standing",
        )  # fmt: skip
        self.findings: list[dict[str, Any]] = []

    def execute(self, block: Sealed) -> Iterator[Execution]:
        """What the block must hold; Impossible where it lacks orders or readings."""
        if block.height == 0:
            yield self._begin(block)
            yield self._rules(self.scribe.contracts())
            yield self._accounts()
            return
        self._require_known_rules(block)
        yield Execution("accounts", _ACCOUNTS, [])
        self._require_end(block)
        if self.promised is not None:
            drafts = self._results(block)
        else:
            drafts = self.scribe.last_accounts()
            yield self._execution("settlement", (Kind.READING,), [])
        yield self._execution("settlement", _SETTLED, drafts)
        yield self._execution("standing", (Kind.CREDIT,), drafts)
        if block.height <= self.last_period:
            yield from self._promises(block)
        else:
            yield self._execution(self.trading, (Kind.ORDER, *_TRADED), [])
            yield self._execution("trigger", (Kind.FORECAST, Kind.ESTIMATE, Kind.TTX), [])
            yield self._execution(self.dispatch, (Kind.OFFER, *_DISPATCHED), [])

    def _require_end(self, block: Sealed) -> None:
        """Impossible where a ledger is closed before or after its episode's end: a period a height, then two blocks."""
        end = self.last_period + CLOSING_BLOCKS
        if bool(of_kind(block, Kind.CLOSING)) != (block.height == end):
            found = "none" if block.height == end else f"closed at height {block.height}"
            raise Impossible("rules", Kind.CLOSING, found, f"height {end}, after {self.last_period} periods")

    def _begin(self, block: Sealed) -> Execution:
        """Takes day, seed and length of the episode from the genesis block; what else it says is the scenario's."""
        name, time_s = only(block, Kind.GENESIS, "rules").body[:2]
        run, *digest = name.rsplit(SETTINGS_MARK, 1)
        episode = run.rsplit(b"/", 3)[1:]
        if len(episode) != 3 or not digest or not all(part.isdigit() for part in episode):
            raise Impossible("rules", Kind.GENESIS, f"name {name!r}", "scenario/seed/episode/periods#digests")
        seed, number, periods = map(int, episode)
        if seed >= 2**64 or max(number, periods) >= 2**63:
            raise Impossible("rules", Kind.GENESIS, f"name {name!r}", "a seed below 2^64, other numbers below 2^63")
        self.state.seed[:], self.state.episode[:], self.last_period = seed, number, periods
        self.state.day[:] = day = time_s // 86_400
        follow_plans(self.world, self.state)
        authority = self.roster.authority
        due = b"/".join((self.world.scenario.name.encode(), *episode)) + SETTINGS_MARK + digest[0]
        body = genesis_body(params_of(self.world), due, day * 86_400, authority.public_key)
        expected = [Expected("rules", Kind.GENESIS, authority.address, 0, body)]
        return Execution("rules", frozenset((Kind.GENESIS,)), expected)

    def _rules(self, drafts: list[Draft]) -> Execution:
        sender = self.roster.authority.address
        expected = [Expected(bytes(d.body[0]).decode(), d.kind, sender, 0, d.body) for d in drafts]
        return Execution("rules", frozenset((Kind.CONTRACT,)), expected)

    def _require_known_rules(self, block: Sealed) -> None:
        """Impossible where a rule is in force in a version whose parameters are not this scenario's."""
        self.announced += of_kind(block, Kind.CONTRACT)
        for record in self.announced:
            name, version, parameters, start = record.body
            if start <= block.height and self.known.get(name) != parameters:
                rule, stated = name.decode("ascii", "backslashreplace"), f"version {version} from block {start} on"
                raise Impossible(rule, Kind.CONTRACT, stated, "a version with this scenario's parameters")

    def _accounts(self) -> Execution:
        """Who takes part, with which capacity and which week before: also the settings that no contract hashes."""
        certificates = [member.certificate for member in self.roster.members]
        drafts = [Draft(Kind.CERTIFICATE, AUTHORITY, 0, list(each.body())) for each in certificates if each is not None]
        drafts += history_drafts(self.roster, week_before(self.world, int(self.state.day[0])))
        drafts += self.scribe.sites()
        sender = self.roster.authority.address
        expected = [Expected("accounts", draft.kind, sender, 0, draft.body) for draft in drafts]
        return Execution("accounts", _ACCOUNTS, expected)

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
        world, state = self.world, self.state
        assert self.promised is not None
        quotes, trades, plan = self.promised
        claims = Claims(*self.reader.readings(block))
        energy = self._energy(block, quotes, plan)
        verdict = verify(world, state, claims, energy, witness_noise=0.0)
        payments = settle(world, state, trades, energy, verdict)
        refused = self.refused + self._refused(block, block.height - 1)  # evidence of who did not await its turn
        update_standing(world, state, trades, verdict, [refused])
        outcome = Outcome(state, trades, energy, verdict, share_losses(world, trades, verdict), payments)
        drafts = self.scribe.results(0, state, outcome)
        drafts[-1].body[-1] = only(block, Kind.STATUS, "settlement").body[-1]  # the weather is the operator's word
        remember_set_points(world, state, quotes, verdict)
        state.schedule_w, state.reactive_ppm = quotes.schedule_w, quotes.reactive_ppm
        expire_baselines(state)
        state.period += 1
        self.promised = None
        return drafts

    def _energy(self, block: Sealed, quotes: Quotes, plan: Plan) -> Energy:
        """What the witnesses accepted stands for what was metered; what nobody recorded is zero."""
        accepted = self.reader.accepted(block)
        floats, flow, technical, reactive = self.reader.grid(block)
        off, outage_wh = self.reader.outages(block)
        check_metered(self.world, self.state, accepted, quotes, (flow, technical), off)
        nothing = np.zeros_like(accepted[0])
        return Energy(
            generated_wh=accepted[0],
            consumed_wh=accepted[1],
            storage_wh=accepted[2],
            natural_wh=nothing,
            natural_consumed_wh=nothing,
            available_wh=nothing,
            cut_wh=self._switched(block, plan.cut_wh[0]),
            outage_wh=outage_wh,
            shed_wh=nothing,
            lost_wh=nothing,
            cycled_wh=nothing,
            reactive_varh=np.array([reactive], np.int64),
            vehicle_wh=nothing,
            heat_wh=nothing,
            missing_wh=nothing,
            outside_mkh=nothing,
            owed_wh=nothing,
            refill_wh=nothing,
            fed_wh=nothing,
            flow_wh=np.array([flow], np.int64),
            technical_loss_wh=np.array([technical], np.int64),
            voltage_pu=floats[0],
            loading=floats[1],
            twin_voltage_pu=floats[2],
            twin_loading=floats[3],
            converged=np.ones(1, np.bool_),
        )

    def _switched(self, block: Sealed, planned_wh: Ints) -> Ints:
        """(1, N) Wh cut, by the rows of the last resort, at most what was planned, in its direction."""
        rows = only(block, Kind.SETTLEMENT, "settlement").body[1]
        cut_wh = np.zeros((1, self.world.sites), np.int64)
        for flow, _, _, payee, wh, *_ in rows:
            site = self.reader.index.get(payee, self.world.sites)
            if flow == LAST_RESORT and site < self.world.sites:
                cut_wh[0, site] = np.sign(planned_wh[site]) * min(wh, abs(planned_wh[site]))
        return cut_wh

    # Promises of the coming period.

    def _promises(self, block: Sealed) -> Iterator[Execution]:
        world, state, reader = self.world, self.state, self.reader
        forecast_w, estimate_w = reader.forecasts(block)
        state.appliance_w[:], batteries_w = reader.parts(block)
        self.follow_plans(batteries_w)
        if state.period == 0:  # nobody had a step in which to file
            state.schedule_w = forecast_w[:, :HORIZON] + (state.battery_w - state.appliance_w)[:, TWIN, :HORIZON]
        state.operator_net_w[:, :HORIZON] = estimate_w
        quotes = reader.quotes(block, forecast_w)
        trades = trade(world, quotes, self.mechanisms)
        yield self._execution(self.trading, _TRADED, self.scribe.trades(0, state.period, trades))
        stage = open_period(world, state, self.last_period)
        reader.hear(block, state.period, stage)
        mechanisms, asked = watching(self.mechanisms)
        plan = promise(world, state, stage, quotes, mechanisms)
        joined = plan.member != state.aggregator
        state.aggregator = plan.member.copy()
        drafts = self.scribe.agreed(0, state.period, stage, plan, joined)
        yield self._execution("trigger", (Kind.TTX,), drafts)
        yield self._execution(self.dispatch, _DISPATCHED, drafts)
        for r, problem in last_problems(stage, asked, world.sites).items():
            where = (block.height, event_id(state.period, r))
            self._certified(certify(world, state, stage, quotes, plan, problem, r, where))
        enter_events(state, stage, plan.ordered_wh, plan.member, plan.award_price)
        self.promised = (quotes, trades, plan)
        self.refused = self._refused(block, block.height)

    def _refused(self, block: Sealed, height: int) -> list[int]:
        """The sites whose block of that height was refused."""
        turns = [record.body for record in of_kind(block, Kind.REFUSAL) if record.body[0] == height]
        found = [self.reader.index.get(producer, self.world.sites) for _, _, producer, *_ in turns]
        return [site for site in found if site < self.world.sites]

    def follow_plans(self, stated_w: Ints) -> None:
        """Take what batteries with a plan do from the estimate, (1, 2, OUTLOOK, N); the plan itself is the net's."""
        world, state = self.world, self.state
        row = state.day * world.periods_per_day + state.period
        plans_ahead(world.equipment, row, stores_of(state), state.battery_w)
        due = state.battery_w[:, TWIN, :HORIZON]
        wrong = np.flatnonzero((stated_w[:, TWIN, :HORIZON] != due).any(axis=(0, 1)))
        if len(wrong):
            raise Impossible("trigger", Kind.ESTIMATE, f"another plan of site {wrong[0]}", "the profile of the net")
        state.battery_w[:] = stated_w
        advance_twins(world.equipment, row, stores_of(state))

    def _certified(self, found: Certificate) -> None:
        """Keep a certificate; Impossible where the dispatch is not what it claims to be."""
        self.findings.append(asdict(found))
        extremes = f"{found.low_pu:.4f} to {found.high_pu:.4f} pu, loading {found.loading:.3f}"
        if found.outcome in KEEPS and not found.feasible:
            raise Impossible(
                "certificate", Kind.DTX, f"event {found.event} {found.outcome} with {extremes}", "limits kept"
            )
        if found.claimed and not found.near_optimal:
            most = f"at most {found.bound_per_h + found.allowed_per_h:.6f}"
            raise Impossible("certificate", Kind.DTX, f"event {found.event} costs {found.cost_per_h:.6f} per h", most)


def executors(config: str, overrides: Sequence[str]) -> Market:
    """What the audit calls: the rules of a scenario. Raises SettingsError for one that cannot be."""
    return Market(build_world(config, parse_overrides(overrides)))
