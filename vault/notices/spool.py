"""The spool: notices that wait until they can be sent, a file each.

    state/notices/00000012-sysadmin.json    to one recipient, as it will be sent
    state/notices/unsent                    how many had to go unsent, until the ledger says so
    state/notices/lock                      held by whoever writes here

Rule 1: a notice has its name only once it is whole and synced; it loses it only once it was taken.
    A death between the two sends it twice, never not at all.
Rule 2: the number orders them, whatever the clock says.
Rule 3: there are never more than so many: the oldest that are not urgent go first, once the new one
    is there. What goes unsent is counted before it goes: a death between the two counts it twice.
Rule 4: several write at once, a night and the unit of a failed one: each notice has its own name.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from vault.vault_lock import VaultLock
from vault.whole_file import sync_folder, write_json

MOST = 500
_UNSENT = "unsent"
_PATIENCE_S = 30.0
_NAME = re.compile(r"(\d{8})-([a-z0-9-]+)\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One text to one recipient."""

    to: str  # the recipient's name in vault.yaml
    subject: str
    body: str
    at: str  # when it was written, ISO 8601
    is_urgent: bool = False
    about: str = ""  # what another notice of the same would repeat
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Spool:
    """The waiting notices below one folder; made when the first one comes."""

    folder: str

    def waiting(self) -> list[tuple[str, Notice]]:
        """Give what waits, by its file's name, the oldest first; a file that is none is left."""
        try:
            names = sorted(name for name in os.listdir(self.folder) if _NAME.fullmatch(name))
        except FileNotFoundError:
            return []
        found = ((name, self._read(name)) for name in names)
        return [(name, notice) for name, notice in found if notice is not None]

    def add(self, notice: Notice) -> None:
        """Keep a notice until it was taken; older ones go for it where there are too many.

        One about the same, to the same recipient, that still waits is enough.
        """
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        with self._alone():
            self._add(notice)

    def _add(self, notice: Notice) -> None:
        waiting = self.waiting()
        same = (one for _name, one in waiting if one.to == notice.to)
        if notice.about and any(one.about == notice.about for one in same):
            return
        number = max((int(name[:8]) for name in os.listdir(self.folder) if _NAME.fullmatch(name)),
                     default=0) + 1  # fmt: skip
        write_json(self._path(f"{number:08}-{notice.to}.json"), asdict(notice))
        waiting.sort(key=lambda found: (found[1].is_urgent, found[0]))
        for name, _notice in waiting[: max(0, len(waiting) + 1 - MOST)]:
            self._drop_unsent(name)

    def drop_unsent(self, name: str) -> None:
        """Let go of a notice that nobody took, and count it."""
        with self._alone():
            self._drop_unsent(name)

    def _drop_unsent(self, name: str) -> None:
        write_json(self._path(_UNSENT), {"count": self.unsent() + 1})
        self.drop(name)

    def unsent(self) -> int:
        """Give how many notices went unsent that no record says so of yet."""
        try:
            with open(self._path(_UNSENT), "rb") as file:
                return int(json.load(file)["count"])
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return 0

    def settle(self, count: int) -> None:
        """Say that a record has so many of those that went unsent."""
        with self._alone():
            write_json(self._path(_UNSENT), {"count": max(0, self.unsent() - count)})

    def _alone(self) -> VaultLock:
        """Keep all others who write here waiting, for no longer than any of them writes."""
        return VaultLock(self._path("lock"), patience=lambda _holder: _PATIENCE_S)

    def unreadable(self) -> int:
        """Count the files named as notices that are none: damaged, or of a newer version."""
        with suppress(FileNotFoundError):
            names = [name for name in os.listdir(self.folder) if _NAME.fullmatch(name)]
            return sum(self._read(name) is None for name in names)
        return 0

    def note_failed(self, name: str, notice: Notice) -> None:
        """Count an attempt that failed."""
        write_json(self._path(name), asdict(replace(notice, attempts=notice.attempts + 1)))

    def drop(self, name: str) -> None:
        """Let go of a notice that was taken; idempotent."""
        try:
            os.unlink(self._path(name))
        except FileNotFoundError:
            return
        sync_folder(self.folder)

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def _read(self, name: str) -> Notice | None:
        try:
            with open(self._path(name), "rb") as file:
                return Notice(**json.load(file))
        except (OSError, ValueError, TypeError):
            return None
