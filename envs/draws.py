"""Random numbers as a pure function of (seed, episode, period, purpose, agent).

Nothing is consumed: a draw does not depend on what was drawn before, on the agents' actions, or on how many worlds
run beside this one. A twin run without an event sees the same weather, and a batch equals its worlds. The mixing
function is the finaliser of SplitMix64; the normal draw is a sum of twelve uniforms (Irwin-Hall), so that no
libm function can make two platforms differ in the last bit.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# Purposes: one stream each. The forecast streams take a horizon on top (purpose + horizon).
PV_OUTPUT = 1
LOAD_OUTPUT = 2
WITNESS_GENERATION = 3
WITNESS_CONSUMPTION = 4
WITNESS_STORAGE = 5
DAY = 6
PLACEMENT = 7
CAST = 8
VEHICLE_ARRIVAL = 9
VEHICLE_DEPARTURE = 10
VEHICLE_NEED = 11
VEHICLE_DRIVEN = 12
MESSAGES = 13  # delays of the nodes' messages
SITE_PV_FORECAST = 16
SITE_PV_PERIOD = 25  # the part of an error that belongs to the period that is forecast
SITE_LOAD_FORECAST = 32
SITE_LOAD_PERIOD = 41
OPERATOR_FORECAST = 48
OPERATOR_PERIOD = 57


@njit(cache=True, inline="always")
def mix(value):
    """SplitMix64 finaliser: uint64 → uint64, a bijection with full avalanche."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True)
def stream(seed, episode, period, purpose):
    """Key of the stream shared by all agents: mix once a period, then once an agent."""
    golden = np.uint64(0x9E3779B97F4A7C15)
    key = mix(np.uint64(seed) + golden)
    key = mix(key + np.uint64(episode) * golden + np.uint64(1))
    key = mix(key + np.uint64(period) * golden + np.uint64(2))
    return mix(key + np.uint64(purpose) * golden + np.uint64(3))


@njit(cache=True)
def uniform(key, agent):
    """Uniform in [0, 1) with 53 bits."""
    bits = mix(key + (np.uint64(agent) + np.uint64(1)) * np.uint64(0xD1B54A32D192ED03))
    return np.float64(bits >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True)
def normal(key, agent):
    """Standard normal by twelve 16-bit uniforms; bounded by ±6."""
    first = mix(key + (np.uint64(agent) + np.uint64(1)) * np.uint64(0xD1B54A32D192ED03))
    total = np.uint64(0)
    for step in range(3):
        bits = mix(first + np.uint64(step))
        for shift in range(4):
            total += (bits >> np.uint64(16 * shift)) & np.uint64(0xFFFF)
    return (np.float64(total) + 6.0) / 65536.0 - 6.0


@njit(cache=True)
def uniforms(seeds, episodes, period, purpose, out):
    """Fill ``out`` (B, n) with uniforms, agent = column."""
    for b in range(out.shape[0]):
        key = stream(seeds[b], episodes[b], period, purpose)
        for i in range(out.shape[1]):
            out[b, i] = uniform(key, i)
    return out
