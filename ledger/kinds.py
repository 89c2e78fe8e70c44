"""The kinds of record: their fields, who may write and who may read them, which follows which.

SCHEMAS is the one place where a body's fields are named: `show` prints by it and every record is validated
against it. A field is "name type"; types are uint, int, bytes, address (20), party (20, or empty for
nobody), hash (32, or empty where nothing precedes), key (33), signature (64, or empty), uints and ints (lists),
hashes (list), and "name [column type, ...]" for a list of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from .encoding import Value
from .fields import Field, misfit, parse_field
from .identity import Role
from .ranges import out_of_range


class Kind(IntEnum):
    """What a record says."""

    GENESIS = 1
    CERTIFICATE = 2
    REVOCATION = 3
    HISTORY = 4
    REGISTRATION = 5
    OFFER = 6
    ORDER = 7
    TRADE = 8
    READING = 9
    VERIFICATION = 10
    TTX = 11
    DTX = 12
    VTX = 13
    ATX = 14
    SETTLEMENT = 15
    CREDIT = 16
    GRID = 17
    REFUSAL = 18
    CONTRACT = 19
    CLOSING = 20
    EQUIVOCATION = 21
    BALLOT = 22
    PATHS = 23
    FORECAST = 24
    ESTIMATE = 25
    CONDITIONS = 26
    APPLICATION = 27
    ADMISSION = 28
    SITE = 29
    STATUS = 30


_TRANSFERS = (
    "transfers [flow uint, period uint, payer address, payee address, energy_wh uint, price_micro uint,"
    " amount_micro uint]"
)

FIELDS: dict[Kind, tuple[str, ...]] = {
    Kind.GENESIS: (
        "name bytes", "time_s uint", "authority_key key", "period_s uint", "alpha_ppm uint", "beta_ppm uint",
        "gamma uint", "window_periods uint", "credit_threshold_ppm uint", "signing uint", "consensus bytes",
        "record_lifetime_blocks uint", "delegates uint", "bar_cycles uint",
        "siblings [business bytes, rule bytes]",
    ),
    Kind.CERTIFICATE: (
        "subject bytes", "public_key key", "role uint", "serial uint", "valid_from uint", "valid_to uint",
        "capacity_w uint", "signature signature",
    ),
    Kind.REVOCATION: ("serial uint", "reason bytes"),
    Kind.HISTORY: ("site address", "generated_wh uints", "consumed_wh uints"),
    Kind.REGISTRATION: ("period uint", "aggregator party"),
    Kind.OFFER: (
        "period uint", "subsidy_micro uint", "price_micro uint", "volumes_wh uints",
        "credit_threshold_ppm uint",
    ),
    Kind.ORDER: (
        "period uint", "quantity_wh int", "opening_price_micro uint", "limit_price_micro uint",
        "requote_ppm uint", "blocks [request uint, volume_wh uint, price_micro uint]", "storage_w int",
        "shed_ppm uint", "plan_w ints", "preference_ppm ints", "reactive_ppm int", "charge_hold_ppm uint",
        "heat_shift_ppm int",
    ),
    Kind.TRADE: ("period uint", "buyer address", "seller address", "energy_wh uint", "price_micro uint"),
    Kind.READING: ("period uint", "generated_wh uint", "consumed_wh uint", "storage_wh int"),
    Kind.VERIFICATION: (
        "period uint",
        "rows [site address, generated_wh uint, consumed_wh uint, storage_wh int, caught uint]",
    ),
    Kind.TTX: (
        "previous hash", "cause uint", "period uint", "periods uint", "direction int", "place int",
        "need_w uint", "asked_wh uint", "reserve_price_micro uint", "upper_price_micro uint",
    ),
    Kind.DTX: (
        "previous hash", "verdict uint", "reopened uint",
        "passes [method uint, proven uint, energy_wh uint, low_micro_pu int, high_micro_pu int, loading_ppm int,"
        " rounds uint, messages uint, ticks uint, broken ints]",
        "awards [aggregator address, admitted_wh uint, awarded_wh uint, price_micro uint]",
        "adjustments [site address, aggregator address, energy_wh uint, subsidy_micro uint, baseline_w ints]",
        "cuts [site address, energy_wh int]", "before ints", "after ints",
    ),
    Kind.VTX: ("previous hash", "rows [period uint, site address, ordered_wh uint, verified_wh uint]"),
    Kind.ATX: ("previous hash", "trail hashes", _TRANSFERS),
    Kind.SETTLEMENT: ("period uint", _TRANSFERS),
    Kind.CREDIT: ("period uint", "rows [node address, credit_ppm uint, score_ppm uint]"),
    Kind.GRID: (
        "period uint", "voltages_micro_pu ints", "loadings_ppm ints", "twin_voltages_micro_pu ints",
        "twin_loadings_ppm ints", "flow_wh int", "losses_wh int", "technical_losses_wh int",
        "trade_losses_wh ints", "exchange_losses_wh int", "reactive_varh ints",
        "outages [site address, energy_wh int]",
    ),
    Kind.REFUSAL: (
        "height uint", "round uint", "producer address", "fault uint", "header bytes", "signature signature",
    ),
    Kind.CONTRACT: ("name bytes", "version uint", "parameter_hash hash", "from_height uint"),
    Kind.CLOSING: ("blocks uint", "records uint", "head hash"),
    Kind.EQUIVOCATION: (
        "producer address", "header bytes", "signature signature", "other_header bytes",
        "other_signature signature",
    ),
    Kind.BALLOT: ("candidate party",),
    Kind.PATHS: ("period uint", "rows [trade uint, distance_micro_pu uint, charge_micro uint, buses uints]"),
    Kind.FORECAST: ("period uint", "net_w ints"),
    Kind.ESTIMATE: (
        "period uint", "rows [site address, net_w ints]", "appliances [site address, demand_w ints, rebound_w ints]",
        "batteries [site address, plan_w ints, rebound_w ints]",
    ),
    Kind.CONDITIONS: (
        "roles uints", "least_capacity_w uint", "most_capacity_w uint", "energy_types uint", "buses uint",
        "least_periods uint",
    ),
    Kind.APPLICATION: (
        "subject bytes", "public_key key", "role uint", "bus uint", "energy_types uint", "capacity_w uint",
        "generated_wh uints", "consumed_wh uints", "signature signature",
    ),
    Kind.SITE: ("site address", "bus uint", "energy_types uint", "rated_w uint", "storage_wh uint"),
    Kind.STATUS: (
        "period uint", "retail_price_micro uint", "feed_in_price_micro uint", "peer_price_micro uint", "traded_wh uint",
        "sun_ppm uint",
    ),
    Kind.ADMISSION: ("application hash", "serial uint", "broken uint"),
}  # fmt: skip

_EVERYBODY = frozenset((Role.ENO, Role.AGGREGATOR, Role.PROSUMER))
_ENO = frozenset((Role.ENO,))
_AUTHORITY = frozenset((Role.AUTHORITY,))
SENDERS: dict[Kind, frozenset[Role]] = dict.fromkeys(Kind, _ENO) | {
    Kind.GENESIS: _AUTHORITY,
    Kind.CERTIFICATE: _AUTHORITY,
    Kind.REVOCATION: _AUTHORITY,
    Kind.HISTORY: _AUTHORITY,
    Kind.CONTRACT: _AUTHORITY,
    Kind.CONDITIONS: _AUTHORITY,
    Kind.SITE: _AUTHORITY,
    Kind.APPLICATION: _EVERYBODY,
    Kind.REGISTRATION: frozenset((Role.PROSUMER,)),
    Kind.OFFER: frozenset((Role.AGGREGATOR,)),
    Kind.ORDER: frozenset((Role.PROSUMER,)),
    Kind.READING: _EVERYBODY,
    Kind.REFUSAL: _EVERYBODY,
    Kind.EQUIVOCATION: _EVERYBODY,
    Kind.BALLOT: _EVERYBODY,
    Kind.FORECAST: frozenset((Role.PROSUMER,)),
}

# What concerns everybody. The rest is not for light nodes to read, so its ids must tell nothing either (`access.py`).
PUBLIC_KINDS = frozenset(
    (
        Kind.GENESIS, Kind.CERTIFICATE, Kind.REVOCATION, Kind.CONTRACT, Kind.CONDITIONS, Kind.ADMISSION, Kind.STATUS,
        Kind.TTX, Kind.REFUSAL, Kind.EQUIVOCATION, Kind.CLOSING,
    )
)  # fmt: skip
HIDDEN = [kind in Kind.__members__.values() and kind not in PUBLIC_KINDS for kind in range(max(Kind) + 1)]  # by kind

# Paper 000's chain of an event: each kind holds the id of the record of the kind before it.
PREDECESSOR: dict[Kind, Kind | None] = {
    Kind.TTX: None,
    Kind.DTX: Kind.TTX,
    Kind.VTX: Kind.DTX,
    Kind.ATX: Kind.VTX,
}

SCHEMAS: dict[Kind, tuple[Field, ...]] = {kind: tuple(map(parse_field, texts)) for kind, texts in FIELDS.items()}


def validate_body(kind: Kind, body: Sequence[Value]) -> None:
    """SchemaError when the body's length or a field's type is not the table's, or an integer is out of its range."""
    found = misfit(kind.name, SCHEMAS[kind], body) or out_of_range(kind.name, SCHEMAS[kind], body)
    if found is not None:
        raise found
