"""Numeric kernels are compiled at their first call and kept on disk; who waits for that should know."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from envs.phases.settle import amount_of

COMPILING = "compiling kernels, once: a minute or two on an idle machine, until then nothing moves"


def compiled(kernel: Any = amount_of) -> bool:
    """Whether a kernel lies compiled where numba keeps it (``NUMBA_CACHE_DIR``, too) and is no older than its source.

    The default is one that only settlement calls, so most others come before it. Without compilation
    (``NUMBA_DISABLE_JIT``) there is nothing to wait for.
    """
    if not hasattr(kernel, "stats"):
        return True
    source = Path(kernel.py_func.__code__.co_filename)
    tag = f"py{sys.version_info.major}{sys.version_info.minor}"
    kept = Path(kernel.stats.cache_path).glob(f"{source.stem}.{kernel.__name__}-*.{tag}*.nbi")
    return any(index.stat().st_mtime >= source.stat().st_mtime for index in kept)


def say_compiling() -> None:
    """One line on stderr where the first period will have to wait for the compiler."""
    if not compiled():
        print(COMPILING, file=sys.stderr, flush=True)
