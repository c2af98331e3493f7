"""Restore tests, their checks, and what content they proved.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from vault.catalogue.columns import Hex, Instant, Texts

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "drill",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("level_asked", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("operated_by", sa.Text(), nullable=False),
        sa.Column("validated_by", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("begun_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("level_reached", sa.Text(), nullable=True),
        sa.Column("snapshot_id", Hex(), nullable=True),
        sa.Column("cycle", sa.Integer(), nullable=True),
        sa.Column("point_at", Instant(), nullable=True),
        sa.Column("files", sa.Integer(), nullable=True),
        sa.Column("bytes", sa.Integer(), nullable=True),
        sa.Column("of_files", sa.Integer(), nullable=True),
        sa.Column("of_bytes", sa.Integer(), nullable=True),
        sa.Column("mismatches", sa.Integer(), nullable=True),
        sa.Column("duration_s", sa.Float(), nullable=True),
        sa.Column("total_s", sa.Float(), nullable=True),
        sa.Column("age_s", sa.Float(), nullable=True),
        sa.Column("dmia_s", sa.Integer(), nullable=True),
        sa.Column("pdma_s", sa.Integer(), nullable=True),
        sa.Column("bound", sa.Float(), nullable=True),
        sa.Column("opening", sa.Integer(), nullable=True),
        sa.Column("exposure_s", sa.Float(), nullable=True),
        sa.Column("disconnection", sa.Text(), nullable=True),
        sa.Column("not_tested", Texts(), nullable=True),
        sa.Column("ledger_n", sa.Integer(), nullable=True),
        sa.Column("ledger_sha256", Hex(), nullable=True),
        sa.Column("signed_by", sa.Text(), nullable=True),
        sa.Column("signed_login", sa.Text(), nullable=True),
        sa.Column("signed_at", Instant(), nullable=True),
        sa.Column("signed_proof", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    op.create_index("drill_by_source", "drill", ["source", "number"], unique=False)
    op.create_table(
        "drill_check",
        sa.Column("drill", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["drill"], ["drill.number"]),
        sa.PrimaryKeyConstraint("drill", "position"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "proof",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("content", Hex(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("drill", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["drill"], ["drill.number"]),
        sa.PrimaryKeyConstraint("source", "content", "level"),
        sqlite_with_rowid=False,
    )
    op.create_index("proof_by_content", "proof", ["content", "level"], unique=False)
