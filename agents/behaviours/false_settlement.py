"""False settlement: when it wins the draw, it and the operator sign contract results in its own favour."""

from __future__ import annotations

from envs.types import Bools


def misstate(who: Bools, intensity: float) -> Bools:
    """Everybody who plays this does so in every block that falls to them; the intensity does not matter."""
    return who
