"""``coffre inspect PATH``: anyone's files, without a vault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.inspection.specimens import SPECIMENS, dsn, pes, pes_acknowledgement

pytestmark = pytest.mark.xdist_group("cli")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of every kind."""
    for name, _kind, make in SPECIMENS:
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(make())
    return tmp_path / "in"


def test_every_kind_is_told_in_one_lawful_document(ask, faults, folder):
    """Below a folder, with no configuration anywhere."""
    told = ask(None, "inspect", str(folder))
    document = json.loads(told.stdout)
    assert faults(document) == []
    assert (told.code, document["schema"]) == (0, "coffre/inspect-path/1")
    found = {one["path"]: (one["kind"], one["soundness"]) for one in document["files"]}
    assert found == {name: (kind, "sound") for name, kind, _ in SPECIMENS}


def test_table_shows_what_a_person_asks(ask, folder):
    """Kind, soundness, counts and period of one file, notes included."""
    told = ask(None, "inspect", str(folder / "paie.txt"), json_too=False)
    for word in ("paie.txt", "DSN", "sound", "lines", "2024-11", "norm P24V01"):
        assert word in told.stdout
    assert told.code == 0


def test_malformed_file_ends_with_4(ask, faults, tmp_path):
    """And says why, in English and in French."""
    (tmp_path / "paie.txt").write_bytes(dsn()[:-40])
    told = ask(None, "inspect", str(tmp_path))
    assert (told.code, faults(json.loads(told.stdout))) == (4, [])
    french = ask(None, "--lang", "fr", "inspect", str(tmp_path), json_too=False)
    assert "MAL FORMÉ" in french.stdout
    assert "il a été coupé" in french.stdout


def test_flow_without_its_acknowledgement_is_told(ask, tmp_path):
    """By the name that the acknowledgement answers; with it, nothing is told."""
    flow = pes().replace(b'NomFic V="000007"', b'NomFic V="PESALR2_0007.xml"')
    (tmp_path / "flow.xml").write_bytes(flow)
    document = json.loads(ask(None, "inspect", str(tmp_path)).stdout)
    assert document["unanswered"] == [{"path": "flow.xml"}]
    (tmp_path / "ack.xml").write_bytes(pes_acknowledgement())
    document = json.loads(ask(None, "inspect", str(tmp_path)).stdout)
    assert document["unanswered"] == []


def test_what_is_no_file_is_told_and_not_opened(ask, faults, tmp_path):
    """A link out of the folder is not followed; the one that a person named is."""
    (tmp_path / "in").mkdir()
    (tmp_path / "paie.txt").write_bytes(dsn())
    (tmp_path / "in/link").symlink_to(tmp_path / "paie.txt")
    document = json.loads(ask(None, "inspect", str(tmp_path / "in")).stdout)
    assert (document["files"], document["skipped"], faults(document)) == ([], 1, [])
    document = json.loads(ask(None, "inspect", str(tmp_path / "in/link")).stdout)
    assert document["files"][0]["kind"] == "dsn"


def test_path_that_is_not_there_is_a_fault_of_usage(ask, faults, tmp_path):
    """Its name is not repeated; nor is it in the name of the document."""
    told = ask(None, "inspect", str(tmp_path / "nowhere"))
    document = json.loads(told.stdout)
    assert (told.code, document["schema"]) == (2, "coffre/inspect-path/1")
    assert faults(document) == []
    assert "nowhere" not in told.stdout


def test_file_called_like_a_command_is_reached_by_path(ask, tmp_path, monkeypatch):
    """``coffre inspect path NAME``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "path").write_bytes(dsn())
    told = ask(None, "inspect", "path", "path")
    assert json.loads(told.stdout)["files"][0]["kind"] == "dsn"
