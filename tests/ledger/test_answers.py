"""Under --json every command answers in its schema, whatever it meets, and no mistake ends in a traceback."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from ledger.__main__ import main
from ledger.answers import SCHEMAS, answer, schema_name
from ledger.checkpoint import Checkpoint
from ledger.encoding import decode, encode
from ledger.store import Store

from .conftest import blocks_of, rows_of

ROOT = Path(__file__).resolve().parents[2]
AUDIT = ["--config", "any", "--executors", "executors_of_the_test:make"]
FOLLOWING = ["--checkpoint", "CHECKPOINT", "--ledger", "LEDGER", "--now", "10800"]
EVENT_1 = ["--event", "1"]

# command, what stands before the file, what after it, schema, exit status for an altered file (of a sound one it is 0)
CASES = [
    ("verify", [], [], "verdict", 1),
    ("audit", [], AUDIT, "audit", 1),
    ("show", [], [], "overview", 0),  # `show` verifies nothing
    ("show", [], ["--block", "3"], "block", 0),
    ("show", [], EVENT_1, "event", 0),
    ("show", [], ["--contracts"], "contracts", 0),
    ("show", [], ["--joining"], "joining", 0),
    ("view", [], ["--as", "eno", "--block", "3"], "view", 1),
    ("view", [], ["--as", "eno", *EVENT_1], "view", 1),
    ("proof", ["RECORD"], [], "proof", 2),  # no proof is handed out that does not hold
    ("check-proof", [], ["--head", "HEAD"], "proof-verdict", 1),
    ("check-view", [], ["--head", "HEAD"], "view-verdict", 1),
    ("history", [], ["--from", "2"], "history", 0),  # headers alone, which are not altered
    ("check-history", [], ["--from", "OLD", "--to", "HEAD"], "history-verdict", 1),
    ("light", [], FOLLOWING, "light", 0),  # headers, too
    ("light", [], [*FOLLOWING, "--as", "eno", "--block", "3"], "light", 1),
    ("consistency", ["SOUND"], [], "consistency", 2),  # no comparison with a file whose records are not its headers'
    ("export", [], ["NEW"], "export", 0),
    ("import", [], ["NEW"], "import", 1),
]
IDS = [f"{command}{'-' + after[0].lstrip('-') if after[:1] else ''}" for command, _, after, _, _ in CASES]


@pytest.fixture(scope="module")
def files(finished, roster, tmp_path_factory):
    """Names of the test's words: the sound ledger, the altered one, and of each an export and a proof."""
    path, head = finished["period"]
    folder = tmp_path_factory.mktemp("answers")
    rows, altered = rows_of(path), folder / "altered.sqlite"
    parts = decode(rows[3][1])
    parts[4] = parts[4][::-1]  # the records of block 3, in another order
    with Store.create(altered) as store:
        for number, data in [*rows[:3], (3, encode(parts)), *rows[4:]]:
            store.append_bytes(number, data)
    third = blocks_of(path)[3]
    found = {"SOUND": str(path), "ALTERED": str(altered), "HEAD": head.hex(), "OLD": third.hash.hex()}
    found["RECORD"] = record = third.records[0].id.hex()
    for name in ("SOUND", "ALTERED"):
        found[f"{name} import"] = str(folder / f"{name}.bin")
        assert main(["export", found[name], found[f"{name} import"]]) == 0
    found["LEDGER"], found["CHECKPOINT"] = third.header.chain_id.hex(), str(folder / "checkpoint.json")
    keys = [member.public_key for member in roster.members[:3]]
    authority, ledger_id = roster.authority.private_key, third.header.chain_id
    Checkpoint.issue(authority, ledger_id, 3, third.hash, keys, 99).write(found["CHECKPOINT"])
    view = ["--as", "eno", "--block", "3", "--json"]
    for kind, words, part in (
        ("proof", [record], b"signature"),
        ("history", ["--from", "3"], b"to"),
        ("view", view, b"raw"),
    ):
        made = [sys.executable, "-m", "ledger", kind, *words, str(path)]
        proof = subprocess.run(made, capture_output=True, cwd=ROOT, check=True).stdout
        for name, content in (("SOUND", proof), ("ALTERED", proof.replace(b'"%s": "' % part, b'"%s": "00' % part))):
            found[f"{name} check-{kind}"] = str(folder / f"{name} {kind}.json")
            Path(found[f"{name} check-{kind}"]).write_bytes(content)
    return found


@pytest.fixture(autouse=True)
def executors(monkeypatch, tmp_path_factory):
    """Contract executors that find nothing to execute, that fail, and a module that is none."""
    module = ModuleType("executors_of_the_test")
    nothing = SimpleNamespace(contracts=("none",), findings=[], execute=lambda sealed: [])
    module.make = lambda scenario, overrides: nothing
    module.fail = lambda scenario, overrides: {}["nothing"]
    monkeypatch.setitem(sys.modules, "executors_of_the_test", module)
    folder = tmp_path_factory.mktemp("modules")
    (folder / "does_not_parse.py").write_text("def make(:")
    monkeypatch.syspath_prepend(folder)


