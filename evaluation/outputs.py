"""What a run writes to its folder is listed there, so that the next one leaves nothing of it beside its own report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from envs.config import SettingsError
from evaluation.runs import Job, remove_ledger

LIST = "outputs.json"
SCHEMA = "gridpact/outputs/1"
LEDGERS = "ledgers"
REPORT = ("report.html", "metrics.json", "metrics.csv")
COMPARED = ("comparison.md", "comparison.json")


def begin(out: Path, jobs: Sequence[Job], compared: bool) -> None:
    """Remove what an earlier run listed, ledgers with their checkpoints, and list what this one will write.

    Nothing else in the folder is touched. The list is written before anything is played: it names what a run that was
    interrupted left, too.

    Raises:
        SettingsError: a list in the folder that no run wrote.
    """
    for name in _listed(out):
        path = out / name
        if name in (*REPORT, *COMPARED):
            path.unlink(missing_ok=True)
        else:
            remove_ledger(path)
            remove_ledger(path.with_name(path.name + ".part"))
    ledgers = [f"{LEDGERS}/{job.ledger.name}" for job in jobs if job.ledger is not None]
    names = [*REPORT, *(COMPARED if compared else ()), *ledgers]
    (out / LIST).write_text(json.dumps({"schema": SCHEMA, "files": names}, indent=1) + "\n", encoding="utf-8")


def _listed(out: Path) -> list[str]:
    """The files of the list in the folder; none where there is no list."""
    path = out / LIST
    if not path.exists():
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        names = found["files"] if found["schema"] == SCHEMA else None
    except (ValueError, KeyError, TypeError):
        names = None
    if not isinstance(names, list) or not all(_may_be_ours(name) for name in names):
        raise SettingsError(f"{path}: not a list of this program's outputs; choose another --out, or move it away")
    return names


def _may_be_ours(name: object) -> bool:
    if not isinstance(name, str):
        return False
    path = PurePosixPath(name)
    return name in (*REPORT, *COMPARED) or (path.parts == (LEDGERS, path.name) and path.suffix == ".sqlite")
