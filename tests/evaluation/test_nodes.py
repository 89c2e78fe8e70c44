"""The pictures of paper 000's case: they are in the report of a small net and show what was lived."""

from __future__ import annotations

import numpy as np

from envs.settings import load_scenario
from evaluation.figures import nodes, pictures
from evaluation.measures.base import lived
from evaluation.report import render_report
from tests.evaluation.conftest import study_in


def test_the_six_node_report_has_the_papers_pictures_and_the_events_records(tmp_path):
    study = study_in(tmp_path, [load_scenario("six_node", {"calendar": {"periods": 56}})], seeds=(0,))
    html = render_report(study)
    for title in ("The net and its nodes", "Generation, load and voltage of every node"):
        assert f"<h3>{title}</h3>" in html
    topology, curves = (picture.svg for picture in nodes.node_pictures(study))
    for node in range(1, 7):
        assert f"node {node}" in topology
        assert f">node {node}<" in curves
    for kind in ("Ttx", "Dtx", "Vtx", "Atx"):
        assert f'<span class="meaning">{kind}</span>' in html
    assert "Most loaded line" in html
    part = study.parts[0]
    book, feeder = part.runs[0].book, part.world.feeder
    worst = lived(book, True)[0].max(axis=0)
    assert f"{worst.max():.3f} →" in topology
    assert feeder.bus_name[worst.argmax()] == "node 6"


def test_generation_without_orders_is_what_orders_took_off(tmp_path):
    study = study_in(tmp_path, [load_scenario("six_node", {"ledger": {"mode": "off"}})], seeds=(0,))
    part = study.parts[0]
    run, world = part.runs[0], part.world
    without = nodes._by_bus(world, run.truth.available_wh)
    as_lived = nodes._by_bus(world, run.book.accepted_wh[..., 0])
    ordered = nodes._ordered(world, run.book)
    assert (as_lived <= without + 0.005).all()
    assert (ordered.min(axis=0)[[0, 2, 3]] == 0).all()  # the root, and those without a plant
    curtailed = (without - as_lived)[ordered < 0]
    assert curtailed.sum() > 0.5 * -ordered.sum()
    assert np.allclose(without[ordered == 0], as_lived[ordered == 0], atol=0.005)


def test_larger_nets_are_not_drawn_node_by_node(tmp_path):
    scenario = load_scenario("rural_day", {"calendar": {"periods": 2}, "ledger": {"mode": "off"}})
    assert nodes.node_pictures(study_in(tmp_path, [scenario], seeds=(0,))) == []
    assert len(pictures(study_in(tmp_path, [scenario], seeds=(0,)))["grid"]) == 3
