"""Does nothing in any role: no trade, no flexibility, no offer, no request. The yardstick for everybody else."""

from __future__ import annotations

from agents.policy import View


def prosumer(view: View) -> None:
    """The idle action is what a view starts from."""


def aggregator(view: View) -> None:
    """The idle action is what a view starts from."""


def eno(view: View) -> None:
    """The idle action is what a view starts from."""
