"""The inspectors that read PMSI files by the tables of this site.

Rule 1: tables are handed in: an inspector loads nothing by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.inspection.pmsi_archive import PmsiArchive
from vault.inspection.pmsi_records import PmsiRecords

if TYPE_CHECKING:
    from vault.formats import Tables
    from vault.inspection.inspector import Inspector


def pmsi_inspectors(tables: Tables) -> tuple[Inspector, ...]:
    """Give the inspectors of PMSI files, to be handed to ``load_registry``."""
    return PmsiArchive(tables), PmsiRecords(tables)
