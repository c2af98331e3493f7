"""Alarms and who acknowledged them; losses of PMSI exports that somebody said to be lawful.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "alarm",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("gap", sa.Text(), nullable=False),
        sa.Column("since", sa.Text()),
        sa.Column("raised_at", sa.Text(), nullable=False),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("over_at", sa.Text()),
        sa.Column("acknowledged_at", sa.Text()),
        sa.Column("acknowledged_by", sa.Text()),
        sa.Column("acknowledged_reason", sa.Text()),
        sa.Column("acknowledged_login", sa.Text()),
        sa.Column("escalated_at", sa.Text()),
    )
    op.create_table(
        "pmsi_loss",
        sa.Column("cell", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("cell"),
        sqlite_with_rowid=False,
    )
