"""A calendar as its public document, made from values."""

from __future__ import annotations

import json
from datetime import date

import pytest

from tests.rigs.pmsi_exports import calendar, export, pair, pairs
from vault.finding import Soundness
from vault.report import document_of

STATUS = {
    "status": "locked",
    "last_cycle": {"ended_at": "2025-03-10T00:07:00+00:00", "sources": {"pmsi": "saved"}},
    "targets": [
        {"name": "disk-a", "enrolled": True, "disconnection": "detached"},
        {"name": "trial", "enrolled": True, "disconnection": "none"},
        {"name": "new", "enrolled": False, "disconnection": "none"},
    ],
}


def told(exports, today: date = date(2025, 3, 10)) -> dict:
    """Give the public document of a calendar, as it is read back."""
    document = {
        "written_at": "2025-03-10T01:07:00+00:00",
        "site": "CH de la Lande <b>&",
        "time_zone": "Europe/Paris",
        "sources": ["pmsi"],
        **document_of(calendar(exports, today=today)),
    }
    return json.loads(json.dumps(document))


@pytest.fixture
def hospital() -> dict:
    """SMR stops at M10, PSY after the third quarter; HAD M05 is torn, MCO M02 of 2025 is poor."""
    came = pairs("MCO", 2024, range(1, 13)) + pair("MCO", 2023, 12)
    came += pairs("SMR", 2024, range(1, 11)) + pairs("PSY", 2024, (3, 6, 9))
    came += pairs("HAD", 2024, [m for m in range(1, 13) if m != 5])
    came += pair("HAD", 2024, 5, soundness=Soundness.MALFORMED)
    came += pair("MCO", 2025, 1) + pair("MCO", 2025, 2, months={1: 50})
    return told([*came, export("HAD", 2025, 1, "in")])


@pytest.fixture
def status() -> dict:
    return json.loads(json.dumps(STATUS))
