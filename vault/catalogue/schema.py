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

# every revision this code knows, oldest first
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")

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
    Column("forgotten_at", Instant),  # when the landing let go of it
    Column("forgotten_after", Integer),  # the last cycle whose list may name it
    Column("warned", Boolean, nullable=False, server_default=text("0")),  # by inspection
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

drill = Table(
    "drill",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("level_asked", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("seed", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("operated_by", Text, nullable=False),
    Column("validated_by", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("begun_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("verdict", Text),
    Column("level_reached", Text),
    Column("snapshot_id", Hex),
    Column("cycle", Integer),
    Column("point_at", Instant),
    Column("files", Integer),
    Column("bytes", Integer),
    Column("of_files", Integer),
    Column("of_bytes", Integer),
    Column("mismatches", Integer),
    Column("duration_s", Float),
    Column("total_s", Float),
    Column("age_s", Float),
    Column("dmia_s", Integer),
    Column("pdma_s", Integer),
    Column("bound", Float),
    Column("opening", Integer),
    Column("exposure_s", Float),
    Column("disconnection", Text),
    Column("not_tested", Texts),
    Column("ledger_n", Integer),
    Column("ledger_sha256", Hex),
    Column("signed_by", Text),
    Column("signed_login", Text),
    Column("signed_at", Instant),
    Column("signed_proof", Text),
    Index("drill_by_source", "source", "number"),
    sqlite_autoincrement=True,  # a number is never given twice
)

drill_check = Table(
    "drill_check",
    metadata,
    Column("drill", ForeignKey("drill.number"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("level", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("details", Text, nullable=False),  # JSON, counts and words
    Column("verdict", Text),
    sqlite_with_rowid=False,
)

# When each content was last restored and proven, by level: proof belongs to bytes, not to names.
proof = Table(
    "proof",
    metadata,
    Column("source", Text, primary_key=True),
    Column("content", Hex, primary_key=True),
    Column("level", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("drill", ForeignKey("drill.number"), nullable=False),
    Index("proof_by_content", "content", "level"),
    sqlite_with_rowid=False,
)
finding = Table(
    "finding",
    metadata,
    Column("subject", LargeBinary, primary_key=True),  # hash of the content, half hash of the name
    Column("tables", Text, nullable=False),  # which inspectors looked
    Column("data", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

shape = Table(
    "shape",
    metadata,
    Column("source", Text, primary_key=True),
    Column("cycle", ForeignKey("cycle.number"), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

refused_export = Table(
    "refused_export",
    metadata,
    Column("source", Text, primary_key=True),
    Column("identity", Hex, nullable=False),  # of its manifest, as it was pulled
    Column("cycle", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("reasons", Texts, nullable=False),
    Column("attack_at", Integer, nullable=False),
    Column("accepted_at", Instant),
    Column("accepted_by", Text),
    Column("accepted_reason", Text),
    Column("accepted_login", Text),
)

pmsi_export = Table(
    "pmsi_export",
    metadata,
    Column("source", Text, primary_key=True),
    Column("subject", LargeBinary, primary_key=True),  # as that of its finding
    Column("first", Integer, nullable=False),  # cycles whose snapshot holds it: the first
    Column("newest", Integer, nullable=False),  # and the newest
    sqlite_with_rowid=False,
)

alarm = Table(
    "alarm",
    metadata,
    Column("name", Text, primary_key=True),
    Column("gap", Text, nullable=False),  # JSON: kind, texts, values, source, target, owner
    Column("since", Instant),
    Column("raised_at", Instant, nullable=False),
    Column("marks", Texts, nullable=False),
    Column("over_at", Instant),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", Text),
    Column("acknowledged_reason", Text),
    Column("acknowledged_login", Text),
    Column("escalated_at", Instant),
)

pmsi_loss = Table(
    "pmsi_loss",
    metadata,
    Column("cell", Text, primary_key=True),  # 990000010/MCO/2024/M05
    Column("attempt", Text, nullable=False),  # whose loss is lawful: stamp, and when it was seen
    Column("at", Instant, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("login", Text, nullable=False),
    sqlite_with_rowid=False,
)
