"""Stores: where admitted files are put, and read back from the medium.

Rule 1: a store puts a file if it is absent, reads it back, and never overwrites or deletes.
Rule 2: a store knows one folder, the target's root; doors, policies and ledgers are strangers.
Source: design, section 5.
"""

from vault.stores.files import FilesStore, NotOnTarget
from vault.stores.plan_file import Plan, read_plan, write_plan

__all__ = ["FilesStore", "NotOnTarget", "Plan", "read_plan", "write_plan"]
