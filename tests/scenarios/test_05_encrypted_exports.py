"""The night that ransomware rewrote: the real command, the real restic, exports on a real disk.

Goal: an encrypted export is not in the landing, not on the target, and not in the next night
either; when several are, no vault door opens; a person's word lets one export pass, once.
"""

from __future__ import annotations

import json
import os
import random

from tests.rigs.judge import Files, files_of
from tests.rigs.vaults import ScratchVault, write_file

LINES = [f"{n};ward {n % 7};2026-01-{1 + n % 28:02};12,5\n" for n in range(200)]


def write_text(vault: ScratchVault, source: str, count: int = 40) -> None:
    """Lay readable exports into a source."""
    folder = os.fsencode(vault.exports(source))
    for number in range(count):
        lines = "".join(random.Random(f"{source} {number}").sample(LINES, 120))
        write_file(os.path.join(folder, b"t%02d.csv" % number), lines.encode())


def encrypt(vault: ScratchVault, source: str, *, seed: int = 1, count: int = 40) -> None:
    """Encrypt exports in place, as ransomware leaves them: random bytes, the same names."""
    folder = os.fsencode(vault.exports(source))
    chance = random.Random(f"{seed} {source}")
    for number in range(count):
        path = os.path.join(folder, b"t%02d.csv" % number)
        write_file(path, chance.randbytes(os.path.getsize(path)))


def kinds(vault: ScratchVault) -> list[str]:
    """Give the kinds of the ledger's entries, in order."""
    lines = (vault.state / "ledger" / "ledger.jsonl").read_text().splitlines()
    return [json.loads(line)["kind"] for line in lines]


def gap_kinds(vault: ScratchVault) -> set[str]:
    """Give the kinds that are there now; an alarm that is over waits for a word, and is not."""
    gaps = vault.coffre("gaps").ok().document["gaps"]
    return {gap["kind"] for gap in gaps if not gap["over_since"]}


def source_of(night: dict, name: str) -> dict:
    return next(one for one in night["sources"] if one["name"] == name)


def test_an_encrypted_export_is_kept_out_until_a_person_accepts_that_one(held: ScratchVault):
    """Refused, accepted, refused because another came, accepted again, in."""
    write_text(held, "pmsi")
    held.run().ok()
    landing, target = _files(held)
    encrypt(held, "pmsi")
    night = held.run().ok(3).document
    refused = source_of(night, "pmsi")
    assert refused["verdict"] == "refused"
    assert "files that look encrypted and did not before: 40" in refused["reasons"]
    assert source_of(night, "hr")["verdict"] == "unchanged"  # the others go on
    assert _files(held) == (landing, target)
    assert "source-refused" in gap_kinds(held)

    words = ("--reason", "the editor changed its format", "--by", "Ana")
    assert held.coffre("inspect", "accept", "hr", *words).code == 2
    accepted = held.coffre("inspect", "accept", "pmsi", *words).ok().document
    assert accepted["reasons"] == refused["reasons"]
    encrypt(held, "pmsi", seed=2)
    assert source_of(held.run().ok(3).document, "pmsi")["verdict"] == "refused"
    assert kinds(held).count("acceptance-expired") == 1
    assert _files(held) == (landing, target)

    held.coffre("inspect", "accept", "pmsi", *words).ok()
    night = held.run().ok().document
    assert source_of(night, "pmsi")["verdict"] == "saved"
    assert "refused, then accepted by a person" in source_of(night, "pmsi")["reasons"]
    assert kinds(held).count("acceptance-used") == 1
    assert "source-refused" not in gap_kinds(held)


def test_when_as_many_are_refused_as_mean_an_attack_no_vault_door_opens(held: ScratchVault):
    """Code 7, nothing opened, until the exports are themselves again."""
    for source in ("pmsi", "hr"):
        write_text(held, source)
    held.run().ok()
    _landing, target = _files(held)
    openings = kinds(held).count("vault-opening")
    for source in ("pmsi", "hr"):
        encrypt(held, source)
    night = held.run().ok(7).document
    assert (night["verdict"], night["status"]) == ("refused", "locked")
    assert [one["outcome"] for one in night["targets"]] == ["not-opened"]
    assert any("an attack is suspected" in reason for reason in night["reasons"])
    assert "attack-suspected" in kinds(held)
    assert "attack-suspected" in gap_kinds(held)
    # Asked for one source alone, the other's refusal still stands.
    assert held.run("--source", "hr").ok(7).document["verdict"] == "refused"
    assert kinds(held).count("vault-opening") == openings
    assert _files(held)[1] == target
    write_text(held, "hr")
    night = held.run().ok(3).document
    assert (source_of(night, "pmsi")["verdict"], night["verdict"]) == ("refused", "incomplete")
    assert "attack-suspected" not in gap_kinds(held)


def _files(vault: ScratchVault) -> tuple[Files, Files]:
    """Give every file of the landing and of the repository on the target."""
    return files_of(vault.landing), files_of(vault.trial / "repository")
