"""Which snapshots the landing let go of.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from vault.catalogue.columns import Instant

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Say of each snapshot when it was forgotten, and which list named it last."""
    op.add_column("snapshot", sa.Column("forgotten_at", Instant(), nullable=True))
    op.add_column("snapshot", sa.Column("forgotten_after", sa.Integer(), nullable=True))
