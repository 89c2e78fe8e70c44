"""Reading settings: YAML files, single overrides, and errors of one line that say what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Price = Annotated[int, Field(ge=0, le=10_000_000)]  # micro-currency per kWh
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]


class SettingsError(ValueError):
    """A setting that cannot be: one line naming file, key, value and what is allowed."""


class Section(BaseModel):
    """A block of settings: frozen, no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


SectionT = TypeVar("SectionT", bound=Section)


def _allowed_keys(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Field names allowed where ``path`` points, for an error about an unknown key."""
    current: type[BaseModel] = model
    for part in path:
        field = current.model_fields.get(str(part))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
            return []  # inside a list or a mapping: the message has to do
        current = field.annotation
    return sorted(current.model_fields)


def _explain(error: Mapping[str, Any], model: type[BaseModel], source: str) -> str:
    path = [str(part) for part in error["loc"]]
    key = ".".join(path) or "(top level)"
    if error["type"] == "extra_forbidden":
        if "." in path[-1]:
            return f"{source}: {key} is not a setting: write it as {nest(path[-1], error['input'])}"
        allowed = _allowed_keys(model, path[:-1])
        near = difflib.get_close_matches(path[-1], allowed, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{source}: {key} is not a setting{hint} (allowed here: {', '.join(allowed)})"
    message = str(error["msg"]).removeprefix("Value error, ")
    given = error["input"]
    shown = f" = {given!r}" if not isinstance(given, (Mapping, BaseModel)) else ""
    return f"{source}: {key}{shown}: {message[:1].lower() + message[1:]}"


def whole_number(name: str, value: object, least: int, most: int | None = None) -> int:
    """``value`` as an int; numpy's integers are some too.

    Raises:
        ValueError: no whole number, or one outside ``least`` … ``most``; names it and says what is allowed.
    """
    if isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
        if number >= least and (most is None or number <= most):
            return number
    bounds = f"at least {least}" if most is None else f"{least} to {most}"
    raise ValueError(f"{name} = {value!r}: a whole number is needed (allowed: {bounds})")


def validate(model: type[SectionT], values: Mapping[str, Any], source: str) -> SectionT:
    """Check ``values`` against ``model``; raise SettingsError with one line for the first fault."""
    try:
        return model.model_validate(_tuples(values))
    except ValidationError as error:
        raise SettingsError(_explain(error.errors()[0], model, source)) from None


def _tuples(value: Any) -> Any:
    """YAML has lists only; the settings are frozen, so sequences become tuples."""
    if isinstance(value, Mapping):
        return {key: _tuples(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(_tuples(item) for item in value)
    return value


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Deep merge of two mappings; a key of ``over`` wins, a null removes the key of ``base``."""
    merged = dict(base)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def checked_overrides(overrides: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Overrides as a program hands them over. Raises SettingsError where they are neither a mapping nor None."""
    if not isinstance(overrides, (Mapping, type(None))):
        raise SettingsError(
            f"overrides = {overrides!r}: a nested mapping is needed, as {nest('market.feed_in', 90000)}"
        )
    return overrides or {}


def parse_overrides(pairs: Iterable[str]) -> dict[str, Any]:
    """``["market.feed_in=90000"]`` → nested mapping; values are read as YAML."""
    nested: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise SettingsError(f"--set {pair!r}: write key.subkey=value, for example market.feed_in=90000")
        try:
            value: Any = yaml.safe_load(text)
        except yaml.YAMLError:
            raise SettingsError(f"--set {pair!r}: the value is not valid YAML") from None
        nested = merge(nested, nest(key, value))
    return nested


def nest(key: str, value: Any) -> dict[str, Any]:
    """``"market.feed_in", 90000`` → ``{"market": {"feed_in": 90000}}``."""
    for part in reversed(key.split(".")):
        value = {part: value}
    nested: dict[str, Any] = value
    return nested


class _Loader(yaml.SafeLoader):
    """YAML without doubled keys: of two values one would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node. Raises ConstructorError for a key that is there twice."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"{key} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


def config_file(config: str | Path, room: Path) -> Path:
    """The YAML file of a path, or of a bare name in the folder ``room``.

    Raises:
        SettingsError: neither text nor path, a folder, a file of another kind, or a path without a suffix to no file.
    """
    if not isinstance(config, (str, Path)):
        raise SettingsError(f"config = {config!r}: no settings (allowed: a file, a name under configs/{room.name})")
    path = Path(config)
    if path.suffix in (".yaml", ".yml"):
        return path
    named = room / f"{path}.yaml"
    if named.is_file() or not (path.exists() or len(path.parts) > 1):
        return named
    fault = "is a folder" if path.is_dir() else "is no .yaml file" if path.is_file() else "no such file"
    names = ", ".join(sorted(file.stem for file in room.glob("*.yaml")))
    raise SettingsError(f"{path}: {fault} (allowed: a .yaml file, or a name under configs/{room.name}: {names})")


def read_yaml(path: str | Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a YAML mapping; ``extends: other.yaml`` starts from another file of the same folder.

    Args:
        path: the file.
        above: files that extend this one, to end a circle.

    Raises:
        SettingsError: no such file, not valid YAML, a doubled key, a circle of files.
    """
    path = Path(path)
    if path.resolve() in above:
        raise SettingsError(f"{path}: extends itself, by way of {len(above)} file(s)")
    if path.is_dir():
        raise SettingsError(f"{path}: is a folder, not a .yaml file")
    if not path.is_file():
        near = sorted(p.name for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        raise SettingsError(f"{path}: no such file" + (f" (there are: {', '.join(near)})" if near else ""))
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: a mapping of settings is expected, not {type(values).__name__}")
    parent = values.pop("extends", None)
    if parent is not None:
        if not isinstance(parent, str):
            raise SettingsError(f"{path}: extends = {parent!r}: a file name is expected")
        values = merge(read_yaml(path.parent / parent, (*above, path.resolve())), values)
    return values
