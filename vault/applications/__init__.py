"""Level 3: applications that read restored data as its users would, in the scratch space.

    sqlite.py     a SQLite file passes its own integrity check, in memory
    postgres.py   a PostgreSQL dump loads into a scratch server, and a query answers
    hook.py       an executable of the site: hooks/drill

Rule 1: what reads restored data is a process of its own, without the vault's rights where we are
    root, without network, under a deadline; it ends with the test.
Rule 2: an application that is not installed tests nothing and says so; it never passes.
Rule 3: what an application says is counted, never repeated: it may quote data.
"""

from vault.applications.hook import HookApplication
from vault.applications.postgres import PostgresApplication
from vault.applications.sqlite import SqliteApplication

__all__ = ["HookApplication", "PostgresApplication", "SqliteApplication"]
