"""Where a report comes from: the command, the commit and the versions that made it, without this machine's paths."""

from __future__ import annotations

import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("gridpact", "numpy", "numba", "pandapower", "simbench", "coincurve", "pydantic", "matplotlib")
_ABSOLUTE = re.compile(r"(?P<before>^|[=,:\s\[{'\"])(?P<path>/[^=,:\s\]}'\"]+)")


def command_line(program: str, words: Sequence[str]) -> str:
    """The command as typed; an absolute path as seen from the repository, or by its name alone outside of it."""
    return shlex.join(["python", program, *(_ABSOLUTE.sub(_near, word) for word in words)])


def _near(found: re.Match[str]) -> str:
    path = Path(found["path"])
    return found["before"] + str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name)


def commit() -> str | None:
    """``git describe --always --dirty`` of this repository; None where there is none, no git, or no commit."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return None
    words = [git, "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def origin(command: str | None) -> list[tuple[str, str]]:
    """What the report says of itself: (name, text)."""
    told = [("Command", command), ("Commit", commit()), ("Python", platform.python_version())]
    packages = [(name, metadata.version(name)) for name in PACKAGES]
    return [(name, text) for name, text in told if text is not None] + packages
