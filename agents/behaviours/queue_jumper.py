"""Queue jumper: when it comes next in the draw, it claims that the producer that is due did not turn up."""

from __future__ import annotations

from envs.types import Bools


def jump(who: Bools, intensity: float) -> Bools:
    """Everybody who plays this does so whenever it comes next; in a turn of its own it is honest."""
    return who
