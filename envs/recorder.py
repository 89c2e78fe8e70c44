"""What of a period goes on the ledger, and when.

Block t holds the orders, trades, Ttx and Dtx of period t and the readings, verification, settlement and credit of
period t-1: what is promised is sealed before it is delivered. A period seals a block of each
business's chain, dispatch last. A Vtx follows in the block that holds the last
reading of its event, the Atx one block later. Closing blocks bring home what is left when an episode ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from envs.behaviour import conduct_of
from envs.mechanisms import Mechanisms
from envs.records import Scribe, roster_of
from envs.sealing import Watch, seal_last, seal_one
from envs.types import HOURS, PPM, WEEK, Ints, Plan, Quotes, Stage, State, Trace, Trades
from envs.world import World
from ledger.anchors import Anchors
from ledger.chain import Chain
from ledger.consensus.base import SETTINGS_MARK
from ledger.lottery import Lottery
from ledger.params import BUSINESSES, DISPATCH, Params
from ledger.records import Draft
from ledger.store import Store


@dataclass
class _Book:
    """The ledger of one world while its episode runs."""

    b: int  # which world
    scribe: Scribe
    chain: Chain | None
    lottery: Lottery | None
    watch: Watch
    store: Store | None = None
    anchors: Anchors | None = None  # checkpoints of a stored ledger
    pending: list[Draft] = field(default_factory=list)  # readings and results of the period just lived


def params_of(world: World) -> Params:
    """The chain's settings from the scenario's."""
    ledger = world.scenario.ledger
    rules = dict(ledger.consensus)
    return Params(
        gamma=ledger.gamma,
        alpha_ppm=round(ledger.alpha * PPM),
        beta_ppm=round(ledger.beta * PPM),
        window_periods=WEEK,
        credit_threshold_ppm=round(world.scenario.standing.admission_threshold * PPM),
        signing="none" if ledger.mode == "hashes" else ledger.signing,
        consensus=rules[DISPATCH],
        period_s=round(HOURS * 3600),
        siblings=tuple((name, rules[name]) for name in BUSINESSES if name != DISPATCH and rules[name] is not None),
    )


def run_digest(world: World, players: str) -> bytes:
    """16 hex digits for all settings, and 16 more behind a point for who plays, where it is stated: runs that differ in
    either have other ledger ids.
    """
    texts = [world.scenario.model_dump_json(), *([players] if players else [])]
    return ".".join(sha256(text.encode()).hexdigest()[:16] for text in texts).encode()


def week_before(world: World, day: int) -> tuple[Ints, Ints]:
    """Expected generation and consumption of the 672 periods before a day, (nodes, 672) Wh; the year is a circle."""
    rows = np.arange(day * world.periods_per_day - WEEK, day * world.periods_per_day) % len(world.load_w)
    others = np.zeros((world.accounts - world.sites, WEEK), np.int64)
    generated = np.rint(world.pv_w[rows] * HOURS).astype(np.int64).T
    consumed = np.rint(world.usual_load_w(rows) * HOURS).astype(np.int64).T
    return np.concatenate([generated, others]), np.concatenate([consumed, others])


class Recorder:
    """Keeps one ledger a world, or none; and draws the producers that somebody must be punished for."""

    def __init__(self, world: World, ledger_path: str | None = None) -> None:
        self.world = world
        self.mode = world.scenario.ledger.mode
        self.path = ledger_path
        self.books: list[_Book] = []
        self.heads: list[bytes] = []  # of the last finished episode

    def begin(self, state: State, mechanisms: Mechanisms, periods: int, players: str = "") -> None:
        """Open a chain a world with its genesis block, which says how many ``periods`` the episode has; its name holds
        a digest of ``players``, any text that says who plays.

        Raises:
            ValueError: a ledger file is asked for more than one world, or for a scenario that keeps no ledger.
        """
        self.abandon()
        worlds = len(state.seed)
        if self.path is not None and (worlds != 1 or self.mode == "off"):
            raise ValueError("a ledger file needs exactly one world and ledger.mode full or hashes")
        conduct = conduct_of(mechanisms, state)
        self.books = []
        for b in range(worlds):
            if self.mode == "off" and not conduct[b].any():
                continue  # nobody could be punished for a block: no draw is needed
            self.books.append(self._open(state, b, Watch(conduct[b]), periods, players))

    def _open(self, state: State, b: int, watch: Watch, periods: int, players: str) -> _Book:
        world, roster, params = self.world, roster_of(self.world), params_of(self.world)
        run = f"{world.scenario.name}/{int(state.seed[b])}/{int(state.episode[b])}/{periods}".encode()
        name = run + SETTINGS_MARK + run_digest(world, players)
        history = week_before(world, int(state.day[b]))
        start_s = int(state.day[b]) * 86_400
        scribe = Scribe(world, roster)
        if self.mode == "off":
            return _Book(b, scribe, None, Lottery(params, roster, history, name, start_s), watch)
        store = Store.create(self.path, world.scenario.ledger.durability) if self.path is not None else None
        chain = Chain.create(params, roster, history, [*scribe.contracts(), *scribe.sites()], start_s, name, store)
        chain.path_list = scribe.path_list.of
        anchors = None if store is None else Anchors(chain, world.periods_per_day)
        return _Book(b, scribe, chain, None, watch, store, anchors)

    def seal(
        self, state: State, stage: Stage, quotes: Quotes, trades: Trades, plan: Plan, joined: np.ndarray
    ) -> tuple[Ints, list[list[int]]]:
        """Seal the coming period's promises and the last period's results.

        Returns:
            (B,) index of the site that sealed the dispatch chain's block, -1 where no draw was made; per world the
            sites whose block was refused, a site once for every chain.
        """
        producer = np.full(len(state.seed), -1, np.int64)
        refused: list[list[int]] = [[] for _ in range(len(state.seed))]
        for book in self.books:
            b = book.b
            drafts: list[Draft] = []
            if book.chain is not None:
                promises = book.scribe.promises(b, state, stage, quotes, trades, plan, joined)
                drafts = [*book.watch.bring(), *book.pending, *promises]
            producer[b], refused[b] = _produce(book, drafts)
        return producer, refused

    def keep(self, state: State, trace: Trace) -> None:
        """Take the results of the period just lived; they are sealed with the next block."""
        for book in self.books:
            b = book.b
            if book.lottery is not None:
                book.lottery.push(trace.verdict.generated_wh[b], trace.verdict.consumed_wh[b], trace.credit_ppm[b])
            else:
                book.pending = book.scribe.results(b, state, trace)

    def finish(self) -> None:
        """Seal the closing blocks and remember the heads; a stored ledger is closed and complete, with its checkpoints
        beside it.
        """
        self.heads = []
        for book in self.books:
            if book.chain is None:
                continue
            seal_last(book.watch, book.chain, book.pending)
            book.chain.close(book.scribe.eno, book.scribe.last_accounts())
            self.heads.append(book.chain.head)
            if book.store is not None:
                book.store.close()
                book.store = None
            if book.anchors is not None and self.path is not None:
                book.anchors.write(self.path)
                book.anchors = None

    def abandon(self) -> None:
        """Close the files of an episode that was left before its end."""
        for book in self.books:
            if book.store is not None:
                book.store.close()
                book.store = None

    def head(self, b: int) -> bytes:
        """Head of world b's running chain. Raises ValueError when no ledger is kept."""
        if self.mode == "off":
            raise ValueError("ledger.mode = off keeps no chain (allowed: full, hashes)")
        chain = self.books[b].chain
        assert chain is not None
        return chain.head


def _produce(book: _Book, drafts: list[Draft]) -> tuple[int, list[int]]:
    """A block of each chain; (the site that sealed the dispatch chain's, the sites refused)."""
    if book.lottery is not None:
        return book.lottery.produce(book.watch.conduct.tolist())
    assert book.chain is not None
    refused: list[int] = []
    for _ in book.chain.state.chains:
        site, turned_away = seal_one(book.watch, book.chain, drafts)
        refused += turned_away
    if book.anchors is not None:
        book.anchors.keep()
    return site, refused
