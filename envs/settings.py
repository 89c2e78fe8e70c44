"""Scenario settings: typed, frozen, checked; an impossible value names its file, key and what is allowed.

Prices are integers in micro-currency per kWh (80000 = 0.08 currency per kWh), as on the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from envs.appliance_settings import HeatPumpSettings, VehicleSettings
from envs.config import Fraction, NotNegative, Positive, Price, Section, config_file, merge, read_yaml, validate

CONFIG_ROOT = Path(__file__).resolve().parent.parent / "configs"


class InverterSettings(Section):
    """What inverters can give, and the Q(U) characteristic of those that follow one (VDE-AR-N 4105).

    Ratings are of a site's plant and battery together; the characteristic runs from full supply through a dead band to
    full absorption.
    """

    rating: Annotated[float, Field(ge=1.0, le=2.0)] = 1.1  # apparent power of rated active power
    power_factor: Annotated[float, Field(ge=0.5, le=1.0)] = 0.9  # reactive power is at most sin(phi) of the rating
    full_low_pu: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.93
    dead_low_pu: Annotated[float, Field(gt=0.5, le=1.0)] = 0.97
    dead_high_pu: Annotated[float, Field(ge=1.0, lt=1.5)] = 1.03
    full_high_pu: Annotated[float, Field(gt=1.0, lt=1.5)] = 1.07

    @model_validator(mode="after")
    def _ordered(self) -> InverterSettings:
        if not (self.full_low_pu < self.dead_low_pu and self.dead_high_pu < self.full_high_pu):
            raise ValueError("full_low_pu < dead_low_pu and dead_high_pu < full_high_pu must hold")
        return self


class GridSettings(Section):
    """Which net is played, and the band the operator plans for (the net's own limits are reported beside it).

    ``reactive`` says who sets the inverters' reactive power: nobody, the characteristic, or each prosumer's action.
    ``check`` says who checks a dispatch: a power flow of the operator, or the nodes by messages to their neighbours, in
    rounds or (``check_delay_ticks``) with random delays of up to so many ticks.
    ``last_resort`` says when the operator cuts by force what a grid event leaves broken: always, or, to show the net
    without a market, only where it asked for flexibility.
    """

    net: str = "simbench:1-LV-rural1--2-sw"
    band_low_pu: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    band_high_pu: Annotated[float, Field(gt=1.0, lt=1.5)] = 1.05
    loading_limit: Annotated[float, Field(gt=0.0, le=2.0)] = 1.0
    reactive: Literal["none", "q_of_u", "agent"] = "none"
    inverter: InverterSettings = InverterSettings()
    last_resort: Literal["always", "asked"] = "always"
    check: Literal["kernel", "messages"] = "kernel"
    check_delay_ticks: Annotated[int, Field(ge=0, le=100)] = 0

    @model_validator(mode="after")
    def _delays(self) -> GridSettings:
        if self.check_delay_ticks > 0 and self.check != "messages":
            raise ValueError(f"check_delay_ticks = {self.check_delay_ticks} needs check: messages (else 0)")
        if self.check_delay_ticks > 0 and self.reactive == "q_of_u":
            raise ValueError("check_delay_ticks > 0: inverters on q_of_u settle in rounds only (allowed: none, agent)")
        return self


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
    # Of every plant, the net's own and the added; a battery that follows its profile is one with its plant.
    pv_scale: Annotated[float, Field(gt=0.0, le=100.0)] = 1.0
    added_storage_share: Fraction = 0.3
    added_storage_kwh: Positive = 10.0
    added_storage_kw: Positive = 5.0
    max_site_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.15  # of all PV, and of all storage, of the net
    vehicle_share: Fraction = 0.0  # of the loads that get an electric vehicle
    heat_pump_share: Fraction = 0.0  # of the loads that get a heat pump
    net_storage: Literal["ratings", "profile"] = "ratings"  # what of the net's storages is played
    net_appliances: bool = False  # loads whose profile the net calls a charger's or a heat pump's are played as such
    initial_charge: Fraction = 0.3
    flexible_load_share: Fraction = 0.2
    pv_output_noise: Annotated[float, Field(ge=0.0, le=0.5)] = 0.08
    load_output_noise: Annotated[float, Field(ge=0.0, le=0.5)] = 0.08
    witness_noise: Annotated[float, Field(ge=0.0, le=0.2)] = 0.01
    degradation_price: Price = 20_000  # per kWh charged or discharged
    discomfort_price: Price = 150_000  # per kWh of load put off
    lost_load_price: Price = 600_000  # per kWh of load switched off by force


class ForecastError(Section):
    """How a forecast errs, as a share of what the profile expects: bias, and a random part that grows with lead time.

    ``model`` errs about what will be; ``persistence`` says that tomorrow is as yesterday, and errs about that. A
    perfect forecast is a model with noise and bias 0.
    """

    kind: Literal["model", "persistence"] = "model"
    noise: Annotated[float, Field(ge=0.0, le=0.5)] = 0.03  # standard deviation for the coming period
    bias: Annotated[float, Field(ge=-0.5, le=0.5)] = 0.0  # > 0 expects too much, of generation and of demand
    growth: Annotated[float, Field(ge=0.0, le=10.0)] = 1.0  # of the variance, a period of lead time
    correlation: Fraction = 0.0  # of the random errors of two forecasts of the same period


class ForecastSettings(Section):
    """What the sites publish about themselves, and the operator's independent estimate of each site."""

    site: ForecastError = ForecastError()
    operator: ForecastError = ForecastError(noise=0.05)


class MarketSettings(Section):
    """Mechanisms by file name, tariffs, and the rules of money."""

    trading: str = "two_stage_double"
    request: str = "fpsa"
    dispatch: str = "admm"
    quotation: Literal["marginal", "whole"] = "marginal"  # what a block's price is for: the block, or all up to its end
    aggregators: Annotated[int, Field(ge=1, le=16)] = 4
    feed_in: Price = 80_000
    retail: Price = 300_000
    network_charge: Price = 20_000
    network_charge_rule: Literal["flat", "distance"] = "flat"  # of a trade among peers; imports pay the flat one
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
    recovery_rate: Fraction = 0.0  # of the way back up to the initial credit, in a period without an order
    false_meter_penalty: Fraction = 0.10
    forged_block_penalty: Fraction = 0.30
    admission_threshold: Fraction = 0.35
    score_alpha: Fraction = 0.5
    meter_tolerance: Fraction = 0.05
    meter_tolerance_wh: Annotated[int, Field(ge=0)] = 25


class ConsensusSettings(Section):
    """Which rule draws the producers of each business's chain; a business without one is kept by dispatch.

    A plain name (``consensus: pow``) means a single chain under that rule.
    """

    dispatch: str = "poe"
    trading: str | None = "scored_dpos"
    credit: str | None = None

    @field_validator("trading", "credit", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return None if value is False else value  # YAML reads a bare ``off`` as false


class LedgerSettings(Section):
    """``full`` signs, ``hashes`` only hashes, ``off`` keeps no chain; who is believed and paid is the same."""

    mode: Literal["full", "hashes", "off"] = "full"
    signing: Literal["period", "record"] = "period"
    consensus: ConsensusSettings = ConsensusSettings()
    gamma: Annotated[int, Field(ge=1, le=10_000)] = 100
    alpha: Fraction = 0.5  # weight of a generated Wh in Proof of Energy (paper 000 eq. 3)
    beta: Fraction = 0.5  # weight of a consumed Wh
    durability: Literal["full", "normal"] = "full"

    @field_validator("mode", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        """YAML reads a bare ``off`` as false; what is meant is clear."""
        return "off" if value is False else value

    @field_validator("consensus", mode="before")
    @classmethod
    def _single(cls, value: Any) -> Any:
        return {"dispatch": value, "trading": None, "credit": None} if isinstance(value, str) else value

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
    forecasts: ForecastSettings = ForecastSettings()
    vehicle: VehicleSettings = VehicleSettings()
    heat_pump: HeatPumpSettings = HeatPumpSettings()
    market: MarketSettings = MarketSettings()
    upper_orders: tuple[UpperOrder, ...] = ()
    standing: StandingSettings = StandingSettings()
    ledger: LedgerSettings = LedgerSettings()
    reward: RewardSettings = RewardSettings()
    malicious: dict[str, Misconduct] = Field(default_factory=dict)
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
    def has_plans(self) -> bool:
        """Whether agents see what a battery's profile plans."""
        return self.sites.net_storage == "profile"

    @property
    def has_vehicles(self) -> bool:
        """Whether agents see and set a vehicle's charging."""
        return self.sites.net_appliances or self.sites.vehicle_share > 0.0

    @property
    def has_feeding(self) -> bool:
        """Whether vehicles may feed into the grid."""
        return self.has_vehicles and self.vehicle.discharge_kw > 0.0

    @property
    def has_heat_pumps(self) -> bool:
        """Whether agents see and set a heat pump."""
        return self.sites.net_appliances or self.sites.heat_pump_share > 0.0

    @property
    def source(self) -> str:
        """Where the settings came from, for errors that only the world can find."""
        return self._source

    def set_source(self, source: str) -> None:
        """Remember where the settings came from; not a setting, so a frozen scenario takes it."""
        self._source = source


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
    path = config_file("rural_day" if config is None else config, CONFIG_ROOT / "scenarios")
    values = merge(read_yaml(path), overrides or {})
    values.setdefault("name", path.stem)
    scenario = validate(Scenario, values, str(path))
    scenario.set_source(str(path))
    return scenario
