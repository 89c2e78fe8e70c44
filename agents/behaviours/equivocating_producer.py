"""Equivocating block producer: when it wins the draw, it signs two blocks and shows them to different validators."""

from __future__ import annotations

from envs.types import Bools


def equivocate(who: Bools, intensity: float) -> Bools:
    """Everybody who plays this does so until it is convicted; the intensity does not matter."""
    return who
