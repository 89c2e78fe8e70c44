"""Pictures as inline SVG, one file a subject; ``pictures`` draws those of the report by the place they take in it."""

from __future__ import annotations

from evaluation.figures import conduct, events, feeder, grid, market, nodes
from evaluation.figures.style import Picture
from evaluation.study import Study


def pictures(study: Study) -> dict[str, list[Picture]]:
    """Section of the report → its pictures."""
    return {
        "grid": [
            grid.voltage_picture(study),
            grid.loading_picture(study),
            feeder.map_picture(study),
            *nodes.node_pictures(study),
        ],
        "market": [market.prices_picture(study)],
        "money": [market.money_picture(study)],
        "events": [events.events_picture(study), events.completion_picture(study)],
        "credit": [conduct.credit_picture(study)],
        "chain": [conduct.producers_picture(study)],
    }
