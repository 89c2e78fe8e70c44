"""A limit order book with price-time priority, cancel and replace, for markets that run order by order.

Prices and quantities are integers. An incoming order trades at the resting order's price, the best price first and
the earliest among equals; what is left of it rests.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

BUY, SELL = -1, 1


class OrderError(ValueError):
    """An order that the book does not take."""


@dataclass
class Order:
    """A resting order."""

    number: int
    owner: int
    side: int  # BUY or SELL
    price: int
    quantity: int  # what is left, > 0


@dataclass(frozen=True)
class Fill:
    """One trade: the two owners, how much, at the resting order's price."""

    buyer: int
    seller: int
    quantity: int
    price: int


class OrderBook:
    """Resting orders of both sides."""

    def __init__(self) -> None:
        self._orders: dict[int, Order] = {}
        # Heaps of (price key, time, number); entries whose order is gone or was replaced are dropped when met.
        self._heaps: dict[int, list[tuple[int, int, int]]] = {BUY: [], SELL: []}
        self._entered: dict[int, int] = {}
        self._clock = 0
        self._next = 0

    def best(self, side: int) -> Order | None:
        """The order of a side that would trade first; None where the side is empty."""
        heap = self._heaps[side]
        while heap and self._entered.get(heap[0][2]) != heap[0][1]:
            heapq.heappop(heap)
        return self._orders[heap[0][2]] if heap else None

    def submit(self, owner: int, side: int, price: int, quantity: int) -> tuple[int | None, list[Fill]]:
        """Enter an order: (its number where some of it rests, its trades).

        Raises OrderError for a side that is neither BUY nor SELL or a quantity below 1.
        """
        if side not in (BUY, SELL):
            raise OrderError(f"side = {side}: allowed are {BUY} (buy) and {SELL} (sell)")
        if quantity < 1:
            raise OrderError(f"quantity = {quantity}: at least 1 is needed")
        order = Order(self._next, owner, side, price, quantity)
        self._next += 1
        return self._enter(order)

    def cancel(self, number: int) -> Order:
        """Take a resting order out. Raises OrderError where it does not rest any more."""
        if number not in self._orders:
            raise OrderError(f"order {number} does not rest in the book: filled, cancelled or never entered")
        del self._entered[number]
        return self._orders.pop(number)

    def replace(self, number: int, price: int, quantity: int) -> list[Fill]:
        """Change a resting order under its number; it keeps its place in time only where just its quantity falls.

        Raises OrderError as `cancel`, and for a quantity below 1.
        """
        if quantity < 1:
            raise OrderError(f"quantity = {quantity}: at least 1 is needed; cancel takes an order out")
        resting = self._orders.get(number)
        if resting is not None and resting.price == price and quantity <= resting.quantity:
            resting.quantity = quantity
            return []
        order = self.cancel(number)
        order.price, order.quantity = price, quantity
        return self._enter(order)[1]

    def cancel_all(self) -> None:
        """Cancel everything."""
        for number in list(self._orders):
            self.cancel(number)

    def _enter(self, order: Order) -> tuple[int | None, list[Fill]]:
        fills = []
        while order.quantity > 0:
            other = self.best(-order.side)
            if other is None or (other.price - order.price) * order.side < 0:
                break
            amount = min(order.quantity, other.quantity)
            seller, buyer = (order, other) if order.side == SELL else (other, order)
            fills.append(Fill(buyer.owner, seller.owner, amount, other.price))
            order.quantity -= amount
            other.quantity -= amount
            if other.quantity == 0:
                self.cancel(other.number)
        if order.quantity == 0:
            return None, fills
        self._orders[order.number] = order
        self._entered[order.number] = self._clock
        heapq.heappush(self._heaps[order.side], (order.price * order.side, self._clock, order.number))
        self._clock += 1
        return order.number, fills
