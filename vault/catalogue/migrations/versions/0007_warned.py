"""Whether inspection took a snapshot with a warning.

Revision ID: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Say it of each snapshot: what no night told to be clean counts as warned of."""
    warned: sa.Column[bool] = sa.Column(
        "warned", sa.Boolean(), nullable=False, server_default=sa.text("0")
    )
    op.add_column("snapshot", warned)
    op.execute(
        "UPDATE snapshot SET warned = 1 WHERE NOT EXISTS (SELECT 1 FROM cycle_source AS told "
        "WHERE told.cycle = snapshot.cycle AND told.name = snapshot.source "
        "AND told.verdict = 'saved' AND told.reasons = '[]')"
    )
