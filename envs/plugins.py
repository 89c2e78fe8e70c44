"""Plug-ins are found by file name: the value in the YAML is the name of the file.

A room is a package; a scenario may list folders (``plugins:``) that are searched first, each with the same
sub-folders (``market/``, ``dispatch/``, ``behaviours/``, ``cases/``). So a new mechanism is one new file, inside
the repository or outside it.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from envs.settings import SettingsError

ROOT = Path(__file__).resolve().parent.parent
# Behaviours live with the agents, above this layer: the world is handed them by name and never names one itself.
ROOMS = {
    "market": ("envs.market", ROOT / "envs" / "market"),
    "dispatch": ("envs.dispatch", ROOT / "envs" / "dispatch"),
    "behaviours": ("agents.behaviours", ROOT / "agents" / "behaviours"),
    "rules": ("agents.rules", ROOT / "agents" / "rules"),
}


def names(room: str, folders: Sequence[str | Path] = (), needs: str | None = None) -> list[str]:
    """Names of the plug-ins of a room; ``needs`` keeps those that define that attribute."""
    found: set[str] = set()
    for folder in [*(Path(f) / room for f in folders), ROOMS[room][1]]:
        for path in sorted(folder.glob("*.py")):
            if not path.stem.startswith("_") and (needs is None or f"def {needs}(" in path.read_text("utf-8")):
                found.add(path.stem)
    return sorted(found)


def load(
    room: str, name: str, needs: str | None = None, folders: Sequence[str | Path] = (), key: str = ""
) -> ModuleType:
    """The plug-in module ``name`` of ``room``.

    Args:
        room: one of ROOMS.
        name: file name without suffix.
        needs: a function that the module must define to fit the place it is asked for.
        folders: folders outside the repository, searched first.
        key: the setting that named it, for the error.

    Raises:
        SettingsError: no such file, or it lacks ``needs``; lists what there is.
    """
    allowed = names(room, folders, needs)
    if name not in allowed:
        near = difflib.get_close_matches(name, allowed, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SettingsError(f"{key or room} = {name!r}: no such plug-in{hint} (allowed: {', '.join(allowed)})")
    for folder in folders:
        path = Path(folder) / room / f"{name}.py"
        if path.is_file():
            return _load_file(room, name, path)
    return importlib.import_module(f"{ROOMS[room][0]}.{name}")


def _load_file(room: str, name: str, path: Path) -> ModuleType:
    unique = f"gridpact_plugin_{room}_{name}_{abs(hash(str(path.resolve())))}"
    if unique in sys.modules:
        return sys.modules[unique]
    spec = importlib.util.spec_from_file_location(unique, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[unique] = module
    spec.loader.exec_module(module)
    return module
