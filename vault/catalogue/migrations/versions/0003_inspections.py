"""What inspection found, and what it refused.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from vault.catalogue.columns import Hex, Instant, Texts

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables of inspection."""
    op.create_table(
        "finding",
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.Column("tables", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("subject"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "refused_export",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("identity", Hex(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("reasons", Texts(), nullable=False),
        sa.Column("attack_at", sa.Integer(), nullable=False),
        sa.Column("accepted_at", Instant(), nullable=True),
        sa.Column("accepted_by", sa.Text(), nullable=True),
        sa.Column("accepted_reason", sa.Text(), nullable=True),
        sa.Column("accepted_login", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "shape",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["cycle"], ["cycle.number"]),
        sa.PrimaryKeyConstraint("source", "cycle"),
        sqlite_with_rowid=False,
    )
