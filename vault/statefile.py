"""The airlock's state, the red button, the vault's lock and the public status: small files.

    state/lock            flock: one cycle, ceremony or opening at a time
    state/airlock.json    the last committed state
    state/secured.json    there while the red button is pressed
    state/doors.json      every door, as it must be known to shut it and to ask it
    state/public/         0750 for the state group: status.json, pmsi.json and reports/, read
                          without root

Rule 1: a file is written aside, synced, renamed, and its folder synced: a reader sees the old or
    the new, after a power cut too.
Rule 2: nothing here needs a database, a ledger, a configuration or a report; shutting waits for
    none of them.
Rule 3: nothing in ``public/`` names a file of an export.
"""

from __future__ import annotations

import contextlib
import grp
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from vault.errors import ConfigError, DoorUnproven
from vault.records import AirlockRecord, DoorList, ListedDoor, Pressed
from vault.state import State, status_of
from vault.vault_lock import Holder, VaultLock, no_patience
from vault.whole_file import sync_folder, write_json, write_whole

AIRLOCK = "airlock.json"
SECURED = "secured.json"
DOORS = "doors.json"
LOCK = "lock"
PUBLIC = "public"
STATUS = "status.json"
_UNREADABLE = (OSError, ValueError, KeyError, TypeError)  # torn, foreign, or on a disk that fails
_LONG_AGO = datetime.fromtimestamp(0, UTC)
_PUBLIC_FOLDER_MODE = 0o750
_PUBLIC_FILE_MODE = 0o640


@dataclass(frozen=True, slots=True)
class StateFolder:
    """Implements ``vault.records.AirlockStore`` over the vault's state folder."""

    folder: str
    group: str | None = None  # who may read ``public/``

    def load(self) -> AirlockRecord | None:
        """Give the last committed state; an unreadable record counts as an open vault door."""
        try:
            document = _read_json(os.path.join(self.folder, AIRLOCK))
            return None if document is None else _airlock_record(document)
        except _UNREADABLE:
            return AirlockRecord(state=State.SHUTTING, since=_LONG_AGO)

    def commit(self, record: AirlockRecord) -> None:
        """Make the state durable."""
        document = {
            "state": str(record.state),
            "since": record.since.isoformat(),
            "cycle": record.cycle,
            "target": record.target,
            "reason": record.reason,
            "closes_at": record.closes_at.isoformat() if record.closes_at else None,
        }
        write_json(os.path.join(self.folder, AIRLOCK), document)
        self.tell_public(record.state)

    def tell_public(self, state: State) -> None:
        """Keep the public status true while a night runs; never in the way of the state itself."""
        path = os.path.join(self.folder, PUBLIC, STATUS)
        with contextlib.suppress(OSError, ValueError, ConfigError):
            public = _read_json(path)
            if public is not None:
                told = {**public, "status": str(status_of(state)), "state": str(state)}
                told["pid"] = os.getpid()
                mode, group = _PUBLIC_FILE_MODE, os.stat(path).st_gid
                write_json(path, told, mode=mode, group=group, is_durable=False)

    def pressed(self) -> Pressed | None:
        """Give the red button's record; one that cannot be read counts as pressed."""
        try:
            document = _read_json(os.path.join(self.folder, SECURED))
            return None if document is None else _pressed(document)
        except _UNREADABLE:
            return Pressed(by="?", reason="?", at=_LONG_AGO)

    def press(self, pressed: Pressed) -> None:
        """Press the red button; pressing again keeps who pressed first."""
        if self.pressed() is not None:
            return
        document = {
            "by": pressed.by,
            "reason": pressed.reason,
            "at": pressed.at.isoformat(),
            "login": pressed.login,
        }
        write_json(os.path.join(self.folder, SECURED), document)

    def release(self) -> None:
        """Take the red button's record away, durably."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.folder, SECURED))
        sync_folder(self.folder)

    def read_doors(self) -> DoorList:
        """Give the list of doors; empty before the first; DoorUnproven when it is damaged."""
        try:
            document = _read_json(os.path.join(self.folder, DOORS))
            return DoorList() if document is None else _door_list(document)
        except _UNREADABLE as error:
            raise DoorUnproven(
                "the list of doors cannot be read: {reason}",
                reason=type(error).__name__,
                hint="is the disk of the vault host failing?",
            ) from None

    def write_doors(self, doors: DoorList) -> None:
        """Replace the list of doors, durably."""
        write_json(os.path.join(self.folder, DOORS), asdict(doors))

    def publish(self, status: Mapping[str, object]) -> None:
        """Write ``public/status.json``, readable by the state group."""
        self.publish_document(STATUS, status)

    def publish_document(self, name: str, members: Mapping[str, object]) -> None:
        """Write a JSON file below ``public/``, readable by the state group."""
        write_json(
            self._public_path(name), dict(members), mode=_PUBLIC_FILE_MODE, group=self._gid()
        )

    def publish_text(self, name: str, text: str) -> None:
        """Write a text below ``public/``, readable by the state group."""
        write_whole(
            self._public_path(name), text.encode(), mode=_PUBLIC_FILE_MODE, group=self._gid()
        )

    def _public_path(self, name: str) -> str:
        """Give the path of a public file; its folders are made and opened to the group."""
        folder = os.path.join(self.folder, PUBLIC)
        for part in ("", *name.split("/")[:-1]):
            folder = os.path.join(folder, part) if part else folder
            os.makedirs(folder, exist_ok=True)
            self._open_to_group(folder, _PUBLIC_FOLDER_MODE)
        return os.path.join(folder, name.rpartition("/")[2])

    def _open_to_group(self, path: str, mode: int) -> None:
        gid = self._gid()
        if gid is not None:
            os.chown(path, -1, gid)
        os.chmod(path, mode)

    def _gid(self) -> int | None:
        if self.group is None or os.geteuid() != 0:
            return None
        try:
            return grp.getgrnam(self.group).gr_gid
        except KeyError:
            raise ConfigError(
                "state_group names the group {group}, which this host does not have",
                group=self.group,
                hint="is it to be made? addgroup --system {group}",
            ) from None

    def lock(
        self,
        *,
        for_s: float = 0.0,
        is_night: bool = False,
        patience: Callable[[Holder], float] = no_patience,
    ) -> VaultLock:
        """Give the vault's lock, not yet taken."""
        path = os.path.join(self.folder, LOCK)
        return VaultLock(path, for_s=for_s, is_night=is_night, patience=patience)


