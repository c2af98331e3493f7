"""The catalogue's tables, as the code sees them today.

Rule 1: a table changes here and in a migration, in the same commit; a test holds both equal.
Rule 2: what history says is never rewritten: rows of ended cycles and closed openings stay.
Rule 3: heads and holds belong to one enrolment of a target, not to its name: a new medium under an
    old name has held nothing.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

from vault.catalogue.columns import Hex, Instant, Texts

REVISIONS = ("0001",)  # every revision this code knows, oldest first

metadata = MetaData()

fact = Table(
    "fact",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

cycle = Table(
    "cycle",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("step", Integer, nullable=False),
    Column("ended_at", Instant),
    Column("verdict", Text),
    Column("status", Text),
    Column("reasons", Texts),
    Column("warnings", Texts),
    sqlite_autoincrement=True,  # a number is never given twice
)

cycle_source = Table(
    "cycle_source",
    metadata,
    Column("cycle", ForeignKey("cycle.number"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("files", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("pulled_files", Integer, nullable=False),
    Column("pulled_bytes", Integer, nullable=False),
    Column("snapshot_id", Hex),
    Column("reasons", Texts, nullable=False),
    Index("cycle_source_by_name", "name", "verdict", "cycle"),
    sqlite_with_rowid=False,
)

cycle_target = Table(
    "cycle_target",
    metadata,
    Column("cycle", ForeignKey("cycle.number"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("admitted_files", Integer, nullable=False),
    Column("admitted_bytes", Integer, nullable=False),
    Column("read_back_bytes", Integer, nullable=False),
    Column("refused_files", Integer, nullable=False),
    Column("exposure_s", Float, nullable=False),
    Column("disconnection", Text, nullable=False),
    Column("left_bytes", Integer, nullable=False),
    Column("nights_left", Integer),
    Column("reasons", Texts, nullable=False),
    Index("cycle_target_by_name", "name", "outcome", "cycle"),
    sqlite_with_rowid=False,
)

alien = Table(
    "alien",
    metadata,
    Column("cycle", ForeignKey("cycle.number"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    sqlite_with_rowid=False,
)

snapshot = Table(
    "snapshot",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("snapshot_id", Hex, nullable=False, unique=True),
    Column("tree", Hex, nullable=False),
    Column("taken_at", Instant, nullable=False),
    Column("cycle", ForeignKey("cycle.number"), nullable=False),
    Column("manifest", Hex, nullable=False),
    Column("files", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    Index("snapshot_by_source", "source", "cycle", "id"),
)

manifest = Table(
    "manifest",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("identity", Hex, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("base", ForeignKey("manifest.id")),  # none: written in full
    Column("links", Integer, nullable=False),  # how many deltas up to the full one
    Column("chain_bytes", Integer, nullable=False),  # of those deltas together
    Column("full_bytes", Integer, nullable=False),  # of the full one
    Column("packed_sha256", Hex, nullable=False),  # of the whole manifest, packed
    Column("data", LargeBinary, nullable=False),
    Index("manifest_by_source", "source", "id"),
)

batch = Table(
    "batch",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("cycle", ForeignKey("cycle.number"), nullable=False),
    Column("source", Text, nullable=False),
    sqlite_autoincrement=True,
)

repository_file = Table(
    "repository_file",
    metadata,
    Column("name", LargeBinary, primary_key=True),  # kind and hash: sorts as the path does
    Column("size", Integer, primary_key=True),
    Column("number", Integer, nullable=False),  # its bit in the lists
    Column("batch", ForeignKey("batch.number")),  # none: forgotten, or never in one
    Index(
        "repository_file_by_batch",
        "batch",
        "name",
        "size",
        sqlite_where=text("batch IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

landing_list = Table(
    "landing_list",
    metadata,
    Column("cycle", ForeignKey("cycle.number"), primary_key=True),
    Column("files", Integer, nullable=False),
    Column("bits", LargeBinary, nullable=False),
)

target = Table(
    "target",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("target_id", Text, nullable=False, unique=True),
    Column("uuid", Text, nullable=False),
    Column("fs_type", Text, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("serial", Text, nullable=False),
    Column("door", Text, nullable=False),
    Column("enrolled_at", Instant, nullable=False),
    Column("retired_at", Instant),
    Column("bytes_per_second", Float),
    Index("target_in_use", "name", unique=True, sqlite_where=text("retired_at IS NULL")),
)

opening = Table(
    "opening",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("target", Text, nullable=False),  # by name: enrolling opens before the target is one
    Column("purpose", Text, nullable=False),
    Column("writing", Boolean, nullable=False),
    Column("cycle", Integer),
    Column("opened_at", Instant, nullable=False),
    Column("seconds", Float),
    Column("proof", Text),
    Column("disconnection", Text),
    Column("evidence", Texts),
    Index("opening_by_target", "target", "number"),
    sqlite_autoincrement=True,
)

target_head = Table(
    "target_head",
    metadata,
    Column("target", ForeignKey("target.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("sha256", Hex, nullable=False),
    Column("confirmed", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

target_hold = Table(
    "target_hold",
    metadata,
    Column("target", ForeignKey("target.id"), primary_key=True),
    Column("cycle", Integer, primary_key=True),
    Column("complete", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
