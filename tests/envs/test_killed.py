"""A killed run leaves a ledger that is audited as far as it goes: no block is blamed for what was never sealed."""

import os
import random
import signal
import time

import numpy as np
import pytest

from ledger.__main__ import main
from ledger.store import Store
from tests.envs.play import by_rules, core_of, episode, periods


def killed(path, after_blocks=None, after_s=0.0):
    """Play in a child that dies after so many blocks, or that is killed after so long in its episode."""
    core = core_of("tiny", None, 60, str(path))
    core.reset(np.array([1], np.uint64))
    child = os.fork()
    if child == 0:
        try:
            append, blocks = Store.append, 1

            def counted(self, block):
                nonlocal blocks
                append(self, block)
                blocks += 1
                if blocks == after_blocks:
                    os.kill(os.getpid(), signal.SIGKILL)

            Store.append = counted
            for _ in periods(core, by_rules(core)):
                pass
        finally:
            os._exit(0)
    if after_blocks is None:
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    core.recorder.abandon()
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("blocks", [2, 3, 26, 27, 120])
def test_killed_between_two_blocks(tmp_path, capsys, blocks):
    """Genesis, then a block of each of two chains a height: an even number is an unfinished height."""
    path = tmp_path / "killed.sqlite"
    assert killed(path, blocks)
    assert main(["audit", str(path), "--config", "tiny", "--open"]) == 0
    told = capsys.readouterr().out
    unfinished = (blocks - 1) % 2
    assert told.startswith(f"follows: {blocks - unfinished} blocks executed again")
    assert ("1 blocks of the last height" in told) == bool(unfinished)


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment(tmp_path, capsys, seed):
    path = tmp_path / "killed.sqlite"
    killed(path, after_s=random.Random(seed).uniform(0.02, 0.4))
    assert main(["audit", str(path), "--config", "tiny", "--open"]) == 0
    assert capsys.readouterr().out.startswith("follows: ")


def test_every_beginning_of_a_ledger_follows(tmp_path, capsys):
    path, cut = tmp_path / "whole.sqlite", tmp_path / "cut.sqlite"
    core = core_of("tiny", None, 8, str(path))
    episode(core, by_rules(core), (1,))
    with Store.open(path) as store:
        rows = list(store.rows())
    for size in range(1, len(rows) + 1):
        cut.unlink(missing_ok=True)
        with Store.create(cut) as store:
            for number, data in rows[:size]:
                store.append_bytes(number, data)
        assert main(["audit", str(cut), "--config", "tiny", "--open"]) == 0, capsys.readouterr().out
