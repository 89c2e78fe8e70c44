"""What the operator's meter at the transformer may have read: the power flow of what the network accepted.

No record holds what a meter that nobody refused was wrong by, only that it was within the tolerance of what witnesses
saw, who err too. So flow and losses are held within what such errors can change.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from envs.grid.routing import Routes, carry, losses_of
from envs.phases.deliver import flow_of
from envs.types import HOURS, Bools, Floats, Ints, Quotes, State
from envs.world import World
from ledger.audit import Impossible
from ledger.kinds import Kind

LARGEST_DRAW = 6.0  # standard deviations, see ``envs.draws.normal``


def most_wrong(world: World, accepted_wh: Ints) -> Floats | None:
    """(N,) Wh that the accepted registers, (3, 1, N), may be off together at each site; None where nothing bounds them.

    A claim stands within the tolerance of what witnesses saw, who err too.
    """
    standing, noise = world.scenario.standing, world.scenario.sites.witness_noise * LARGEST_DRAW
    if noise >= 1.0:
        return None
    most = abs(accepted_wh)
    seen = np.maximum(most + standing.meter_tolerance_wh, most / (1.0 - standing.meter_tolerance))
    wrong: Floats = (seen / (1.0 - noise) - most).sum(axis=(0, 1))
    return wrong


@njit(cache=True)
def _lost_alone(routes: Routes, site_bus: Ints, wrong_wh: Floats, hours: float) -> float:
    flow = np.zeros(len(routes.child))
    for i in range(len(wrong_wh)):
        carry(routes, site_bus[i], 0, wrong_wh[i], flow)
    return losses_of(routes, flow, hours)


def losses_between(world: World, wrong_wh: Floats, losses_wh: float, lowest_pu: float) -> tuple[float, float]:
    """The least and most Wh that are lost where the power flow of the accepted readings loses ``losses_wh``.

    Losses are quadratic in what the sites feed and draw, so their root is a norm of it: it changes by no more than the
    root of what the errors lose alone, which is most when all point one way, at the lowest voltage. A net with loops
    loses less than these paths do. Energies are whole Wh, so one more is allowed.
    """
    alone = np.sqrt(_lost_alone(world.routes, world.site_bus, wrong_wh, HOURS)) / lowest_pu
    due = np.sqrt(max(losses_wh, 0.0))
    return max(due - alone, 0.0) ** 2 - 1.0, (due + alone) ** 2 + 1.0


def check_metered(
    world: World, state: State, accepted: Ints, quotes: Quotes, metered_wh: tuple[int, int], off: Bools
) -> None:
    """Hold flow and technical losses, ``metered_wh``, against a power flow of the accepted registers, (3, 1, N).

    Impossible where they can't be. ``off`` (1, N): sites that are recorded without voltage.
    """
    wrong = most_wrong(world, accepted)
    if wrong is None:
        return
    (flow_wh, technical_wh), net = metered_wh, accepted[0] - accepted[1] + accepted[2]
    due = flow_of(world, state, net, accepted[1], quotes.reactive_ppm, off)
    stated, losses = int(due.flow_wh[0]), int(due.loss_wh[0])
    slack = float(wrong.sum()) + abs(losses) + world.sites  # losses change with what flows, so they count once more
    if abs(flow_wh - stated) > slack:
        raise Impossible("settlement", Kind.GRID, f"flow_wh {flow_wh}", f"{stated} within {slack:.0f} Wh")
    if not due.converged[0]:  # a net at its limit, where wrong readings decide whether there is a solution
        return
    least, most = losses_between(world, wrong, losses, float(due.voltage_pu.min()))
    if not least <= technical_wh <= most:
        found = f"technical_losses_wh {technical_wh}"
        raise Impossible("settlement", Kind.GRID, found, f"{losses}, of {least:.0f} to {most:.0f} Wh")
