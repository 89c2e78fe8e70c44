"""Executors are found by entry point: of any installed package, else the market's own."""

import sys
import tomllib
from pathlib import Path

import pytest

from ledger.audit import DEFAULT, GROUP, AuditError, executor_of, load_factories

MODULE = """class Nothing:
    contracts, findings = ("nothing",), []
    def execute(self, sealed):
        return ()

def make(config, overrides):
    if config != "known":
        raise ValueError(f"no scenario {config}")
    return Nothing()

def empty(config, overrides):
    return None
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a package with this entry point where Python finds installed ones."""

    def put(value):
        folder = tmp_path / "foreign_rules-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: foreign-rules\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[{GROUP}]\nforeign = {value}\n")
        (tmp_path / "foreign_rules.py").write_text(MODULE)
        monkeypatch.syspath_prepend(str(tmp_path))

    yield put
    sys.modules.pop("foreign_rules", None)


def test_the_package_declares_what_is_used_without_an_installation():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert list(project["project"]["entry-points"][GROUP].values()) == [DEFAULT]
    assert load_factories(DEFAULT)[0].__module__ == "envs.audit"


def test_installed_executors_are_found(install):
    before = {factory.__module__ for factory in load_factories(None)}
    install("foreign_rules:make")
    factories = {factory.__module__: factory for factory in load_factories(None)}
    assert set(factories) - {"envs.audit"} == before - {"envs.audit"} | {"foreign_rules"}
    assert executor_of(factories["foreign_rules"], "known", []).contracts == ("nothing",)
    with pytest.raises(AuditError, match="no scenario other"):
        executor_of(factories["foreign_rules"], "other", [])


def test_no_group_means_the_market_s_own(monkeypatch):
    monkeypatch.setattr("ledger.audit.entry_points", lambda group: ())
    assert [factory.__module__ for factory in load_factories(None)] == ["envs.audit"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [("foreign_rules:missing", "cannot be loaded"), ("gone:make", "cannot be loaded"), ("foreign_rules", "be called")],
)
def test_an_entry_point_that_leads_nowhere(install, value, reason):
    install(value)
    with pytest.raises(AuditError, match=reason):
        load_factories(None)


def test_a_factory_that_makes_no_executor(install):
    install("foreign_rules:empty")
    (factory,) = (each for each in load_factories(None) if each.__module__ == "foreign_rules")
    with pytest.raises(AuditError, match="makes no executor: None has no contracts, findings, execute"):
        executor_of(factory, "known", [])
