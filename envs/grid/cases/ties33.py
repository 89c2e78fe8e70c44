"""Baran and Wu's 33 buses with their five ties closed: as meshed as a distribution feeder gets, for tests and timings.

Lines are rated at 0.3 kA, which pandapower leaves open.
"""

from __future__ import annotations

from typing import Any


def build() -> Any:
    """The case as a pandapower net."""
    import pandapower.networks as networks

    net = networks.case33bw()
    net.line["in_service"] = True
    net.line["name"] = [f"line {index}" for index in net.line.index]
    net.line["max_i_ka"] = 0.3
    return net
