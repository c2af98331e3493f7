"""Who answers for a class of data, in the policies that travel with the package.

Rule: a role, never a person; a site's own policies name their own, and those are told as written.
"""

from __future__ import annotations

OWNERS = (
    "DIM physician",
    "chief financial officer",
    "chief medical officer",
    "director of nursing",
    "head of admissions",
    "head of admissions and billing",
    "head of human resources",
    "head of information systems",
    "head of medical physics",
    "head of radiology",
    "head of sterilisation",
    "head of supplies",
    "head of the laboratory",
    "head pharmacist",
)
