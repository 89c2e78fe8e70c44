"""Credit comes back to those without orders, where a scenario lets it."""

from __future__ import annotations

import numpy as np
import pytest

from envs.audit import executors
from ledger.audit import audit_file
from tests.envs.play import OFF, by_rules, core_of, periods

CALM = {"grid": {"band_low_pu": 0.6, "band_high_pu": 1.4, "loading_limit": 2.0}, "upper_orders": []}


@pytest.mark.parametrize(("rate", "expected"), [(0.0, [300_000] * 3), (0.1, [350_000, 395_000, 435_500])])
def test_credit_returns_to_those_without_orders(rate: float, expected: list[int]) -> None:
    core = core_of("tiny", {**OFF, **CALM, "standing": {"recovery_rate": rate}}, 3)
    core.reset(np.array([0], np.uint64))
    core.state.credit_ppm[:] = 300_000
    core.state.credit_ppm[0, 0] = 900_000  # what was earned beyond the initial credit stays
    traces = list(periods(core, by_rules(core)))
    assert [set(trace.credit_ppm[0, 1:].tolist()) for trace in traces] == [{credit} for credit in expected]
    assert all(trace.credit_ppm[0, 0] == 900_000 for trace in traces)


def test_the_audit_follows_returning_credit(tmp_path) -> None:
    path = tmp_path / "day.sqlite"
    cheats = {"malicious": {"false_meter": {"count": 2, "intensity": 1.0}}, "standing": {"recovery_rate": 0.05}}
    core = core_of("tiny", cheats, 8, str(path))
    core.reset(np.array([1], np.uint64))
    traces = list(periods(core, by_rules(core)))
    assert (traces[-1].credit_ppm < 800_000).any()
    settings = ["malicious.false_meter={count: 2, intensity: 1.0}", "standing.recovery_rate=0.05"]
    assert audit_file(path, [executors("tiny", settings)]).difference is None
