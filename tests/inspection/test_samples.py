"""The shared samples of a hospital, each recognised as what it is."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from vault.finding import Finding, Soundness
from vault.inspection import FileExaminer, Registry

HOSPITAL = Path(__file__).parents[2].resolve().parent / "shared/samples/hospital"

# Path below the hospital, kind, soundness, one count, one period.
SAMPLES = (
    ("hr/dsn/synth_dsn_mensuelle_P25V01_2025-03.dsn", "dsn", "sound", ("lines", 45), "2025-03"),
    ("hr/dsn/synth_dsn_mensuelle_P26V01_2026-01.dsn", "dsn", "sound", ("lines", 36), "2026-01"),
    ("hr/rosters/planning_2024-11.csv", "csv", "sound", ("columns", 5), ""),
    ("finance/pes/HELIOS_SIMU_ALR2_1496987735_826268894.xml", "pes", "sound", ("pieces", 1),
     "2017-06"),
    ("finance/pes/HELIOS_SIMU_ALR2_LibelleColBud_avec_accent.xml", "pes", "sound", ("slips", 1),
     "2009"),
    ("finance/pes/HELIOS_SIMU_RETOUR_1565181244_184723364.xml", "pes", "sound",
     ("flows back", 1), "2008-02"),
    # The first 400 lines of a ledger do not balance.
    ("finance/fec/000000000FEC20231231.txt", "fec", "doubtful", ("lines", 399), "2023-01"),
    ("finance/fec/111111111FEC20221231.TXT", "fec", "doubtful", ("lines", 399), "2023-05"),
    ("clinical/imaging/CT_small.dcm", "dicom", "sound", ("CT", 1), "2004-01"),
    ("clinical/imaging/MR_small.dcm", "dicom", "sound", ("MR", 1), "2004-08"),
    ("clinical/imaging/JPEG2000.dcm", "dicom", "sound", ("frames", 1), "2004-08"),
    ("clinical/imaging/image_dfl.dcm", "dicom", "sound", ("objects", 1), ""),
    ("clinical/imaging/test-SR.dcm", "dicom", "sound", ("SR", 1), ""),
    ("clinical/imaging/DICOMDIR", "dicom", "sound", ("directory records", 52), ""),
    ("clinical/imaging/ExplVR_BigEndNoMeta.dcm", "dicom", "sound", ("RTPLAN", 1), "2015-05"),
    ("clinical/radiotherapy/rtplan.dcm", "dicom", "sound", ("RTPLAN", 1), "2003-07"),
    ("clinical/fhir/Condition.000.ndjson", "fhir-ndjson", "sound", ("Condition", 2), ""),
    ("clinical/fhir/Encounter.000.ndjson", "fhir-ndjson", "sound", ("Encounter", 2), ""),
    ("clinical/fhir/Observation.000.ndjson", "fhir-ndjson", "sound", ("Observation", 8), ""),
    ("clinical/laboratory/hprim_sante_H2.1.hpr", "hprim-sante", "sound", ("results", 3),
     "2012-04"),
    ("clinical/messages/ack.er7", "hl7v2", "sound", ("ACK", 1), "2021-06"),
    ("clinical/messages/mdm_t02_init.er7", "hl7v2", "sound", ("MDM", 1), "2021-06"),
    ("clinical/messages/pam_a01_consent1.er7", "hl7v2", "sound", ("segments", 11), "2024-03"),
    ("clinical/messages/adt_a01_sgl.er7", "hl7v2", "sound", ("ADT", 1), "2024-03"),
    ("clinical/messages/mdm_v12.hl7", "hl7v2", "sound", ("messages", 1), "2021-06"),
    ("clinical/directory/annuaire.ldif", "ldif", "sound", ("entries", 60), ""),
    ("clinical/documents/AVC-SUNV_2022.01.xml", "cda", "sound", ("sections", 5), "2018-10"),
    ("clinical/documents/CSE-MDE_2023.01.xml", "cda", "sound", ("documents", 1), "2023-01"),
    ("clinical/documents/IMG_CR_IMG_2024.01_CDA-R2-Niveau-1.xml", "cda", "sound",
     ("documents", 1), "2021-01"),
    ("clinical/documents/BIO-TROD_2024.01_Angine.xml", "cda", "sound", ("documents", 1),
     "2024-01"),
    ("clinical/documents/VAC-NOTE_2023.01.xml", "cda", "sound", ("documents", 1), "2021-04"),
    ("clinical/documents/OBP-SCM_2024.01.xml", "cda", "sound", ("sections", 3), "2021-03"),
)  # fmt: skip

pytestmark = pytest.mark.skipif(
    not HOSPITAL.is_dir(), reason="the shared samples are not beside the project"
)


def look(path: Path, registry: Registry) -> Finding:
    examiner = FileExaminer(registry, seed=b"test", clock_s=time.monotonic)
    fd = os.open(path, os.O_RDONLY)
    try:
        return examiner.examine_open(fd, os.fsencode(path.name))[0]
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("path", "kind", "soundness", "count", "period"), SAMPLES, ids=[row[0] for row in SAMPLES]
)
def test_sample_is_recognised_as_what_it_is(
    registry: Registry, path: str, kind: str, soundness: str, count: tuple[str, int], period: str
) -> None:
    """Kind, soundness, one of its counts, one of its periods."""
    finding = look(HOSPITAL / path, registry)
    assert (finding.kind, finding.soundness) == (kind, soundness), finding.remarks
    assert finding.counts[count[0]] == count[1]
    assert (period in finding.periods) if period else not finding.periods


def test_no_sample_is_left_out() -> None:
    """The table names every sample that is not PMSI."""
    held = {str(path.relative_to(HOSPITAL)) for path in HOSPITAL.rglob("*") if path.is_file()}
    assert {name for name in held if not name.startswith("pmsi/")} == {row[0] for row in SAMPLES}


def test_sample_that_was_cut_is_not_sound(registry: Registry, tmp_path: Path) -> None:
    """Where the format lets one find it: every sample but those that declare no end."""
    for path, kind, soundness, _count, _period in SAMPLES:
        content = (HOSPITAL / path).read_bytes()
        cut = tmp_path / Path(path).name
        # Within a line: what ends with one says nothing of what came after.
        cut.write_bytes(content[: len(content) * 17 // 20].rstrip(b"\r\n")[:-1])
        if kind in ("dsn", "pes", "dicom", "cda", "hprim-sante"):
            assert look(cut, registry).soundness is Soundness.MALFORMED, path
        elif kind in ("hl7v2", "csv", "fec", "ldif") or soundness == "doubtful":
            assert look(cut, registry).soundness in ("doubtful", "malformed"), path
