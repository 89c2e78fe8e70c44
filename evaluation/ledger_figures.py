"""The day book read back from a ledger file, by somebody who has nothing else.

Sites, aggregators and their order come from the certificates in the genesis block, everything after that from the
records. The chain itself is checked by ``ledger.verify``; here it is only read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.daybook import DayBook, EventPage, pass_columns, table
from ledger.blocks import Block
from ledger.identity import Role, address_of
from ledger.kinds import SCHEMAS, Kind
from ledger.records import Record
from ledger.store import Store


def named(record: Record) -> dict[str, Any]:
    """A record's body by field names."""
    return {field.name: value for field, value in zip(SCHEMAS[record.kind], record.body, strict=True)}


class _Reader:
    """Collects records by kind; block t + 1 holds the promises of period t."""

    def __init__(self, blocks: list[Block]) -> None:
        self.index: dict[bytes, int] = {}
        self.roles: list[int] = []
        self.by_kind: dict[Kind, list[dict[str, Any]]] = {kind: [] for kind in Kind}
        self.by_event: dict[int, dict[Kind, dict[str, Any]]] = {}
        main = [block.header for block in blocks if block.header.chain_id == blocks[0].header.chain_id]
        self.producers = [header.producer for header in main]  # of the dispatch chain
        for block in blocks:
            for record in block.records:
                self._take(record)

    def _take(self, record: Record) -> None:
        body = named(record)
        if record.kind is Kind.CERTIFICATE and address_of(body["public_key"]) not in self.index:
            self.index[address_of(body["public_key"])] = len(self.index)
            self.roles.append(body["role"])
        self.by_kind[record.kind].append(body)
        if record.event:
            self.by_event.setdefault(record.event, {})[record.kind] = body

    def count(self, role: Role) -> int:
        """Certified nodes of a role."""
        return self.roles.count(role)

    def addresses(self, rows: list[Any], *columns: int) -> Iterator[list[int]]:
        """Rows with the addresses in some columns replaced by account numbers."""
        for row in rows:
            yield [self.index[value] if k in columns else value for k, value in enumerate(row)]


def read_daybook(path: str | Path) -> DayBook:
    """The public record of a run from its ledger file alone.

    Raises:
        StoreError: the file is missing or no ledger.
        ValueError: a block cannot be read, or the ledger holds no lived period.
    """
    with Store.open(path) as store:
        reader = _Reader(list(store.blocks()))
    grid = sorted(reader.by_kind[Kind.GRID], key=lambda body: body["period"])
    if not grid:
        raise ValueError(f"{path}: the ledger holds no period that was lived")
    sites, aggregators = reader.count(Role.PROSUMER), reader.count(Role.AGGREGATOR)
    producers = [reader.index.get(address, -1) for address in reader.producers[1 : len(grid) + 1]]
    history = sorted(
        (reader.index[h["site"]], sum(h["generated_wh"]), sum(h["consumed_wh"])) for h in reader.by_kind[Kind.HISTORY]
    )
    weeks = np.zeros((sites, 2), np.int64)
    for site, generated, consumed in history:
        if site < sites:
            weeks[site] = generated, consumed

    def series(name: str) -> np.ndarray:
        return np.array([body[name] for body in grid], np.int64)

    accepted, caught = _accepted(reader, len(grid), sites)
    credit, score = _credit(reader, len(grid), sites + aggregators)
    refusals = [(body["height"] - 1, reader.index[body["producer"]]) for body in reader.by_kind[Kind.REFUSAL]]
    return DayBook(
        sites=sites,
        aggregators=aggregators,
        voltage_upu=series("voltages_micro_pu"),
        loading_ppm=series("loadings_ppm"),
        twin_voltage_upu=series("twin_voltages_micro_pu"),
        twin_loading_ppm=series("twin_loadings_ppm"),
        flow_wh=series("flow_wh"),
        losses_wh=series("losses_wh"),
        technical_wh=series("technical_losses_wh"),
        exchange_loss_wh=series("exchange_losses_wh"),
        outage_wh=_outages(reader, grid, sites),
        claimed_wh=_claimed(reader, len(grid), sites, path),
        accepted_wh=accepted,
        caught=caught,
        credit_ppm=credit,
        score_ppm=score,
        orders=_orders(reader, len(grid), sites, path),
        trades=table(_trades(reader, grid), 8),
        payments=table(_payments(reader), 8),
        events=[_page(reader, event) for event in reader.by_event],
        producers=np.array(producers, np.int64),
        refusals=table(refusals, 2),
        history_wh=weeks,
    )


def _outages(reader: _Reader, grid: list[dict[str, Any]], sites: int) -> np.ndarray:
    """(T, N) Wh that protection took."""
    found = np.zeros((len(grid), sites), np.int64)
    for body in grid:
        for site, wh in reader.addresses(body["outages"], 0):
            found[body["period"], site] = wh
    return found


