"""Parsed grids kept as .npz files, so that pandapower and simbench (seconds to import) are read once per
grid.

The key holds everything that the content depends on: the grid's name, the versions of the two libraries, the
format number and, for a case file, the hash of its text. A file that cannot be read is treated as absent and
rebuilt.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from envs.grid.errors import GridError

FORMAT = 6  # raise it whenever the meaning of a stored array changes

Arrays = dict[str, np.ndarray]


def cache_folder() -> Path:
    """`${XDG_CACHE_HOME:-~/.cache}/gridpact`."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "gridpact"


def cached(name: str, part: str, content: bytes, build: Callable[[], Mapping[str, np.ndarray]]) -> Arrays:
    """Arrays of one `part` of grid `name`: read from the cache, or built and stored.

    `content` is what else the result depends on (a case file's text). No pickled object is ever read.
    """
    path = cache_folder() / f"{_slug(name)}-{part}-{_key(name, part, content)}.npz"
    stored = _read(path)
    if stored is not None:
        return stored
    arrays = {key: np.asarray(value) for key, value in build().items()}
    _write(path, arrays)
    return arrays


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name)[:60]


def _key(name: str, part: str, content: bytes) -> str:
    versions = "/".join(f"{package}={_version(package)}" for package in ("pandapower", "simbench"))
    text = f"{FORMAT}|{name}|{part}|{versions}|{hashlib.sha256(content).hexdigest()}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as missing:
        raise GridError(f"grids need the package {package}, which is not installed") from missing


def _read(path: Path) -> Arrays | None:
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as damage:
        warnings.warn(f"{path} cannot be read ({damage}); it is built again", stacklevel=3)
        return None


def _write(path: Path, arrays: Arrays) -> None:
    """Write to a temporary neighbour and rename: another process sees the whole file or none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    except OSError as refused:
        warnings.warn(f"{path.parent} cannot be written ({refused}); the grid is not cached", stacklevel=3)
        return
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
