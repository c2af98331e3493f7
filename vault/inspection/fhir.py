"""FHIR bulk export: one resource a line, as NDJSON.

Rule 1: of a resource only its type is taken, and only when it is one of the standard's.
Rule 2: a line that is not a resource is damage; at the end, the file was cut short.
Source: HL7 FHIR R4, Bulk Data Access: names such as ``Patient.000.ndjson``.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

from vault.finding import Finding, Remark, doubt, fault, judged
from vault.inspection.content import Content
from vault.inspection.inspector import LIKELY, NO, SURE

_LONGEST_LINE_BYTES = 16 * 1024**2
_MARK = int.from_bytes(os.urandom(8), "little")  # not to be foreseen; in no finding
_AT_ONCE = 64
_BETWEEN = b",%d," % _MARK
_BOM = b"\xef\xbb\xbf"
_TYPE = re.compile(rb'"resourceType"\s*:\s*"([A-Z][A-Za-z]+)"')
_TYPES = frozenset((
    "Account", "AllergyIntolerance", "Appointment", "AuditEvent", "Basic", "Binary",
    "BodyStructure", "CarePlan", "CareTeam", "ChargeItem", "Claim", "ClaimResponse",
    "ClinicalImpression", "Communication", "Composition", "Condition", "Consent", "Contract",
    "Coverage", "Device", "DeviceRequest", "DeviceUseStatement", "DiagnosticReport",
    "DocumentManifest", "DocumentReference", "Encounter", "EpisodeOfCare", "ExplanationOfBenefit",
    "FamilyMemberHistory", "Flag", "Goal", "Group", "HealthcareService", "ImagingStudy",
    "Immunization", "InsurancePlan", "Invoice", "List", "Location", "Measure", "MeasureReport",
    "Media", "Medication", "MedicationAdministration", "MedicationDispense", "MedicationRequest",
    "MedicationStatement", "NutritionOrder", "Observation", "OperationOutcome", "Organization",
    "OrganizationAffiliation", "Parameters", "Patient", "Person", "Practitioner",
    "PractitionerRole", "Procedure", "Provenance", "Questionnaire", "QuestionnaireResponse",
    "RelatedPerson", "ResearchStudy", "ResearchSubject", "RiskAssessment", "Schedule",
    "ServiceRequest", "Slot", "Specimen", "Substance", "Task", "VisionPrescription",
))  # fmt: skip


class Fhir:
    """Counts resources by type."""

    kind = "fhir-ndjson"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of a first line that is an object with a type."""
        line = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")[0]
        if not line.startswith(b"{"):
            return NO
        if name.lower().endswith(b".ndjson"):
            return SURE if _TYPE.search(line) else LIKELY
        return LIKELY if _TYPE.search(line) and line.rstrip().endswith(b"}") else NO

    def inspect(self, content: Content) -> Finding:
        """Read every line."""
        counts: dict[str, int] = {"resources": 0}
        broken, is_last_broken = 0, False
        for text, _ in content.texts(_LONGEST_LINE_BYTES):
            lines = text.removeprefix(_BOM).split(b"\n")
            lines = [line for one in lines if (line := one.strip().removeprefix(_BOM))]
            kinds = [*chain.from_iterable(map(_types_of, _some(lines)))]
            is_last_broken = kinds[-1] is None if kinds else is_last_broken
            for kind, count in Counter(kinds).items():
                if kind is None:
                    broken += count
                    continue
                counts["resources"] += count
                counts[kind] = counts.get(kind, 0) + count
        return judged(self.kind, _remarks(broken, is_last_broken, content, counts), counts=counts)


def _some(lines: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Part lines into as many as are parsed at once: more of them leave a processor's cache."""
    return (lines[at : at + _AT_ONCE] for at in range(0, len(lines), _AT_ONCE))


def _types_of(lines: Sequence[bytes]) -> list[str | None]:
    """Give the type of each line: of all at once when they are whole, a mark between each two."""
    try:
        found = json.loads(b"[" + _BETWEEN.join(lines) + b"]")
    except (ValueError, RecursionError):
        found = []
    # Half a line would take in a mark, and nobody could have written another into the file.
    if len(found) == 2 * len(lines) - 1 and found[1::2] == [_MARK] * (len(lines) - 1):
        return [*map(_type_in, found[::2])]
    return [*map(_type_of, lines)]


def _type_of(line: bytes) -> str | None:
    try:
        return _type_in(json.loads(line))
    except (ValueError, RecursionError):
        return None


def _type_in(resource: object) -> str | None:
    """Give the type of a resource, "other" for one that the standard does not name."""
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(kind, str):
        return None
    return kind if kind in _TYPES else "other"


def _remarks(
    broken: int, is_last_broken: bool, content: Content, counts: dict[str, int]
) -> list[Remark]:
    remarks = []
    if is_last_broken and broken == 1:
        remarks.append(fault("fhir-cut", "its last line is not whole: it was cut short"))
    elif broken:
        remarks.append(fault("fhir-line", "{count} lines are not resources", count=broken))
    named = content.name.partition(b".")[0].decode("latin-1")
    if named in _TYPES and set(counts) - {"resources", named}:
        remarks.append(doubt("fhir-name", "it holds other resources than its name says"))
    return remarks