def run(capsys, *words):
    """Exit status and answer of a command under --json, which is all that it prints."""
    capsys.readouterr()
    try:
        status = main([*words, "--json"])
    except SystemExit as ended:
        status = ended.code
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.count("\n") == 1
    return status, json.loads(printed.out)


@pytest.mark.parametrize("kind", ["SOUND", "ALTERED", "missing"])
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_every_answer_is_in_its_schema(files, tmp_path, capsys, case, kind):
    command, before, after, schema, status = case
    names = files | {"NEW": str(tmp_path / "new")}
    file = str(tmp_path / "none") if kind == "missing" else files.get(f"{kind} {command}", files[kind])
    words = [command, *(names.get(word, word) for word in before), file, *(names.get(word, word) for word in after)]
    due = {"SOUND": 0, "ALTERED": status, "missing": 2}[kind]
    found = schema if due != 2 else "error"
    told, view = run(capsys, *words)
    assert (told, view["schema"]) == (due, schema_name(found))
    assert list(view) == ["schema", *SCHEMAS[found].fields]
    if due == 2:
        assert view["command"] == command
        assert view["error"]
    elif due == 1:
        assert view["fault"]


def test_every_schema_is_met_and_in_the_docs():
    assert {schema for _, _, _, schema, _ in CASES} | {"error", "checkpoint"} == set(SCHEMAS)
    rows = [line for line in (ROOT / "docs" / "ledger.md").read_text("utf-8").splitlines() if line.startswith("| `")]
    for schema, (_, fields) in SCHEMAS.items():
        told = [row for row in rows if f"`{schema_name(schema)}`" in row]
        assert len(told) == 1, schema
        assert [name for name in fields if f"`{name}`" not in told[0]] == [], schema


def test_a_field_that_the_schema_lacks_is_an_error():
    with pytest.raises(ValueError, match=r"gridpact/export/1 has no field block"):
        answer("export", {"block": 1})


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["frobnicate"],
        ["verify"],
        ["verify", "a", "b"],
        ["verify", "SOUND", "--head", "xyz"],
        ["verify", "SOUND", "--head", "00" * 31],
        ["verify", "SOUND", "--checkpoint", "none"],
        ["audit", "SOUND"],
        ["audit", "SOUND", "--config", "no_such_scenario", "--executors", "envs.audit:executors"],
        ["audit", "SOUND", "--config", ".", "--executors", "envs.audit:executors"],
        ["audit", "SOUND", "--config", "SOUND", "--executors", "envs.audit:executors"],
        ["audit", "SOUND", "--config", "rural_day", "--executors", "envs.audit:executors", "--set", "gamma"],
        ["audit", "SOUND", "--config", "rural_day", "--executors", "envs.audit:executors", "--set", "grid.none=1"],
        ["audit", "SOUND", "--config", "any", "--executors", "no.module:here"],
        ["audit", "SOUND", "--config", "any", "--executors", "nothing"],
        ["audit", "SOUND", "--config", "any", "--executors", ".relative:one"],
        ["audit", "SOUND", "--config", "any", "--executors", "executors_of_the_test:fail"],
        ["audit", "SOUND", "--config", "any", "--executors", "does_not_parse:make"],
        ["audit", "SOUND", *AUDIT, "--checkpoint", "SOUND"],
        ["show", "SOUND", "--block", "x"],
        ["show", "SOUND", "--block", "-1"],
        ["show", "SOUND", "--event", str(10**30)],
        ["show", "SOUND", "--block", "1", "--event", "1"],
        ["show", "SOUND", "--chain", "dispatch"],
        ["view", "SOUND", "--as", "nobody", "--block", "1"],
        ["view", "SOUND", "--as", "eno"],
        ["proof", "zz", "SOUND"],
        ["proof", "00" * 32, "SOUND"],
        ["check-proof", "SOUND", "--head", "HEAD"],
        ["check-proof", "SOUND check-proof"],
        ["check-proof", "SOUND check-proof", "--checkpoint", "none"],
        ["check-proof", "SOUND check-proof", "--checkpoint", "SOUND", "--authority", "02" * 33],
        ["proof", "RECORD", "SOUND", "--to", "2"],
        ["proof", "RECORD", "SOUND", "--to", "99"],
        ["history", "SOUND"],
        ["history", "SOUND", "--from", "12"],
        ["history", "SOUND", "--from", "5", "--to", "4"],
        ["history", "SOUND", "--from", "RECORD"],
        ["history", "SOUND", "--from", "-1"],
        ["history", "SOUND", "--from", "abc"],
        ["check-history", "SOUND", "--from", "HEAD", "--to", "HEAD"],
        ["check-history", "SOUND check-history", "--from", "3", "--to", "HEAD"],
        ["light", "SOUND"],
        ["light", "SOUND", *FOLLOWING[:4]],
        ["light", "SOUND", *FOLLOWING, "--authority", "02" * 33],
        ["light", "SOUND", *FOLLOWING, "--as", "eno"],
        ["light", "SOUND", *FOLLOWING, "--block", "3"],
        ["light", "SOUND", *FOLLOWING, "--as", "eno", "--block", "99"],
        ["light", "SOUND", *FOLLOWING, "--trusting-days", "0"],
        ["light", "SOUND", *FOLLOWING, "--proof", "SOUND"],
        ["light", "SOUND", *FOLLOWING, "--checkpoint", "SOUND"],
        ["light", "SOUND", *FOLLOWING[:4], "--now", "-1"],
        ["export", "SOUND", "SOUND"],
        ["export", "SOUND", "no folder/new"],
        ["import", "SOUND", "NEW"],
        ["import", "SOUND import", "SOUND"],
        ["import", "SOUND import", "no folder/new"],
    ],
    ids=lambda words: " ".join(words)[:60],
)  # fmt: skip
def test_a_users_mistake_is_one_line(files, tmp_path, capsys, words):
    names = files | {"NEW": str(tmp_path / "new")}
    status, view = run(capsys, *(names.get(word, word) for word in words))
    assert (status, view["schema"]) == (2, "gridpact/error/1")
    assert view["error"]
    assert not (tmp_path / "new").exists()


