"""The catalogue: one SQLite file that remembers what the vault did and what it has.

Rule 1: every method is one durable transaction, or one consistent reading.
Rule 2: it is a memory and no judge: doors, files and media are asked themselves.
Rule 3: PostgreSQL will stand behind the same names; no caller sees a table.
"""

from __future__ import annotations

from vault.catalogue.cycles import Cycles
from vault.catalogue.landing import Landing
from vault.catalogue.manifests import Manifests
from vault.catalogue.targets import Targets


class Catalogue(Cycles, Manifests, Landing, Targets):
    """All that is remembered; ``create`` or ``open`` one, then use it as a context manager."""
