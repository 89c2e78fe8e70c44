"""A writer that is killed or meets a full disk: at most the block in flight is lost, nothing is ever corrupted."""

import os
import random
import resource
import signal
import time

import pytest

from ledger.kinds import Kind
from ledger.records import Draft
from ledger.store import Store, StoreError
from ledger.verify import verify_file

from .conftest import FIRST, grow, period_drafts, rows_of


def in_child(work) -> int:
    """Run `work` in a forked process that never returns to the tests; its process id."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return child


def died_of(child) -> int:
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


CHAINS = {"one chain": (), "two chains": (("trading", "scored_dpos"),)}


def sealed_before_death(path, make_chain, steps, siblings) -> int:
    """Blocks that a child announced before it was killed `steps` SQLite instructions into its writing."""
    reading, writing = os.pipe()

    def work():
        store = Store.create(path)
        chain = make_chain(store=store, siblings=siblings)
        count = 0

        def step():
            nonlocal count
            count += 1
            if count == steps:
                os.kill(os.getpid(), signal.SIGKILL)
            return 0

        store._connection.set_progress_handler(step, 1)
        for _ in range(100):
            chain.seal(period_drafts(chain.roster, chain.height + 1)[:3])
            os.write(writing, b".")

    child = in_child(work)
    os.close(writing)
    with os.fdopen(reading, "rb") as announced:
        heights = len(announced.read())
    assert died_of(child) == signal.SIGKILL
    return heights


@pytest.mark.parametrize("steps", range(1, 60, 2))
def test_killed_inside_a_transaction(tmp_path, make_chain, steps):
    path = tmp_path / "killed.sqlite"
    announced = sealed_before_death(path, make_chain, steps, CHAINS["two chains" if steps % 4 == 1 else "one chain"])
    verdict = verify_file(path, closed=False)
    assert verdict.sound, verdict.fault
    assert verdict.blocks - 1 in (announced, announced + 1)  # written, but not announced any more


@pytest.mark.parametrize("siblings", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_moment(tmp_path, make_chain, seed, siblings):
    path = tmp_path / "killed.sqlite"
    reading, writing = os.pipe()

    def work():
        for _ in range(10_000):
            chain.seal(period_drafts(chain.roster, chain.height + 1))
            os.write(writing, b".")

    chain = make_chain(store=Store.create(path), siblings=siblings)
    child = in_child(work)
    os.close(writing)
    time.sleep(random.Random(seed).uniform(0.02, 0.15))
    os.kill(child, signal.SIGKILL)
    assert died_of(child) == signal.SIGKILL
    with os.fdopen(reading, "rb") as announced:
        heights = len(announced.read())
    verdict = verify_file(path, closed=False)
    assert verdict.sound, verdict.fault
    assert verdict.blocks - 1 in (heights, heights + 1)


def test_a_full_disk_leaves_the_chain_as_it_was(tmp_path, make_chain):
    path = tmp_path / "full.sqlite"
    store = Store.create(path)
    chain = make_chain(store=store)
    grow(chain, 2)
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    head = chain.head
    large = [Draft(Kind.OFFER, 1, 0, [2, 1, 1, list(range(20_000)), 1])]
    for _ in range(2):
        with pytest.raises(StoreError, match=r"block 3 cannot be written to .*full"):
            chain.seal(large)
        assert (chain.head, chain.height) == (head, 2)
        assert verify_file(path, closed=False).head == head.hex()
    store._connection.execute("PRAGMA max_page_count = 100000")
    chain.seal(large)  # the same block: no signer signs another one of this height
    assert verify_file(path, closed=False).head == chain.head.hex()
    store.close()


@pytest.mark.parametrize("limit", [1_000, 40_000, 70_000])
def test_writes_that_fail_in_the_system(tmp_path, make_chain, limit):
    path = tmp_path / "limited.sqlite"
    with Store.create(path) as store:
        grow(make_chain(store=store, name=b"first"), 1)
    before = rows_of(path)
    path.unlink()

    def work():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        chain = make_chain(store=Store.create(path), name=b"first")
        grow(chain, 1)
        size = max(file.stat().st_size for file in tmp_path.iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + limit, size + limit))
        try:
            for period in range(2, 2_000):
                chain.seal(period_drafts(chain.roster, period))
        except StoreError:
            os.kill(os.getpid(), signal.SIGKILL)  # no closing either

    assert died_of(in_child(work)) == signal.SIGKILL
    verdict = verify_file(path, closed=False)
    assert verdict.sound, verdict.fault
    assert rows_of(path)[:2] == before


def test_readers_see_sound_chains_while_it_is_written(tmp_path, make_chain):
    path = tmp_path / "run.sqlite"

    def work():
        with Store.create(path) as store:
            chain = make_chain(store=store)
            for period in range(79):
                chain.seal([Draft(Kind.REGISTRATION, FIRST, 0, [period, b""])])

    child = in_child(work)
    seen = []
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        try:
            verdict = verify_file(path, closed=False)
        except StoreError:
            assert not seen  # before the file has its table; never afterwards
            continue
        if verdict.blocks:
            assert verdict.sound, verdict.fault
            seen.append(verdict.blocks)
    assert seen == sorted(seen)
    assert len(set(seen)) > 2
    assert verify_file(path, closed=False).blocks == 80
