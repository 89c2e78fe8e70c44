"""From a grid's name to its pandapower net: `simbench:<code>`, `pandapower:<function>`, `case:<file>`, `file:<path>`.

`file:` reads a net that pandapower's `to_json` has written. pandapower builds the objects that such a file names, so
load only files that you trust, as with a case's Python.

pandapower and simbench are imported inside the functions: a grid that is in the cache never pays for them.
"""

from __future__ import annotations

import importlib.util
import inspect
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envs.grid.errors import GridError, unknown_name

OWN_CASES = Path(__file__).parent / "cases"
KINDS = ("simbench", "pandapower", "case", "file")


@dataclass(frozen=True)
class Source:
    """Where a net comes from. `file` is set for cases and files."""

    kind: str
    key: str
    file: Path | None = None

    @property
    def content(self) -> bytes:
        """What a cache entry depends on beyond the name: the text of the file."""
        return self.file.read_bytes() if self.file is not None else b""


def find_source(name: str, case_folders: Sequence[Path] = ()) -> Source:
    """Split and check a grid's name; a case is looked up in `case_folders` first, then among our own.

    A file's path is taken from the working directory, then from `case_folders`. Raises GridError when the kind, the
    case or the file does not exist.
    """
    kind, colon, key = name.partition(":")
    if not colon or kind not in KINDS or not key:
        allowed = ", ".join(f"{known}:<name>" for known in KINDS)
        raise GridError(f"grid {name!r} has no known kind; allowed: {allowed}")
    if kind == "file":
        return Source(kind, key, _json_file(key, case_folders))
    if kind != "case":
        return Source(kind, key)
    files: dict[str, Path] = {}
    for folder in (*case_folders, OWN_CASES):
        for file in sorted(Path(folder).glob("*.py")):
            if not file.name.startswith("_"):
                files.setdefault(file.stem, file)
    if key not in files:
        raise unknown_name("case", key, files)
    return Source(kind, key, files[key])


def _json_file(key: str, folders: Sequence[Path]) -> Path:
    for path in (Path(key).expanduser(), *(Path(folder) / key for folder in folders)):
        if path.is_file():
            return path
    raise GridError(f"grid file {key!r} does not exist; a net written by pandapower.to_json is needed")


def build_net(source: Source) -> Any:
    """The pandapower net of a source (a fresh object). Raises GridError when there is none."""
    if source.kind == "simbench":
        return _simbench_net(source.key)
    if source.kind == "pandapower":
        return _pandapower_net(source.key)
    if source.kind == "file":
        return _json_net(source)
    return _case_net(source)


def _json_net(source: Source) -> Any:
    import pandapower

    assert source.file is not None
    try:
        net = pandapower.from_json_string(source.file.read_text(encoding="utf-8"))
    except Exception as failure:  # whatever its decoder meets in a file that it has not written
        raise GridError(f"{source.file} is not a net in pandapower's JSON format: {failure}") from failure
    return _checked_net(net, str(source.file))


def _simbench_net(code: str) -> Any:
    import simbench

    codes = simbench.collect_all_simbench_codes()
    if code not in codes:
        raise unknown_name("SimBench code", code, codes)
    return simbench.get_simbench_net(code)


def _pandapower_net(key: str) -> Any:
    import pandapower.networks as networks

    functions = {
        name: function
        for name, function in inspect.getmembers(networks, inspect.isfunction)
        if function.__module__.startswith("pandapower.networks")
        and not name.startswith("_")
        and _argument_free(function)
    }
    if key not in functions:
        raise unknown_name("function of pandapower.networks without required arguments", key, functions)
    return _checked_net(_seeded(functions[key]), f"pandapower.networks.{key}")


def _seeded(function: Callable[[], Any]) -> Any:
    """Call with both global generators at a fixed seed: some of pandapower's networks draw their line
    lengths."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        return function()
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002


def _argument_free(function: Any) -> bool:
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return all(p.default is not inspect.Parameter.empty or p.kind in free for p in parameters)


def _case_net(source: Source) -> Any:
    assert source.file is not None
    spec = importlib.util.spec_from_file_location(f"gridpact_case_{source.key}", source.file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    build = getattr(module, "build", None)
    if not callable(build):
        raise GridError(f"{source.file} defines no function build(); a case's returns a pandapowerNet")
    return _checked_net(build(), f"{source.file}: build()")


def _checked_net(net: Any, origin: str) -> Any:
    from pandapower.auxiliary import pandapowerNet

    if not isinstance(net, pandapowerNet):
        raise GridError(f"{origin} returns {type(net).__name__}; a pandapowerNet is needed")
    return net
