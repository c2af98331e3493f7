"""Exports on a host that is read by SFTP.

Rule 1: several channels over one connection, so that small files do not wait for each other's
    journeys; a connection that drops is made anew once, and the file goes on where it was.
Rule 2: symlinks are refused by what the listing says of them; nothing is followed but the path
    that the operator named.
Rule 3: times are whole seconds there, and so they are here.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.errors import SourceMissing
from vault.results import Refusal
from vault.sources.collection import collect_tree
from vault.sources.completeness import Rule
from vault.sources.origin import Changed, Deadline, Unreadable
from vault.sources.sftp_lines import Lines, failed
from vault.sources.sftp_reader import Dropped, Facts, NotAllowed, NotThere, SftpError, SftpReader
from vault.sources.ssh_session import Account, NoChannel, SshSession, private_key, require_pinned
from vault.sources.tree import Survey, join

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.ports import Clock, Progress, Reception
    from vault.results import Pull
    from vault.sources.part import Part
    from vault.sources.tree import Seen

CHANNELS = 4
_NS = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionFacts:
    """What a trial of a connection found."""

    server: str
    cipher: str
    key_kind: str
    fingerprint: str
    entries: int  # files and folders in the root of the source


class SftpSource:
    """Exports on an SFTP host."""

    def __init__(
        self,
        name: str,
        account: Account,
        path: bytes,
        *,
        clock: Clock,
        done_file: str | None = None,
        stable_for_s: float = 0.0,
        channels: int = CHANNELS,
    ) -> None:
        """Name the ``path`` on the host; a relative one begins in the account's home."""
        self.name = name
        self._account = account
        self._path = path
        self._clock = clock
        self._rule = Rule(done_file=done_file, stable_for_s=stable_for_s)
        self._channels = channels

    def collect(self, reception: Reception, *, closes_at_s: float, progress: Progress) -> Pull:
        """Bring the mirror up to date; HostKeyUnknown, HostKeyChanged, SourceUnreachable."""
        deadline = Deadline(self.name, self._clock, closes_at_s)
        deadline.check()
        with Lines(self.name, self._account, self._channels) as lines:
            origin = _SftpOrigin(self.name, self._path, lines)
            return collect_tree(origin, reception, self._rule, deadline=deadline, progress=progress)

    def require_ready(self) -> None:
        """Look for what a connection needs, and make none; HostKeyUnknown or SecretError."""
        require_pinned(self.name, self._account)
        if self._account.key is not None:
            private_key(self._account.key)

    def test_connection(self) -> ConnectionFacts:
        """Connect, list the root once, and say what was found; nothing is pulled."""
        with SshSession(self.name, self._account) as session:
            try:
                reader = session.open_reader()
                _check_root(self.name, reader, self._path)
                entries = sum(1 for _ in reader.list_folder(self._path or b"."))
            except (SftpError, Dropped, NoChannel) as error:
                raise failed(self.name, error) from None
            return ConnectionFacts(
                server=session.server,
                cipher=session.cipher,
                key_kind=session.key.kind,
                fingerprint=session.key.fingerprint,
                entries=entries,
            )


class _SftpOrigin:
    """The exports of one SFTP host during one pull."""

    def __init__(self, name: str, path: bytes, lines: Lines) -> None:
        self.name = name
        self.workers = lines.channels
        self._root = path or b"."
        self._lines = lines

    def survey(self, deadline: Deadline) -> Survey:
        try:
            return self._lines.use(lambda reader: self._walk(reader, deadline), deadline)
        except SftpError as error:
            raise failed(self.name, error) from None

    def fetch(self, seen: Seen, part: Part, deadline: Deadline) -> None:
        def read(reader: SftpReader) -> Facts:
            while True:
                before = part.offset
                facts = reader.read_file(
                    self._full(seen.path),
                    offset=before,
                    size_bytes=seen.size_bytes,
                    take=part.write,
                )
                if part.offset in (before, seen.size_bytes):
                    return facts

        try:
            facts = self._lines.use(read, deadline)
        except NotThere:
            raise Changed from None
        except SftpError:
            raise Unreadable from None
        if not _is_same(facts, seen):
            raise Changed

    def look_again(self, batch: Sequence[Seen], deadline: Deadline) -> list[bool]:
        paths = [self._full(seen.path) for seen in batch]
        try:
            looks = self._lines.use(lambda reader: list(reader.look_many(paths)), deadline)
        except SftpError as error:
            raise failed(self.name, error) from None
        return [
            facts is not None and _is_same(facts, seen)
            for facts, seen in zip(looks, batch, strict=True)
        ]

    def _full(self, path: bytes) -> bytes:
        return join(self._root.rstrip(b"/"), path) if self._root.strip(b"/") else b"/" + path

    def _walk(self, reader: SftpReader, deadline: Deadline) -> Survey:
        _check_root(self.name, reader, self._root)
        survey = Survey()
        folders = [b""]
        while folders:
            deadline.check()
            folder = folders.pop()
            try:
                for name, facts in reader.list_folder(self._full(folder) if folder else self._root):
                    if _take(survey, folder, name, facts):
                        folders.append(join(folder, name))
            except NotThere:
                if not folder:
                    raise
            except NotAllowed:
                survey.unreadable += 1
        return survey


def _take(survey: Survey, folder: bytes, name: bytes, facts: Facts) -> bool:
    """Sort one entry of a listing into its place; say whether it is a folder to walk."""
    path, reason = join(folder, name), None
    if b"/" in name or not name:
        reason = "name with a slash, or none"
    elif facts.mode is None or facts.size_bytes is None or facts.mtime_s is None:
        reason = "the server does not say its kind, size or time"
    if reason is not None or facts.mode is None:
        survey.refused.append(Refusal(name=path, reason=reason or ""))
        return False
    return survey.take(path, facts.mode, facts.size_bytes or 0, (facts.mtime_s or 0) * _NS)


def _is_same(facts: Facts, seen: Seen) -> bool:
    is_file = facts.mode is not None and stat.S_ISREG(facts.mode)
    when = (facts.mtime_s or 0) * _NS
    return is_file and (facts.size_bytes, when) == (seen.size_bytes, seen.mtime_ns)


def _check_root(name: str, reader: SftpReader, path: bytes) -> None:
    """Raise SourceMissing when the operator's path is no folder there."""
    try:
        facts = reader.look(path or b".")
    except NotThere:
        facts = None
    if facts is None or not stat.S_ISDIR(facts.mode or 0):
        raise SourceMissing(
            "the host of {source} has no such folder",
            hint="is the path of {source} in vault.yaml right, as its account sees it?",
            source=name,
        )
