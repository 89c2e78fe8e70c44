"""The command of the voltages' extremes, on the case of paper 000."""

import re

from evaluation import voltages


def test_node_6_alone_leaves_its_band_and_only_without_orders(capsys):
    assert voltages.main(["six_node", "--seeds", "4"]) == 0
    text = capsys.readouterr().out
    rows = re.findall(r"\| (node \d) \| .* \| [\d.]+–([\d.]+) \| [\d.]+–([\d.]+) \|", text)
    assert [name for name, _, _ in rows] == [f"node {number}" for number in range(1, 7)]
    assert [name for name, without, _ in rows if float(without) > 1.05] == ["node 6"]
    assert all(float(lived) <= 1.05 for _, _, lived in rows)
    found = re.search(r"its band: ([\d.]+) without orders, ([\d.]+) as lived", text)
    assert float(found[1]) > 8.0
    assert float(found[2]) == 0.0


def test_a_scenario_that_is_not_there_is_one_line(capsys):
    assert voltages.main(["six_nodes"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
