"""Settings of the resources that come and go with their owners: electric vehicles and heat pumps."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from envs.config import Fraction, NotNegative, Positive, Price, Section


class VehicleSettings(Section):
    """Electric vehicles: the charger, what a day's driving takes, and when the car is at home.

    A net's own charging profiles bring their arrivals and energies; what they lack is taken from here.
    """

    power_kw: Positive = 11.0
    efficiency: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9
    battery_kwh: Positive = 50.0
    need_kwh: Positive = 9.0  # mean of a day, in the battery
    need_spread: Annotated[float, Field(ge=0.0, le=1.0)] = 0.4  # of the mean
    driven_share: Fraction = 0.8  # of the days
    arrival_h: Annotated[float, Field(ge=12.0, lt=24.0)] = 17.5
    departure_h: Annotated[float, Field(gt=0.0, lt=12.0)] = 7.0
    arrival_spread_h: Annotated[float, Field(ge=0.0, le=4.0)] = 1.5
    departure_spread_h: Annotated[float, Field(ge=0.0, le=4.0)] = 0.75
    missing_price: Price = 1_500_000  # per kWh that the driver misses at departure
    discharge_kw: NotNegative = 0.0  # fed into the grid, where an order asks for it; 0 never does
    least_charge: Fraction = 0.2  # of the battery: below it a vehicle is not discharged
    return_share: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5  # of its power, to be full in time after feeding in

    @model_validator(mode="after")
    def _within_the_charger(self) -> VehicleSettings:
        if self.discharge_kw > self.power_kw:
            raise ValueError(f"discharge_kw must be at most power_kw ({self.power_kw:g})")
        return self


class HeatPumpSettings(Section):
    """Heat pumps and the buildings that they heat (first order: one heat capacity, one heat loss).

    Loss and capacity scale with the pump: at full power it holds the set temperature ``design_difference_k`` above the
    outdoors, and without heat the difference falls to 1/e in ``time_constant_h``.
    """

    power_kw: Positive = 3.0
    cop: Annotated[float, Field(ge=1.0, le=10.0)] = 3.0
    set_temperature_c: Annotated[float, Field(ge=5.0, le=30.0)] = 20.0
    design_difference_k: Positive = 32.0
    time_constant_h: Annotated[float, Field(ge=1.0, le=1000.0)] = 40.0
    comfort_band_k: Positive = 1.0  # either side of the set temperature
    discomfort_price: Price = 500_000  # per K·h outside the band
    outdoor_mean_c: float = 9.0
    outdoor_year_k: NotNegative = 10.0  # coldest in the middle of January
    outdoor_day_k: NotNegative = 4.0  # coldest at five
