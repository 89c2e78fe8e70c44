"""The checkpoints that an authority publishes while a chain grows: files beside the ledger's own.

One of genesis and one a day, for those who follow later from where they were, and one of the whole ledger. Where
delegates vote on the main chain, one a cycle, too, because only a checkpoint names the elected.
"""

from __future__ import annotations

from pathlib import Path

from .chain import Chain
from .checkpoint import Checkpoint, checkpoint_files, checkpoint_path


class Anchors:
    """A chain's checkpoints so far; the first is of the height at which this begins.

    every: after how many heights the next one is due.
    """

    def __init__(self, chain: Chain, every: int) -> None:
        self._chain, self._every = chain, every
        self.checkpoints: list[Checkpoint] = []
        self._issue()

    def _issue(self) -> None:
        self.checkpoints.append(self._chain.checkpoint())
        self._validators = self._chain.state.validators()[0]

    def keep(self) -> None:
        """To be called after every height: issues the checkpoint that is due, if one is."""
        last, height = self.checkpoints[-1], self._chain.height
        if (
            height >= min(last.height + self._every, last.valid_to)
            or self._chain.state.validators()[0] != self._validators
        ):
            self._issue()

    def write(self, ledger: str | Path) -> None:
        """Write the files beside a ledger that is complete, the whole ledger's among them, instead of those that an
        earlier ledger of this name has left.
        """
        for stale in checkpoint_files(ledger):
            stale.unlink()
        for checkpoint in self.checkpoints:
            checkpoint.write(checkpoint_path(ledger, checkpoint.height))
        self._chain.checkpoint().write(checkpoint_path(ledger))
