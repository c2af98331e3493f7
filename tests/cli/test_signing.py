"""``coffre drill cosign`` and ``sign --envelope``: the second person's laptop, and back."""

from __future__ import annotations

import base64
import copy
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rigs.vaults import ScratchVault
from vault.ledger.dsse import Envelope

pytestmark = pytest.mark.xdist_group("cli")


@dataclass(slots=True, kw_only=True)
class Stage:
    """A vault with three restore tests of its own, and the cosigners' laptop."""

    vault: ScratchVault
    laptop: Path
    vault_key: str
    drills: tuple[str, ...] = ()  # their numbers; the second was operated by "dim"

    def key(self, name: str) -> str:
        return str(self.laptop / f"{name}.key")

    def entries(self, kind: str = "drill-signed") -> list[dict]:
        lines = (self.vault.state / "ledger" / "ledger.jsonl").read_bytes().splitlines()
        return [one["body"] for one in map(json.loads, lines) if one["kind"] == kind]


@pytest.fixture(scope="module")
def stage(tmp_path_factory, founded, ask):
    """Give a copy of the session's vault: its tests are signed; dim and rssi may, x may not."""
    vault, first = founded
    folder = tmp_path_factory.mktemp("signing")
    shutil.copytree(vault.folder, folder / "v", symlinks=True)
    mine = ScratchVault(folder=folder / "v", history=copy.deepcopy(vault.history))
    (folder / "laptop").mkdir()
    made = Stage(vault=mine, laptop=folder / "laptop", vault_key=first["vault_key"])
    lines = {}
    for name in ("dim", "rssi", "x"):
        words = ("evidence", "keygen", name, "--to", made.key(name))
        lines[name] = ask(None, *words).ok().document["key"]
    del lines["x"]
    named = ", ".join(f"{name}: {{key: {line}}}" for name, line in lines.items())
    mine.config.write_text(mine.config.read_text() + f"evidence: {{cosigners: {{{named}}}}}\n")
    for operator in ("Ada L", "dim", "Ada L"):
        told = ask(mine, "drill", "run", "--source", "hr", "--by", operator).ok()
        made.drills += (str(told.document["drill"]),)
    return made


def give(ask, stage: Stage, number: str, to: Path) -> str:
    words = ("drill", "show", number, "--fiche", "--format", "dsse", "--to", str(to))
    ask(stage.vault, *words).ok()
    return str(to)


def test_a_referents_key_proves_what_a_name_only_declares(stage, ask, faults, tmp_path):
    """Golden: record out, signed elsewhere, judged and kept; shown, listed, printed as proven."""
    number, before = stage.drills[0], len(stage.entries())
    record = give(ask, stage, number, tmp_path / "record")
    back = str(tmp_path / "back")
    looked = ask(None, "drill", "cosign", record, "--vault-key", stage.vault_key).ok()
    assert (looked.document["key"], looked.document["drill"]) == (None, number)
    assert "hr" in looked.stderr
    assert "back in production" in looked.stderr
    signed = ask(None, "drill", "cosign", record, "--key", stage.key("dim"), "--out", back).ok()
    kept = ask(stage.vault, "drill", "sign", number, "--envelope", back).ok()
    shown = ask(stage.vault, "drill", "show", number).ok()
    for told in (looked, signed, kept, shown):
        assert faults(told.document) == []
    key = signed.document["key"]
    signature = shown.document["signature"]
    assert (signature["proof"], signature["role"], signature["by"]) == ("proven", "dim", "dim")
    assert signature["key_id"] == key.split("+")[1]
    (entry,) = stage.entries()[before:]
    assert (entry["proof"], entry["key"]) == (f"dim+{key.split('+')[1]}", key)
    assert [one["key"] for one in stage.entries("cosigner-enrolled")] == [key]
    assert entry["envelope"] == json.loads(Path(back).read_text())
    told = ask(stage.vault, "drill", "show", number, json_too=False).stdout
    assert "proven by a cosignature, role dim" in " ".join(told.split())
    assert "cosigned" in ask(stage.vault, "drill", "list", json_too=False).stdout
    page = tmp_path / "fiche.html"
    ask(stage.vault, "drill", "show", number, "--fiche", "--to", str(page), "--lang", "en").ok()
    assert "proven by a cosignature (dim, " in page.read_text()
    rows = ask(stage.vault, "compliance").ok().stdout
    assert "1 proven by a cosignature" in rows
    assert ask(stage.vault, "evidence", "verify", "--ledger").ok().document["problems"] == []
    again = ask(stage.vault, "drill", "sign", number, "--envelope", back)
    assert again.code == 2
    assert "signed already" in again.document["error"]["message"]
    assert len(stage.entries()) == before + 1