def _truncated(path, folder):
    data = Path(path).read_bytes()
    for size in (10, 100, 4096, len(data) // 2, len(data) - 1):
        (folder / f"truncated {size}").write_bytes(data[:size])
    (folder / "empty").write_bytes(b"")
    (folder / "garbage").write_bytes(bytes(range(256)) * 40)
    (folder / "text").write_text("a ledger")
    (folder / "folder").mkdir()
    (folder / "dangling").symlink_to(folder / "nowhere")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("case", [case for case in CASES if case[0] != "consistency"], ids=lambda case: case[0])
def test_files_of_any_kind(files, tmp_path, capsys, case):
    command, before, after, schema, _ = case
    (tmp_path / "in").mkdir()
    for number, file in enumerate([*_truncated(files["SOUND"], tmp_path / "in"), Path(files["SOUND"]) / "inside"]):
        names = files | {"NEW": str(tmp_path / f"new {number}")}
        words = [names.get(word, word) for word in (*before, str(file), *after)]
        status, view = run(capsys, command, *words)
        assert status in (0, 1, 2)
        assert view["schema"] == schema_name("error" if status == 2 else schema)
        assert (status == 0) <= file.name.startswith("truncated"), file  # `show` of what still stands there


def test_a_file_that_may_not_be_read(files, tmp_path, capsys, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_file", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    for command, before, after, _, _ in CASES:
        names = files | {"NEW": str(tmp_path / "new")}
        status, view = run(capsys, command, *(names.get(word, word) for word in (*before, files["SOUND"], *after)))
        assert (status, view["schema"]) == (2, "gridpact/error/1"), command
        assert "Permission denied" in view["error"]


def test_audit_and_import_take_a_head_and_a_checkpoint(files, finished, roster, tmp_path, capsys):
    path, head = finished["period"]
    blocks = blocks_of(path)
    key, ledger_id = roster.authority.private_key, blocks[0].header.chain_id
    for name, block_hash, status in (("right", blocks[4].hash, 0), ("wrong", bytes(32), 1)):
        anchor = tmp_path / name
        anchor.write_text(json.dumps(Checkpoint.issue(key, ledger_id, 4, block_hash).view()))
        known = ["--head", head.hex(), "--checkpoint", str(anchor)]
        for command in (["audit", str(path), *AUDIT], ["import", files["SOUND import"], str(tmp_path / f"{name} in")]):
            told, view = run(capsys, *command, *known)
            assert (told, view["sound"]) == (status, not status)
            assert (view["fault"] is not None) == bool(status)
            assert status == 0 or "CHECKPOINT" in view["fault"]
    told, view = run(capsys, "audit", str(path), *AUDIT, "--head", "00" * 32)
    assert (told, view["sound"], view["contracts"]) == (1, False, [])
    assert "head is" in view["fault"]


@pytest.mark.parametrize("words", [[], ["verify"], ["verify", "SOUND", "--head", "zz"], ["show", "SOUND", "--block"]])
def test_a_mistake_takes_one_line_of_text_too(files, capsys, words):
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([files.get(word, word) for word in words])
    told = capsys.readouterr().err
    assert (ended.value.code, told.count("\n")) == (2, 1)
    assert "--help" in told


def test_the_command_is_named_wherever_it_stands(files, capsys):
    _, view = run(capsys, "--json", "verify", files["SOUND"])
    assert view["command"] == "verify"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("words", [["--json"], []])
def test_an_output_that_takes_nothing(files, words):
    program = [sys.executable, "-m", "ledger", "verify", files["SOUND"], *words]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert b"No space left" in done.stderr
    assert done.stderr.count(b"\n") == 1