def _airlock_record(document: Mapping[str, object]) -> AirlockRecord:
    return AirlockRecord(
        state=State(str(document["state"])),
        since=_instant(document["since"]),
        cycle=document.get("cycle"),  # type: ignore[arg-type]
        target=document.get("target"),  # type: ignore[arg-type]
        reason=str(document.get("reason", "")),
        closes_at=_instant(closes) if (closes := document.get("closes_at")) else None,
    )


def _door_list(document: Mapping[str, object]) -> DoorList:
    vault, shares = document["vault"], document["shares"]
    if not isinstance(vault, dict) or not isinstance(shares, list):
        raise ValueError(DOORS)
    return DoorList(
        production=str(document["production"]),
        shares=tuple(map(str, shares)),
        vault={name: _listed_door(entry) for name, entry in vault.items()},
    )


def _listed_door(entry: Mapping[str, object]) -> ListedDoor:
    return ListedDoor(
        target=str(entry["target"]),
        uuid=str(entry["uuid"]),
        fs_type=str(entry["fs_type"]),
        size_bytes=int(str(entry["size_bytes"])),
        serial=str(entry["serial"]),
        door=str(entry["door"]),
    )


def _pressed(document: Mapping[str, object]) -> Pressed:
    return Pressed(
        by=str(document["by"]),
        reason=str(document["reason"]),
        at=_instant(document["at"]),
        login=str(document.get("login", "")),
    )


def _instant(text: object) -> datetime:
    at = datetime.fromisoformat(str(text))
    if at.tzinfo is None:
        raise ValueError(text)
    return at


def _read_json(path: str) -> dict[str, object] | None:
    try:
        with open(path, "rb") as file:
            document = json.load(file)
    except FileNotFoundError:
        return None
    if not isinstance(document, dict):
        raise ValueError(path)
    return document
