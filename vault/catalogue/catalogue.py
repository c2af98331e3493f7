"""The catalogue: one SQLite file that remembers what the vault did and what it has.

Rule 1: every method is one durable transaction, or one consistent reading.
Rule 2: it is a memory and no judge: doors, files and media are asked themselves.
Rule 3: PostgreSQL will stand behind the same names; no caller sees a table.
"""

from __future__ import annotations

from vault.catalogue.alarms import Alarms
from vault.catalogue.cycles import Cycles
from vault.catalogue.drills import Drills
from vault.catalogue.forgetting import Forgetting
from vault.catalogue.glances import Glances
from vault.catalogue.inspections import Inspections
from vault.catalogue.manifests import Manifests
from vault.catalogue.pmsi import PmsiExports
from vault.catalogue.targets import Targets


class Catalogue(
    Cycles, Manifests, Inspections, Forgetting, PmsiExports, Targets, Drills, Glances, Alarms
):
    """All that is remembered; ``create`` or ``open`` one, then use it as a context manager."""
