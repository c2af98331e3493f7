"""``coffre ack``: no alarm clears itself, and a person's word is kept with who gave it."""

from __future__ import annotations

import json
import os
import re
from datetime import date

import pytest

from tests.cli.test_json import one_document
from tests.rigs.vaults import ScratchVault, write_file
from vault.hospital import FINESS
from vault.hospital.pmsi import Archive, write_archive

pytestmark = pytest.mark.xdist_group("cli")


def entries(vault: ScratchVault, kind: str) -> list[dict]:
    lines = (vault.state / "ledger" / "ledger.jsonl").read_text("utf-8").splitlines()
    return [entry["body"] for entry in map(json.loads, lines) if entry["kind"] == kind]


def gap_of(told, kind: str) -> dict:
    (gap,) = [gap for gap in one_document(told)["gaps"] if gap["kind"] == kind]
    return gap


def test_an_alarm_that_is_over_stays_until_somebody_acknowledges_it(mine, ask, faults):
    """Refused in one night, mended in the next: told until then, and kept in the ledger after."""
    note = os.fsencode(mine.exports("hr") / "HOW_TO_DECRYPT_FILES.txt")
    write_file(note, b"pay")
    ask(mine, "run", "--now").ok(3)
    assert entries(mine, "alarm-raised") == [
        {"alarm": "source-refused/hr", "gap": "source-refused", "source": "hr", "target": None}
    ]
    os.unlink(note)
    ask(mine, "run", "--now").ok(0)
    gap = gap_of(told := ask(mine, "gaps"), "source-refused")
    assert faults(one_document(told)) == []
    assert (gap["severity"], gap["over_since"] is None) == ("critical", False)
    status = json.loads((mine.state / "public" / "status.json").read_text("utf-8"))
    assert "source-refused" in {one["kind"] for one in status["gaps"]}
    listed = one_document(ask(mine, "ack"))
    assert faults(listed) == []
    assert [alarm["alarm"] for alarm in listed["alarms"]] == ["source-refused/hr"]
    for lang, said in (("en", "nobody has acknowledged it"), ("fr", "personne n’en a pris acte")):
        assert said in ask(mine, "ack", "--lang", lang, json_too=False).stdout.replace("\n  ", " ")
    word = ("--by", "Ana", "--reason", "a test")
    done = ask(mine, "ack", "source-refused/hr", *word).ok()
    assert faults(one_document(done)) == []
    (said,) = entries(mine, "alarm-acknowledged")
    assert (said["alarm"], said["by"], said["reason"]) == ("source-refused/hr", "Ana", "a test")
    assert said["login"]
    assert "source-refused" not in {one["kind"] for one in one_document(ask(mine, "gaps"))["gaps"]}
    assert one_document(ask(mine, "ack"))["alarms"] == []
    assert ask(mine, "ack", "source-refused", *word).code == 2


def criticals(ask, vault: ScratchVault) -> int:
    """Give how many critical gaps a monitoring host is told of."""
    line = ask(vault, "gaps", "--nagios", json_too=False).stdout
    found = re.search(r"critical=(\d+)", line)
    assert found, line
    return int(found[1])


def test_what_is_acknowledged_and_still_there_says_so_and_alarms_no_more(mine, ask, faults):
    """A warning to the monitoring host; who and why stand beside it, on the page too."""
    write_file(os.fsencode(mine.exports("hr") / "HOW_TO_DECRYPT_FILES.txt"), b"pay")
    ask(mine, "run", "--now").ok(3)
    loud = criticals(ask, mine)
    ask(mine, "ack", "source-refused", "--by", "Ana", "--reason", "an exercise").ok()
    gap = gap_of(told := ask(mine, "gaps"), "source-refused")
    assert faults(one_document(told)) == []
    assert (gap["acknowledged"]["by"], gap["acknowledged"]["reason"]) == ("Ana", "an exercise")
    assert criticals(ask, mine) == loud - 1
    shown = " ".join(ask(mine, "gaps", json_too=False).stdout.split())
    assert "acknowledged by Ana" in shown
    assert "an exercise" in shown
    ask(mine, "run", "--now").ok(3)
    page = (mine.state / "public/reports/sysadmin.fr.html").read_text("utf-8")
    assert "an exercise" in page
    assert criticals(ask, mine) == loud - 1  # the same again is nothing new


def test_accepting_a_refused_export_acknowledges_its_alarm(mine, ask):
    """The person has said by whom and why already."""
    write_file(os.fsencode(mine.exports("hr") / "HOW_TO_DECRYPT_FILES.txt"), b"pay")
    ask(mine, "run", "--now").ok(3)
    ask(mine, "inspect", "accept", "hr", "--by", "Ana", "--reason", "an exercise").ok()
    assert [one["reason"] for one in entries(mine, "alarm-acknowledged")] == ["an exercise"]
    assert one_document(ask(mine, "ack"))["alarms"] == []


def test_a_lawful_loss_of_records_passes_by_a_word_of_the_dim(mine, ask, faults):
    """Duplicates were deleted: the cell is sound again, with the reason; nothing else is."""
    for month, scale in ((1, 0.4), (2, 0.1)):
        for side in ("in", "out"):
            archive = Archive(field="SMR", year=2024, month=month, side=side, scale=scale)
            path = mine.exports("pmsi") / archive.name(date(2024, month + 1, 9))
            with path.open("wb") as file:
                write_archive(file, archive, seed=7, finess=FINESS)
            os.utime(path, (1_740_000_000, 1_740_000_000))
    ask(mine, "run", "--now").ok()
    name = f"{FINESS}/SMR/2024/M02"
    before = one_document(ask(mine, "pmsi", "explain", name))["cell"]
    assert before["state"] == "shrunk"
    gap = gap_of(ask(mine, "gaps"), "pmsi-shrunk")
    assert gap["alarm"] == f"pmsi-shrunk/{FINESS}/SMR/2024"
    assert gap["alarm"] in gap["mend"]
    word = ("--by", "Dr Exemple", "--reason", "doublons supprimés")
    done = one_document(ask(mine, "ack", gap["alarm"], *word))
    assert faults(done) == []
    assert done["cells"] == [name]
    (said,) = entries(mine, "alarm-acknowledged")
    assert said["cells"] == [name]
    told = one_document(ask(mine, "pmsi", "explain", name))
    assert faults(told) == []
    assert told["cell"]["state"] in ("sound", "amber")
    assert told["cell"]["lawful_loss"]["reason"] == "doublons supprimés"
    assert "doublons supprimés" in ask(mine, "pmsi", "explain", name, json_too=False).stdout
    assert "pmsi-shrunk" not in {one["kind"] for one in one_document(ask(mine, "gaps"))["gaps"]}
    assert one_document(ask(mine, "ack"))["alarms"] == []


@pytest.mark.parametrize(
    "words",
    [
        ("nothing", "--by", "A", "--reason", "b"),
        ("nothing", "--by", "A"),
        ("nothing", "--reason", "b"),
        ("--by", "A", "--reason", "b"),
    ],
)
def test_a_word_without_its_parts_is_a_usage_error(vault, ask, words):
    """Nothing is acknowledged by chance."""
    assert ask(vault, "ack", *words).code == 2
