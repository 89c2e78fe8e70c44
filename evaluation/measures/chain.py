"""The chain: its size, whether it is sound, and who sealed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from envs.types import Floats
from envs.world import World
from evaluation.daybook import DayBook
from evaluation.measures.base import Metric, Value

if TYPE_CHECKING:
    from evaluation.runs import ChainFacts, RunResult


def shares(world: World, book: DayBook) -> tuple[Floats, Floats]:
    """(N,) share of verified energy in the week before and the run, (N,) share of the blocks sealed; in percent."""
    ledger = world.scenario.ledger
    verified = book.history_wh + book.accepted_wh[..., :2].sum(axis=0)
    energy = ledger.alpha * verified[:, 0] + ledger.beta * verified[:, 1]
    sealed = np.bincount(book.producers[(book.producers >= 0) & (book.producers < book.sites)], minlength=book.sites)
    return 100.0 * energy / max(float(energy.sum()), 1.0), 100.0 * sealed / max(int(sealed.sum()), 1)


def _chain(run: RunResult, read: str) -> Value:
    facts: ChainFacts | None = run.chain
    return None if facts is None else float(getattr(facts, read))


METRICS = [
    Metric(
        "chain",
        "blocks",
        "blocks",
        "in the stored chain, genesis and closing blocks included",
        private=lambda w, r: _chain(r, "blocks"),
        summary=True,
    ),
    Metric(
        "chain", "records", "records", "in the stored chain", private=lambda w, r: _chain(r, "records"), summary=True
    ),
    Metric("chain", "ledger_size", "bytes", "of the ledger file", private=lambda w, r: _chain(r, "size_bytes")),
    Metric(
        "chain",
        "ledger_sound",
        "1 or 0",
        "1: verified from the file after the run, no fault",
        private=lambda w, r: _chain(r, "sound"),
        summary=True,
        better=1,
    ),
    Metric(
        "chain",
        "figures_differing",
        "metrics",
        "public metrics that the ledger file does not reproduce",
        private=lambda w, r: None if r.chain is None else float(len(r.chain.differing)),
        better=-1,
    ),
]
