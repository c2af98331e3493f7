"""A night that is refused: what the document and the page say of it."""

from __future__ import annotations

import hashlib
import os

import pytest

from tests.scenarios.conftest import copied

pytestmark = pytest.mark.xdist_group("cli")


@pytest.fixture(scope="module")
def vault(tmp_path_factory, founded):
    """Give a copy of the session's vault: its alarm is no other test's."""
    return copied(founded[0], tmp_path_factory.mktemp("refused") / "v")


@pytest.fixture
def plant(vault):
    """Put files named by their own hash into the landing; take them out again."""
    planted = []

    def put(folder: str, content: bytes) -> None:
        name = hashlib.sha256(content).hexdigest()
        below = folder if folder == "index" else f"data/{name[:2]}"
        path = vault.landing / below / name
        path.write_bytes(content)
        planted.append(path)

    yield put
    for path in planted:
        path.unlink()


def test_an_index_behind_a_hundred_junk_packs_stops_the_night(vault, ask, faults, plant):
    """No snapshot, no opening, code 7; the door's proof is told, not forgotten."""
    for number in range(120):
        plant("data", b"junk %d" % number)
    plant("index", b"garbage that is named by its hash")
    vault.grow(7)
    told = ask(vault, "run", "--now")
    night = told.document
    assert (told.code, night["verdict"], night["status"]) == (7, "refused", "locked"), night
    assert faults(night) == []
    assert [target["outcome"] for target in night["targets"]] == ["not-opened"]
    assert {source["verdict"] for source in night["sources"]} == {"failed"}
    assert not any(source["snapshot_id"] for source in night["sources"])
    assert any("restic would read one of them" in reason for reason in night["reasons"])
    assert "night-refused" in {gap["kind"] for gap in ask(vault, "gaps").document["gaps"]}
    french = ask(vault, "run", "--now", "--lang", "fr", json_too=False)
    assert french.code == 7
    assert "qu’aucune de nos exécutions n’a fait" in french.stdout
    assert "non ouvert" in french.stdout


def test_junk_packs_alone_are_listed_and_not_carried(vault, ask, faults, plant):
    """The night goes on, incomplete; nothing of the junk is on the target."""
    plant("data", b"junk alone")
    night = (told := ask(vault, "run", "--now")).document
    assert (told.code, night["verdict"], night["aliens"]) == (3, "incomplete", 1), night
    assert faults(night) == []
    name = hashlib.sha256(b"junk alone").hexdigest()
    assert not os.path.exists(vault.trial / "repository" / "data" / name[:2] / name)


def test_the_next_night_is_sound_again(vault, ask):
    """Once the aliens are gone, nothing of the refusal stays but the alarm, for a person."""
    told = ask(vault, "run", "--now")
    assert told.code == 0, told.document
    ask(vault, "ack", "night-refused", "--by", "Ana", "--reason", "an exercise").ok()
    assert "night-refused" not in {gap["kind"] for gap in ask(vault, "gaps").document["gaps"]}
