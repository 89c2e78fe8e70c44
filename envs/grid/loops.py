"""Loops of a weakly meshed feeder: compensation of their currents on top of the tree sweep (Shirmohammadi et al. 1988).

A spanning tree of shortest electrical paths carries the sweep; each branch left over closes one loop. Its current J is
injected at its lower end and drawn at its upper end. After the voltages have come down the tree they miss the branch's
own equation by

    e = V_lower - (a V_upper - z J)

and a change of all loop currents moves e by M, a small matrix of the tree's impedances. One solution with M^-1, found
once, puts every loop right for the currents of the round, so a round of the compensated sweep is what it would be with
the whole net's impedance matrix, and settles as fast as in a tree.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit


class Tree(NamedTuple):
    """Branch equations of the spanning tree, as in `Feeder`: (buses,) each."""

    parent: np.ndarray
    a: np.ndarray
    z: np.ndarray
    k: np.ndarray


class Loops(NamedTuple):
    """Branches that close loops, upper end first, and what one unit of their currents does."""

    upper: np.ndarray  # (loops,) int64 bus
    lower: np.ndarray  # (loops,) int64 bus
    rise: np.ndarray  # (buses, loops) complex: change of each bus's voltage
    drawn: np.ndarray  # (buses, loops) complex: change of each tree branch's current into its lower bus
    solve: np.ndarray  # (loops, loops) complex: M^-1


@njit(cache=True)
def respond(tree: Tree, drawn: np.ndarray, rise: np.ndarray) -> None:
    """Currents drawn at the buses (buses,) complex: sums them up the tree in place; fills rise (buses,)."""
    for bus in range(len(tree.parent) - 1, 0, -1):
        drawn[tree.parent[bus]] += tree.k[bus] * drawn[bus]
    rise[0] = 0.0
    for bus in range(1, len(tree.parent)):
        rise[bus] = tree.a[bus] * rise[tree.parent[bus]] - tree.z[bus] * drawn[bus]


@njit(cache=True)
def _invert(matrix: np.ndarray, inverse: np.ndarray) -> bool:
    """Gauss-Jordan with row pivoting, in a fixed order of operations; False where the matrix is singular."""
    size = len(matrix)
    inverse[:] = 0.0
    for row in range(size):
        inverse[row, row] = 1.0
    for column in range(size):
        best = column
        for row in range(column + 1, size):
            if abs(matrix[row, column]) > abs(matrix[best, column]):
                best = row
        if abs(matrix[best, column]) < 1e-14:
            return False
        for j in range(size):
            matrix[column, j], matrix[best, j] = matrix[best, j], matrix[column, j]
            inverse[column, j], inverse[best, j] = inverse[best, j], inverse[column, j]
        pivot = 1.0 / matrix[column, column]
        for j in range(size):
            matrix[column, j] *= pivot
            inverse[column, j] *= pivot
        for row in range(size):
            if row != column:
                factor = matrix[row, column]
                for j in range(size):
                    matrix[row, j] -= factor * matrix[column, j]
                    inverse[row, j] -= factor * inverse[column, j]
    return True


@njit(cache=True)
def _prepare(
    tree: Tree, upper: np.ndarray, lower: np.ndarray, a: np.ndarray, z: np.ndarray, k: np.ndarray, loops: Loops
) -> bool:
    count = len(upper)
    matrix = np.empty((count, count), np.complex128)
    drawn, rise = np.empty(len(tree.parent), np.complex128), np.empty(len(tree.parent), np.complex128)
    for m in range(count):
        drawn[:] = 0.0
        drawn[lower[m]] -= 1.0
        drawn[upper[m]] += k[m]
        respond(tree, drawn, rise)
        loops.rise[:, m], loops.drawn[:, m] = rise, drawn
        for j in range(count):
            matrix[j, m] = rise[lower[j]] - a[j] * rise[upper[j]]
        matrix[m, m] += z[m]
    return _invert(matrix, loops.solve)


def loops_of(
    tree: Tree, upper: np.ndarray, lower: np.ndarray, a: np.ndarray, z: np.ndarray, k: np.ndarray
) -> Loops | None:
    """The loops' responses, from their branch equations (loops,) each; None where they cannot be told apart."""
    buses, count = len(tree.parent), len(upper)
    loops = Loops(
        upper,
        lower,
        np.empty((buses, count), np.complex128),
        np.empty((buses, count), np.complex128),
        np.empty((count, count), np.complex128),
    )
    return loops if _prepare(tree, upper, lower, a, z, k, loops) else None


@njit(cache=True)
def loop_change(solve: np.ndarray, error: np.ndarray, m: int) -> complex:
    """The change of loop m's current that, with all others', takes away the errors (loops,); solve is M^-1."""
    change = 0.0 + 0.0j
    for j in range(len(error)):
        change -= solve[m, j] * error[j]
    return change
