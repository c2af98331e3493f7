"""The catalogue's file: made, opened, brought up to date, copied.

Rule 1: every write is one transaction, synced before it returns (WAL, ``synchronous=FULL``).
Rule 2: what the database says is told without the values of the statement.
Rule 3: a catalogue written by a newer coffre is refused, an older one is upgraded in one
    transaction when it is opened.
Rule 4: the file is readable by its owner alone.
Source: the SQLite manual, "Write-Ahead Logging" and "Online Backup API".
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.exc import SQLAlchemyError

from vault.catalogue.schema import REVISIONS
from vault.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_BUSY_MS = 10_000
_MIGRATIONS = os.path.join(os.path.dirname(__file__), "migrations")


class Database:
    """One open catalogue file; a context manager."""

    def __init__(self, path: bytes) -> None:
        self._path = path
        self._engine = _engine(path)
        self._view: Connection | None = None

    @classmethod
    def create(cls, path: str | bytes) -> Self:
        """Make an empty catalogue; CatalogueError when the name is taken.

        It takes its name when it is whole, so that a making that died can be done again.
        """
        final = os.fsencode(path)
        part = final + b".part"
        if os.path.exists(final):
            raise CatalogueError("a catalogue is there already")
        try:
            os.makedirs(os.path.dirname(final) or b".", mode=0o700, exist_ok=True)
            _make_empty(part)
            made = cls(part)
            try:
                made._upgrade()
            finally:
                made.close()  # the last connection takes the log into the file
            _sync(part)
            os.rename(part, final)
            sync_folder(final)
        except OSError as error:
            raise _failed(error) from error
        return cls.open(final)

    @classmethod
    def open(cls, path: str | bytes) -> Self:
        """Open a catalogue, upgrading an older one; CatalogueError when absent or damaged."""
        name = os.fsencode(path)
        if not os.path.exists(name):
            raise CatalogueError("there is no catalogue", hint="was coffre init run here?")
        opened = cls(name)
        try:
            if opened._revision() != REVISIONS[-1]:
                opened._upgrade()
        except BaseException:
            opened.close()
            raise
        return opened

    def close(self) -> None:
        """Close every connection; idempotent."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def backup_to(self, path: str | bytes) -> None:
        """Copy the catalogue as it stands, in one consistent file under a name that may exist.

        The copy is synced and takes its name at the end; it needs no other file beside it.
        """
        final = os.fsencode(path)
        part = final + b".part"
        try:
            _make_empty(part)
            self._copy_to(part)
            os.rename(part, final)
            sync_folder(final)
        except (OSError, sqlite3.Error) as error:
            raise _failed(error) from error

    def _copy_to(self, part: bytes) -> None:
        connection = self._engine.raw_connection()
        into = sqlite3.connect(part)
        try:
            source = connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            source.backup(into)
            into.execute("PRAGMA journal_mode=DELETE")
        finally:
            into.close()
            connection.close()
        _sync(part)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Hold one transaction, committed and synced at the end, undone by any error."""
        with _told(), self._engine.connect() as connection:
            ready = connection.execution_options(coffre_begin="BEGIN IMMEDIATE")
            with ready.begin():
                yield ready

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """Hold one view of the catalogue, whatever is written meanwhile."""
        if self._view is not None:
            with _told():
                yield self._view
            return
        with _told(), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def one_view(self) -> Iterator[None]:
        """Let all that is read inside be of one instant; what is written inside is not seen there.

        It also spares each reading a transaction of its own. Inside another, it is that one.
        """
        with self._reading() as connection:
            before, self._view = self._view, connection
            try:
                yield
            finally:
                self._view = before

    def _revision(self) -> str:
        with self._reading() as connection:
            if not inspect(connection).has_table("alembic_version"):
                raise CatalogueError(
                    "the file is not a catalogue", hint="bring it back from the landing repository?"
                )
            found = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
            revision = str(found.scalar())
        if revision not in REVISIONS:
            raise CatalogueError(
                "the catalogue was written by a newer coffre (schema {revision})",
                hint="install that version again?",
                revision=revision,
            )
        return revision

    def _upgrade(self) -> None:
        """Run the migrations that are missing, in one transaction."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", _MIGRATIONS.replace("%", "%%"))
        with self._writing() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, REVISIONS[-1])


def _engine(path: bytes) -> Engine:
    def connect() -> sqlite3.Connection:
        # mode=rw: a catalogue that vanished is an error, not a new empty one.
        connection = sqlite3.connect(
            _uri(path), uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            for pragma in (
                f"busy_timeout={_BUSY_MS}",
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "trusted_schema=OFF",
            ):
                connection.execute(f"PRAGMA {pragma}").fetchall()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=_pool())
    event.listen(engine, "begin", _begin)
    return engine


def _pool() -> type[Any]:
    from sqlalchemy.pool import QueuePool

    # Two connections at a time at least: one streams a list while the other writes.
    return QueuePool


def _uri(path: bytes) -> str:
    from urllib.parse import quote

    return f"file:{quote(path)}?mode=rw"


def _begin(connection: Connection) -> None:
    # The driver begins nothing by itself (isolation_level None): a write takes the lock at once
    # instead of failing half-way when another process got it first.
    connection.exec_driver_sql(connection.get_execution_options().get("coffre_begin", "BEGIN"))


@contextmanager
def _told() -> Iterator[None]:
    """Tell the database's errors as ours, without the statement and its values."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _failed(getattr(error, "orig", None) or error) from error
    except sqlite3.Error as error:
        raise _failed(error) from error


def _failed(error: BaseException) -> CatalogueError:
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
    elif isinstance(error, sqlite3.Error):
        reason = str(error)
    else:
        reason = type(error).__name__
    return CatalogueError(
        "the catalogue failed: {reason}",
        hint="is the disk of the vault host full, or the file damaged?",
        reason=reason,
    )


def _make_empty(part: bytes) -> None:
    """Make an empty file, 0600, in place of what an earlier death left under its name."""
    for left in (part, part + b"-wal", part + b"-shm", part + b"-journal"):
        with suppress(FileNotFoundError):
            os.unlink(left)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def sync_folder(path: bytes) -> None:
    """Make the name of a file durable."""
    _sync(os.path.dirname(path) or b".")


def _sync(path: bytes) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
