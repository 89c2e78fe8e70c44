"""A period as text or as a picture: the feeder, its voltages, what was asked, ordered and paid."""

from __future__ import annotations

import numpy as np

from envs.types import CAUSES, PPM, REQUESTS, State, Trace
from envs.world import World


def render_text(world: World, state: State, trace: Trace | None) -> str:
    """A few lines on world 0: time, grid, trades, events, money."""
    minutes = 15 * (state.period % world.periods_per_day)
    lines = [
        f"{world.scenario.name}  day {int(state.day[0])}  {minutes // 60:02d}:{minutes % 60:02d}  period {state.period}"
    ]
    if trace is None:
        return lines[0] + "\n  not played yet"
    voltage, twin = trace.energy.voltage_pu[0, 1:], trace.energy.twin_voltage_pu[0, 1:]
    count = int(trace.trades.count[0])
    traded_kwh = int(trace.trades.wh[0, :count].sum()) / 1000
    price = int(trace.trades.reference[0]) / PPM
    lines += [
        f"  voltage {voltage.min():.4f} to {voltage.max():.4f} pu, loading {trace.energy.loading[0].max():.0%}"
        f" (without orders {twin.min():.4f} to {twin.max():.4f} pu)",
        f"  trades {count}, {traded_kwh:.2f} kWh, Pa {price:.3f}/kWh",
    ]
    for r in range(REQUESTS):
        if trace.stage.cause[0, r]:
            lines.append(
                f"  event: {CAUSES[trace.stage.cause[0, r]]}, asked {trace.stage.asked_wh[0, r] / 1000:.2f} kWh, "
                f"ordered {trace.plan.ordered_wh[0, r].sum() / 1000:.2f} kWh for {trace.stage.duration[0, r]} periods"
            )
    return "\n".join(lines)


def render_frame(world: World, state: State, trace: Trace | None) -> np.ndarray:
    """(height, width, 3) uint8: the feeder's buses coloured by voltage."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), dpi=80)
    axes = figure.add_subplot()
    place, grid = world.feeder.position, world.scenario.grid
    for upper, lower in world.feeder.ends[1:]:
        axes.plot(*zip(place[lower], place[upper], strict=True), color="0.7", zorder=1)
    dots = axes.scatter(
        place[:, 0], place[:, 1], c=state.voltage_pu[0], cmap="coolwarm", zorder=2,
        vmin=grid.band_low_pu, vmax=grid.band_high_pu,
    )  # fmt: skip
    figure.colorbar(dots, label="voltage (pu)")
    axes.set_title(render_text(world, state, trace).splitlines()[0])
    axes.set_axis_off()
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
