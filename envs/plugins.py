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

from envs.config import SettingsError

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
    found = {path.stem: path for path in _files(room, folders)}
    return sorted(name for name, path in found.items() if needs is None or hasattr(_module(room, path), needs))


def _files(room: str, folders: Sequence[str | Path]) -> list[Path]:
    """Files of a room; those of a later folder in this list win."""
    places = [ROOMS[room][1], *(Path(f) / room for f in reversed(folders))]
    return [path for place in places for path in sorted(place.glob("*.py")) if not path.stem.startswith("_")]


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
        SettingsError: no such file, a file that cannot be imported, or one that lacks ``needs``; says what there is.
    """
    files = {path.stem: path for path in _files(room, folders)}
    what = f"{key or room} = {name!r}"
    if name not in files:
        near = difflib.get_close_matches(name, list(files), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SettingsError(f"{what}: no such plug-in{hint} (allowed: {', '.join(names(room, folders, needs))})")
    module = _module(room, files[name])
    if needs is not None and not hasattr(module, needs):
        allowed = ", ".join(names(room, folders, needs))
        raise SettingsError(f"{what}: {files[name].name} does not define {needs}() (allowed: {allowed})")
    return module


def _module(room: str, path: Path) -> ModuleType:
    if path.parent == ROOMS[room][1]:
        return importlib.import_module(f"{ROOMS[room][0]}.{path.stem}")
    try:
        return _load_file(room, path.stem, path)
    except Exception as error:  # whatever a user's file raises on import is the user's to read, in one line
        raise SettingsError(f"{path}: cannot be imported: {type(error).__name__}: {error}") from error


def _load_file(room: str, name: str, path: Path) -> ModuleType:
    unique = f"gridpact_plugin_{room}_{name}_{abs(hash(str(path.resolve())))}"
    if unique in sys.modules:
        return sys.modules[unique]
    spec = importlib.util.spec_from_file_location(unique, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[unique] = module
    return module
