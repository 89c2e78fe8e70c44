"""Over-declaring prosumer: truthful in all but its schedule, which announces more injection than it will have.

Where a baseline is what sites declare, less injection than declared looks like flexibility.
"""

from __future__ import annotations

from agents import bargaining, household
from agents.policy import View

EXCESS = 0.1  # declared too much, of the site's certified capacity


def prosumer(view: View) -> None:
    """Quote and limit at the own valuation; file a schedule above the own forecast."""
    worth = household.valuation(view, household.run_storage(view))
    bargaining.order(view, worth, worth, 0.5)
    view["schedule_shift"] = EXCESS
