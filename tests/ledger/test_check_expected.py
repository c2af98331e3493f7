"""A monitoring host judges by the signed text and its own clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vault.ledger import check_expected
from vault.ledger.expected import Expected
from vault.ledger.notes import VaultKey

ENDED = datetime(2026, 3, 1, 2, 10, tzinfo=UTC)
NEXT = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
GOOD = {
    "vault": "coffre", "site": "990000010", "cycle": 412, "verdict": "sound", "status": "locked",
    "critical": 0, "warning": 0, "ended_at": ENDED, "next_before": NEXT, "ledger": "7 AAAA",
}  # fmt: skip
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("changed", "now", "code", "says"),
    [
        ({}, ENDED + HOUR, 0, "night 412 ended 2026-03-01 02:10 UTC: sound, locked"),
        ({}, NEXT, 0, "sound"),
        ({}, NEXT + HOUR, 2, "no night for 1.0 h: the next was expected before 2026-03-02 04:00"),
        ({}, ENDED - HOUR, 2, "is to come"),
        ({"warning": 1}, ENDED, 1, "1 other gaps"),
        ({"critical": 1}, ENDED, 2, "1 critical"),
        ({"verdict": "media-absent"}, ENDED, 1, "media-absent"),
        ({"verdict": "incomplete"}, ENDED, 1, "incomplete"),
        ({"verdict": "corrupt"}, ENDED, 2, "corrupt"),
        ({"verdict": "a word of a newer vault"}, ENDED, 2, "newer"),
        ({"status": "degraded"}, ENDED, 2, "a door could not be proven shut"),
        ({"status": "secured"}, ENDED, 2, "secured"),
    ],
)
def test_each_state_of_a_vault_has_its_nagios_code(tmp_path, capsys, changed, now, code, says):
    """Overdue goes before all else; what is not known to be good is not."""
    key = VaultKey.create(str(tmp_path / "key"), "coffre")
    path = tmp_path / "expected-next"
    path.write_bytes(key.sign(Expected(**{**GOOD, **changed}).to_text()))
    assert check_expected.main([str(path), "--key", key.public.to_text()], now) == code
    said = capsys.readouterr().out
    assert said.startswith(f"COFFRE {('OK', 'WARNING', 'CRITICAL')[code]} - ")
    assert says in said


def test_minutes_of_grace_are_added(tmp_path):
    """For the way of the file to the monitoring host."""
    key = VaultKey.create(str(tmp_path / "key"), "coffre")
    path = tmp_path / "expected-next"
    path.write_bytes(key.sign(Expected(**GOOD).to_text()))
    words = [str(path), "--key", key.public.to_text(), "--grace", "90"]
    assert check_expected.main(words, NEXT + HOUR) == 0
    assert check_expected.main(words, NEXT + 2 * HOUR) == 2


@pytest.mark.parametrize(
    "text", [b"another note\n", b"coffre expected next v2\n", b"coffre expected next v1\nvault x\n"]
)
def test_another_text_of_the_same_key_is_unknown(tmp_path, text):
    """A head of the ledger is signed by the same key, and says nothing of nights."""
    key = VaultKey.create(str(tmp_path / "key"), "coffre")
    path = tmp_path / "expected-next"
    path.write_bytes(key.sign(text))
    assert check_expected.main([str(path), "--key", key.public.to_text()]) == 3
    path.write_bytes(b"nothing signed")
    assert check_expected.main([str(path), "--key", key.public.to_text()]) != 0
