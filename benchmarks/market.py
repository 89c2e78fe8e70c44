"""Clearings a second: books of 30 to 100 000 orders, one alone and 64 worlds of 30, each in one compiled call.

Kernel rows leave out Python's call; `clear` rows are what the environment pays. Quotes are random, 80 000 to 300 000
micro-currency, sells and buys alike. Each figure is the best of several repetitions in processor time. Beside them
pymarket.
"""

from __future__ import annotations

import time
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
from numba import njit

from benchmarks.timing import Row, best_us
from envs import plugins
from envs.market.two_stage_double import _clear as two_stage_kernel
from envs.types import PPM, Offers, Orders, Tariffs

TARIFFS = Tariffs(80_000, 300_000, True)
SIZES = (30, 1_000, 100_000)
SLOW = {"bilateral": 10_000, "stackelberg": 1_000}  # largest book: time grows with the square of the orders
WORLDS, SITES, BIDDERS = 64, 30, 4
PYMARKET_US = {"p2p": 1_000.0, "muda": 14_300.0}


def book(worlds: int, orders: int, seed: int = 0) -> Orders:
    """Random orders, (worlds, orders)."""
    rng = np.random.default_rng(seed)
    shape = (worlds, orders)
    quantity = rng.integers(-4_000, 4_001, shape)
    opening, limit = rng.integers(80_000, 300_001, shape), rng.integers(80_000, 300_001, shape)
    return Orders(opening, limit, quantity, rng.integers(0, PPM + 1, shape))


@njit
def _repeat(times: int, opening: Any, limit: Any, quantity: Any, requote: Any) -> int:
    """Clear the same book again and again inside one compiled loop."""
    total = 0
    for _ in range(times):
        total += two_stage_kernel(opening, limit, quantity, requote, 80_000, 300_000, True)[4][0]
    return total


def run() -> list[Row]:
    """Rows (name, value, unit) of every mechanism."""
    rows: list[Row] = []
    for orders, times in ((SITES, 500), (1_000, 20), (100_000, 1)):
        spent = best_us(partial(_repeat, times, *book(1, orders))) / times
        rows.append({"name": f"two_stage_double kernel, {orders} orders", "value": spent, "unit": "us"})
    spent = best_us(partial(_repeat, 20, *book(WORLDS, SITES))) / 20 / WORLDS
    rows.append({"name": f"two_stage_double kernel, {WORLDS} worlds of {SITES}", "value": spent, "unit": "us/world"})
    for name in plugins.names("market", needs="clear"):
        clear = plugins.load("market", name, "clear").clear
        for orders in sizes(name):
            spent = best_us(partial(clear, book(1, orders), TARIFFS))
            rows.append({"name": f"{name}: clearings of {orders} orders", "value": 1e6 / spent, "unit": "1/s"})
        spent = best_us(partial(clear, book(WORLDS, SITES), TARIFFS)) / WORLDS
        label = f"{name}: clearings in {WORLDS} worlds of {SITES}"
        rows.append({"name": label, "value": 1e6 / spent, "unit": "1/s"})
    for name in plugins.names("market", needs="award"):
        spent = best_us(partial(_request, plugins.load("market", name, "pay"), offers(WORLDS, BIDDERS))) / WORLDS
        label = f"{name}: requests awarded and priced in {WORLDS} worlds of {BIDDERS} offers"
        rows.append({"name": label, "value": 1e6 / spent, "unit": "1/s"})
    return rows + pymarket_rows()


def sizes(name: str) -> list[int]:
    """Books that a mechanism is timed on: all, or those up to its largest and that one."""
    largest = SLOW.get(name, SIZES[-1])
    return sorted({largest, *(orders for orders in SIZES if orders <= largest)})


def offers(worlds: int, bidders: int, seed: int = 0) -> Offers:
    """Random sealed offers, (worlds, bidders), of which about half win."""
    rng = np.random.default_rng(seed)
    shape = (worlds, bidders)
    return Offers(
        price=rng.integers(80_000, 300_001, shape),
        wh=rng.integers(0, 4_001, shape),
        effect_ppm=rng.integers(PPM // 2, PPM + 1, shape),
        credit_ppm=rng.integers(0, PPM + 1, shape),
        reserve=np.full(worlds, 300_000),
        asked_wh=np.full(worlds, 1_000 * bidders),
    )


def _request(rule: ModuleType, sealed: Offers) -> None:
    rule.pay(sealed, rule.award(sealed))


def pymarket_rows(seconds: float = 1.0) -> list[Row]:
    """pymarket's p2p auction and MUDA on one book of 30, where it is installed; else what it took once.

    It is no dependency: nothing here needs it but this comparison.
    """
    try:
        import pymarket
    except ImportError:
        where = "0.7.6, once on a core of an AMD EPYC; installed, it is timed here"
        return [
            {"name": f"pymarket ({where}): {name} of {SITES} orders", "value": spent, "unit": "us"}
            for name, spent in PYMARKET_US.items()
        ]
    rows: list[Row] = []
    for name in PYMARKET_US:
        best, end = float("inf"), time.perf_counter() + seconds
        while time.perf_counter() < end:
            market = pymarket.Market()
            orders = book(1, SITES)
            for i, (wh, price) in enumerate(zip(orders.quantity_wh[0], orders.limit[0], strict=True)):
                market.accept_bid(abs(int(wh)) + 1, int(price), i, bool(wh < 0), 0)
            start = time.process_time()
            market.run(name, r=np.random.RandomState(0))
            best = min(best, time.process_time() - start)
        rows.append(
            {"name": f"pymarket {pymarket.__version__}: {name} of {SITES} orders", "value": best * 1e6, "unit": "us"}
        )
    return rows