def _trades(reader: _Reader, grid: list[dict[str, Any]]) -> list[list[int]]:
    """Trades with their row of the period's path list and their losses, all in the order of the TRADE records."""
    paths = {body["period"]: body["rows"] for body in reader.by_kind[Kind.PATHS]}
    losses = {body["period"]: body["trade_losses_wh"] for body in grid}
    rows: list[list[int]] = []
    seen: dict[int, int] = {}
    for trade in reader.by_kind[Kind.TRADE]:
        period = trade["period"]
        k = seen[period] = seen.get(period, -1) + 1
        _, _, charge, buses = paths[period][k]
        sides = [reader.index[trade["buyer"]], reader.index[trade["seller"]]]
        amounts = [trade["energy_wh"], trade["price_micro"], len(buses) - 1, charge, losses[period][k]]
        rows.append([period, *sides, *amounts])
    return rows


def _claimed(reader: _Reader, periods: int, sites: int, path: str | Path) -> np.ndarray:
    """(T, N, 3) from the sites' own READING records."""
    return _by_site(reader, Kind.READING, ("generated_wh", "consumed_wh", "storage_wh"), periods, sites, path)


def _orders(reader: _Reader, periods: int, sites: int, path: str | Path) -> np.ndarray:
    """(T, N, 2) from the sites' own ORDER records."""
    return _by_site(reader, Kind.ORDER, ("quantity_wh", "limit_price_micro"), periods, sites, path)


def _by_site(
    reader: _Reader, kind: Kind, fields: tuple[str, ...], periods: int, sites: int, path: str | Path
) -> np.ndarray:
    """(T, N, fields) of a kind of which each site writes one a period, in the order of the sites."""
    found = np.zeros((periods, sites, len(fields)), np.int64)
    bodies = reader.by_kind[kind]
    if len(bodies) != periods * sites:
        raise ValueError(f"{path}: {len(bodies)} {kind.name.lower()}s, {periods * sites} are due")
    for k, body in enumerate(bodies):
        found[body["period"], k % sites] = [body[field] for field in fields]
    return found


def _accepted(reader: _Reader, periods: int, sites: int) -> tuple[np.ndarray, np.ndarray]:
    accepted, caught = np.zeros((periods, sites, 3), np.int64), np.zeros((periods, sites), np.bool_)
    for body in reader.by_kind[Kind.VERIFICATION]:
        for site, generated, consumed, stored, refused in reader.addresses(body["rows"], 0):
            accepted[body["period"], site] = generated, consumed, stored
            caught[body["period"], site] = bool(refused)
    return accepted, caught


def _credit(reader: _Reader, periods: int, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Credit and score of every period: records hold what changed."""
    credit, score = np.zeros((periods, nodes), np.int64), np.zeros((periods, nodes), np.int64)
    for body in sorted(reader.by_kind[Kind.CREDIT], key=lambda body: body["period"]):
        period = body["period"]
        if period:
            credit[period], score[period] = credit[period - 1], score[period - 1]
        for node, value, points in reader.addresses(body["rows"], 0):
            credit[period, node], score[period, node] = value, points
    return credit, score


def _payments(reader: _Reader) -> list[list[int]]:
    """Transfers of the settlements (event 0) and of the events' accounts."""
    rows = [[0, *row] for body in reader.by_kind[Kind.SETTLEMENT] for row in reader.addresses(body["transfers"], 2, 3)]
    for event, records in reader.by_event.items():
        if Kind.ATX in records:
            rows += [[event, *row] for row in reader.addresses(records[Kind.ATX]["transfers"], 2, 3)]
    return rows


def _page(reader: _Reader, event: int) -> EventPage:
    records = reader.by_event[event]
    trigger, dispatch = records[Kind.TTX], records[Kind.DTX]
    verified = records[Kind.VTX]["rows"] if Kind.VTX in records else []
    sites = reader.count(Role.PROSUMER)
    awards = list(reader.addresses(dispatch["awards"], 0))
    orders = dispatch["adjustments"]
    rows = [[reader.index[site], reader.index[a] - sites, wh, price, *base] for site, a, wh, price, base in orders]
    return EventPage(
        event=event,
        cause=trigger["cause"],
        start=trigger["period"],
        duration=trigger["periods"],
        direction=trigger["direction"],
        place=trigger["place"],
        need_w=trigger["need_w"],
        asked_wh=trigger["asked_wh"],
        reserve=trigger["reserve_price_micro"],
        upper_price=trigger["upper_price_micro"],
        verdict=int(dispatch["verdict"]),
        reopened=bool(dispatch["reopened"]),
        **pass_columns(dispatch["passes"]),
        awards=[[a - sites, *rest] for a, *rest in awards],
        orders=np.array(rows, np.int64).reshape(len(rows), 4 + trigger["periods"]),
        cuts=list(reader.addresses(dispatch["cuts"], 0)),
        before=dispatch["before"],
        after=dispatch["after"],
        verified=np.array(list(reader.addresses(verified, 1)), np.int64).reshape(-1, 4),
    )
