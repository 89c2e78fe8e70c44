"""Scenario settings: typed, frozen, checked; an impossible value names its file, key and what is allowed.

Prices are integers in micro-currency per kWh (80000 = 0.08 currency per kWh), as on the ledger.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

Price = Annotated[int, Field(ge=0, le=10_000_000)]  # micro-currency per kWh
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
CONFIG_ROOT = Path(__file__).resolve().parent.parent / "configs"


class SettingsError(ValueError):
    """A setting that cannot be: one line naming file, key, value and what is allowed."""


class Section(BaseModel):
    """A block of settings: frozen, no unknown keys, no silent conversion of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class GridSettings(Section):
    """Which net is played, and the band the operator plans for (the net's own limits are reported beside it)."""

    net: str = "simbench:1-LV-rural1--2-sw"
    band_low_pu: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    band_high_pu: Annotated[float, Field(gt=1.0, lt=1.5)] = 1.05
    loading_limit: Annotated[float, Field(gt=0.0, le=2.0)] = 1.0


class CalendarSettings(Section):
    """Which day of the profile year an episode plays; a range means one drawn per episode."""

    first_day: Annotated[int, Field(ge=0, le=365)] = 168
    last_day: Annotated[int, Field(ge=0, le=365)] = 168
    periods: Annotated[int, Field(ge=1, le=96 * 366)] = 96

    @model_validator(mode="after")
    def _ordered(self) -> CalendarSettings:
        if self.last_day < self.first_day:
            raise ValueError(f"last_day must be at least first_day ({self.first_day})")
        return self


class SiteSettings(Section):
    """What the sites own beyond the net's tables, and how uncertain their output is."""

    added_pv_share: Fraction = 0.3
    added_pv_kwp: Positive = 5.0
    added_storage_share: Fraction = 0.3
    added_storage_kwh: Positive = 10.0
    added_storage_kw: Positive = 5.0
    max_site_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.15  # of all PV, and of all storage, of the net
    initial_charge: Fraction = 0.3
    flexible_load_share: Fraction = 0.2
    pv_output_noise: Annotated[float, Field(ge=0.0, le=0.5)] = 0.08
    load_output_noise: Annotated[float, Field(ge=0.0, le=0.5)] = 0.08
    forecast_noise: Annotated[float, Field(ge=0.0, le=0.5)] = 0.03
    operator_forecast_noise: Annotated[float, Field(ge=0.0, le=0.5)] = 0.05
    witness_noise: Annotated[float, Field(ge=0.0, le=0.2)] = 0.01
    degradation_price: Price = 20_000  # per kWh charged or discharged
    discomfort_price: Price = 150_000  # per kWh of load put off


class MarketSettings(Section):
    """Mechanisms by file name, tariffs, and the rules of money."""

    trading: str = "two_stage_double"
    request: str = "fpsa"
    dispatch: str = "admm"
    aggregators: Annotated[int, Field(ge=1, le=16)] = 4
    feed_in: Price = 80_000
    retail: Price = 300_000
    network_charge: Price = 20_000
    reference_price: Literal["volume_weighted", "plain"] = "volume_weighted"
    shortfall_factor: Annotated[float, Field(ge=1.0, le=10.0)] = 1.5
    baseline: Literal["declared", "estimated", "clipped"] = "clipped"
    baseline_tolerance: Fraction = 0.02  # of the generation and demand that the operator expects at the site
    max_event_periods: Annotated[int, Field(ge=1, le=8)] = 4
    max_price: Price = 600_000  # ceiling of any limit, offer or subsidy
    safety_loops: Annotated[int, Field(ge=1, le=20)] = 6

    @model_validator(mode="after")
    def _tariffs(self) -> MarketSettings:
        if not self.feed_in < self.retail <= self.max_price:
            raise ValueError("feed_in < retail <= max_price must hold")
        return self


class UpperOrder(Section):
    """A flexibility order of the upper level: power held for some periods at a price.

    ``direction`` up means more injection into the grid, down means less.
    """

    start_period: Annotated[int, Field(ge=0, le=95)]
    periods: Annotated[int, Field(ge=1, le=8)]
    direction: Literal["up", "down"]
    power_kw: Positive
    price: Price


class StandingSettings(Section):
    """How credit moves (papers 001, 002) and how the composite score is weighed (paper 003 eq. 1)."""

    initial_credit: Fraction = 0.8
    learning_rate: Fraction = 0.15
    false_meter_penalty: Fraction = 0.10
    forged_block_penalty: Fraction = 0.30
    admission_threshold: Fraction = 0.35
    score_alpha: Fraction = 0.5
    meter_tolerance: Fraction = 0.05
    meter_tolerance_wh: Annotated[int, Field(ge=0)] = 25


