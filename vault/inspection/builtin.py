"""The inspectors that come with the package, in the order of their precedence.

Rule 1: one name a format; a format that is added here needs no change anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable

from vault.inspection.archives import Tar, Zip, make_bzip2, make_gzip, make_xz, make_zstd
from vault.inspection.cda import Cda
from vault.inspection.delimited import Delimited
from vault.inspection.dicom import Dicom
from vault.inspection.dsn import Dsn
from vault.inspection.fec import Fec
from vault.inspection.fhir import Fhir
from vault.inspection.hl7v2 import Hl7v2
from vault.inspection.hprim import HprimMedecin, HprimSante
from vault.inspection.inspector import Inspector
from vault.inspection.markup import Xml
from vault.inspection.pes import Pes
from vault.inspection.postgres import PostgresCustom, PostgresPlain
from vault.inspection.sqlite import Sqlite

BUILT_IN: tuple[Callable[[], Inspector], ...] = (
    Dsn, Pes, Fec, Dicom, Hl7v2, Cda, Fhir, HprimSante, HprimMedecin,
    PostgresPlain, PostgresCustom, Sqlite,
    Zip, Tar, make_gzip, make_bzip2, make_xz, make_zstd,
    Xml, Delimited,
)  # fmt: skip
