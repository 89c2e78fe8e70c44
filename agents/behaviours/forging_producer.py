"""Forging block producer: when it wins the draw, it alters another node's record in its own favour."""

from __future__ import annotations

from envs.types import Bools


def forge(who: Bools, intensity: float) -> Bools:
    """Everybody who plays this forges every block that falls to them; the intensity does not matter."""
    return who
