"""The first catalogue.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from vault.catalogue.columns import Hex, Instant, Texts

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "cycle",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("reasons", Texts(), nullable=True),
        sa.Column("warnings", Texts(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "fact",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "manifest",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("identity", Hex(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("base", sa.Integer(), nullable=True),
        sa.Column("links", sa.Integer(), nullable=False),
        sa.Column("chain_bytes", sa.Integer(), nullable=False),
        sa.Column("full_bytes", sa.Integer(), nullable=False),
        sa.Column("packed_sha256", Hex(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["base"],
            ["manifest.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("identity"),
    )
    op.create_index("manifest_by_source", "manifest", ["source", "id"], unique=False)
    op.create_table(
        "opening",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("writing", sa.Boolean(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=True),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("proof", sa.Text(), nullable=True),
        sa.Column("disconnection", sa.Text(), nullable=True),
        sa.Column("evidence", Texts(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    op.create_index("opening_by_target", "opening", ["target", "number"], unique=False)
    op.create_table(
        "target",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("fs_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("enrolled_at", Instant(), nullable=False),
        sa.Column("retired_at", Instant(), nullable=True),
        sa.Column("bytes_per_second", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("target_id"),
    )
    op.create_index(
        "target_in_use", "target", ["name"], unique=True, sqlite_where=sa.text("retired_at IS NULL")
    )
    op.create_table(
        "alien",
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cycle"],
            ["cycle.number"],
        ),
        sa.PrimaryKeyConstraint("cycle", "position"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "batch",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cycle"],
            ["cycle.number"],
        ),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "cycle_source",
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("pulled_files", sa.Integer(), nullable=False),
        sa.Column("pulled_bytes", sa.Integer(), nullable=False),
        sa.Column("snapshot_id", Hex(), nullable=True),
        sa.Column("reasons", Texts(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cycle"],
            ["cycle.number"],
        ),
        sa.PrimaryKeyConstraint("cycle", "position"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "cycle_source_by_name", "cycle_source", ["name", "verdict", "cycle"], unique=False
    )
    op.create_table(
        "cycle_target",
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("admitted_files", sa.Integer(), nullable=False),
        sa.Column("admitted_bytes", sa.Integer(), nullable=False),
        sa.Column("read_back_bytes", sa.Integer(), nullable=False),
        sa.Column("refused_files", sa.Integer(), nullable=False),
        sa.Column("exposure_s", sa.Float(), nullable=False),
        sa.Column("disconnection", sa.Text(), nullable=False),
        sa.Column("left_bytes", sa.Integer(), nullable=False),
        sa.Column("nights_left", sa.Integer(), nullable=True),
        sa.Column("reasons", Texts(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cycle"],
            ["cycle.number"],
        ),
        sa.PrimaryKeyConstraint("cycle", "position"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "cycle_target_by_name", "cycle_target", ["name", "outcome", "cycle"], unique=False
    )
    op.create_table(
        "landing_list",
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("bits", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cycle"],
            ["cycle.number"],
        ),
        sa.PrimaryKeyConstraint("cycle"),
    )
    op.create_table(
        "snapshot",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("snapshot_id", Hex(), nullable=False),
        sa.Column("tree", Hex(), nullable=False),
        sa.Column("taken_at", Instant(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("manifest", Hex(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cycle"],
            ["cycle.number"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("snapshot_id"),
    )
    op.create_index("snapshot_by_source", "snapshot", ["source", "cycle", "id"], unique=False)
    op.create_table(
        "target_head",
        sa.Column("target", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", Hex(), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["target"],
            ["target.id"],
        ),
        sa.PrimaryKeyConstraint("target", "number"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "target_hold",
        sa.Column("target", sa.Integer(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["target"],
            ["target.id"],
        ),
        sa.PrimaryKeyConstraint("target", "cycle"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "repository_file",
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch"],
            ["batch.number"],
        ),
        sa.PrimaryKeyConstraint("name", "size"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "repository_file_by_batch",
        "repository_file",
        ["batch", "name", "size"],
        unique=False,
        sqlite_where=sa.text("batch IS NOT NULL"),
    )
    # ### end Alembic commands ###
