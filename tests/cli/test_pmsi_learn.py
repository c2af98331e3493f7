"""``coffre pmsi learn``: a row is confirmed or proposed, and no line is shown."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from random import Random

import pytest
import yaml

from tests.rigs.pmsi_lines import FINESS, lines_of, make_line, make_zip, reader_of, text_of
from vault.cli.main import main
from vault.config import load_formats

TABLES = load_formats()
MARKERS = (b"1850775123456", b"DURANDMARTHE")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANG", "C")


def run(capsys, file: Path, *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([*words, "pmsi", "learn", str(file)])
    out, err = capsys.readouterr()
    return int(ended.value.code), out, err


def newer(marker: bytes = b"") -> bytes:
    """Give RSA of an unknown version: five columns longer, the counters where they were."""
    reader = reader_of(TABLES, "rsa", "229")
    dice = Random(2)
    lines = []
    for _ in range(40):
        line = bytearray(make_line(reader, reader.rules[0], dice=dice, marker=marker))
        line[9:12] = b"230"
        lines.append(bytes(line) + b"XXXXX")
    return text_of(lines)


def test_a_known_version_is_confirmed(tmp_path, capsys):
    """Every line fits, the FINESS stands in its place."""
    file = tmp_path / "rsa"
    file.write_bytes(text_of(lines_of(TABLES, "rsa", "228", [1, 2, 3])))
    code, out, _err = run(capsys, file, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["schema"] == "coffre/pmsi-learn/1"
    (version,) = told["versions"]
    assert (version["record"], version["version"], version["verdict"]) == (
        "rsa",
        "228",
        "confirmed",
    )
    assert version["finess_in_place"] == version["lines"] == 9
    assert version["finess"] == {FINESS: 9}
    assert set(version["months"]) == {"2024-01", "2024-02", "2024-03"}


def test_the_row_that_is_proposed_makes_the_file_known(tmp_path, capsys):
    """Put into the site's table, it is confirmed at the next asking."""
    file = tmp_path / "rsa"
    file.write_bytes(newer())
    code, out, _err = run(capsys, file, "--json")
    assert code == 3
    (version,) = json.loads(out)["versions"]
    assert (version["version"], version["known"], version["verdict"]) == ("230", False, "explained")
    assert yaml.safe_load(version["yaml"])["records"]["rsa"]["versions"]["230"]["fixed"] == 270
    formats = tmp_path / "policies" / "formats"
    formats.mkdir(parents=True)
    (formats / "records.yaml").write_text(version["yaml"])
    (formats / "records.yaml").chmod(0o644)
    config = tmp_path / "vault.yaml"
    config.write_text(
        'site: {name: CH, finess: "990000010", time_zone: Europe/Paris, language: en}\n'
        "state: state\nlanding: {password: {file: landing.pw}}\n"
    )
    config.chmod(0o600)
    code, out, err = run(capsys, file, "--json", "-c", str(config))
    assert code == 0, out + err
    assert json.loads(out)["versions"][0]["verdict"] == "confirmed"


def test_lengths_that_no_row_explains_are_said_to_be_so(tmp_path, capsys):
    """Nothing is proposed then."""
    dice = Random(1)
    file = tmp_path / "rsa"
    file.write_bytes(text_of(line + b"X" * dice.randint(1, 90) for line in newer().splitlines()))
    code, out, _err = run(capsys, file)
    assert code == 3
    assert "there is none that fits" in out
    assert "records:" not in out


def test_no_character_of_a_line_is_shown(tmp_path, capsys):
    """Neither to a person nor in the document, whatever the file is."""
    for marker in MARKERS:
        named = text_of(lines_of(TABLES, "vidhosp", "V014", [1], marker=marker))
        other = newer(marker)
        for content in (other, other[:-40], marker * 99, marker + b"\n" * 9, named):
            file = tmp_path / "file"
            file.write_bytes(content)
            for words in ((), ("--json",)):
                _code, out, err = run(capsys, file, *words)
                assert marker.decode()[:6] not in out + err


@pytest.mark.parametrize("kind", ["absent", "folder", "archive"])
def test_what_cannot_be_read_is_a_fault_of_usage(tmp_path, capsys, kind):
    """With a sentence, not a traceback; an archive is not unfolded here."""
    file = tmp_path / kind
    if kind == "folder":
        file.mkdir()
    if kind == "archive":
        file.write_bytes(make_zip({"x": b"y"}))
    code, _out, err = run(capsys, file)
    assert code == 2
    assert re.search(r"\[usage\]", err)
    assert os.path.basename(__file__) not in err
