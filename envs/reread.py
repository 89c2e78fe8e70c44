"""Records of a block as the arrays of one world, B = 1: the Scribe's pages read backwards.

Nothing is computed here. What does not fit the world's sites, aggregators or horizons raises Impossible, naming the
contract that needs it.
"""

from __future__ import annotations

import numpy as np

from envs.actions import RESERVE, VOLUME, action_tables
from envs.phases.quote import file
from envs.records import Scribe, event_id, quoted_blocks
from envs.types import HORIZON, HOURS, LIVED, OUTLOOK, PPM, REQUESTS, TWIN, UPPER, Bools, Floats, Ints, Quotes, Stage
from envs.world import World
from ledger.audit import Impossible, Sealed
from ledger.kinds import SCHEMAS, Kind
from ledger.records import Record


def of_kind(block: Sealed, kind: Kind) -> list[Record]:
    """The records of a kind in their order."""
    return [record for record in block.records if record.kind is kind]


def only(block: Sealed, kind: Kind, contract: str) -> Record:
    """The one record of a kind; Impossible where there is another number of them."""
    found = of_kind(block, kind)
    if len(found) != 1:
        raise Impossible(contract, kind, f"{len(found)} records", "one a period")
    return found[0]


class Reader:
    """Reads the blocks of one world's chain."""

    def __init__(self, world: World, scribe: Scribe) -> None:
        self.world = world
        self.addresses = scribe.addresses
        self.index = {address: i for i, address in enumerate(scribe.addresses)}
        eno = action_tables(world.scenario)["eno"]
        self.most_volume, self.most_reserve = eno[VOLUME].high, round(eno[RESERVE].high)

    def by_site(self, block: Sealed, kind: Kind, contract: str) -> list[Record]:
        """The records of a kind, one a site in the sites' order."""
        return self._one_each(block, kind, contract, "site", self.addresses[: self.world.sites])

    def _one_each(self, block: Sealed, kind: Kind, contract: str, what: str, senders: list[bytes]) -> list[Record]:
        """A record of a kind from each of these, in their order, and from nobody else: none is held back."""
        found = of_kind(block, kind)
        by_sender = {record.sender: record for record in found}
        missing = [i for i, each in enumerate(senders) if each not in by_sender]
        if missing:
            raise Impossible(contract, kind, f"none of {what} {missing[0]}", f"one a {what}")
        if len(found) != len(senders):
            raise Impossible(contract, kind, f"{len(found)} records", f"one a {what}: {len(senders)}")
        return [by_sender[address] for address in senders]

    def readings(self, block: Sealed) -> Ints:
        """(3, 1, N) generated, consumed, storage Wh as the sites said."""
        records = self.by_site(block, Kind.READING, "settlement")
        return np.array([record.body[1:4] for record in records], np.int64).T[:, None].copy()

    def forecasts(self, block: Sealed) -> tuple[Ints, Ints]:
        """Published W of the coming period and those after it: the sites' own (1, OUTLOOK, N), the operator's
        (1, HORIZON, N).
        """
        own = [record.body[1] for record in self.by_site(block, Kind.FORECAST, "trigger")]
        rows = only(block, Kind.ESTIMATE, "trigger").body[1]
        if [row[0] for row in rows] != self.addresses[: self.world.sites]:
            raise Impossible("trigger", Kind.ESTIMATE, f"{len(rows)} rows", "one row a site, in their order")
        return self._ahead(own, Kind.FORECAST, OUTLOOK), self._ahead([row[1] for row in rows], Kind.ESTIMATE, HORIZON)

    def parts(self, block: Sealed) -> tuple[Ints, Ints]:
        """(1, 2, OUTLOOK, N) W each, lived and twin, by the operator's estimate: demand of vehicles and heat pumps,
        output of batteries that follow a plan.

        The last period of the outlook is no record's: nothing that is executed again needs it.
        """
        found = np.zeros((2, 1, 2, OUTLOOK, self.world.sites), np.int64)
        for k, rows in enumerate(only(block, Kind.ESTIMATE, "trigger").body[2:4]):
            for address, *columns in rows:
                i = self.index.get(address, self.world.sites)
                if i >= self.world.sites:
                    raise Impossible("trigger", Kind.ESTIMATE, f"resources of {address.hex()}", "a site")
                alone, change = self._ahead(columns, Kind.ESTIMATE, HORIZON)[0].T
                found[k, 0, LIVED, :HORIZON, i], found[k, 0, TWIN, :HORIZON, i] = alone + change, alone
        return found[0], found[1]

    def _ahead(self, columns: list[list[int]], kind: Kind, periods: int) -> Ints:
        """(1, periods, N) from a list a site."""
        lengths = {len(column) for column in columns}
        if lengths != {periods}:
            raise Impossible("trigger", kind, f"{max(lengths)} periods", f"{periods} a site")
        return np.array(columns, np.int64).T[None].copy()

    def quotes(self, block: Sealed, forecast_w: Ints) -> Quotes:
        """What the prosumers said; ``forecast_w`` (1, OUTLOOK, N) is what their plans add to."""
        records, sites = self.by_site(block, Kind.ORDER, "trigger"), self.world.sites
        plain = np.array([[*record.body[1:5], *record.body[6:8], *record.body[10:13]] for record in records])
        quantity, opening, limit, requote, storage, shed, reactive, hold, heat = (
            plain.astype(np.int64).T[:, None].copy()
        )
        plan_w = self._ahead([record.body[8] for record in records], Kind.ORDER, HORIZON)
        preference = np.array([record.body[9] for record in records], np.int64)
        if preference.shape != (sites, self.world.aggregators):
            raise Impossible("dispatch", Kind.ORDER, "preferences", f"{self.world.aggregators} a site")
        try:
            block_wh, block_price = quoted_blocks([record.body[5] for record in records])
        except ValueError as error:
            raise Impossible("dispatch", Kind.ORDER, *error.args) from None
        quotes = Quotes(
            opening_price=opening,
            limit_price=limit,
            quantity_wh=quantity,
            requote_ppm=requote,
            block_wh=block_wh,
            block_price=block_price,
            storage_w=storage.astype(np.float64),
            shed_ppm=shed,
            reactive_ppm=reactive,
            preference=preference[None] / PPM,
            schedule_w=(forecast_w[:, 1:] + plan_w).astype(np.float64),
            hold_ppm=hold,
            heat_ppm=heat,
        )
        file(quotes)
        return quotes

    def hear(self, block: Sealed, period: int, stage: Stage) -> None:
        """Fill in what the operator decided for itself (volume and reserve price) and what the aggregators offered.

        A volume or price that the operator's action cannot reach counts as the highest that it can; what is asked
        where nothing was needed is not heard.
        """
        by_event = {record.event: record.body for record in of_kind(block, Kind.TTX)}
        for r in range(REQUESTS):
            body = by_event.get(event_id(period, r))
            if body is not None and stage.cause[0, r] > 0:
                share = 1.0 if r == UPPER else self.most_volume
                stage.asked_wh[0, r] = min(body[7], round(float(stage.need_w[0, r]) * HOURS * share))
        stage.reserve[:] = min(max((body[8] for body in by_event.values()), default=0), self.most_reserve)
        sites, aggregators = self.world.sites, self.world.aggregators
        addresses = self.addresses[sites : sites + aggregators]
        for a, record in enumerate(self._one_each(block, Kind.OFFER, "dispatch", "aggregator", addresses)):
            _, subsidy, price, volumes, threshold = record.body
            if len(volumes) != REQUESTS:
                raise Impossible("dispatch", record.kind, f"{len(volumes)} volumes", f"{REQUESTS} an offer")
            stage.subsidy[0, a], stage.offer_price[0, a], stage.threshold_ppm[0, a] = subsidy, price, threshold
            stage.offer_wh[0, :, a] = volumes

    def accepted(self, block: Sealed) -> Ints:
        """(3, 1, N) generated, consumed, storage Wh as the network accepted them."""
        rows = only(block, Kind.VERIFICATION, "settlement").body[1]
        if [row[0] for row in rows] != self.addresses[: self.world.sites]:
            raise Impossible("settlement", Kind.VERIFICATION, f"{len(rows)} rows", "one row a site, in their order")
        return np.array([row[1:4] for row in rows], np.int64).T[:, None].copy()

    def grid(self, block: Sealed) -> tuple[list[Floats], int, int, list[int]]:
        """Voltages and loadings, lived and without orders, (1, buses) each; flow Wh, technical losses Wh, varh."""
        body = only(block, Kind.GRID, "settlement").body
        floats = [np.array([side]) / PPM for side in body[1:5]]
        buses, branches = self.world.feeder.bus_count, self.world.feeder.branch_count
        inverters = 0 if self.world.scenario.grid.reactive == "none" else self.world.sites
        for side, due in (*zip(range(1, 5), (buses, branches) * 2, strict=True), (10, inverters)):
            if len(body[side]) != due:
                found = f"{len(body[side])} {SCHEMAS[Kind.GRID][side].name}"
                raise Impossible("settlement", Kind.GRID, found, f"{due} of them")
        return floats, body[5], body[7], body[10]

    def outages(self, block: Sealed) -> tuple[Bools, Ints]:
        """(1, N) sites whose bus is recorded without voltage, and Wh that their outage took by the operator's word."""
        body = only(block, Kind.GRID, "settlement").body
        off = np.array([body[1]])[:, self.world.site_bus] == 0
        outage_wh = np.zeros(off.shape, np.int64)
        for address, wh in body[11]:
            i = self.index.get(address, self.world.sites)
            if i >= self.world.sites or not off[0, i]:
                raise Impossible("settlement", Kind.GRID, f"outage of {address.hex()}", "a site without voltage")
            if abs(wh) > self.world.capacity_w[i] * HOURS:
                raise Impossible("settlement", Kind.GRID, f"outage of {wh} Wh", "at most the certified capacity")
            outage_wh[0, i] = wh
        return off, outage_wh
