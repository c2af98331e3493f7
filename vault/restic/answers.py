"""Read what restic prints: its JSON messages, its lists, its complaints.

Rule 1: unknown types of messages and unknown members are passed over; a missing answer is an
    error of the caller's to raise.
Rule 2: no file name is ever taken from restic's output: 0.14 does not print names that are not
    UTF-8 as they are.
Rule 3: what is repeated from a complaint holds ids and reasons, no names from inside a snapshot.
Source: restic manual, "Scripting"; outputs of 0.14.0 and 0.18.0.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vault.errors import ResticError
from vault.ports import SnapshotFacts
from vault.restic.commands import SOURCE_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping

SOUND_WORDS = "no errors were found"
SKIPPED_WORDS = "does not exist, skipping"
COMPLAINTS_KEPT = 20

_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_CHATTER = re.compile(
    r"^(using temporary cache|create exclusive lock|repository [0-9a-f]+ opened|load indexes|"
    r"check all packs|check snapshots|read all data|created new cache|\[\d+:\d+|$)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The last word of ``restic backup``."""

    snapshot_id: str  # full, or its first 8 digits from 0.14
    files: int
    bytes: int


def read_message(line: bytes) -> Mapping[str, object]:
    """Read one JSON message; empty when the line is none."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def read_summary(message: Mapping[str, object]) -> Summary | None:
    """Read the summary of a backup, or None when the message is something else."""
    if message.get("message_type") != "summary":
        return None
    snapshot_id = message.get("snapshot_id")
    files = message.get("total_files_processed")
    size_bytes = message.get("total_bytes_processed")
    if not (
        isinstance(snapshot_id, str) and isinstance(files, int) and isinstance(size_bytes, int)
    ):
        return None
    return Summary(snapshot_id=snapshot_id, files=files, bytes=size_bytes)


def read_progress(message: Mapping[str, object]) -> int | None:
    """Read how many bytes a running backup has done, or None."""
    done = message.get("bytes_done") if message.get("message_type") == "status" else None
    return done if isinstance(done, int) else None


def read_snapshots(output: bytes) -> tuple[SnapshotFacts, ...]:
    """Read ``restic snapshots --json``, in its order."""
    try:
        listed = json.loads(output)  # null when there are none
        return tuple(_snapshot(entry) for entry in listed or ())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _unreadable("snapshots") from None


def _snapshot(entry: Mapping[str, object]) -> SnapshotFacts:
    tags = entry.get("tags")
    sources = [
        tag.removeprefix(SOURCE_TAG)
        for tag in (tags if isinstance(tags, list) else ())
        if isinstance(tag, str) and tag.startswith(SOURCE_TAG)
    ]
    taken_at = datetime.fromisoformat(str(entry["time"]))
    return SnapshotFacts(
        snapshot_id=_full_id(entry["id"]),
        source=sources[0] if len(sources) == 1 else "",
        taken_at=taken_at.astimezone(UTC),
        tree=_full_id(entry["tree"]),
    )


def read_config_id(output: bytes) -> str:
    """Read the repository's id from ``restic cat config``."""
    try:
        return _full_id(json.loads(output)["id"])
    except (ValueError, KeyError, TypeError):
        raise _unreadable("cat config") from None


def read_complaints(stdout: str, stderr: str) -> tuple[str, ...]:
    """Give what ``restic check`` complains of, names left out, the first 20 of them."""
    lines = [line.strip() for line in (stderr + "\n" + stdout).splitlines()]
    said = [
        _QUOTED.sub('"…"', line)
        for line in lines
        if not _CHATTER.match(line) and line != SOUND_WORDS
    ]
    return tuple(dict.fromkeys(said))[:COMPLAINTS_KEPT]


def _full_id(value: object) -> str:
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise ValueError("not an id of 64 digits")
    return value


def _unreadable(command: str) -> ResticError:
    return ResticError(
        "restic {command} answered something we cannot read",
        hint="is it a version newer than this program knows?",
        command=command,
    )
