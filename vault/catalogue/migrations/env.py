"""Run the migrations on the connection that the catalogue hands over.

Rule 1: all of an upgrade is one transaction: a crash leaves the schema as it was.
"""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()
