"""The catalogue's file: private, durable, refused when it is not ours or not of our time."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.rigs.strace import KILL, KillPoint, count_calls, injecting, why_no_strace
from vault.catalogue import Catalogue, database
from vault.catalogue.schema import REVISIONS, metadata
from vault.errors import CatalogueError

ROOT = Path(__file__).resolve().parents[2]
MIGRATIONS = ROOT / "vault" / "catalogue" / "migrations"


def test_the_catalogue_is_readable_by_its_owner_alone(catalogue, path):
    """Also the log beside it, whatever the umask."""
    catalogue.set_fact("a", "b")
    assert {stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()} == {0o600}


def test_every_write_is_synced_and_foreign_keys_hold(catalogue):
    """WAL, synchronous=FULL, foreign_keys=ON on every connection."""
    with catalogue._reading() as one, catalogue._reading() as other:
        for connection in (one, other):
            asked = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
            assert asked == ["wal", 2, 1]


def test_an_absent_catalogue_says_how_to_make_one(tmp_path):
    """Nothing is made by opening."""
    with pytest.raises(CatalogueError, match="there is no catalogue") as told:
        Catalogue.open(str(tmp_path / "catalogue.sqlite"))
    assert "coffre init" in told.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_catalogue_is_never_made_over_another(catalogue, path):
    """Create refuses a name that is taken."""
    catalogue.set_fact("a", "b")
    with pytest.raises(CatalogueError, match="there already"):
        Catalogue.create(str(path))
    assert catalogue.fact("a") == "b"


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all, but long enough" * 200, b"SQLite format 3\0" * 64]
)
def test_a_file_that_is_no_catalogue_is_refused(tmp_path, content):
    """Empty, text, or a database header with rubbish below."""
    path = tmp_path / "catalogue.sqlite"
    path.write_bytes(content)
    with pytest.raises(CatalogueError):
        Catalogue.open(str(path))


def test_a_damaged_page_is_an_error_and_not_an_answer(catalogue, path, cycle):
    """Rubbish in the middle of the file is told, by the reading and by the check."""
    for number in range(300):
        catalogue.set_fact(f"fact {number}", "x" * 100)
    catalogue.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xa5" * (size // 2))
    with pytest.raises(CatalogueError):
        read_facts(path)


def read_facts(path) -> None:
    with Catalogue.open(str(path)) as opened:
        for number in range(300):
            opened.fact(f"fact {number}")


def quick_check(path):
    """Ask SQLite itself whether the file is sound."""
    with contextlib.closing(sqlite3.connect(path)) as raw:
        return raw.execute("PRAGMA quick_check").fetchall()


def test_a_catalogue_of_a_newer_coffre_is_refused(catalogue, path):
    """Its schema is named and nothing is written."""
    catalogue.close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(CatalogueError, match=r"newer coffre \(schema 9999\)"):
        Catalogue.open(str(path))


def test_an_error_of_the_database_shows_no_value_of_the_statement(catalogue):
    """A name that would break a rule of the schema stays out of the message."""
    with pytest.raises(CatalogueError) as told:
        catalogue.add_batch(77, "a very private source", [])
    assert "private" not in str(told.value)
    assert "FOREIGN KEY" in str(told.value)


def test_the_migrations_make_the_schema_that_the_code_sees(catalogue):
    """One truth in two places, held equal."""
    with catalogue._reading() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []
    script = ScriptDirectory(str(MIGRATIONS))
    assert tuple(rev.revision for rev in reversed([*script.walk_revisions()])) == REVISIONS


def test_points_of_an_older_catalogue_are_clean_when_their_night_said_so(tmp_path, monkeypatch):
    """One with a warning, and one whose night died, were not told to be clean."""
    path = tmp_path / "catalogue.sqlite"
    with monkeypatch.context() as older:
        older.setattr(database, "REVISIONS", REVISIONS[: REVISIONS.index("0007")])
        Catalogue.create(str(path)).close()
    with contextlib.closing(sqlite3.connect(path)) as raw:
        for n, reasons in enumerate(("[]", '["files without content: 1"]', None), start=1):
            raw.execute(
                f"INSERT INTO cycle (number, started_at, forced, step) VALUES ({n}, '', 0, 0)"
            )
            raw.execute(
                "INSERT INTO snapshot (source, snapshot_id, tree, taken_at, cycle, manifest, "
                f"files, bytes) VALUES ('a', ?, x'', '', {n}, x'', 0, 0)",
                (bytes([n]),),
            )
            if reasons is not None:
                raw.execute(
                    "INSERT INTO cycle_source (cycle, position, name, verdict, files, bytes, "
                    f"pulled_files, pulled_bytes, reasons) VALUES ({n}, 0, 'a', 'saved', 0, 0, 0, "
                    "0, ?)",
                    (reasons,),
                )
        raw.commit()
    Catalogue.open(str(path)).close()
    with contextlib.closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT warned FROM snapshot ORDER BY id").fetchall() == [
            (0,),
            (1,),
            (1,),
        ]


def test_the_migrations_make_tables_without_rowid_and_never_reuse_a_number(catalogue, tmp_path):
    """What a comparison of columns does not see: the same SQL, table by table."""
    from sqlalchemy import create_engine, text

    fresh = create_engine("sqlite://")
    metadata.create_all(fresh)
    wanted = text("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")

    def shape(connection):
        rows = connection.execute(wanted).all()
        found = {name: " ".join(sql.upper().split()) for name, sql in rows}
        return {
            name: (sql.endswith("WITHOUT ROWID"), "AUTOINCREMENT" in sql, " WHERE " in sql)
            for name, sql in found.items()
            if "ALEMBIC" not in sql
        }

    with catalogue._reading() as ours, fresh.connect() as theirs:
        assert shape(ours) == shape(theirs)


SECOND = '''
"""Add a table."""
import sqlalchemy as sa
from alembic import op
revision = "later"
down_revision = {last!r}
def upgrade():
    op.create_table("later", sa.Column("a", sa.Integer))
    {more}
'''


@pytest.fixture
def newer_code(tmp_path, monkeypatch):
    """Code that knows one migration more."""

    def make(more: str) -> None:
        folder = tmp_path / "100% migrations"
        shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "versions" / "9999_later.py").write_text(
            SECOND.format(more=more, last=REVISIONS[-1])
        )
        monkeypatch.setattr(database, "_MIGRATIONS", str(folder))
        monkeypatch.setattr(database, "REVISIONS", (*REVISIONS, "later"))

    return make


def test_an_older_catalogue_is_brought_up_to_date_when_it_is_opened(catalogue, path, newer_code):
    """What it remembered is still there."""
    catalogue.set_fact("a", "b")
    catalogue.close()
    newer_code("pass")
    with Catalogue.open(str(path)) as opened:
        assert opened.fact("a") == "b"
        assert opened._revision() == "later"


def test_an_upgrade_that_fails_leaves_the_catalogue_as_it_was(catalogue, path, newer_code):
    """One transaction: no table of the new schema stays."""
    catalogue.close()
    newer_code('op.execute("SELECT * FROM nothing_there")')
    with pytest.raises(CatalogueError):
        Catalogue.open(str(path))
    raw = sqlite3.connect(path)
    tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_schema")}
    assert "later" not in tables
    assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISIONS[-1],)]
    raw.close()


def test_a_backup_is_one_consistent_file(catalogue, path):
    """It holds what was committed, opens by itself, replaces an older one, and is private."""
    copy = path.parent / "copy.sqlite"
    copy.write_bytes(b"an older one")
    catalogue.set_fact("a", "b")
    catalogue.backup_to(str(copy))
    catalogue.set_fact("a", "c")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir() if "copy" in p.name] == ["copy.sqlite"]
    with Catalogue.open(os.fsencode(copy)) as opened:
        assert opened.fact("a") == "b"


def test_a_backup_of_what_did_not_change_has_the_same_bytes(catalogue, path):
    """So a quiet night adds nothing to the landing repository."""
    catalogue.set_fact("a", "b")
    catalogue.backup_to(str(path.parent / "one"))
    catalogue.backup_to(str(path.parent / "two"))
    assert (path.parent / "one").read_bytes() == (path.parent / "two").read_bytes()


def fill(catalogue) -> None:
    for number in range(100):
        catalogue.set_fact(str(number), "x" * 30_000)


@pytest.mark.root
def test_74_a_full_disk_is_told_and_what_was_committed_stays(path, tmp_path):
    """CatalogueError says full; the rest is readable; with room again it goes on."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], check=True)
    try:
        small = folder / "catalogue.sqlite"
        shutil.copy2(path, small)
        with Catalogue.open(str(small)) as catalogue:
            catalogue.set_fact("a", "b")
            with pytest.raises(CatalogueError, match="full"):
                fill(catalogue)
            assert catalogue.fact("a") == "b"
            assert quick_check(small) == [("ok",)]
            with pytest.raises(CatalogueError, match=r"full|No space"):
                catalogue.backup_to(str(folder / "copy"))
            assert not (folder / "copy").exists()
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(why_no_strace() is not None, reason=str(why_no_strace()))
def test_a_making_that_was_killed_can_be_done_again(tmp_path, long_run):
    """Before the catalogue is whole it has no name."""
    made = tmp_path / "catalogue.sqlite"
    code = f"from vault.catalogue import Catalogue; Catalogue.create({str(made)!r}).close()"
    argv = [sys.executable, "-c", code]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    calls = ("rename", "fsync", "pwrite64")
    counts = count_calls(argv, calls, log=tmp_path / "log", env=env, cwd=tmp_path)
    made.unlink()
    points = [KillPoint(call, when) for call in calls for when in range(1, counts[call] + 1)]
    few = [KillPoint("rename", 1), KillPoint("pwrite64", 9)]
    assert set(few) <= set(points)
    for point in points if long_run else few:
        for left in tmp_path.glob("catalogue.sqlite*"):
            left.unlink()
        subprocess.run(
            injecting(point, KILL) + argv, env=env, cwd=tmp_path, capture_output=True, check=False
        )
        if not made.exists():
            Catalogue.create(str(made)).close()
        with Catalogue.open(str(made)) as opened:
            assert opened.unfinished_cycles() == (), point


def test_the_package_alone_does_not_load_the_database_layer():
    """0.2 s are spared to who only needs a record."""
    code = (
        "import sys, vault.catalogue;"
        "print([m for m in ('sqlalchemy', 'alembic', 'sqlite3') if m in sys.modules]);"
        "from vault.catalogue import Catalogue; print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["[]", "False"]


def test_an_unknown_name_of_the_package_is_an_attribute_error():
    """The lazy door opens for one name only."""
    import vault.catalogue

    with pytest.raises(AttributeError):
        vault.catalogue.Nothing  # noqa: B018 -- asking is the test


def test_all_that_is_read_in_one_view_is_of_one_instant(catalogue):
    """What another coffre writes meanwhile is seen by the next reading, not inside."""
    catalogue.set_fact("seen", "before")
    with Catalogue.open(catalogue._path) as other, catalogue.one_view():
        assert catalogue.fact("seen") == "before"
        other.set_fact("seen", "after")
        assert catalogue.fact("seen") == "before"
    assert catalogue.fact("seen") == "after"