def test_what_does_not_prove_this_test_is_refused_and_leaves_no_entry(stage, ask, tmp_path):
    """Another test's record, a changed one, an unknown key, no signature of the vault's."""
    before = len(stage.entries())
    number = stage.drills[2]
    first, third = (give(ask, stage, n, tmp_path / f"r{n}") for n in (stage.drills[0], number))
    known, stranger = (tmp_path / name for name in ("known", "stranger"))
    ask(None, "drill", "cosign", first, "--key", stage.key("dim"), "--out", str(known)).ok()
    ask(None, "drill", "cosign", third, "--key", stage.key("x"), "--out", str(stranger)).ok()
    changed, bare = tmp_path / "changed", tmp_path / "bare"
    members = json.loads(Path(third).read_text())
    payload = base64.b64decode(members["payload"]).replace(b'"mismatches":0', b'"mismatches":1')
    changed.write_text(json.dumps(members | {"payload": base64.b64encode(payload).decode()}))
    bare.write_text(json.dumps(members | {"signatures": []}))
    for path in (changed, bare):
        out = str(tmp_path / f"{path.name}-signed")
        told = ask(None, "drill", "cosign", str(path), "--vault-key", stage.vault_key)
        assert told.document["error"]["reference"] == "signature-invalid"
        ask(None, "drill", "cosign", str(path), "--key", stage.key("dim"), "--out", out).ok()
    reasons = {
        str(known): "not the record of this restore test",
        str(tmp_path / "changed-signed"): "not the record of this restore test",
        str(stranger): "no cosigner of vault.yaml",
        str(tmp_path / "bare-signed"): "the vault's own signature",
        third: "no cosigner of vault.yaml",
    }
    for path, reason in reasons.items():
        told = ask(stage.vault, "drill", "sign", number, "--envelope", path)
        assert reason in told.document["error"]["message"], told.document
    assert ask(stage.vault, "drill", "sign", number).code == 2  # nobody named, nothing signed
    assert len(stage.entries()) == before
    assert ask(stage.vault, "drill", "show", number).document["signature"] is None


def test_who_operated_is_no_second_person_and_another_key_is(stage, ask, tmp_path):
    """The operator of that test was named as a role: that role's key proves nothing of it."""
    number, mine, both = stage.drills[1], tmp_path / "mine", tmp_path / "both"
    record = give(ask, stage, number, tmp_path / "r")
    ask(None, "drill", "cosign", record, "--key", stage.key("dim"), "--out", str(mine)).ok()
    told = ask(stage.vault, "drill", "sign", number, "--envelope", str(mine))
    assert (told.code, told.document["error"]["reference"]) == (2, "usage")
    ask(None, "drill", "cosign", str(mine), "--key", stage.key("rssi"), "--out", str(both)).ok()
    words = ("drill", "sign", number, "--envelope", str(both), "--by", "Grace H")
    signature = ask(stage.vault, *words).ok().document["signature"]
    assert (signature["by"], signature["role"]) == ("Grace H", "rssi")


def test_a_laptop_signs_records_only_once_and_never_over_a_file(stage, ask, tmp_path):
    """What a stranger's file shows has its control characters escaped; without --out it prints."""
    record = give(ask, stage, stage.drills[2], tmp_path / "r")
    words = ("drill", "cosign", record, "--key", stage.key("dim"))
    assert ask(None, *words, "--out", record).code == 2
    printed = ask(None, *words, json_too=False).ok()
    signed = tmp_path / "signed"
    signed.write_text(printed.stdout)
    assert len(Envelope.from_bytes(signed.read_bytes()).signatures) == 2
    again = ask(None, "drill", "cosign", str(signed), *words[3:])
    assert "already" in again.document["error"]["message"]
    members = json.loads(Path(record).read_text())
    payload = base64.b64decode(members["payload"])
    escaped = payload.replace(b'"source":"hr"', b'"source":"\\u001b[2Jhr"')
    other = payload.replace(b"restore-test:v1", b"other:v1")
    for name, text in (("escaped", escaped), ("other", other)):
        file = members | {"payload": base64.b64encode(text).decode()}
        (tmp_path / name).write_text(json.dumps(file))
    told = ask(None, "drill", "cosign", str(tmp_path / "escaped"))
    assert "\x1b[2J" not in told.stderr
    assert r"\x1b[2Jhr" in told.stderr
    words = ("drill", "cosign", str(tmp_path / "other"), "--key", stage.key("dim"))
    assert ask(None, *words).document["error"]["reference"] == "signature-invalid"
