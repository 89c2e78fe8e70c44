"""What goes wrong with a grid, said in one error class."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

FEW = 20  # names that one line can list


class GridError(ValueError):
    """A grid that is unknown, or that the feeder model cannot hold; the message says why and what is
    allowed."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> GridError:
    """A `GridError` for a name that does not exist, with the closest names that do, or all where they are few."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=5, cutoff=0.6)
    hints = [f"did you mean {', '.join(close)}?"] if close else []
    if not close or len(names) <= FEW:
        hints.append(f"allowed: {', '.join(names[:40])}")
    return GridError(f"unknown {kind} {name!r}; {' '.join(hints)}")
