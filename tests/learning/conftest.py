from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agents.learning.networks import Actor
from agents.learning.settings import TrainingSettings, load_training
from envs.actions import action_tables
from envs.settings import Scenario, load_scenario
from envs.sights import observation_tables

ROOT = Path(__file__).resolve().parents[2]
Train = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    return load_scenario("tiny", {"ledger": {"mode": "off"}})


@pytest.fixture(scope="session")
def settings() -> TrainingSettings:
    return load_training("tiny", {"overrides": {"calendar": {"periods": 8}}})


@pytest.fixture(scope="session")
def train() -> Train:
    """Runs train.py in a process of its own with a given hash seed."""

    def run(*arguments: str, hash_seed: str = "1") -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "train.py", "tiny", *arguments]
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)

    return run


@pytest.fixture
def actor(scenario: Scenario) -> Actor:
    """An untrained prosumer's actor with weights that matter in every layer."""
    import torch

    torch.manual_seed(7)
    columns = len(observation_tables(scenario)["prosumer"])
    network = Actor(columns, len(action_tables(scenario)["prosumer"]), (32, 32), exploration_std=0.5)
    with torch.no_grad():
        for parameter in network.mean.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return network


@pytest.fixture
def observations(scenario: Scenario) -> np.ndarray:
    """(5 worlds, 6 agents, F)"""
    columns = len(observation_tables(scenario)["prosumer"])
    return np.random.default_rng(3).normal(size=(5, 6, columns)).astype(np.float32)
