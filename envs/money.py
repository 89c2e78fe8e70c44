"""The flows of money, in the order of the settlement table; a payment on the ledger names one by its number."""

from __future__ import annotations

FLOWS = (
    "trade",
    "network charge",
    "surplus",
    "deficit",
    "activation",
    "subsidy",
    "user shortfall",
    "aggregator shortfall",
    "upper-level order",
    "upper-level missing",
    "losses",
    "cut of last resort",
    "outage",
)
(
    TRADE,
    CHARGE,
    SURPLUS,
    DEFICIT,
    ACTIVATION,
    SUBSIDY,
    USER_SHORTFALL,
    AGGREGATOR_SHORTFALL,
    UPPER_ORDER,
    UPPER_MISSING,
    LOSSES,
    LAST_RESORT,
    OUTAGE,
) = range(len(FLOWS))
