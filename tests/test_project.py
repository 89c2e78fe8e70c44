"""The repository itself: packages come from here, docs are what the code says, nothing is left lying."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("package", ["ledger", "envs", "agents", "evaluation", "benchmarks"])
def test_packages_are_imported_from_the_repository(package):
    module = __import__(package)
    assert Path(module.__file__).resolve().is_relative_to(ROOT)


def test_the_table_of_spaces_in_the_docs_is_the_codes():
    from envs.__main__ import markdown

    assert (ROOT / "docs" / "spaces.md").read_text(encoding="utf-8").rstrip() == markdown("rural_day").rstrip()


def test_every_shipped_scenario_loads():
    from envs.core import Core
    from envs.world import build_world

    paths = sorted((ROOT / "configs" / "scenarios").glob("*.yaml"))
    assert len(paths) >= 3
    for path in paths:
        world = build_world(path)
        assert Core(world).agents["prosumer"] == world.sites
        assert world.scenario.name == path.stem


def test_every_rule_and_behaviour_says_what_it_does():
    from envs import plugins

    for room in ("rules", "behaviours", "market", "dispatch"):
        for name in plugins.names(room):
            assert (plugins.ROOMS[room][1] / f"{name}.py").read_text("utf-8").startswith('"""'), (room, name)


def test_the_readme_names_every_dependency():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    readme = (ROOT / "README.md").read_text("utf-8")
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in (r for group in groups for r in group):
        name = requirement.split(">")[0].split("=")[0].split("[")[0]
        assert f"`{name}" in readme, f"README.md does not say why {name} was chosen"


def test_no_placeholder_is_left_in_the_readme():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "BENCH_" not in readme
    assert "TODO" not in readme
    for link in ("docs/report.png", "docs/architecture.md", "docs/grid.md", "docs/ledger.md", "docs/markets.md"):
        assert link in readme
        assert (ROOT / link).is_file()
