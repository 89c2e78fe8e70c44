"""The plug-ins that a scenario names, loaded once and handed to the core, which names none of them itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from envs import plugins
from envs.config import SettingsError
from envs.settings import MarketSettings, Scenario
from ledger.consensus import available


@dataclass(frozen=True)
class Mechanisms:
    """Modules by the place they fill; what each must define is written in its room."""

    trading: ModuleType
    request: ModuleType
    dispatch: ModuleType
    behaviours: tuple[ModuleType, ...]  # in the order of ``malicious`` in the settings
    intensities: tuple[float, ...]


def mechanisms_of(scenario: Scenario) -> Mechanisms:
    """Load what the settings name. Raises SettingsError for a name without a file, listing what there is."""
    for business, rule in scenario.ledger.consensus:
        if rule is not None and rule not in available():
            key, allowed = f"ledger.consensus.{business}", ", ".join(available())
            raise SettingsError(f"{scenario.source}: {key} = {rule!r}: no such rule (allowed: {allowed})")
    try:
        return _load(scenario)
    except SettingsError as error:
        raise SettingsError(f"{scenario.source}: {error}") from None


def _load(scenario: Scenario) -> Mechanisms:
    folders, market = scenario.plugins, scenario.market
    return Mechanisms(
        trading=plugins.load("market", market.trading, "clear", folders, "market.trading"),
        request=_request(market.request, folders),
        dispatch=_dispatch(market, folders),
        behaviours=tuple(
            plugins.load("behaviours", name, None, folders, f"malicious.{name}") for name in scenario.malicious
        ),
        intensities=tuple(m.intensity for m in scenario.malicious.values()),
    )


def _request(name: str, folders: Sequence[str]) -> ModuleType:
    """A request mechanism says who wins, and what the winners are paid."""
    plugins.load("market", name, "award", folders, "market.request")
    return plugins.load("market", name, "pay", folders, "market.request")


def _dispatch(market: MarketSettings, folders: Sequence[str]) -> ModuleType:
    """A dispatch rule reads blocks as marginal unless its QUOTATION says otherwise; the market must mean the same."""
    module = plugins.load("dispatch", market.dispatch, "solve", folders, "market.dispatch")
    reads = getattr(module, "QUOTATION", "marginal")
    if reads != market.quotation:
        fitting = [
            name
            for name in plugins.names("dispatch", folders, "solve")
            if getattr(plugins.load("dispatch", name, "solve", folders), "QUOTATION", "marginal") == market.quotation
        ]
        raise SettingsError(
            f"market.quotation = {market.quotation!r}: the dispatch rule {market.dispatch} reads {reads} quotations"
            f" (allowed with this quotation: market.dispatch = {' or '.join(fitting)})"
        )
    return module
