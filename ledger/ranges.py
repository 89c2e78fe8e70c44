"""What a figure may be at most, by the unit that its field's name ends in.

More is no figure of a distribution grid. Every integer fits 64 bits, and an energy times a price does, too: whoever
executes a foreign record again meets no overflow. Every record that is read from bytes is held against it; what this
program writes itself stays far below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .fields import Field, SchemaError

INT64 = 2**63 - 1
_BY_NAME = {
    "requote_ppm": 10**6, "shed_ppm": 10**6, "charge_hold_ppm": 10**6, "loading_ppm": INT64, "loadings_ppm": 10**9,
    "twin_loadings_ppm": 10**9, "voltages_micro_pu": 10**7, "twin_voltages_micro_pu": 10**7,
}  # fmt: skip
_BY_UNIT = {
    "_ppm": 10**7, "_wh": 2**32, "_varh": 2**32, "_w": 2**40, "price_micro": 2**30, "subsidy_micro": 2**30,
    "_micro": 2**53,
}  # fmt: skip
SIGNED, UNSIGNED = ("int", "ints"), ("uint", "uints")


def range_of(name: str, type_name: str) -> tuple[int, int]:
    """The lowest and highest integer of a field or column; both of them hold every integer from 0 to 127."""
    most = _BY_NAME.get(name) or next((each for unit, each in _BY_UNIT.items() if name.endswith(unit)), INT64)
    return (-most if type_name in SIGNED and not name.endswith("voltages_micro_pu") else 0), most


def out_of_range(kind: str, fields: Sequence[Field], body: Sequence[Any]) -> SchemaError | None:
    """The first integer of a body of the right types that is out of its range; None where all are inside."""
    for field, value in zip(fields, body, strict=True):
        for name, type_name, numbers in _numbers(field, value):
            low, high = range_of(name, type_name)
            found = next((number for number in numbers if not low <= number <= high), None)
            if found is not None:
                return SchemaError(f"{kind}.{name} is out of {low}..{high}: {str(found)[:60]}")
    return None


def _numbers(field: Field, value: Any) -> Iterator[tuple[str, str, Sequence[int]]]:
    """The integers of a field, column by column where it holds rows."""
    columns = list(zip(field.columns, field.column_types, strict=True))
    for name, type_name, values in (
        [(name, type_name, [row[k] for row in value]) for k, (name, type_name) in enumerate(columns)]
        if columns
        else [(field.name, field.type_name, [value])]
    ):
        if type_name in ("int", "uint"):
            yield name, type_name, values
        elif type_name in ("ints", "uints"):
            yield name, type_name, [number for numbers in values for number in numbers]