class LedgerSettings(Section):
    """``full`` signs, ``hashes`` only hashes, ``off`` keeps no chain; who is believed and paid is the same."""

    mode: Literal["full", "hashes", "off"] = "full"
    signing: Literal["period", "record"] = "period"
    consensus: str = "poe"
    gamma: Annotated[int, Field(ge=1, le=10_000)] = 100
    alpha: Fraction = 0.5  # weight of a generated Wh in Proof of Energy (paper 000 eq. 3)
    beta: Fraction = 0.5  # weight of a consumed Wh
    durability: Literal["full", "normal"] = "full"

    @field_validator("mode", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        """YAML reads a bare ``off`` as false; what is meant is clear."""
        return "off" if value is False else value

    @model_validator(mode="after")
    def _weights(self) -> LedgerSettings:
        if self.alpha + self.beta <= 0:
            raise ValueError("alpha and beta must not both be 0")
        return self


class RewardSettings(Section):
    """Scales that bring rewards to order 1, and what a violation costs the operator."""

    prosumer_scale: Positive = 1.0  # currency per unit of reward
    aggregator_scale: Positive = 0.1
    eno_scale: Positive = 1.0
    voltage_penalty: NotNegative = 200.0  # currency per pu·h outside the band, summed over buses
    overload_penalty: NotNegative = 80.0  # currency per overload·h, summed over branches
    averted_share: Fraction = 0.5  # of the penalty, where only a cut of last resort averted the violation


class Misconduct(Section):
    """How many prosumers play a behaviour, and how strongly."""

    count: Annotated[int, Field(ge=1)]
    intensity: Annotated[float, Field(gt=0.0, le=5.0)] = 1.0


class Scenario(Section):
    """Everything that defines a world. Loaded from ``configs/scenarios/*.yaml``."""

    name: str = "default"
    grid: GridSettings = GridSettings()
    calendar: CalendarSettings = CalendarSettings()
    sites: SiteSettings = SiteSettings()
    market: MarketSettings = MarketSettings()
    upper_orders: tuple[UpperOrder, ...] = ()
    standing: StandingSettings = StandingSettings()
    ledger: LedgerSettings = LedgerSettings()
    reward: RewardSettings = RewardSettings()
    malicious: dict[str, Misconduct] = {}
    plugins: tuple[str, ...] = ()  # folders searched before the shipped rooms
    _source: str = PrivateAttr(default="settings")

    @field_validator("plugins")
    @classmethod
    def _folders(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        missing = [folder for folder in value if not Path(folder).is_dir()]
        if missing:
            raise ValueError(f"{missing[0]} is not a folder")
        return value

    @field_validator("upper_orders")
    @classmethod
    def _one_a_period(cls, value: tuple[UpperOrder, ...]) -> tuple[UpperOrder, ...]:
        starts = [order.start_period for order in value]
        doubled = {start for start in starts if starts.count(start) > 1}
        if doubled:
            raise ValueError(f"two orders start in period {min(doubled)}; one a period is allowed")
        return value

    @property
    def source(self) -> str:
        """Where the settings came from, for errors that only the world can find."""
        return self._source

    def set_source(self, source: str) -> None:
        """Remember where the settings came from; not a setting, so a frozen scenario takes it."""
        self._source = source


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
        allowed = _allowed_keys(model, path[:-1])
        near = difflib.get_close_matches(path[-1], allowed, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"{source}: {key} is not a setting{hint} (allowed here: {', '.join(allowed)})"
    message = str(error["msg"]).removeprefix("Value error, ")
    given = error["input"]
    shown = f" = {given!r}" if not isinstance(given, (Mapping, BaseModel)) else ""
    return f"{source}: {key}{shown}: {message[:1].lower() + message[1:]}"


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
        for part in reversed(key.split(".")):
            value = {part: value}
        nested = merge(nested, value)
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


def load_scenario(
    config: str | Path | Mapping[str, Any] | Scenario | None = None, overrides: Mapping[str, Any] | None = None
) -> Scenario:
    """A scenario from a YAML file, a name under ``configs/scenarios``, a mapping or a Scenario.

    Args:
        config: path (``configs/scenarios/tiny.yaml``), bare name (``tiny``), mapping, Scenario, or None for the
        default day.
        overrides: nested mapping of single keys that win over the file.

    Raises:
        SettingsError: one line naming file, key, value and what is allowed.
    """
    if isinstance(config, Scenario):
        if not overrides:
            return config
        changed = validate(Scenario, merge(config.model_dump(), overrides), config.source)
        changed.set_source(config.source)
        return changed
    if isinstance(config, Mapping):
        return validate(Scenario, merge(config, overrides or {}), "settings")
    path = Path(config) if config is not None else CONFIG_ROOT / "scenarios" / "rural_day.yaml"
    if path.suffix not in (".yaml", ".yml"):
        path = CONFIG_ROOT / "scenarios" / f"{path}.yaml"
    values = merge(read_yaml(path), overrides or {})
    values.setdefault("name", path.stem)
    scenario = validate(Scenario, values, str(path))
    scenario.set_source(str(path))
    return scenario
